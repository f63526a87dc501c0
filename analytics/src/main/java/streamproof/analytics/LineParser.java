package streamproof.analytics;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.types.Row;

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
    private transient CharsetDecoder decoder;
    /** Which fields of the line are quoted; kept only if the format has texts for NULL. */
    private transient BitSet quoted;

    LineParser(Schema schema) {
        format = schema.format;
        columns = schema.columns.toArray(new Schema.Column[0]);
        header = format.header
                ? schema.columns.stream().map(column -> column.path.get(0)).collect(Collectors.toList())
                : null;
        nulls = !format.nulls.isEmpty();
    }

    @Override
    public void parse(byte[] record, Sink sink) {
        String ofRecord = Encoding.ofRecord(record);
        if (ofRecord != null) {
            sink.reject(record, ofRecord, null);
            return;
        }
        for (byte[] line : lines(record)) {
            Row row;
            try {
                row = parse(line);
            } catch (RejectedException e) {
                String encoding = Encoding.ofLine(line);
                if (encoding != null) {
                    sink.reject(line, encoding, null);
                } else {
                    sink.reject(line, record.length == 0 ? "empty record" : e.getMessage(), e.column);
                }
                continue;
            }
            if (row != null) {
                sink.row(row);
            }
        }
    }

    /** The lines of a record, at least one. The newline of the last line may be missing. */
    List<byte[]> lines(byte[] record) {
        List<byte[]> lines = new ArrayList<>(1);
        int start = 0;
        do {
            int end = format.multiline ? quotedLine(record, start) : indexOf(record, start, '\n');
            int next = end < 0 ? record.length : end + 1;
            end = end < 0 ? record.length : end;
            if (format.carriage && end > start && record[end - 1] == '\r') {
                end--;
            }
            lines.add(Arrays.copyOfRange(record, start, end));
            start = next;
        } while (start < record.length);
        return lines;
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

    /** The row of a line without its newline: a field for each column. Null for the header. */
    Row parse(byte[] line) throws RejectedException {
        if (line.length == 0) {
            throw new RejectedException("blank line");
        }
        List<String> fields = fields(decode(line));
        if (fields.size() != columns.length) {
            throw new RejectedException("wrong number of columns");
        }
        if (header != null && header.equals(fields)) {
            return null;
        }
        Row row = new Row(fields.size());
        for (int i = 0; i < columns.length; i++) {
            Schema.Column column = columns[i];
            String text = fields.get(i);
            if (nulls && column.nullable && format.nulls.contains(text) && !quoted.get(i)) {
                continue; // the fields of a new row are null
            }
            try {
                row.setField(i, column.type.parse(text, column));
            } catch (RejectedException e) {
                throw new RejectedException(e.getMessage(), column.name);
            }
        }
        return row;
    }

    private String decode(byte[] line) throws RejectedException {
        if (decoder == null) {
            decoder = StandardCharsets.UTF_8.newDecoder(); // refuses malformed text; new String would replace it
        }
        try {
            return decoder.decode(ByteBuffer.wrap(line)).toString();
        } catch (CharacterCodingException e) {
            throw new RejectedException("invalid UTF-8");
        }
    }

    private List<String> fields(String line) throws RejectedException {
        char delimiter = format.delimiter;
        int quote = format.quote;
        List<String> fields = new ArrayList<>(columns.length);
        if (nulls) {
            quoted = quoted == null ? new BitSet() : quoted;
            quoted.clear();
        }
        int at = 0;
        while (true) {
            int end;
            if (at < line.length() && line.charAt(at) == quote) {
                if (nulls) {
                    quoted.set(fields.size());
                }
                StringBuilder field = new StringBuilder();
                end = quoted(line, at, field);
                fields.add(field.toString());
            } else {
                end = line.indexOf(delimiter, at);
                end = end < 0 ? line.length() : end;
                String field = line.substring(at, end);
                if (field.indexOf(quote) >= 0) {
                    throw new RejectedException("misplaced quote");
                }
                if (field.indexOf('\r') >= 0) {
                    throw new RejectedException("carriage return");
                }
                fields.add(field);
            }
            if (end == line.length()) {
                return fields;
            }
            if (line.charAt(end) != delimiter) {
                throw new RejectedException(line.charAt(end) == '\r' ? "carriage return" : "misplaced quote");
            }
            at = end + 1;
        }
    }

    /** Reads the field whose opening quote is at {@code at}. Returns the position after its closing quote. */
    private int quoted(String line, int at, StringBuilder field) throws RejectedException {
        char quote = (char) format.quote;
        while (true) {
            int close = line.indexOf(quote, at + 1);
            if (close < 0) {
                throw new RejectedException("unclosed quote");
            }
            field.append(line, at + 1, close);
            if (close + 1 == line.length() || line.charAt(close + 1) != quote) {
                return close + 1;
            }
            field.append(quote); // two quotes stand for one
            at = close + 1;
        }
    }
}
