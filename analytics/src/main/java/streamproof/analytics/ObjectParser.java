package streamproof.analytics;

import java.io.IOException;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadFeature;
import org.apache.flink.table.data.GenericRowData;

/**
 * Turns a record into rows: JSON objects one after another, or the elements of arrays.
 *
 * <p>A broken value is rejected with the rest of its line, and reading resumes at the next line, so it spoils no other
 * line. An object that is complete is rejected alone, whatever is wrong in it.
 */
final class ObjectParser implements RecordParser {
    private static final long serialVersionUID = 1;
    /** The most objects and arrays that may be nested. */
    private static final int DEEPEST = 200;
    /** An escape in a string. Two halves of a character are one. */
    private static final Pattern ESCAPE = Pattern.compile(
            "(?s)\\\\(?:u[dD][89abAB]..\\\\u[dD][c-fC-F]..|(?<lone>u[dD][89a-fA-F]..)|.)");

    private final Schema.Column[] columns;
    private final Projection projection;
    private final Place root = new Place();
    private transient JsonFactory strict;
    private transient JsonFactory lenient;
    private transient CharsetDecoder decoder;
    private transient Found[] found;
    /** The row's field for each column, or -1. */
    private transient int[] fields;

    /** A node of the tree of the columns' paths. */
    private static final class Place implements Serializable {
        private static final long serialVersionUID = 1;

        final Map<String, Place> members = new HashMap<>();
        /** The column at this place, or -1. */
        int column = -1;
        /** The columns below it. */
        final List<Integer> below = new ArrayList<>();
    }

    /** A column's value in the current row. */
    private static final class Found {
        /** Its first token; null if it is missing or null. */
        JsonToken kind;
        /** The text of a string; the JSON of anything else. */
        String text;
        /** Something on the path to it is not an object. */
        boolean astray;
    }

    ObjectParser(Schema schema, Projection projection) {
        this.projection = projection;
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
        String encoding = Encoding.ofRecord(record);
        if (encoding != null) {
            sink.reject(record, encoding, null);
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
        boolean element = false; // just after one
        int mark = 0; // the array's last bracket or comma
        int text = -1; // the end of the UTF-8
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
                if (at > text) {
                    text = endOfText(record, at);
                }
                int end = value(record, at, text, sink);
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
            String reason = Encoding.ofLine(line);
            if (reason == null) {
                reason = isUtf8(line) ? "not JSON" : "invalid UTF-8";
            }
            sink.reject(line, reason, null);
            array = false;
            at = end;
        }
    }

    private void open() {
        // Data may have any number of names: do not intern them, which keeps them forever, and do not fail.
        lenient = JsonFactory.builder()
                .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
                .build();
        strict = JsonFactory.builder()
                .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        decoder = StandardCharsets.UTF_8.newDecoder();
        fields = IntStream.range(0, columns.length).map(projection::field).toArray();
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
     * Where the UTF-8 that begins at {@code start} ends: at a malformed byte, or at a NUL, which would make Jackson
     * guess another encoding. It reads little further than that, because a record of many broken lines calls it for
     * each.
     */
    private int endOfText(byte[] record, int start) {
        CharBuffer text = CharBuffer.allocate(1024);
        ByteBuffer bytes = ByteBuffer.wrap(record, start, record.length - start);
        int nul = start;
        boolean more = true;
        decoder.reset();
        while (more) {
            more = decoder.decode(bytes, text.clear(), true).isOverflow();
            for (; nul < bytes.position(); nul++) {
                if (record[nul] == 0) {
                    return nul;
                }
            }
        }
        return bytes.position();
    }

    private boolean isUtf8(byte[] text) {
        try {
            decoder.decode(ByteBuffer.wrap(text));
            return true;
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    /**
     * Reads the value at {@code start} of a text that ends at {@code end}. Returns its end, or {@code start} if it is
     * broken.
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
            case '"':
                close = extent(record, start, end);
                break;
            default:
                close = start;
                while (close < end && !isSpace(record[close]) && ",:[]{}\"".indexOf(record[close]) < 0) {
                    close++;
                }
                if (record[start] < 0 // Jackson would skip a byte order mark
                        || close == end && end < record.length // it continues with bytes that are not text
                        || !isScalar(record, start, close)) {
                    close = start;
                }
        }
        if (close > start) {
            sink.reject(Arrays.copyOfRange(record, start, close), "not an object", null);
        }
        return close;
    }

    private boolean isScalar(byte[] record, int start, int end) {
        try (JsonParser parser = lenient.createParser(record, start, end - start)) {
            return parser.nextToken() != null && parser.nextToken() == null;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * The end of the object, array or string that begins at {@code start}, or {@code start} if it is broken. Names
     * may repeat.
     */
    private int extent(byte[] record, int start, int end) {
        try (JsonParser parser = lenient.createParser(record, start, end - start)) {
            parser.nextToken();
            parser.finishToken(); // Jackson reads a string only now
            return skip(parser, 0) ? start + offset(parser) : start;
        } catch (IOException e) {
            return start;
        }
    }

    private static int offset(JsonParser parser) {
        return (int) parser.getCurrentLocation().getByteOffset();
    }

    /**
     * Skips the rest of a value, nested in {@code depth} others, after its first token. Reports whether it is
     * complete and not too deep.
     */
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
        boolean duplicate = false;
        try (JsonParser parser = strict.createParser(record, start, end - start)) {
            parser.nextToken();
            if (read(parser, root, 1, record, start)) {
                close = start + offset(parser);
            }
        } catch (IOException e) {
            close = extent(record, start, end);
            duplicate = true; // unless it is broken
        }
        if (close == start) {
            return start;
        }
        String column = null;
        String reason = null;
        GenericRowData row = new GenericRowData(projection.size());
        if (hasLoneSurrogate(record, start, close)) {
            reason = "invalid UTF-8";
        } else if (duplicate) {
            reason = "duplicate name";
        } else {
            for (int i = 0; i < columns.length && reason == null; i++) {
                try {
                    Object value = field(columns[i], found[i], fields[i] >= 0);
                    if (fields[i] >= 0) {
                        row.setField(fields[i], value);
                    }
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

    /** Reads the rest of an object and keeps the values of columns. Reports whether it is complete and not too deep. */
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
            boolean complete = kind == JsonToken.START_OBJECT && !member.members.isEmpty()
                    ? read(parser, member, depth + 1, record, start)
                    : skip(parser, depth);
            if (!complete) {
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

    /** The JSON of a value, without the blanks outside strings. */
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

    private static Object field(Schema.Column column, Found found, boolean wanted) throws RejectedException {
        if (found.astray) {
            throw new RejectedException("not an object");
        }
        if (found.kind == null) {
            if (column.nullable) {
                return null;
            }
            throw new RejectedException("missing value");
        }
        return column.type.parse(found.kind, found.text, column, wanted);
    }

    /** Reports whether valid JSON has an escape of half a character: a lone surrogate. */
    private static boolean hasLoneSurrogate(byte[] text, int start, int end) {
        Matcher escape = ESCAPE.matcher(new String(text, start, end - start, StandardCharsets.ISO_8859_1));
        while (escape.find()) {
            if (escape.start("lone") >= 0) {
                return true;
            }
        }
        return false;
    }
}
