package streamproof.analytics;

import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.types.Row;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Parses each row of each record on its own: rows go on, what is not a row leaves by the side output.
 *
 * <p>Rejects are counted by {@value #REJECTED_LINES}, in the metric group that the service sends to CloudWatch, and
 * logged without their bytes, which may be anybody's data.
 */
final class Parser extends ProcessFunction<SourceRecord, Row> {
    static final OutputTag<Reject> REJECTS = new OutputTag<>("rejects") {};
    static final String REJECTED_LINES = "rejectedLines";
    private static final long serialVersionUID = 1;
    private static final Logger LOG = LoggerFactory.getLogger(Parser.class);

    private final RecordParser parser;
    private final boolean metadata;
    private transient Counter rejectedLines;

    /** With {@code metadata}, the fields of {@link Schema#METADATA} follow those of the row. */
    Parser(Schema schema, boolean metadata) {
        parser = schema.parser();
        this.metadata = metadata;
    }

    @Override
    public void open(OpenContext context) {
        rejectedLines = rejectedLines(getRuntimeContext());
    }

    /** The counter of an operator that rejects. */
    static Counter rejectedLines(RuntimeContext context) {
        return context.getMetricGroup().addGroup("kinesisanalytics").counter(REJECTED_LINES);
    }

    @Override
    public void processElement(SourceRecord record, Context context, Collector<Row> rows) {
        parser.parse(record.data, new RecordParser.Sink() {
            @Override
            public void row(Row row) {
                rows.collect(metadata ? Row.join(row, metadataOf(record)) : row);
            }

            @Override
            public void reject(byte[] data, String reason, String column) {
                context.output(REJECTS, rejectOf(record, data, reason, column));
            }
        });
    }

    private static Row metadataOf(SourceRecord record) {
        return Row.of(
                LocalDateTime.ofInstant(record.arrivalTime, ZoneOffset.UTC),
                record.partitionKey,
                record.sequenceNumber,
                record.shard);
    }

    private Reject rejectOf(SourceRecord record, byte[] data, String reason, String column) {
        rejectedLines.inc();
        LOG.warn(
                "Rejected line: reason={} column={} shard={} sequenceNumber={} bytes={}",
                reason,
                column,
                record.shard,
                record.sequenceNumber,
                data.length);
        Reject reject = new Reject();
        reject.reason = reason;
        reject.column = column;
        reject.data = data;
        reject.shard = record.shard;
        reject.sequenceNumber = record.sequenceNumber;
        reject.arrivalTime = record.arrivalTime;
        return reject;
    }
}
