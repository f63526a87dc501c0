package streamproof.analytics;

import java.math.BigDecimal;
import java.time.LocalDateTime;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;

/**
 * The SQL types that a column of a record may have: how each is written in a record, and what Flink makes of it.
 *
 * <p>Parsing is strict: all of the text is the value, with no blanks around it, and a value that the type cannot hold
 * is rejected.
 */
enum ColumnType {
    /** ASCII digits with an optional sign, 32-bit. */
    INTEGER(Types.INT) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            requireInteger(text);
            try {
                return Integer.valueOf(text);
            } catch (NumberFormatException e) {
                throw new RejectedException("out of range");
            }
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.INT();
        }
    },
    /** ASCII digits with an optional sign, 64-bit. */
    BIGINT(Types.LONG) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            requireInteger(text);
            try {
                return Long.valueOf(text);
            } catch (NumberFormatException e) {
                throw new RejectedException("out of range");
            }
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.BIGINT();
        }
    },
    /** A decimal number, rounded to the nearest 32-bit float. Flink's name for the type is FLOAT. */
    REAL(Types.FLOAT) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            float value = Float.parseFloat(requireNumber(text, column.decimal));
            if (Float.isInfinite(value)) {
                throw new RejectedException("out of range");
            }
            return value;
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.FLOAT();
        }
    },
    /** A decimal number, rounded to the nearest 64-bit float. */
    DOUBLE(Types.DOUBLE) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            double value = Double.parseDouble(requireNumber(text, column.decimal));
            if (Double.isInfinite(value)) {
                throw new RejectedException("out of range");
            }
            return value;
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.DOUBLE();
        }
    },
    /** A decimal number with at most so many digits before the point and behind it: none is rounded. */
    DECIMAL(Types.BIG_DEC) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            return decimal(requireNumber(text, column.decimal), column.length, column.scale);
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.DECIMAL(column.length, column.scale);
        }
    },
    /** A day and a time that exist, in the column's pattern; one with an offset is the same moment in UTC. */
    TIMESTAMP(Types.LOCAL_DATE_TIME) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            LocalDateTime value = column.pattern.parse(text);
            if (value == null) {
                throw new RejectedException("not a timestamp");
            }
            return value;
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.TIMESTAMP(column.pattern.digits);
        }
    },
    /** A day that exists, in the column's pattern. */
    DATE(Types.LOCAL_DATE) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            LocalDateTime value = column.pattern.parse(text);
            if (value == null) {
                throw new RejectedException("not a date");
            }
            return value.toLocalDate();
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.DATE();
        }
    },
    /** Exactly n characters: a shorter text would have to be padded. */
    CHAR(Types.STRING) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            if (text.codePointCount(0, text.length()) != column.length) {
                throw new RejectedException("wrong length");
            }
            return text;
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.CHAR(column.length);
        }
    },
    /** At most n characters, or any number of them. An empty text is a text, not NULL. */
    VARCHAR(Types.STRING) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            if (column.length > 0 && text.codePointCount(0, text.length()) > column.length) {
                throw new RejectedException("wrong length");
            }
            return text;
        }

        @Override
        DataType dataType(Schema.Column column) {
            return column.length > 0 ? DataTypes.VARCHAR(column.length) : DataTypes.STRING();
        }
    },
    /** {@code true} or {@code false}, in any case. */
    BOOLEAN(Types.BOOLEAN) {
        @Override
        Object parse(String text, Schema.Column column) throws RejectedException {
            if (text.equalsIgnoreCase("true")) {
                return true;
            }
            if (text.equalsIgnoreCase("false")) {
                return false;
            }
            throw new RejectedException("not a boolean");
        }

        @Override
        DataType dataType(Schema.Column column) {
            return DataTypes.BOOLEAN();
        }
    };

    /** What the type is in a Row. */
    final TypeInformation<?> rowType;

    ColumnType(TypeInformation<?> rowType) {
        this.rowType = rowType;
    }

    /** The value that {@code text} writes; the reason of the exception names what is wrong with it. */
    abstract Object parse(String text, Schema.Column column) throws RejectedException;

    /** The type in SQL. */
    abstract DataType dataType(Schema.Column column);

    /**
     * Checks the form of a SQL number literal. Java's own parsers take more: digits of other scripts, blanks, {@code
     * NaN}, {@code Infinity}, {@code 0x1p3}, {@code 1f}. By hand: it runs for most fields of every record.
     */
    private static void requireInteger(String text) throws RejectedException {
        int at = skipSign(text, 0);
        int end = skipDigits(text, at);
        if (end == at || end < text.length()) {
            throw new RejectedException("not an integer");
        }
    }

    /** The same for one that may have a fraction and an exponent; returns it with a point before the fraction. */
    private static String requireNumber(String text, char point) throws RejectedException {
        int at = skipSign(text, 0);
        int end = skipDigits(text, at);
        int digits = end - at;
        if (end < text.length() && text.charAt(end) == point) {
            at = end + 1;
            end = skipDigits(text, at);
            digits += end - at;
        }
        if (end < text.length() && (text.charAt(end) == 'e' || text.charAt(end) == 'E')) {
            at = skipSign(text, end + 1);
            end = skipDigits(text, at);
            digits = end == at ? 0 : digits;
        }
        if (digits == 0 || end < text.length()) {
            throw new RejectedException("not a number");
        }
        return point == '.' ? text : text.replace(point, '.');
    }

    /**
     * The value of a number, with as many digits behind the point as {@code scale} says. Zeros at either end do not
     * count, nor does an exponent as such: BigDecimal would write out 1e999999999.
     */
    private static BigDecimal decimal(String text, int precision, int scale) throws RejectedException {
        int start = skipSign(text, 0);
        int end = Math.max(text.indexOf('e'), text.indexOf('E'));
        String mantissa = text.substring(start, end < 0 ? text.length() : end);
        int whole = mantissa.indexOf('.');
        String all = mantissa.replace(".", "");
        // The value is 0.DIGITS times ten to the power of point.
        long point = (whole < 0 ? mantissa.length() : whole) + (end < 0 ? 0 : exponent(text.substring(end + 1)));
        int first = 0;
        while (first < all.length() && all.charAt(first) == '0') {
            first++;
        }
        int last = all.length();
        while (last > first && all.charAt(last - 1) == '0') {
            last--;
        }
        point -= first;
        String digits = all.substring(first, last);
        if (digits.isEmpty()) {
            return BigDecimal.ZERO.setScale(scale);
        }
        if (point > precision - scale || digits.length() - point > scale) {
            throw new RejectedException("out of range");
        }
        BigDecimal value = new BigDecimal(digits).scaleByPowerOfTen((int) point - digits.length()).setScale(scale);
        return text.charAt(0) == '-' ? value.negate() : value;
    }

    /** As far as it makes a difference: no text has so many digits. */
    private static int exponent(String text) {
        int at = skipSign(text, 0);
        int exponent = 0;
        for (; at < text.length(); at++) {
            exponent = Math.min(exponent * 10 + text.charAt(at) - '0', 1 << 27);
        }
        return text.charAt(0) == '-' ? -exponent : exponent;
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
