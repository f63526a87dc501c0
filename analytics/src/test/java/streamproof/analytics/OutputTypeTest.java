package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.time.LocalDateTime;
import java.util.stream.Stream;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class OutputTypeTest {
    @ParameterizedTest
    @MethodSource
    void values(DataType declared, Object value, String want) {
        assertEquals(want, OutputType.unfit(declared.getLogicalType(), value));
    }

    static Stream<Arguments> values() {
        TimestampData millis = TimestampData.fromLocalDateTime(LocalDateTime.of(1969, 12, 31, 23, 59, 59, 120_000_000));
        TimestampData nanos = TimestampData.fromLocalDateTime(LocalDateTime.of(2024, 1, 1, 0, 0, 0, 1));
        return Stream.of(
                Arguments.of(DataTypes.INT(), null, null),
                Arguments.of(DataTypes.INT().notNull(), null, "null in a column that is NOT NULL"),
                Arguments.of(DataTypes.INT().notNull(), 0, null),
                Arguments.of(DataTypes.FLOAT(), -Float.MAX_VALUE, null),
                Arguments.of(DataTypes.FLOAT(), Float.NEGATIVE_INFINITY, "not a finite number"),
                Arguments.of(DataTypes.FLOAT(), Float.NaN, "not a finite number"),
                Arguments.of(DataTypes.DOUBLE(), 1e308, null),
                Arguments.of(DataTypes.DOUBLE(), Double.POSITIVE_INFINITY, "not a finite number"),
                Arguments.of(DataTypes.DOUBLE(), Double.NaN, "not a finite number"),
                Arguments.of(DataTypes.CHAR(2), StringData.fromString("é😀"), null),
                Arguments.of(DataTypes.CHAR(2), StringData.fromString("a"), "does not fit"),
                Arguments.of(DataTypes.CHAR(2), StringData.fromString("abc"), "does not fit"),
                Arguments.of(DataTypes.VARCHAR(2), StringData.fromString(""), null),
                Arguments.of(DataTypes.VARCHAR(2), StringData.fromString("é😀"), null),
                Arguments.of(DataTypes.VARCHAR(2), StringData.fromString("ab "), "does not fit"),
                Arguments.of(DataTypes.STRING(), StringData.fromString("abc"), null),
                Arguments.of(DataTypes.VARBINARY(2), new byte[2], null),
                Arguments.of(DataTypes.VARBINARY(2), new byte[3], "does not fit"),
                Arguments.of(DataTypes.TIMESTAMP(2), millis, null),
                Arguments.of(DataTypes.TIMESTAMP(1), millis, "does not fit"),
                Arguments.of(DataTypes.TIMESTAMP(0), millis, "does not fit"),
                Arguments.of(DataTypes.TIMESTAMP(9), nanos, null),
                Arguments.of(DataTypes.TIMESTAMP_LTZ(8), nanos, "does not fit"));
    }

    /** Flink silently makes a value that a DECIMAL cannot hold NULL. */
    @Test
    void typesThatCannotBeChecked() {
        for (DataType type : new DataType[] {
            DataTypes.DECIMAL(5, 2), DataTypes.ROW(DataTypes.INT()), DataTypes.ARRAY(DataTypes.INT()), DataTypes.TIME()
        }) {
            assertThrows(IllegalArgumentException.class, () -> OutputType.widened(type.getLogicalType()));
        }
    }
}
