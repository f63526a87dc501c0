package streamproof.analytics;

import java.util.Properties;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.connector.aws.config.AWSConfigConstants;
import org.apache.flink.connector.firehose.sink.KinesisFirehoseSink;
import org.apache.flink.streaming.api.datastream.DataStream;

/** Sends lines with their newlines to Firehose, packed into records. */
final class Delivery {
    /** The most bytes of a record, before base64. A larger one fails the job, again after each restart. */
    static final int RECORD_BYTES = 1000 * 1024;
    /** The most bytes and records of a call. */
    private static final int CALL_BYTES = 4 * 1024 * 1024;

    private static final int CALL_RECORDS = 500;
    /** Bounds a sink's memory: this many full calls, and one or two more that are being filled. */
    private static final int CALLS_IN_FLIGHT = 8;
    /** Short, because the packer has already waited. */
    private static final long COLLECT_MILLIS = 100;

    private Delivery() {}

    /**
     * Sends {@code lines}, none longer than {@link #RECORD_BYTES}, to a delivery stream. The prefix makes the uids of
     * this packer and sink unique. They never change, because snapshots hold the records that Firehose has not yet
     * accepted.
     *
     * <p>A record that Firehose throttles or does not answer is sent again until it is accepted: at least once. A
     * missing delivery stream or permission fails the job.
     */
    static void send(Config config, DataStream<byte[]> lines, String deliveryStream, String uidPrefix) {
        Properties client = new Properties();
        client.setProperty(AWSConfigConstants.AWS_REGION, config.region);
        config.firehoseEndpoint.ifPresent(url -> client.setProperty(AWSConfigConstants.AWS_ENDPOINT, url));
        int recordsPerCall =
                config.packDelayMillis == 0 ? CALL_RECORDS : Math.min(CALL_RECORDS, CALL_BYTES / config.packBytes);
        String packer = uidPrefix + "packer";
        String sink = uidPrefix + "sink";
        lines.transform(
                        packer,
                        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO,
                        new Packer(config.packBytes, config.packDelayMillis))
                .uid(packer)
                .sinkTo(KinesisFirehoseSink.<byte[]>builder()
                        .setDeliveryStreamName(deliveryStream)
                        .setFirehoseClientProperties(client)
                        .setSerializationSchema(pack -> pack)
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
}
