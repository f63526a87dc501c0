package streamproof.analytics;

import java.time.Instant;

/**
 * A line that could not be parsed, or a row that the table could not hold, with what it takes to find it, correct it
 * and send it again. A Flink POJO.
 */
public class Reject {
    /** One of a small set of phrases, so that rejects can be counted by reason. */
    public String reason;
    /** The first faulty column of the schema or the table; null if the fault is not in a column. */
    public String column;
    /** The line without its newline, byte for byte; for a row, the line it would have been. */
    public byte[] data;

    /** Null for a row, as are the next two: a query may compute a row from several records, or from none. */
    public String shard;
    public String sequenceNumber;
    public Instant arrivalTime;
}
