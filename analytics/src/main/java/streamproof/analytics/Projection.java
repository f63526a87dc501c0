package streamproof.analytics;

import java.io.Serializable;
import java.util.BitSet;
import java.util.stream.IntStream;

/**
 * The columns of the records that the query reads, in the order of the schema: the fields of a parsed row. Each scan of
 * the planned query {@link #add adds} its own, and only then does the job run.
 */
final class Projection implements Serializable {
    private static final long serialVersionUID = 1;

    private final BitSet columns = new BitSet();

    /** The first {@code columns} of a table. */
    static Projection ofFirst(int columns) {
        Projection all = new Projection();
        all.columns.set(0, columns);
        return all;
    }

    void add(int column) {
        columns.set(column);
    }

    /** How many fields a row has. */
    int size() {
        return columns.cardinality();
    }

    /** The columns, in order. */
    IntStream columns() {
        return columns.stream();
    }

    /** The row's field of a column, or -1 if the query does not read it. */
    int field(int column) {
        return columns.get(column) ? columns.get(0, column).cardinality() : -1;
    }
}
