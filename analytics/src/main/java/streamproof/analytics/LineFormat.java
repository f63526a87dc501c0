package streamproof.analytics;

import java.util.Arrays;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.table.data.RowData;

/** A row as one of Flink's formats writes it, and the newline that these formats leave out. */
final class LineFormat implements SerializationSchema<RowData> {
    private static final long serialVersionUID = 1;

    private final SerializationSchema<RowData> format;

    LineFormat(SerializationSchema<RowData> format) {
        this.format = format;
    }

    @Override
    public void open(InitializationContext context) throws Exception {
        format.open(context);
    }

    @Override
    public byte[] serialize(RowData row) {
        byte[] text = format.serialize(row);
        byte[] line = Arrays.copyOf(text, text.length + 1);
        line[text.length] = '\n';
        return line;
    }
}
