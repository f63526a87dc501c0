package streamproof.analytics;

import java.math.BigDecimal;
import java.time.LocalDateTime;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;

/**
 * The kinds of a record's columns: how each is written in a record, and its type in Flink.
 *
 * <p>Parsing is strict. The value is the complete text, without blanks around it, and a value that the type cannot hold
 * is rejected.
 */
enum ColumnType {
    /** ASCII digits with an optional sign, 32-bit. */
    INTEGER(Types.INT, JsonToken::isNumeric, "not an integer", column -> DataTypes.INT(),
            (text, column) -> isInteger(text) ? Integer.valueOf(text) : null),
    /** ASCII digits with an optional sign, 64-bit. */
    BIGINT(Types.LONG, JsonToken::isNumeric, "not an integer", column -> DataTypes.BIGINT(),
            (text, column) -> isInteger(text) ? Long.valueOf(text) : null),
    /** A decimal number, rounded to the nearest 32-bit float. Flink calls the type FLOAT. */
    REAL(Types.FLOAT, JsonToken::isNumeric, "not a number", column -> DataTypes.FLOAT(),
            (text, column) -> isNumber(text, column.decimal) ? finite(Float.valueOf(point(text, column))) : null),
    /** A decimal number, rounded to the nearest 64-bit float. */
    DOUBLE(Types.DOUBLE, JsonToken::isNumeric, "not a number", column -> DataTypes.DOUBLE(),
            (text, column) -> isNumber(text, column.decimal) ? finite(Double.valueOf(point(text, column))) : null),
    /** A decimal number that fits without rounding. */
    DECIMAL(Types.BIG_DEC, JsonToken::isNumeric, "not a number",
            column -> DataTypes.DECIMAL(column.precision, column.scale),
            (text, column) -> isNumber(text, column.decimal) ? decimal(point(text, column), column) : null),
    /** A day and a time that exist, in the column's pattern; with an offset, the same moment in UTC. */
    TIMESTAMP(Types.LOCAL_DATE_TIME, token -> token == JsonToken.VALUE_STRING, "not a timestamp",
            column -> DataTypes.TIMESTAMP(column.precision),
            (text, column) -> column.pattern.parse(text)),
    /** A day that exists, in the column's pattern. */
    DATE(Types.LOCAL_DATE, token -> token == JsonToken.VALUE_STRING, "not a date", column -> DataTypes.DATE(),
            (text, column) -> {
                LocalDateTime midnight = column.pattern.parse(text);
                return midnight == null ? null : midnight.toLocalDate();
            }),
    /** Exactly n characters: a shorter text would have to be padded. */
    CHAR(Types.STRING, token -> true, "wrong length", column -> DataTypes.CHAR(column.length),
            (text, column) -> text.codePointCount(0, text.length()) == column.length ? text : null),
    /** At most n characters, or any number of them if the length is 0. An empty text is a text, not NULL. */
    VARCHAR(Types.STRING, token -> true, "wrong length",
            column -> column.length > 0 ? DataTypes.VARCHAR(column.length) : DataTypes.STRING(),
            (text, column) ->
                    column.length == 0 || text.codePointCount(0, text.length()) <= column.length ? text : null),
    /** {@code true} or {@code false}, in any case. */
    BOOLEAN(Types.BOOLEAN, JsonToken::isBoolean, "not a boolean", column -> DataTypes.BOOLEAN(),
            (text, column) -> text.equalsIgnoreCase("true")
                    ? Boolean.TRUE
                    : text.equalsIgnoreCase("false") ? Boolean.FALSE : null);

    private static final String OUT_OF_RANGE = "out of range";

    /** The type in a Row. */
    final TypeInformation<?> rowType;

    private final Predicate<JsonToken> json;
    private final String malformed;
    private final Function<Schema.Column, DataType> dataType;
    private final Reader reader;

    private interface Reader {
        /** The value, or null if the text is malformed. A NumberFormatException says that it is out of range. */
        Object read(String text, Schema.Column column) throws RejectedException;
    }

    ColumnType(
            TypeInformation<?> rowType,
            Predicate<JsonToken> json,
            String malformed,
            Function<Schema.Column, DataType> dataType,
            Reader reader) {
        this.rowType = rowType;
        this.json = json;
        this.malformed = malformed;
        this.dataType = dataType;
        this.reader = reader;
    }

    /** The type in SQL. */
    DataType dataType(Schema.Column column) {
        return dataType.apply(column);
    }

    /** The value of a text. The exception's reason names what is wrong with it. */
    Object parse(String text, Schema.Column column) throws RejectedException {
        Object value;
        try {
            value = reader.read(text, column);
        } catch (NumberFormatException e) {
            throw new RejectedException(OUT_OF_RANGE);
        }
        if (value == null) {
            throw new RejectedException(malformed);
        }
        return value;
    }

    /** The same for a JSON value: its first token, and its text. */
    Object parse(JsonToken token, String text, Schema.Column column) throws RejectedException {
        if (!json.test(token)) {
            throw new RejectedException(malformed);
        }
        return parse(text, column);
    }

    /**
     * Reports whether the text is a SQL integer literal. Java's own parsers accept more: digits of other scripts,
     * blanks, {@code NaN}, {@code Infinity}, {@code 0x1p3}, {@code 1f}. By hand, because it runs for most fields of
     * every record.
     */
    private static boolean isInteger(String text) {
        int start = skipSign(text, 0);
        int end = skipDigits(text, start);
        return end > start && end == text.length();
    }

    /** The same for a number that may have a fraction and an exponent. */
    private static boolean isNumber(String text, char point) {
        int start = skipSign(text, 0);
        int end = skipDigits(text, start);
        int digits = end - start;
        if (end < text.length() && text.charAt(end) == point) {
            start = end + 1;
            end = skipDigits(text, start);
            digits += end - start;
        }
        if (digits > 0 && end < text.length() && (text.charAt(end) == 'e' || text.charAt(end) == 'E')) {
            start = skipSign(text, end + 1);
            end = skipDigits(text, start);
            digits = end - start;
        }
        return digits > 0 && end == text.length();
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
        int start = skipSign(text, 0);
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
        for (int at = skipSign(text, 0); at < text.length(); at++) {
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
