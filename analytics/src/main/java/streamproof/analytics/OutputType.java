package streamproof.analytics;

import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.CharType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.table.types.utils.TypeConversions;

/**
 * The types that a column of the result may have.
 *
 * <p>Flink cuts and pads values to fit their column, and stops the job at a NULL in a column that is NOT NULL, again
 * after each restart. So Flink gets a type that holds every value, and the declared type is checked here.
 */
final class OutputType {
    private OutputType() {}

    /** The type that Flink gets: nullable, and without a length or precision to cut to. */
    static DataType widened(LogicalType declared) {
        switch (declared.getTypeRoot()) {
            case BOOLEAN:
            case TINYINT:
            case SMALLINT:
            case INTEGER:
            case BIGINT:
            case FLOAT:
            case DOUBLE:
            case DATE:
                return TypeConversions.fromLogicalToDataType(declared.copy(true));
            case CHAR:
            case VARCHAR:
                return DataTypes.STRING();
            case VARBINARY:
                return DataTypes.BYTES();
            case TIMESTAMP_WITHOUT_TIME_ZONE:
                return DataTypes.TIMESTAMP(9);
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return DataTypes.TIMESTAMP_LTZ(9);
            default:
                // DECIMAL above all: Flink turns a value that does not fit into NULL before it can be checked.
                throw new IllegalArgumentException("type " + declared.asSummaryString()
                        + " is not supported: values that it cannot hold would be lost");
        }
    }

    /** Why the declared type cannot hold a value; null if it can. A small set of phrases, as in {@link Reject}. */
    static String unfit(LogicalType declared, Object value) {
        if (value == null) {
            return declared.isNullable() ? null : "null in a column that is NOT NULL";
        }
        switch (declared.getTypeRoot()) {
            case FLOAT:
                return Float.isFinite((Float) value) ? null : "not a finite number";
            case DOUBLE:
                return Double.isFinite((Double) value) ? null : "not a finite number";
            case CHAR:
                return fits(length(value) == ((CharType) declared).getLength());
            case VARCHAR:
                int most = ((VarCharType) declared).getLength();
                return fits(most == VarCharType.MAX_LENGTH || length(value) <= most);
            case VARBINARY:
                return fits(((byte[]) value).length <= ((VarBinaryType) declared).getLength());
            case TIMESTAMP_WITHOUT_TIME_ZONE:
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE:
                return fits(isOfPrecision((TimestampData) value, LogicalTypeChecks.getPrecision(declared)));
            default:
                return null;
        }
    }

    private static String fits(boolean fits) {
        return fits ? null : "does not fit";
    }

    /** In characters, as SQL counts, not in UTF-16 units. */
    private static int length(Object value) {
        String text = ((StringData) value).toString();
        return text.codePointCount(0, text.length());
    }

    private static boolean isOfPrecision(TimestampData time, int digits) {
        int nanos = time.getNanoOfMillisecond() + (int) Math.floorMod(time.getMillisecond(), 1000L) * 1_000_000;
        return nanos % (int) Math.pow(10, 9 - digits) == 0;
    }
}
