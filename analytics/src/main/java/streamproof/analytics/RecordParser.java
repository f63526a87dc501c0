package streamproof.analytics;

import java.io.Serializable;
import org.apache.flink.table.data.GenericRowData;

/**
 * Parses the bytes of a record into rows and rejects, exactly as the Go package record does. Both are tested with that
 * package's table {@code records.json}.
 */
interface RecordParser extends Serializable {
    /** Passes a record's rows and rejects to {@code sink}, in order. */
    void parse(byte[] record, Sink sink);

    /** Receives the content of a record. */
    interface Sink {
        /** A field for each column of the {@link Projection}, null for NULL; null for those of the metadata. */
        void row(GenericRowData row);

        /** {@code column} is the faulty column, null if the fault is not in a column. */
        void reject(byte[] data, String reason, String column);
    }
}
