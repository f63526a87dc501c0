package streamproof.analytics;

import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;
import org.apache.flink.types.Row;

/**
 * Turns the bytes of a record into rows: objects of JSON one after the other, or the elements of arrays.
 *
 * <p>Where a value is broken, it is so to the end of the line that it begins in, and reading goes on behind that: so what
 * is broken spoils no other line. An object that is whole is rejected alone, whatever is wrong in it.
 */
final class ObjectParser implements RecordParser {
    private static final long serialVersionUID = 1;
    /** How many objects and arrays may stand in each other. */
    private static final int DEEPEST = 200;

    private final Schema.Column[] columns;
    private final Place root = new Place();
    private transient JsonFactory strict;
    private transient JsonFactory lenient;
    private transient Found[] found;

    /** A name in the rows, and those below it. */
    private static final class Place implements Serializable {
        private static final long serialVersionUID = 1;

        final Map<String, Place> members = new HashMap<>();
        /** The column that stands here, or -1. */
        int column = -1;
        /** Those that stand below. */
        final List<Integer> below = new ArrayList<>();
    }

    /** What a row has for a column. */
    private static final class Found {
        /** Its first token; null where it is missing or null. */
        JsonToken kind;
        /** The text of a string; of all else, what stands there. */
        String text;
        /** Something on the way to it is no object. */
        boolean astray;
    }

    ObjectParser(Schema schema) {
        columns = schema.columns.toArray(new Schema.Column[0]);
        for (int i = 0; i < columns.length; i++) {
            Place at = root;
            for (String name : columns[i].path) {
                at.below.add(i);
                at = at.members.computeIfAbsent(name, any -> new Place());
            }
            at.column = i;
        }
    }

    @Override
    public void parse(byte[] record, Sink sink) {
        String whole = Encoding.whole(record);
        if (whole != null) {
            sink.reject(record, whole, null);
            return;
        }
        if (strict == null) {
            open();
        }
        if (skipSpace(record, 0) == record.length) {
            sink.reject(record, "empty record", null);
            return;
        }
        boolean array = false;
        boolean element = false; // behind one
        int mark = 0; // of the array's last bracket or comma
        int readable = -1; // what stands before this is UTF-8
        int at = 0;
        while (true) {
            at = skipSpace(record, at);
            int broken = -1;
            if (at == record.length) {
                if (!array) {
                    return;
                }
                broken = element ? at : mark;
            } else if (!array && record[at] == '[') {
                array = true;
                element = false;
                mark = at++;
                continue;
            } else if (array && record[at] == ']' && (element || record[mark] == '[')) {
                array = false;
                at++;
                continue;
            } else if (array && element && record[at] == ',') {
                element = false;
                mark = at++;
                continue;
            } else if (array && element) {
                broken = at;
            }
            if (broken < 0) {
                if (at > readable) {
                    readable = readable(record, at);
                }
                int end = value(record, at, readable, sink);
                if (end > at) {
                    element = true;
                    at = end;
                    continue;
                }
                broken = at;
            }
            int end = broken;
            while (end < record.length && record[end] != '\n') {
                end++;
            }
            byte[] line = Arrays.copyOfRange(record, broken, end);
            String reason = Encoding.name(line);
            if (reason == null) {
                reason = isUtf8(record, broken, end) ? "not JSON" : "invalid UTF-8";
            }
            sink.reject(line, reason, null);
            array = false;
            at = end;
        }
    }

    private void open() {
        // Data may have any number of names: they are nothing to keep for the life of the JVM, or to fail for.
        lenient = JsonFactory.builder()
                .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
                .build();
        strict = JsonFactory.builder()
                .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        found = new Found[columns.length];
        for (int i = 0; i < found.length; i++) {
            found[i] = new Found();
        }
    }

    private static int skipSpace(byte[] text, int at) {
        while (at < text.length && isSpace(text[at])) {
            at++;
        }
        return at;
    }

    private static boolean isSpace(byte c) {
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
    }

    /**
     * Where UTF-8 ends that begins at {@code start}, or its first NUL is, which would have the parser guess another encoding. It
     * looks no further than that: many broken lines must not cost a look at all the rest of the record each.
     */
    private static int readable(byte[] record, int start) {
        int at = start;
        while (at < record.length && record[at] != 0) {
            int size = character(record, at, record.length);
            if (size == 0) {
                break;
            }
            at += size;
        }
        return at;
    }

    private static boolean isUtf8(byte[] record, int start, int end) {
        for (int at = start; at < end; ) {
            int size = character(record, at, end);
            if (size == 0) {
                return false;
            }
            at += size;
        }
        return true;
    }

    /** How many bytes the character has that begins at {@code at}, 0 if none does: table 3-7 of the Unicode Standard. */
    private static int character(byte[] text, int at, int end) {
        int first = text[at] & 0xff;
        if (first < 0x80) {
            return 1;
        }
        int size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
        if (size == 0 || at + size > end) {
            return 0;
        }
        int second = text[at + 1] & 0xff;
        if (second < (first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80)
                || second > (first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf)) {
            return 0;
        }
        for (int i = at + 2; i < at + size; i++) {
            if ((text[i] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return size;
    }

    /**
     * Reads the value at {@code start} of a text that ends at {@code end}; returns where the value ends, or {@code start}
     * if it is broken.
     */
    private int value(byte[] record, int start, int end, Sink sink) {
        if (start == end) {
            return start;
        }
        int close;
        switch (record[start]) {
            case '{':
                return object(record, start, end, sink);
            case '[':
                close = extent(record, start, end);
                break;
            case '"':
                close = closed(record, start, end);
                close = isScalar(record, start, close) ? close : start;
                break;
            default:
                close = start;
                while (close < end && !isSpace(record[close]) && ",:[]{}\"".indexOf(record[close]) < 0) {
                    close++;
                }
                if (record[start] < 0 // the parser would take no notice of a byte order mark
                        || close == end && end < record.length // it goes on with what is not readable
                        || !isScalar(record, start, close)) {
                    close = start;
                }
        }
        if (close > start) {
            sink.reject(Arrays.copyOfRange(record, start, close), "not an object", null);
        }
        return close;
    }

    /** Where the string that begins at {@code start} ends, or {@code start}. */
    private static int closed(byte[] record, int start, int end) {
        for (int at = start + 1; at < end; at++) {
            if (record[at] == '"') {
                return at + 1;
            }
            if (record[at] == '\\') {
                at++;
            }
        }
        return start;
    }

    private boolean isScalar(byte[] record, int start, int end) {
        try (JsonParser parser = lenient.createParser(record, start, end - start)) {
            if (parser.nextToken() == null) {
                return false;
            }
            parser.getText(); // a string is read no sooner
            return parser.nextToken() == null;
        } catch (IOException e) {
            return false;
        }
    }

    /** Where the object or array that begins at {@code start} ends, or {@code start}. A name may be there twice. */
    private int extent(byte[] record, int start, int end) {
        try (JsonParser parser = lenient.createParser(record, start, end - start)) {
            parser.nextToken();
            return skip(parser, 0) ? start + offset(parser) : start;
        } catch (IOException e) {
            return start;
        }
    }

    private static int offset(JsonParser parser) {
        return (int) parser.getCurrentLocation().getByteOffset();
    }

    /** Reads the rest of the value whose first token was read, within {@code depth} others; false where it is too deep. */
    private static boolean skip(JsonParser parser, int depth) throws IOException {
        int open = depth;
        JsonToken token = parser.currentToken();
        while (true) {
            if (token == null) {
                return false;
            } else if (token.isStructStart()) {
                if (++open > DEEPEST) {
                    return false;
                }
            } else if (token.isStructEnd()) {
                open--;
            }
            if (open <= depth) {
                return true;
            }
            token = parser.nextToken();
        }
    }

    private int object(byte[] record, int start, int end, Sink sink) {
        for (Found f : found) {
            f.kind = null;
            f.astray = false;
        }
        int close = start;
        boolean once = true;
        try (JsonParser parser = strict.createParser(record, start, end - start)) {
            parser.nextToken();
            if (read(parser, root, 1, record, start)) {
                close = start + offset(parser);
            }
        } catch (IOException e) {
            close = extent(record, start, end);
            once = false; // else it is broken
        }
        if (close == start) {
            return start;
        }
        String column = null;
        String reason = null;
        Row row = new Row(columns.length);
        if (hasLoneSurrogate(record, start, close)) {
            reason = "invalid UTF-8";
        } else if (!once) {
            reason = "duplicate name";
        } else {
            for (int i = 0; i < columns.length && reason == null; i++) {
                try {
                    row.setField(i, field(columns[i], found[i]));
                } catch (RejectedException e) {
                    reason = e.getMessage();
                    column = columns[i].name;
                }
            }
        }
        if (reason == null) {
            sink.row(row);
        } else {
            sink.reject(Arrays.copyOfRange(record, start, close), reason, column);
        }
        return close;
    }

    /** Reads the rest of an object, and keeps what stands at the places of columns; false where it is too deep. */
    private boolean read(JsonParser parser, Place at, int depth, byte[] record, int start) throws IOException {
        if (depth > DEEPEST) {
            return false;
        }
        for (JsonToken name = parser.nextToken(); name != JsonToken.END_OBJECT; name = parser.nextToken()) {
            if (name == null) {
                return false;
            }
            Place member = at.members.get(parser.getCurrentName());
            JsonToken kind = parser.nextToken();
            if (kind == null) {
                return false;
            }
            if (member == null || kind == JsonToken.VALUE_NULL) {
                if (!skip(parser, depth)) {
                    return false;
                }
                continue;
            }
            if (kind != JsonToken.START_OBJECT) {
                for (int i : member.below) {
                    found[i].astray = true;
                }
            }
            boolean nested = kind == JsonToken.START_OBJECT || kind == JsonToken.START_ARRAY;
            int from = nested ? start + (int) parser.getTokenLocation().getByteOffset() : 0;
            boolean whole = kind == JsonToken.START_OBJECT && !member.members.isEmpty()
                    ? read(parser, member, depth + 1, record, start)
                    : skip(parser, depth);
            if (!whole) {
                return false;
            }
            if (member.column >= 0) {
                Found f = found[member.column];
                f.kind = kind;
                f.text = nested ? compact(record, from, start + offset(parser)) : parser.getText();
            }
        }
        return true;
    }

    /** What stands there, without what is blank outside strings. */
    private static String compact(byte[] record, int start, int end) {
        byte[] out = new byte[end - start];
        int size = 0;
        boolean string = false;
        for (int at = start; at < end; at++) {
            byte c = record[at];
            if (!string && isSpace(c)) {
                continue;
            }
            out[size++] = c;
            if (string && c == '\\') {
                out[size++] = record[++at];
            } else if (c == '"') {
                string = !string;
            }
        }
        return new String(out, 0, size, StandardCharsets.UTF_8);
    }

    private static Object field(Schema.Column column, Found found) throws RejectedException {
        if (found.astray) {
            throw new RejectedException("not an object");
        }
        if (found.kind == null) {
            if (column.nullable) {
                return null;
            }
            throw new RejectedException("missing value");
        }
        JsonToken kind = found.kind;
        boolean number = kind == JsonToken.VALUE_NUMBER_INT || kind == JsonToken.VALUE_NUMBER_FLOAT;
        switch (column.type) {
            case INTEGER:
            case BIGINT:
                require(number, "not an integer");
                break;
            case REAL:
            case DOUBLE:
            case DECIMAL:
                require(number, "not a number");
                break;
            case BOOLEAN:
                require(kind.isBoolean(), "not a boolean");
                break;
            case TIMESTAMP:
                require(kind == JsonToken.VALUE_STRING, "not a timestamp");
                break;
            case DATE:
                require(kind == JsonToken.VALUE_STRING, "not a date");
                break;
            default:
                break;
        }
        return column.type.parse(found.text, column);
    }

    private static void require(boolean right, String reason) throws RejectedException {
        if (!right) {
            throw new RejectedException(reason);
        }
    }

    /** Whether an escape in JSON that was read is the half of a character. */
    private static boolean hasLoneSurrogate(byte[] text, int start, int end) {
        boolean high = false; // the escape just before is the first half
        for (int at = start; at < end; ) {
            if (text[at] != '\\') {
                if (high) {
                    return true;
                }
                at++;
                continue;
            }
            boolean low = false;
            if (text[at + 1] != 'u') {
                at += 2;
            } else {
                char unit = (char) Integer.parseInt(new String(text, at + 2, 4, StandardCharsets.US_ASCII), 16);
                at += 6;
                if (Character.isHighSurrogate(unit)) {
                    if (high) {
                        return true;
                    }
                    high = true;
                    continue;
                }
                low = Character.isLowSurrogate(unit);
            }
            if (low != high) {
                return true;
            }
            high = false;
        }
        return false;
    }
}
