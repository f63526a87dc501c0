package streamproof.analytics;

import java.io.Serializable;
import org.apache.flink.types.Row;

/**
 * Takes the bytes of a record apart into rows, and what is none. The Go package record does the same, byte by byte: a table
 * that both are tested by, {@code records.json}, stands in that package.
 */
interface RecordParser extends Serializable {
    /** Gives all that is in a record to {@code sink}, in order. */
    void parse(byte[] record, Sink sink);

    /** Takes what is in a record. */
    interface Sink {
        /** A field for each column, null where it is NULL. */
        void row(Row row);

        /** {@code column} is the name of the one at fault, null where the row as a whole is. */
        void reject(byte[] data, String reason, String column);
    }
}
