package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Date;
import java.util.List;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.clientlibrary.types.UserRecord;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Record;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Aggregates that the producer packs are taken apart by what Flink's consumer takes them apart with, in the way in which
 * it does: with the hash key range of the shard.
 */
class AggregateTest {
    /** Written by the producer's own test. */
    private static final Path GOLDEN = Path.of("../internal/stream/testdata/aggregate.json");

    private static final BigInteger LAST_HASH_KEY = BigInteger.ONE.shiftLeft(128).subtract(BigInteger.ONE);

    private static JsonNode golden;
    private static BigInteger hashKey;

    @BeforeAll
    static void read() throws IOException {
        golden = new ObjectMapper().readTree(GOLDEN.toFile());
        hashKey = new BigInteger(golden.required("explicitHashKey").asText());
    }

    private static List<UserRecord> deaggregate(byte[] data, BigInteger first, BigInteger last) {
        Record record = new Record()
                .withData(ByteBuffer.wrap(data))
                .withPartitionKey(golden.required("partitionKey").asText())
                .withSequenceNumber("49650000000000000000000000000000000000000000000000000001")
                .withApproximateArrivalTimestamp(new Date(0));
        return UserRecord.deaggregate(List.of(record), first, last);
    }

    private static byte[] data() throws IOException {
        return golden.required("data").binaryValue();
    }

    private static byte[] bytes(UserRecord record) {
        byte[] bytes = new byte[record.getData().remaining()];
        record.getData().get(bytes);
        return bytes;
    }

    @Test
    void everyRecordComesOutAsItWas() throws IOException {
        // The narrowest shard that the aggregate can be in, and the widest.
        for (BigInteger[] shard : new BigInteger[][] {{hashKey, hashKey}, {BigInteger.ZERO, LAST_HASH_KEY}}) {
            List<UserRecord> records = deaggregate(data(), shard[0], shard[1]);
            JsonNode want = golden.required("records");
            assertEquals(want.size(), records.size());
            boolean empty = false;
            for (int i = 0; i < want.size(); i++) {
                UserRecord record = records.get(i);
                assertTrue(record.isAggregated());
                assertEquals(i, record.getSubSequenceNumber());
                assertEquals(want.get(i).required("partitionKey").asText(), record.getPartitionKey());
                assertEquals(hashKey.toString(), record.getExplicitHashKey());
                byte[] bytes = bytes(record);
                assertArrayEquals(want.get(i).required("data").binaryValue(), bytes, "record " + i);
                empty |= bytes.length == 0;
            }
            assertTrue(empty, "there is no empty record among them");
        }
    }

    @Test
    void nothingComesOutOfAnotherShard() throws IOException {
        BigInteger next = hashKey.add(BigInteger.ONE);
        BigInteger previous = hashKey.subtract(BigInteger.ONE);
        assertEquals(List.of(), deaggregate(data(), next, LAST_HASH_KEY));
        assertEquals(List.of(), deaggregate(data(), BigInteger.ZERO, previous));
    }

    @Test
    void aSpoiledAggregateIsOnePlainRecord() throws IOException {
        for (int i = 0; i < data().length; i++) {
            byte[] spoiled = data();
            spoiled[i] ^= 1;
            List<UserRecord> records = deaggregate(spoiled, BigInteger.ZERO, LAST_HASH_KEY);
            assertEquals(1, records.size());
            assertFalse(records.get(0).isAggregated());
            assertNull(records.get(0).getExplicitHashKey());
            assertArrayEquals(spoiled, bytes(records.get(0)));
        }
    }

    @Test
    void anEmptyRecordByItselfIsOne() {
        List<UserRecord> records = deaggregate(new byte[0], BigInteger.ZERO, LAST_HASH_KEY);
        assertEquals(1, records.size());
        assertFalse(records.get(0).isAggregated());
        assertEquals(0, records.get(0).getData().remaining());
    }
}
