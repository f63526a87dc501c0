package streamproof.analytics;

import java.time.Instant;

/** A line that could not be parsed, with all that is needed to find it, mend it and send it again. A Flink POJO. */
public class Reject {
    /** One of a small set of phrases, so that rejects can be counted by it. */
    public String reason;
    /** The name of the first column at fault; null where the line as a whole is. */
    public String column;
    /** The line without its newline, byte for byte. */
    public byte[] data;

    public String shard;
    public String sequenceNumber;
    public Instant arrivalTime;
}
