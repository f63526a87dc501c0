package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.clientlibrary.types.UserRecord;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.model.Record;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Aggregates are unpacked exactly as the Go package kpl unpacks them. The Kinesis Client Library, with which other
 * consumers of the stream read, also unpacks those that the producer packs, within the shard's range of hash keys.
 */
class AggregateTest {
    /** Written by the test of package kpl. */
    static final Path TABLE = Path.of("../internal/stream/kpl/testdata/aggregates.json");

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

    static Stream<Arguments> table() throws IOException {
        List<Arguments> cases = new ArrayList<>();
        new ObjectMapper()
                .readTree(TABLE.toFile())
                .fields()
                .forEachRemaining(test -> cases.add(Arguments.of(test.getKey(), test.getValue())));
        return cases.stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("table")
    void isUnpackedAsInGo(String name, JsonNode want) throws Exception {
        byte[] data = want.required("data").binaryValue();
        assertEquals(!want.path("plain").asBoolean(), Aggregate.isOne(data));
        if (want.has("reason")) {
            RejectedException e = assertThrows(RejectedException.class, () -> Aggregate.entries(data));
            assertEquals(want.get("reason").asText(), e.getMessage());
        } else if (want.has("records")) {
            assertEntries(want.get("records"), Aggregate.entries(data));
        }
    }

    private static void assertEntries(JsonNode want, List<Aggregate.Entry> got) throws IOException {
        assertEquals(want.size(), got.size());
        for (int i = 0; i < want.size(); i++) {
            JsonNode record = want.get(i);
            assertEquals(record.required("PartitionKey").asText(), got.get(i).partitionKey);
            assertArrayEquals(record.required("Data").binaryValue(), got.get(i).data, "record " + i);
            String hashKey = record.required("ExplicitHashKey").asText();
            if (!hashKey.isEmpty()) {
                assertEquals(new BigInteger(hashKey), got.get(i).hashKey);
            }
        }
    }

    @Test
    void theHashOfAPartitionKeyIsItsMD5() throws Exception {
        JsonNode test = new ObjectMapper().readTree(TABLE.toFile()).required("no explicit hash key");
        assertEquals(
                new BigInteger("0cc175b9c0f1b6a831c399e269772661", 16),
                Aggregate.entries(test.required("data").binaryValue()).get(0).hashKey);
    }

    @Test
    void theProducersAggregatesAreUnpacked() throws Exception {
        List<Aggregate.Entry> got = Aggregate.entries(data());
        JsonNode want = golden.required("records");
        assertEquals(want.size(), got.size());
        for (int i = 0; i < want.size(); i++) {
            assertEquals(want.get(i).required("partitionKey").asText(), got.get(i).partitionKey);
            assertEquals(hashKey, got.get(i).hashKey);
            assertArrayEquals(want.get(i).required("data").binaryValue(), got.get(i).data);
        }
    }

    /**
     * Any content gives records or a reason, and throws nothing else. If the Client Library finds records too, they
     * are the same. That library also reads tags, and treats what it cannot read as a plain record.
     */
    @Test
    void anyContent() throws Exception {
        Random random = new Random(1);
        List<byte[]> messages = new ArrayList<>();
        for (Arguments test : table().collect(Collectors.toList())) {
            byte[] data = ((JsonNode) test.get()[1]).required("data").binaryValue();
            if (Aggregate.isOne(data)) {
                messages.add(Arrays.copyOfRange(data, 4, data.length - 16));
            }
        }
        int rejected = 0;
        int compared = 0;
        for (int i = 0; i < 100_000; i++) {
            byte[] data = aggregate(mutated(messages.get(random.nextInt(messages.size())), random));
            assertTrue(Aggregate.isOne(data));
            List<Aggregate.Entry> entries;
            try {
                entries = Aggregate.entries(data);
            } catch (RejectedException e) {
                rejected++;
                continue;
            }
            List<UserRecord> theirs = deaggregate(data, BigInteger.ZERO, LAST_HASH_KEY);
            if (!theirs.get(0).isAggregated()) {
                continue;
            }
            compared++;
            assertEquals(theirs.size(), entries.size());
            for (int k = 0; k < theirs.size(); k++) {
                assertEquals(theirs.get(k).getPartitionKey(), entries.get(k).partitionKey);
                assertArrayEquals(bytes(theirs.get(k)), entries.get(k).data);
            }
        }
        assertTrue(rejected > 1000 && compared > 1000, rejected + " rejected, " + compared + " compared");
    }

    private static byte[] mutated(byte[] message, Random random) {
        byte[] mutated = Arrays.copyOf(message, Math.max(0, message.length + random.nextInt(3) - 1));
        for (int i = random.nextInt(4); i > 0 && mutated.length > 0; i--) {
            mutated[random.nextInt(mutated.length)] = (byte) (random.nextBoolean() ? random.nextInt(36) : random.nextInt());
        }
        return mutated;
    }

    static byte[] aggregate(byte[] message) throws NoSuchAlgorithmException {
        ByteBuffer data = ByteBuffer.allocate(4 + message.length + 16).putInt(0xf3899ac2).put(message);
        return data.put(MessageDigest.getInstance("MD5").digest(message)).array();
    }

    @Test
    void theClientLibraryUnpacksThem() throws IOException {
        // The smallest shard that can hold the aggregate, and the largest.
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
    void anotherShardGetsNoRecords() throws IOException {
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
    void anEmptyRecordIsOneRecord() {
        List<UserRecord> records = deaggregate(new byte[0], BigInteger.ZERO, LAST_HASH_KEY);
        assertEquals(1, records.size());
        assertFalse(records.get(0).isAggregated());
        assertEquals(0, records.get(0).getData().remaining());
    }
}
