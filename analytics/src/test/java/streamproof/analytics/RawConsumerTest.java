package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.HashKeyRange;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Shard;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.connectors.kinesis.internals.KinesisDataFetcher;
import org.apache.flink.streaming.connectors.kinesis.model.KinesisStreamShardState;
import org.apache.flink.streaming.connectors.kinesis.model.SentinelSequenceNumber;
import org.apache.flink.streaming.connectors.kinesis.model.SequenceNumber;
import org.apache.flink.streaming.connectors.kinesis.model.StreamShardHandle;
import org.apache.flink.streaming.util.MockStreamingRuntimeContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@SuppressWarnings("deprecation")
@Timeout(60)
class RawConsumerTest {
    private static final SequenceNumber START = SentinelSequenceNumber.SENTINEL_EARLIEST_SEQUENCE_NUM.get();

    private KinesisStandIn kinesis;

    @BeforeEach
    void start() throws IOException {
        kinesis = new KinesisStandIn();
    }

    @AfterEach
    void stop() {
        kinesis.close();
    }

    /** What the connector by itself drops, fails on or takes apart comes as it is, and so does what looks like a mark. */
    @Test
    void recordsComeAsTheyAre() throws Exception {
        List<byte[]> want = new ArrayList<>(List.of("1\n".getBytes(), new byte[0], new byte[] {0}, new byte[] {0, 0, '1'}));
        new ObjectMapper()
                .readTree(AggregateTest.TABLE.toFile())
                .forEach(test -> want.add(bytes(test)));
        want.forEach(kinesis::put);
        List<SourceRecord> got = read(START, want.size());
        for (int i = 0; i < want.size(); i++) {
            SourceRecord record = got.get(i);
            assertArrayEquals(want.get(i), record.data);
            assertEquals("4", record.partitionKey);
            assertEquals("shardId-000000000000", record.shard);
            assertEquals(String.valueOf(1000 + i), record.sequenceNumber);
            assertEquals(1704067200120L, record.arrivalTime.toEpochMilli());
            assertEquals(KinesisStandIn.FIRST_HASH_KEY, record.firstHashKey);
            assertEquals(KinesisStandIn.LAST_HASH_KEY, record.lastHashKey);
            assertEquals(0, record.parsed);
        }
    }

    private static byte[] bytes(JsonNode test) {
        try {
            return test.required("data").binaryValue();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** As the connector itself restores: the next record, or the rest of the aggregate that the snapshot stands in. */
    @Test
    void snapshotsGoOnWhereTheyStand() throws Exception {
        for (int i = 0; i < 4; i++) {
            kinesis.put(new byte[] {(byte) i});
        }
        SourceRecord next = read(new SequenceNumber("1001"), 1).get(0);
        assertEquals("1002 0", next.sequenceNumber + " " + next.parsed);
        List<SourceRecord> rest = read(new SequenceNumber("1001", 6), 2);
        assertEquals("1001 7", rest.get(0).sequenceNumber + " " + rest.get(0).parsed);
        assertEquals("1002 0", rest.get(1).sequenceNumber + " " + rest.get(1).parsed);
    }

    /**
     * Others take all reads for longer than the connector's own retries last, with those of the SDK within each: some ten
     * seconds. Then comes a catch-up whose first answer is as large as can be.
     */
    @Test
    void refusalsAreWaitedFor() throws Exception {
        int records = 13;
        for (int i = 0; i < records; i++) {
            kinesis.put(new byte[1024 * 1024 - 1]);
        }
        kinesis.refuse(Duration.ofSeconds(20));
        assertEquals(records, read(START, records).size());
    }

    /** Reads a shard, of which the position is the last record that was read before, until there are so many records. */
    private List<SourceRecord> read(SequenceNumber last, int records) throws Exception {
        Config config = Config.of(Map.of(Config.GROUP, properties()));
        List<SourceRecord> got = new ArrayList<>();
        Object lock = new Object();
        RawConsumer.Fetcher fetcher = new RawConsumer.Fetcher(
                List.of("trips"),
                new Collected(lock, got),
                new MockStreamingRuntimeContext(true, 1, 0),
                Reading.of(config),
                new RawConsumer.Unmarker(),
                (shard, subtasks) -> 0);
        StreamShardHandle shard = new StreamShardHandle(
                "trips",
                new Shard()
                        .withShardId("shardId-000000000000")
                        .withHashKeyRange(new HashKeyRange()
                                .withStartingHashKey(KinesisStandIn.FIRST_HASH_KEY.toString())
                                .withEndingHashKey(KinesisStandIn.LAST_HASH_KEY.toString())));
        fetcher.registerNewSubscribedShardState(new KinesisStreamShardState(
                KinesisDataFetcher.convertToStreamShardMetadata(shard), shard, last));
        fetcher.advanceLastDiscoveredShardOfStream("trips", "shardId-000000000000");
        CompletableFuture<Void> run = CompletableFuture.runAsync(() -> {
            try {
                fetcher.runFetcher();
            } catch (Exception e) {
                throw new CompletionException(e);
            }
        });
        try {
            while (true) {
                synchronized (lock) {
                    if (got.size() >= records) {
                        return new ArrayList<>(got);
                    }
                }
                if (run.isDone()) {
                    run.join();
                }
                Thread.sleep(20);
            }
        } finally {
            fetcher.shutdownFetcher();
        }
    }

    private Properties properties() {
        Properties properties = new Properties();
        properties.putAll(Map.of(
                "stream.arn", "arn:aws:kinesis:eu-west-1:000000000000:stream/trips",
                "delivery.stream", "analysed",
                "rejects.delivery.stream", "rejected",
                "output.format", "CSV",
                "kinesis.endpoint", kinesis.endpoint()));
        return properties;
    }

    private static final class Collected implements SourceFunction.SourceContext<SourceRecord> {
        private final Object lock;
        private final List<SourceRecord> records;

        Collected(Object lock, List<SourceRecord> records) {
            this.lock = lock;
            this.records = records;
        }

        @Override
        public void collect(SourceRecord record) {
            records.add(record);
        }

        @Override
        public void collectWithTimestamp(SourceRecord record, long timestamp) {
            collect(record);
        }

        @Override
        public void emitWatermark(Watermark mark) {}

        @Override
        public void markAsTemporarilyIdle() {}

        @Override
        public Object getCheckpointLock() {
            return lock;
        }

        @Override
        public void close() {}
    }
}
