package streamproof.analytics;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.types.Row;

/**
 * Turns the bytes of a record into rows: UTF-8, lines ended by {@code \n}, fields as RFC 4180 has them with a comma.
 *
 * <p>A newline always ends a line, even between quotes, where RFC 4180 would let it be a part of the field: so a quote
 * that is never closed spoils its own line and no other. For the same reason a carriage return outside quotes is
 * rejected: RFC 4180 knows it as half of a line end only, and here it would become a part of the last field.
 */
final class LineParser implements Serializable {
    private static final long serialVersionUID = 1;

    private final Schema schema;
    private transient CharsetDecoder decoder;

    LineParser(Schema schema) {
        this.schema = schema;
    }

    /** The lines of a record, at least one; the newline at the end of a record ends its last line and may be missing. */
    static List<byte[]> lines(byte[] record) {
        List<byte[]> lines = new ArrayList<>(1);
        int start = 0;
        for (int i = 0; i < record.length; i++) {
            if (record[i] == '\n') {
                lines.add(Arrays.copyOfRange(record, start, i));
                start = i + 1;
            }
        }
        if (start < record.length || record.length == 0) {
            lines.add(Arrays.copyOfRange(record, start, record.length));
        }
        return lines;
    }

    /** The row that a line without its newline writes: one field for each column, none of them null. */
    Row parse(byte[] line) throws RejectedException {
        if (line.length == 0) {
            throw new RejectedException("blank line");
        }
        List<String> fields = fields(decode(line));
        if (fields.size() != schema.columns.size()) {
            throw new RejectedException("wrong number of columns");
        }
        Row row = new Row(fields.size());
        for (int i = 0; i < fields.size(); i++) {
            Schema.Column column = schema.columns.get(i);
            try {
                row.setField(i, column.type.parse(fields.get(i), column.length));
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

    private static List<String> fields(String line) throws RejectedException {
        List<String> fields = new ArrayList<>();
        int at = 0;
        while (true) {
            int end;
            if (at < line.length() && line.charAt(at) == '"') {
                StringBuilder field = new StringBuilder();
                end = quoted(line, at, field);
                fields.add(field.toString());
            } else {
                end = line.indexOf(',', at);
                end = end < 0 ? line.length() : end;
                String field = line.substring(at, end);
                if (field.indexOf('"') >= 0) {
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
            if (line.charAt(end) != ',') {
                throw new RejectedException(line.charAt(end) == '\r' ? "carriage return" : "misplaced quote");
            }
            at = end + 1;
        }
    }

    /** Reads the field whose opening quote is at {@code at}; returns where the text goes on after the closing one. */
    private static int quoted(String line, int at, StringBuilder field) throws RejectedException {
        while (true) {
            int close = line.indexOf('"', at + 1);
            if (close < 0) {
                throw new RejectedException("unclosed quote");
            }
            field.append(line, at + 1, close);
            if (close + 1 == line.length() || line.charAt(close + 1) != '"') {
                return close + 1;
            }
            field.append('"'); // a doubled quote stands for one
            at = close + 1;
        }
    }
}
