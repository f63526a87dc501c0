package streamproof.analytics;

import java.time.Instant;

/**
 * A line that could not be parsed, or a row that the table could not hold, with all that is needed to find it, mend it
 * and send it again. A Flink POJO.
 */
public class Reject {
    /** One of a small set of phrases, so that rejects can be counted by it. */
    public String reason;
    /** The name of the first column at fault, of the schema or of the table; null where the line as a whole is. */
    public String column;
    /** The line without its newline, byte for byte; of a row, the line that it would have been. */
    public byte[] data;

    /** Null for a row, as are the next two: the query may have made it of several records, or of none. */
    public String shard;
    public String sequenceNumber;
    public Instant arrivalTime;
}
