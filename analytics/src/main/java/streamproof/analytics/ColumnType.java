package streamproof.analytics;

import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.DateTimeParseException;
import java.time.format.ResolverStyle;
import java.time.temporal.ChronoField;
import java.util.Locale;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;

/**
 * The SQL types that a column of a record may have: how each is written in a record, and what Flink makes of it.
 *
 * <p>Parsing is strict: all of the text is the value, with no blanks around it, and a value that the type cannot hold
 * is rejected. {@code length} is that of CHAR(n) and VARCHAR(n), in characters, 0 where unbounded.
 */
enum ColumnType {
    /** ASCII digits with an optional sign, 32-bit. */
    INTEGER(Types.INT) {
        @Override
        Object parse(String text, int length) throws RejectedException {
            requireNumber(text, false);
            try {
                return Integer.valueOf(text);
            } catch (NumberFormatException e) {
                throw new RejectedException("out of range");
            }
        }

        @Override
        DataType dataType(int length) {
            return DataTypes.INT();
        }
    },
    /** ASCII digits with an optional sign, 64-bit. */
    BIGINT(Types.LONG) {
        @Override
        Object parse(String text, int length) throws RejectedException {
            requireNumber(text, false);
            try {
                return Long.valueOf(text);
            } catch (NumberFormatException e) {
                throw new RejectedException("out of range");
            }
        }

        @Override
        DataType dataType(int length) {
            return DataTypes.BIGINT();
        }
    },
    /** A decimal number, rounded to the nearest 32-bit float. Flink's name for the type is FLOAT. */
    REAL(Types.FLOAT) {
        @Override
        Object parse(String text, int length) throws RejectedException {
            requireNumber(text, true);
            float value = Float.parseFloat(text);
            if (Float.isInfinite(value)) {
                throw new RejectedException("out of range");
            }
            return value;
        }

        @Override
        DataType dataType(int length) {
            return DataTypes.FLOAT();
        }
    },
    /** A decimal number, rounded to the nearest 64-bit float. */
    DOUBLE(Types.DOUBLE) {
        @Override
        Object parse(String text, int length) throws RejectedException {
            requireNumber(text, true);
            double value = Double.parseDouble(text);
            if (Double.isInfinite(value)) {
                throw new RejectedException("out of range");
            }
            return value;
        }

        @Override
        DataType dataType(int length) {
            return DataTypes.DOUBLE();
        }
    },
    /** {@code yyyy-MM-dd HH:mm:ss}, a day and a time that exist; no zone. */
    TIMESTAMP(Types.LOCAL_DATE_TIME) {
        @Override
        Object parse(String text, int length) throws RejectedException {
            try {
                return LocalDateTime.parse(text, TIMESTAMP_FORMAT);
            } catch (DateTimeParseException e) {
                throw new RejectedException("not a timestamp");
            }
        }

        @Override
        DataType dataType(int length) {
            return DataTypes.TIMESTAMP(0);
        }
    },
    /** Exactly n characters: a shorter text would have to be padded. */
    CHAR(Types.STRING) {
        @Override
        Object parse(String text, int length) throws RejectedException {
            if (text.codePointCount(0, text.length()) != length) {
                throw new RejectedException("wrong length");
            }
            return text;
        }

        @Override
        DataType dataType(int length) {
            return DataTypes.CHAR(length);
        }
    },
    /** At most n characters, or any number of them. An empty text is a text, not NULL. */
    VARCHAR(Types.STRING) {
        @Override
        Object parse(String text, int length) throws RejectedException {
            if (length > 0 && text.codePointCount(0, text.length()) > length) {
                throw new RejectedException("wrong length");
            }
            return text;
        }

        @Override
        DataType dataType(int length) {
            return length > 0 ? DataTypes.VARCHAR(length) : DataTypes.STRING();
        }
    },
    /** {@code true} or {@code false}, in any case. */
    BOOLEAN(Types.BOOLEAN) {
        @Override
        Object parse(String text, int length) throws RejectedException {
            if (text.equalsIgnoreCase("true")) {
                return true;
            }
            if (text.equalsIgnoreCase("false")) {
                return false;
            }
            throw new RejectedException("not a boolean");
        }

        @Override
        DataType dataType(int length) {
            return DataTypes.BOOLEAN();
        }
    };

    /** The pattern {@code uuuu} would let a year have a sign and more digits. */
    private static final DateTimeFormatter TIMESTAMP_FORMAT = new DateTimeFormatterBuilder()
            .appendValue(ChronoField.YEAR, 4)
            .appendPattern("-MM-dd HH:mm:ss")
            .toFormatter(Locale.ROOT)
            .withResolverStyle(ResolverStyle.STRICT);

    /** What the type is in a Row. */
    final TypeInformation<?> rowType;

    ColumnType(TypeInformation<?> rowType) {
        this.rowType = rowType;
    }

    /** The value that {@code text} writes; the reason of the exception names what is wrong with it. */
    abstract Object parse(String text, int length) throws RejectedException;

    /** The type in SQL. */
    abstract DataType dataType(int length);

    /**
     * Checks the form of a SQL number literal. Java's own parsers take more: digits of other scripts, blanks, {@code
     * NaN}, {@code Infinity}, {@code 0x1p3}, {@code 1f}. By hand: it runs for most fields of every record.
     */
    private static void requireNumber(String text, boolean approximate) throws RejectedException {
        int at = skipSign(text, 0);
        int end = skipDigits(text, at);
        int digits = end - at;
        if (approximate) {
            if (end < text.length() && text.charAt(end) == '.') {
                at = end + 1;
                end = skipDigits(text, at);
                digits += end - at;
            }
            if (end < text.length() && (text.charAt(end) == 'e' || text.charAt(end) == 'E')) {
                at = skipSign(text, end + 1);
                end = skipDigits(text, at);
                digits = end == at ? 0 : digits;
            }
        }
        if (digits == 0 || end < text.length()) {
            throw new RejectedException(approximate ? "not a number" : "not an integer");
        }
    }

    private static int skipSign(String text, int at) {
        boolean sign = at < text.length() && (text.charAt(at) == '-' || text.charAt(at) == '+');
        return sign ? at + 1 : at;
    }

    private static int skipDigits(String text, int at) {
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        return at;
    }
}
