package streamproof.analytics;

import java.util.Arrays;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.RuntimeContextInitializationContextAdapters;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes each row of the result as a line that ends with a newline. A row that the table cannot hold leaves by the side
 * output, as it would have been written; it is counted and logged as in {@link Parser}.
 */
final class RowLines extends ProcessFunction<RowData, byte[]> {
    static final OutputTag<Reject> UNFIT = new OutputTag<>("unfit") {};
    private static final long serialVersionUID = 1;
    private static final Logger LOG = LoggerFactory.getLogger(RowLines.class);

    private final SerializationSchema<RowData> format;
    /** The columns as CREATE TABLE declares them. */
    private final List<RowType.RowField> columns;

    private final RowData.FieldGetter[] values;
    private transient Counter rejectedLines;

    /** The rows come in the type {@code widened}: {@code declared}, {@link OutputType widened}. */
    RowLines(SerializationSchema<RowData> format, RowType declared, RowType widened) {
        this.format = format;
        columns = declared.getFields();
        values = new RowData.FieldGetter[columns.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = RowData.createFieldGetter(widened.getTypeAt(i), i);
        }
    }

    @Override
    public void open(OpenContext context) throws Exception {
        rejectedLines = Parser.rejectedLines(getRuntimeContext());
        format.open(RuntimeContextInitializationContextAdapters.serializationAdapter(getRuntimeContext()));
    }

    @Override
    public void processElement(RowData row, Context context, Collector<byte[]> lines) {
        byte[] text = format.serialize(row);
        for (int i = 0; i < values.length; i++) {
            RowType.RowField column = columns.get(i);
            String reason = OutputType.unfit(column.getType(), values[i].getFieldOrNull(row));
            if (reason != null) {
                context.output(UNFIT, reject(text, reason, column.getName()));
                return;
            }
        }
        if (hasNewline(text)) {
            context.output(UNFIT, reject(text, "newline in a row", null)); // a reader would see two rows
            return;
        }
        if (text.length >= Delivery.RECORD_BYTES) {
            context.output(UNFIT, reject(text, "too long for a delivery record", null));
            return;
        }
        byte[] line = Arrays.copyOf(text, text.length + 1);
        line[text.length] = '\n';
        lines.collect(line);
    }

    private static boolean hasNewline(byte[] text) {
        for (byte b : text) {
            if (b == '\n') {
                return true;
            }
        }
        return false;
    }

    private Reject reject(byte[] text, String reason, String column) {
        rejectedLines.inc();
        LOG.warn("Rejected row: reason={} column={} bytes={}", reason, column, text.length);
        Reject reject = new Reject();
        reject.reason = reason;
        reject.column = column;
        reject.data = text;
        return reject;
    }
}
