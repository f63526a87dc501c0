package streamproof.analytics;

import java.math.BigDecimal;
import java.time.LocalDateTime;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.types.DataType;

/**
 * The kinds of a record's columns: how each is written in a record, and its type in Flink.
 *
 * <p>Parsing is strict. The value is the complete text, without blanks around it, and a value that the type cannot hold
 * is rejected.
 */
enum ColumnType {
    /** ASCII digits with an optional sign, 32-bit. */
    INTEGER(JsonToken::isNumeric, "not an integer", column -> DataTypes.INT(),
            (text, start, end, column, wanted) ->
                    isInteger(text, start, end) ? Integer.valueOf(Integer.parseInt(text, start, end, 10)) : null),
    /** ASCII digits with an optional sign, 64-bit. */
    BIGINT(JsonToken::isNumeric, "not an integer", column -> DataTypes.BIGINT(),
            (text, start, end, column, wanted) ->
                    isInteger(text, start, end) ? Long.valueOf(Long.parseLong(text, start, end, 10)) : null),
    /** A decimal number, rounded to the nearest 32-bit float. Flink calls the type FLOAT. */
    REAL(JsonToken::isNumeric, "not a number", column -> DataTypes.FLOAT(), ColumnType::real),
    /** A decimal number, rounded to the nearest 64-bit float. */
    DOUBLE(JsonToken::isNumeric, "not a number", column -> DataTypes.DOUBLE(), ColumnType::doublePrecision),
    /** A decimal number that fits without rounding. */
    DECIMAL(JsonToken::isNumeric, "not a number", column -> DataTypes.DECIMAL(column.precision, column.scale),
            ColumnType::decimal),
    /** A day and a time that exist, in the column's pattern; with an offset, the same moment in UTC. */
    TIMESTAMP(token -> token == JsonToken.VALUE_STRING, "not a timestamp",
            column -> DataTypes.TIMESTAMP(column.precision),
            ColumnType::timestamp),
    /** A day that exists, in the column's pattern. */
    DATE(token -> token == JsonToken.VALUE_STRING, "not a date", column -> DataTypes.DATE(),
            (text, start, end, column, wanted) -> {
                LocalDateTime midnight = column.pattern.parse(text, start, end);
                return midnight == null ? null : (int) midnight.toLocalDate().toEpochDay();
            }),
    /** Exactly n characters: a shorter text would have to be padded. */
    CHAR(token -> true, "wrong length", column -> DataTypes.CHAR(column.length),
            (text, start, end, column, wanted) -> text.codePointCount(start, end) == column.length
                    ? string(text, start, end, wanted)
                    : null),
    /** At most n characters, or any number of them if the length is 0. An empty text is a text, not NULL. */
    VARCHAR(token -> true, "wrong length",
            column -> column.length > 0 ? DataTypes.VARCHAR(column.length) : DataTypes.STRING(),
            (text, start, end, column, wanted) ->
                    column.length == 0 || text.codePointCount(start, end) <= column.length
                            ? string(text, start, end, wanted)
                            : null),
    /** {@code true} or {@code false}, in any case. */
    BOOLEAN(JsonToken::isBoolean, "not a boolean", column -> DataTypes.BOOLEAN(),
            (text, start, end, column, wanted) -> {
                String value = text.substring(start, end);
                return value.equalsIgnoreCase("true")
                        ? Boolean.TRUE
                        : value.equalsIgnoreCase("false") ? Boolean.FALSE : null;
            });

    private static final String OUT_OF_RANGE = "out of range";

    /** In place of a value that is not wanted. */
    private static final Object CHECKED = new Object();
    /** What {@link #number} says of a text that is none, of one that may be out of range, and of one that is long. */
    private static final long MALFORMED = -1;

    private static final long EXTREME = -2;
    private static final long LONG = -3;
    /** So many digits are a whole number that a double represents; so many before the point are in a float's range. */
    private static final int EXACT_DIGITS = 15;

    private static final int FLOAT_DIGITS = 38;
    private static final int SCALE_SHIFT = 56;
    /** The powers of ten that a double represents, as many as there are scales; a float represents those up to 10. */
    private static final double[] POWERS = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15
    };
    private static final int FLOAT_POWERS = 10;
    private static final long FLOAT_EXACT = 1 << 24;

    private final Predicate<JsonToken> json;
    private final String malformed;
    private final Function<Schema.Column, DataType> dataType;
    private final Reader reader;

    private interface Reader {
        /**
         * The value of a part of a text, as Flink has it in a row; null if it is malformed, anything else if it is not
         * {@code wanted}. A NumberFormatException says that it is out of range.
         */
        Object read(String text, int start, int end, Schema.Column column, boolean wanted) throws RejectedException;
    }

    ColumnType(
            Predicate<JsonToken> json, String malformed, Function<Schema.Column, DataType> dataType, Reader reader) {
        this.json = json;
        this.malformed = malformed;
        this.dataType = dataType;
        this.reader = reader;
    }

    /** The type in SQL. */
    DataType dataType(Schema.Column column) {
        return dataType.apply(column);
    }

    /**
     * The value of a part of a text, as Flink has it in a row. A value that is not wanted is checked as strictly, but
     * what is returned means nothing. The exception's reason names what is wrong with it.
     */
    Object parse(String text, int start, int end, Schema.Column column, boolean wanted) throws RejectedException {
        Object value;
        try {
            value = reader.read(text, start, end, column, wanted);
        } catch (NumberFormatException e) {
            throw new RejectedException(OUT_OF_RANGE);
        }
        if (value == null) {
            throw new RejectedException(malformed);
        }
        return value;
    }

    /** The same for a JSON value: its first token, and its text. */
    Object parse(JsonToken token, String text, Schema.Column column, boolean wanted) throws RejectedException {
        if (!json.test(token)) {
            throw new RejectedException(malformed);
        }
        return parse(text, 0, text.length(), column, wanted);
    }

    private static Object string(String text, int start, int end, boolean wanted) {
        return wanted ? StringData.fromString(text.substring(start, end)) : CHECKED;
    }

    /**
     * Reports whether the text is a SQL integer literal. Java's own parsers accept more: digits of other scripts,
     * blanks, {@code NaN}, {@code Infinity}, {@code 0x1p3}, {@code 1f}. By hand, because it runs for most fields of
     * every record.
     */
    private static boolean isInteger(String text, int start, int end) {
        int first = skipSign(text, start, end);
        return first < end && skipDigits(text, first, end) == end;
    }

    /**
     * What a text is that may be a number with a fraction and an exponent: {@link #MALFORMED}, {@link #EXTREME},
     * {@link #LONG}, or, of any other number, its digits and in the highest byte how many are of the fraction.
     */
    private static long number(String text, int start, int end, char point) {
        int at = skipSign(text, start, end);
        long digits = 0;
        int count = 0;
        int integers = -1;
        for (; at < end; at++) {
            char c = text.charAt(at);
            if (c >= '0' && c <= '9') {
                digits = digits * 10 + c - '0';
                count++;
            } else if (c == point && integers < 0) {
                integers = count;
            } else {
                break;
            }
        }
        if (count == 0) {
            return MALFORMED;
        }
        if (at < end) {
            int exponent = skipSign(text, at + 1, end);
            boolean valid = (text.charAt(at) == 'e' || text.charAt(at) == 'E') && exponent < end
                    && skipDigits(text, exponent, end) == end;
            return valid ? EXTREME : MALFORMED;
        }
        if (count > EXACT_DIGITS) {
            return count > FLOAT_DIGITS ? EXTREME : LONG;
        }
        return digits | (integers < 0 ? 0L : count - integers) << SCALE_SHIFT;
    }

    /** Whole numbers and powers of ten that are exact have an exact quotient, correctly rounded: no need of a text. */
    private static Object real(String text, int start, int end, Schema.Column column, boolean wanted)
            throws RejectedException {
        long number = number(text, start, end, column.decimal);
        if (number == MALFORMED) {
            return null;
        } else if (!wanted && number != EXTREME) {
            return CHECKED;
        }
        long digits = number & (1L << SCALE_SHIFT) - 1;
        int scale = (int) (number >> SCALE_SHIFT);
        if (number >= 0 && digits <= FLOAT_EXACT && scale <= FLOAT_POWERS) {
            float value = (float) digits / (float) POWERS[scale];
            return text.charAt(start) == '-' ? -value : value;
        }
        return finite(Float.valueOf(point(text.substring(start, end), column)));
    }

    private static Object doublePrecision(String text, int start, int end, Schema.Column column, boolean wanted)
            throws RejectedException {
        long number = number(text, start, end, column.decimal);
        if (number == MALFORMED) {
            return null;
        } else if (!wanted && number != EXTREME) {
            return CHECKED;
        } else if (number >= 0) {
            double value = (number & (1L << SCALE_SHIFT) - 1) / POWERS[(int) (number >> SCALE_SHIFT)];
            return text.charAt(start) == '-' ? -value : value;
        }
        return finite(Double.valueOf(point(text.substring(start, end), column)));
    }

    private static Object decimal(String text, int start, int end, Schema.Column column, boolean wanted)
            throws RejectedException {
        if (number(text, start, end, column.decimal) == MALFORMED) {
            return null;
        }
        BigDecimal value = decimal(point(text.substring(start, end), column), column);
        return DecimalData.fromBigDecimal(value, column.precision, column.scale);
    }

    private static Object timestamp(String text, int start, int end, Schema.Column column, boolean wanted) {
        LocalDateTime moment = column.pattern.parse(text, start, end);
        return moment == null ? null : wanted ? TimestampData.fromLocalDateTime(moment) : CHECKED;
    }

    /** A number as Java writes it: with a point before the fraction. */
    private static String point(String number, Schema.Column column) {
        return column.decimal == '.' ? number : number.replace(column.decimal, '.');
    }

    private static Number finite(Number value) throws RejectedException {
        if (Double.isInfinite(value.doubleValue())) {
            throw new RejectedException(OUT_OF_RANGE);
        }
        return value;
    }

    /**
     * The value of a number, with the column's scale. Zeros at either end do not count, nor does the size of the
     * exponent: BigDecimal would write out 1e999999999.
     */
    private static BigDecimal decimal(String text, Schema.Column column) throws RejectedException {
        int start = skipSign(text, 0, text.length());
        int end = Math.max(text.indexOf('e'), text.indexOf('E'));
        String mantissa = text.substring(start, end < 0 ? text.length() : end);
        int integers = mantissa.indexOf('.');
        String all = mantissa.replace(".", "");
        // The value is 0.DIGITS times ten to the power of point.
        long point = (integers < 0 ? mantissa.length() : integers) + (end < 0 ? 0 : exponent(text.substring(end + 1)));
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
            return BigDecimal.ZERO.setScale(column.scale);
        }
        if (point > column.precision - column.scale || digits.length() - point > column.scale) {
            throw new RejectedException(OUT_OF_RANGE);
        }
        BigDecimal value =
                new BigDecimal(digits).scaleByPowerOfTen((int) point - digits.length()).setScale(column.scale);
        return text.charAt(0) == '-' ? value.negate() : value;
    }

    /** The exponent, bounded where more makes no difference: no text has so many digits. */
    private static int exponent(String text) {
        int exponent = 0;
        for (int at = skipSign(text, 0, text.length()); at < text.length(); at++) {
            exponent = Math.min(exponent * 10 + text.charAt(at) - '0', 1 << 27);
        }
        return text.charAt(0) == '-' ? -exponent : exponent;
    }

    private static int skipSign(String text, int at, int end) {
        boolean sign = at < end && (text.charAt(at) == '-' || text.charAt(at) == '+');
        return sign ? at + 1 : at;
    }

    private static int skipDigits(String text, int at, int end) {
        while (at < end && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            at++;
        }
        return at;
    }
}
