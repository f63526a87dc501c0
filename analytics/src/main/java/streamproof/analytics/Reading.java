package streamproof.analytics;

import java.util.Properties;
import org.apache.flink.connector.aws.config.AWSConfigConstants;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants;

/**
 * How the stream is read: within the limits that all readers of a shard share. Kinesis allows five reads and 2 MB a
 * second, and refuses reads for five seconds after an answer of 10 MB.
 *
 * <p>https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
 */
final class Reading {
    private Reading() {}

    static Properties of(Config config) {
        Properties consumer = new Properties();
        consumer.setProperty(AWSConfigConstants.AWS_REGION, config.region);
        consumer.setProperty(ConsumerConfigConstants.STREAM_INITIAL_POSITION, config.initialPosition.name());
        config.initialTime.ifPresent(time -> consumer.setProperty( // in seconds
                ConsumerConfigConstants.STREAM_INITIAL_TIMESTAMP, Long.toString(time.getEpochSecond())));
        config.kinesisEndpoint.ifPresent(
                endpoint -> consumer.setProperty(AWSConfigConstants.AWS_ENDPOINT, endpoint));

        // Two reads a second leave three for others, such as the verifier. The connector's default leaves none.
        consumer.setProperty(ConsumerConfigConstants.SHARD_GETRECORDS_INTERVAL_MILLIS, "500");
        // As many records a read as 2 MB a second allow, judging by the size of earlier records.
        consumer.setProperty(ConsumerConfigConstants.SHARD_USE_ADAPTIVE_READS, "true");
        // Wait out refusals, which come after the first read of a catch-up and when others read too much: a failed job
        // restarts and doubles rows. The connector's default of three retries takes less than five seconds.
        consumer.setProperty(ConsumerConfigConstants.SHARD_GETRECORDS_RETRIES, "100");
        consumer.setProperty(ConsumerConfigConstants.SHARD_GETRECORDS_BACKOFF_BASE, "500");
        consumer.setProperty(ConsumerConfigConstants.SHARD_GETRECORDS_BACKOFF_MAX, "5000");
        consumer.setProperty(ConsumerConfigConstants.SHARD_GETITERATOR_RETRIES, "100");
        consumer.setProperty(ConsumerConfigConstants.SHARD_GETITERATOR_BACKOFF_BASE, "500");
        consumer.setProperty(ConsumerConfigConstants.SHARD_GETITERATOR_BACKOFF_MAX, "5000");
        return consumer;
    }
}
