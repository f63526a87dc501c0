package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.apache.flink.api.common.functions.DefaultOpenContext;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.AmazonKinesisException;
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
@Timeout(180)
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

    /** Records that the connector itself drops, fails on or unpacks arrive unchanged, as do those that look marked. */
    @Test
    void recordsComeAsTheyAre() throws Exception {
        List<byte[]> want = new ArrayList<>(
                List.of("1\n".getBytes(), new byte[0], new byte[] {0}, new byte[] {0, 0, '1'}));
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

    /** As the connector itself restores: from the next record, or within the aggregate of the snapshot's position. */
    @Test
    void snapshotsResumeAtTheirPosition() throws Exception {
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
     * Other readers use up all reads for longer than the connector's own retries last, some ten seconds with those of
     * the SDK. Then comes a catch-up that begins with an answer of the largest size.
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

    /** Such a job would complete checkpoints until its first call is denied. */
    @Test
    void noTaskRunsThatMayNotReadItsStream() throws Exception {
        RawConsumer consumer = new RawConsumer("trips", reading());
        consumer.setRuntimeContext(new MockStreamingRuntimeContext(true, 1, 0));
        consumer.open(DefaultOpenContext.INSTANCE);
        kinesis.deny();
        assertThrows(AmazonKinesisException.class, () -> consumer.open(DefaultOpenContext.INSTANCE));
    }

    private Properties reading() {
        return Reading.of(Config.of(
                Map.of(Config.GROUP, ConfigTest.properties(Map.of("kinesis.endpoint", kinesis.endpoint())))));
    }

    /** Reads so many records of a shard after the position {@code last}. */
    private List<SourceRecord> read(SequenceNumber last, int records) throws Exception {
        List<SourceRecord> got = new ArrayList<>();
        Object lock = new Object();
        RawConsumer.Fetcher fetcher = new RawConsumer.Fetcher(
                List.of("trips"),
                new Collected(lock, got),
                new MockStreamingRuntimeContext(true, 1, 0),
                reading(),
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
