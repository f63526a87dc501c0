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

/**
 * The types that a column of the result may have.
 *
 * <p>Flink makes a value fit its column by cutting and padding, and stops the job at a NULL that may not be, again and
 * again. So Flink is told a type that takes every value, and the one that CREATE TABLE names is checked here.
 */
final class OutputType {
    private OutputType() {}

    /** The type that Flink is told: nullable, and without a length or a precision that it would cut to. */
    static DataType widened(LogicalType declared) {
        switch (declared.getTypeRoot()) {
            case BOOLEAN:
                return DataTypes.BOOLEAN();
            case TINYINT:
                return DataTypes.TINYINT();
            case SMALLINT:
                return DataTypes.SMALLINT();
            case INTEGER:
                return DataTypes.INT();
            case BIGINT:
                return DataTypes.BIGINT();
            case FLOAT:
                return DataTypes.FLOAT();
            case DOUBLE:
                return DataTypes.DOUBLE();
            case DATE:
                return DataTypes.DATE();
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
                // A DECIMAL above all: what it cannot hold becomes NULL before anybody can see it.
                throw new IllegalArgumentException("type " + declared.asSummaryString()
                        + " is not supported: values that it cannot hold would be lost");
        }
    }

    /** Why a value is not one of the declared type; null if it is. A small set of phrases, as in {@link Reject}. */
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

    /** In characters, as SQL counts them, not in UTF-16. */
    private static int length(Object value) {
        String text = ((StringData) value).toString();
        return text.codePointCount(0, text.length());
    }

    private static boolean isOfPrecision(TimestampData time, int digits) {
        int nanos = time.getNanoOfMillisecond() + (int) Math.floorMod(time.getMillisecond(), 1000L) * 1_000_000;
        return nanos % (int) Math.pow(10, 9 - digits) == 0;
    }
}
