package streamproof.analytics;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * Records that the Kinesis Producer Library has packed into one: a magic number, the protobuf message AggregatedRecord,
 * and the MD5 of the message (aggregation-format.md of awslabs/amazon-kinesis-producer).
 *
 * <p>An aggregate with any fault gives no records, and a reason. The Go package kpl reads the same format; both are
 * tested with its table {@code aggregates.json}.
 */
final class Aggregate {
    static final String MALFORMED = "malformed aggregate";
    static final String EMPTY = "aggregate without records";
    static final String NO_SUCH_KEY = "no such key in the aggregate";
    static final String NOT_A_HASH_KEY = "not a hash key";

    private static final byte[] MAGIC = {(byte) 0xf3, (byte) 0x89, (byte) 0x9a, (byte) 0xc2};
    private static final int DIGEST_BYTES = 16;
    /** An explicit hash key as Kinesis accepts it, which is also below 2¹²⁸. */
    private static final Pattern HASH_KEY = Pattern.compile("0|[1-9][0-9]{0,38}");

    private static final BigInteger HASH_KEYS = BigInteger.ONE.shiftLeft(128);

    /** A record in an aggregate. */
    static final class Entry {
        final String partitionKey;
        /** Decides the record's shard: the explicit hash key, or else the MD5 of the partition key. */
        final BigInteger hashKey;

        final byte[] data;

        private Entry(String partitionKey, BigInteger hashKey, byte[] data) {
            this.partitionKey = partitionKey;
            this.hashKey = hashKey;
            this.data = data;
        }
    }

    private final List<String> partitionKeys = new ArrayList<>();
    private final List<String> hashKeys = new ArrayList<>();
    private final List<ProtobufReader> records = new ArrayList<>();

    private Aggregate(ProtobufReader message) throws RejectedException {
        while (message.next()) {
            switch (message.field()) {
                case 1:
                    partitionKeys.add(text(message.bytes()));
                    break;
                case 2:
                    hashKeys.add(text(message.bytes()));
                    break;
                case 3:
                    records.add(new ProtobufReader(message.bytes()));
                    break;
                default:
                    throw new RejectedException(MALFORMED);
            }
        }
    }

    /** Reports whether the data is an aggregate: the magic number in front, and the MD5 of the rest at the end. */
    static boolean isOne(byte[] data) {
        int end = data.length - DIGEST_BYTES;
        return end >= MAGIC.length
                && Arrays.equals(data, 0, MAGIC.length, MAGIC, 0, MAGIC.length)
                && Arrays.equals(
                        md5(Arrays.copyOfRange(data, MAGIC.length, end)), Arrays.copyOfRange(data, end, data.length));
    }

    /** The records of an aggregate. */
    static List<Entry> entries(byte[] data) throws RejectedException {
        Aggregate aggregate = new Aggregate(
                new ProtobufReader(ByteBuffer.wrap(data, MAGIC.length, data.length - MAGIC.length - DIGEST_BYTES)));
        if (aggregate.records.isEmpty()) {
            throw new RejectedException(EMPTY);
        }
        List<Entry> entries = new ArrayList<>();
        for (ProtobufReader record : aggregate.records) {
            entries.add(aggregate.entry(record));
        }
        return entries;
    }

    private Entry entry(ProtobufReader record) throws RejectedException {
        Long partitionKey = null;
        Long hashKey = null;
        byte[] data = null;
        while (record.next()) {
            switch (record.field()) {
                case 1:
                    partitionKey = once(partitionKey, record.number());
                    break;
                case 2:
                    hashKey = once(hashKey, record.number());
                    break;
                case 3:
                    data = once(data, bytes(record.bytes()));
                    break;
                case 4: // a tag
                    record.bytes();
                    break;
                default:
                    throw new RejectedException(MALFORMED);
            }
        }
        if (partitionKey == null || data == null) {
            throw new RejectedException(MALFORMED);
        }
        String key = at(partitionKeys, partitionKey);
        return new Entry(key, hashKey == null ? hash(key) : parseHashKey(at(hashKeys, hashKey)), data);
    }

    private static <T> T once(T before, T value) throws RejectedException {
        if (before != null) {
            throw new RejectedException(MALFORMED);
        }
        return value;
    }

    private static String at(List<String> table, long index) throws RejectedException {
        if (index < 0 || index >= table.size()) {
            throw new RejectedException(NO_SUCH_KEY);
        }
        return table.get((int) index);
    }

    private static BigInteger parseHashKey(String text) throws RejectedException {
        if (HASH_KEY.matcher(text).matches()) {
            BigInteger key = new BigInteger(text);
            if (key.compareTo(HASH_KEYS) < 0) {
                return key;
            }
        }
        throw new RejectedException(NOT_A_HASH_KEY);
    }

    private static BigInteger hash(String partitionKey) {
        return new BigInteger(1, md5(partitionKey.getBytes(StandardCharsets.UTF_8)));
    }

    private static byte[] md5(byte[] data) {
        try {
            return MessageDigest.getInstance("MD5").digest(data);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has MD5
        }
    }

    private static String text(ByteBuffer bytes) throws RejectedException {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            throw new RejectedException(MALFORMED);
        }
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }
}
