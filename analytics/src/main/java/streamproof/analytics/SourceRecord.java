package streamproof.analytics;

import java.math.BigInteger;
import java.time.Instant;

/** A record of the stream as Kinesis gives it, which may be an {@link Aggregate}. A Flink POJO. */
public class SourceRecord {
    public byte[] data;
    public String partitionKey;
    public String shard;
    /** The hash keys of the records that belong to the shard: from the first to the last. */
    public BigInteger firstHashKey;

    public BigInteger lastHashKey;
    public String sequenceNumber;
    /** When Kinesis took the record, as it says itself: approximate, in milliseconds. */
    public Instant arrivalTime;
    /** How many records of the aggregate were parsed before the snapshot that the job was restored from. */
    public int parsed;
}
