package streamproof.analytics;

import java.util.Optional;
import java.util.Properties;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.connector.aws.config.AWSConfigConstants;
import org.apache.flink.connector.firehose.sink.KinesisFirehoseSink;
import org.apache.flink.streaming.api.datastream.DataStream;

/** The way of lines, each ended by its newline, to Firehose: packed into records, and handed to a delivery stream. */
final class Delivery {
    /** What a record may hold at most: 1,000 KiB, before base64. One that holds more fails the job, again and again. */
    static final int RECORD_BYTES = 1000 * 1024;
    /** What a call may hold at most, in bytes and in records. */
    private static final int CALL_BYTES = 4 * 1024 * 1024;

    private static final int CALL_RECORDS = 500;
    /** Bounds the memory of a sink: to this many full calls, and one or two that are collected meanwhile. */
    private static final int CALLS_IN_FLIGHT = 8;
    /** Short, because the packer has waited already. */
    private static final long COLLECT_MILLIS = 100;

    private final String region;
    private final Optional<String> endpoint;
    private final int packBytes;
    private final long packDelayMillis;

    Delivery(String region, Optional<String> endpoint, int packBytes, long packDelayMillis) {
        this.region = region;
        this.endpoint = endpoint;
        this.packBytes = packBytes;
        this.packDelayMillis = packDelayMillis;
    }

    /**
     * Sends {@code lines}, none longer than {@link #RECORD_BYTES}, to a delivery stream. The prefix tells the uids of
     * this packer and sink from those of others; they never change, because the sink keeps in snapshots what Firehose
     * has not yet taken.
     *
     * <p>What Firehose throttles or leaves without an answer is sent again, for as long as it takes: at least once. A
     * delivery stream or a permission that is not there fails the job.
     */
    void send(DataStream<byte[]> lines, String deliveryStream, String uidPrefix) {
        Properties client = new Properties();
        client.setProperty(AWSConfigConstants.AWS_REGION, region);
        endpoint.ifPresent(url -> client.setProperty(AWSConfigConstants.AWS_ENDPOINT, url));
        int recordsPerCall = packDelayMillis == 0 ? CALL_RECORDS : Math.min(CALL_RECORDS, CALL_BYTES / packBytes);
        String packer = uidPrefix + "packer";
        String sink = uidPrefix + "sink";
        lines.transform(
                        packer,
                        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                        new Packer(packBytes, packDelayMillis))
                .uid(packer)
                .sinkTo(KinesisFirehoseSink.<byte[]>builder()
                        .setDeliveryStreamName(deliveryStream)
                        .setFirehoseClientProperties(client)
                        .setSerializationSchema(new AsIs())
                        .setFailOnError(false)
                        .setMaxRecordSizeInBytes(RECORD_BYTES)
                        .setMaxBatchSizeInBytes(CALL_BYTES)
                        .setMaxBatchSize(recordsPerCall)
                        .setMaxBufferedRequests(2 * recordsPerCall)
                        .setMaxInFlightRequests(CALLS_IN_FLIGHT)
                        .setMaxTimeInBufferMS(COLLECT_MILLIS)
                        .build())
                .uid(sink)
                .name(sink);
    }

    private static final class AsIs implements SerializationSchema<byte[]> {
        private static final long serialVersionUID = 1;

        @Override
        public byte[] serialize(byte[] pack) {
            return pack;
        }
    }
}
