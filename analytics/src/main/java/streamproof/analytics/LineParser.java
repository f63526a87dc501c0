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
 * Turns the bytes of a record into rows: UTF-8, lines ended by a newline, fields as RFC 4180 has them but for the
 * delimiter and the quote.
 *
 * <p>Unless the format says otherwise, a newline always ends a line, even between quotes, where RFC 4180 would let it be
 * a part of the field: so a quote that is never closed spoils its own line and no other. For the same reason a carriage
 * return outside quotes is rejected: RFC 4180 knows it as half of a line end only, and here it would become a part of
 * the last field.
 */
final class LineParser implements RecordParser {
    private static final long serialVersionUID = 1;

    private final Schema.Format format;
    private final Schema.Column[] columns;
    /** What a line has to be for it to be the header, and none; null where there is none. */
    private final List<String> header;

    private final boolean nulls;
    private transient CharsetDecoder decoder;
    /** Which fields of the line are quoted; kept where it matters. */
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
        String whole = Encoding.whole(record);
        if (whole != null) {
            sink.reject(record, whole, null);
            return;
        }
        for (byte[] line : lines(record)) {
            Row row;
            try {
                row = parse(line);
            } catch (RejectedException e) {
                String encoding = Encoding.name(line);
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

    /** The lines of a record, at least one; the newline at the end of a record ends its last line and may be missing. */
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
     * The newline that ends a line in which some may be between quotes; -1 where there is none. A quote that is never
     * closed has all of the record in it, but for a newline at its end.
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
                    return indexOf(record, at, '\n'); // the line ends here, or is at fault: nothing else is quoted
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

    /** The row that a line without its newline writes: one field for each column. Null for the header. */
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
                continue; // all of a new row is null
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
            decoder = StandardCharsets.UTF_8.newDecoder(); // reports what is malformed, where new String would mend it
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

    /** Reads the field whose opening quote is at {@code at}; returns where the text goes on after the closing one. */
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
            field.append(quote); // a doubled quote stands for one
            at = close + 1;
        }
    }
}
