package streamproof.analytics;

import java.math.BigInteger;
import java.time.Instant;

/** A record of the stream, which may be an {@link Aggregate}. A Flink POJO. */
public class SourceRecord {
    public byte[] data;
    public String partitionKey;
    public String shard;
    /** The shard's range of hash keys. */
    public BigInteger firstHashKey;

    public BigInteger lastHashKey;
    public String sequenceNumber;
    /** When Kinesis stored the record: approximate, in milliseconds. */
    public Instant arrivalTime;
    /** How many records of the aggregate the job had parsed before the snapshot it was restored from. */
    public int parsed;
}
