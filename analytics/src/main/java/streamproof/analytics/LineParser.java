package streamproof.analytics;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.table.data.GenericRowData;

/**
 * Turns a record into rows: lines of UTF-8, with the fields of RFC 4180 and the format's delimiter and quote.
 *
 * <p>A newline ends a line even between quotes, unless the format says otherwise. RFC 4180 would make it part of the
 * field; here a quote that is never closed spoils no line but its own. A carriage return outside quotes is rejected: in
 * RFC 4180 it is half of a line end, and here it would become part of the last field.
 */
final class LineParser implements RecordParser {
    private static final long serialVersionUID = 1;

    private final Schema.Format format;
    private final Schema.Column[] columns;
    /** The fields of a header, which may be any line; null if the format has none. */
    private final List<String> header;

    private final boolean nulls;
    private final Projection projection;
    private transient CharsetDecoder decoder;
    /** The fields of the current line. */
    private transient Field[] fields;
    /** The row's field for each column, or -1. */
    private transient int[] projected;

    /** The text of a field: a part of {@code in}. */
    private static final class Field {
        String in;
        int start;
        int end;
        boolean quoted;

        void set(String in, int start, int end, boolean quoted) {
            this.in = in;
            this.start = start;
            this.end = end;
            this.quoted = quoted;
        }

        String text() {
            return in.substring(start, end);
        }
    }

    LineParser(Schema schema, Projection projection) {
        format = schema.format;
        columns = schema.columns.toArray(new Schema.Column[0]);
        header = format.header
                ? schema.columns.stream().map(column -> column.path.get(0)).collect(Collectors.toList())
                : null;
        nulls = !format.nulls.isEmpty();
        this.projection = projection;
    }

    private void open() {
        decoder = StandardCharsets.UTF_8.newDecoder(); // refuses malformed text; new String replaces it
        projected = IntStream.range(0, columns.length).map(projection::field).toArray();
        fields = Stream.generate(Field::new).limit(columns.length + 1).toArray(Field[]::new);
    }

    @Override
    public void parse(byte[] record, Sink sink) {
        String ofRecord = Encoding.ofRecord(record);
        if (ofRecord != null) {
            sink.reject(record, ofRecord, null);
            return;
        }
        int start = 0;
        do { // the newline of the last line may be missing
            int end = format.multiline ? quotedLine(record, start) : indexOf(record, start, '\n');
            int next = end < 0 ? record.length : end + 1;
            end = end < 0 ? record.length : end;
            if (format.carriage && end > start && record[end - 1] == '\r') {
                end--;
            }
            parse(record, start, end, sink);
            start = next;
        } while (start < record.length);
    }

    private void parse(byte[] record, int start, int end, Sink sink) {
        GenericRowData row;
        try {
            row = parse(record, start, end);
        } catch (RejectedException e) {
            byte[] line = Arrays.copyOfRange(record, start, end);
            String encoding = Encoding.ofLine(line);
            if (encoding != null) {
                sink.reject(line, encoding, null);
            } else {
                sink.reject(line, record.length == 0 ? "empty record" : e.getMessage(), e.column);
            }
            return;
        }
        if (row != null) {
            sink.row(row);
        }
    }

    private static int indexOf(byte[] record, int from, int wanted) {
        for (int i = from; i < record.length; i++) {
            if (record[i] == wanted) {
                return i;
            }
        }
        return -1;
    }

    /**
     * The newline that ends a line whose quoted fields may hold newlines; -1 if there is none. A quote that is never
     * closed takes in the rest of the record, except a newline at its end.
     */
    private int quotedLine(byte[] record, int start) {
        for (int at = start; ; at++) { // at the start of a field
            if (at < record.length && record[at] == format.quote) {
                int close = closingQuote(record, at);
                if (close < 0) {
                    return record[record.length - 1] == '\n' ? record.length - 1 : -1;
                }
                at = close + 1;
                if (at < record.length && record[at] != format.delimiter) {
                    return indexOf(record, at, '\n'); // the line ends here, or it is faulty
                }
            }
            while (at < record.length && record[at] != format.delimiter) {
                if (record[at] == '\n') {
                    return at;
                }
                at++;
            }
            if (at >= record.length) {
                return -1;
            }
        }
    }

    private int closingQuote(byte[] record, int at) {
        while (true) {
            at = indexOf(record, at + 1, format.quote);
            if (at < 0 || at + 1 == record.length || record[at + 1] != format.quote) {
                return at;
            }
            at++;
        }
    }

    /** The row of a line, which is a part of {@code record} without its newline. Null for the header. */
    GenericRowData parse(byte[] record, int start, int end) throws RejectedException {
        if (start == end) {
            throw new RejectedException("blank line");
        }
        if (fields == null) {
            open();
        }
        if (split(decode(record, start, end - start)) != columns.length) {
            throw new RejectedException("wrong number of columns");
        }
        if (header != null && isHeader()) {
            return null;
        }
        GenericRowData row = new GenericRowData(projection.size());
        for (int i = 0; i < columns.length; i++) {
            Schema.Column column = columns[i];
            Field field = fields[i];
            if (nulls && column.nullable && !field.quoted && format.nulls.contains(field.text())) {
                continue; // the fields of a new row are null
            }
            boolean wanted = projected[i] >= 0;
            Object value;
            try {
                value = column.type.parse(field.in, field.start, field.end, column, wanted);
            } catch (RejectedException e) {
                throw new RejectedException(e.getMessage(), column.name);
            }
            if (wanted) {
                row.setField(projected[i], value);
            }
        }
        return row;
    }

    private boolean isHeader() {
        for (int i = 0; i < columns.length; i++) {
            if (!header.get(i).equals(fields[i].text())) {
                return false;
            }
        }
        return true;
    }

    private String decode(byte[] record, int start, int length) throws RejectedException {
        String line = new String(record, start, length, StandardCharsets.UTF_8); // fast if it is ASCII
        if (line.indexOf('\ufffd') < 0) { // which stands for malformed text, or for itself
            return line;
        }
        try {
            return decoder.decode(ByteBuffer.wrap(record, start, length)).toString();
        } catch (CharacterCodingException e) {
            throw new RejectedException("invalid UTF-8");
        }
    }

    /** Sets the fields of a line. Returns their number, which may be wrong. */
    private int split(String line) throws RejectedException {
        int count = 0;
        int at = 0;
        while (true) {
            Field field = fields[Math.min(count++, columns.length)]; // the last is none of a column
            boolean quoted = at < line.length() && line.charAt(at) == format.quote;
            at = quoted ? quoted(line, at, field) : unquoted(line, at, field);
            if (at == line.length()) {
                return count;
            }
            if (line.charAt(at) != format.delimiter) {
                throw new RejectedException(line.charAt(at) == '\r' ? "carriage return" : "misplaced quote");
            }
            at++;
        }
    }

    /** Reads the field that begins at {@code start}. Returns its end. */
    private int unquoted(String line, int start, Field field) throws RejectedException {
        char delimiter = format.delimiter;
        int quote = format.quote;
        boolean misplaced = false;
        boolean carriage = false;
        int end = start;
        for (; end < line.length(); end++) {
            char c = line.charAt(end);
            if (c == delimiter) {
                break;
            }
            misplaced |= c == quote;
            carriage |= c == '\r';
        }
        if (misplaced || carriage) {
            throw new RejectedException(misplaced ? "misplaced quote" : "carriage return");
        }
        field.set(line, start, end, false);
        return end;
    }

    /** Reads the field whose opening quote is at {@code start}. Returns the position after its closing quote. */
    private int quoted(String line, int start, Field field) throws RejectedException {
        char quote = (char) format.quote;
        StringBuilder text = null;
        int from = start + 1;
        while (true) {
            int close = line.indexOf(quote, from);
            if (close < 0) {
                throw new RejectedException("unclosed quote");
            }
            boolean ends = close + 1 == line.length() || line.charAt(close + 1) != quote;
            if (ends && text == null) {
                field.set(line, from, close, true);
                return close + 1;
            }
            text = text == null ? new StringBuilder() : text;
            text.append(line, from, ends ? close : close + 1); // two quotes stand for one
            if (ends) {
                field.set(text.toString(), 0, text.length(), true);
                return close + 1;
            }
            from = close + 2;
        }
    }
}
