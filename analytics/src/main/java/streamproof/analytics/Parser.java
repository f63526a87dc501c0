package streamproof.analytics;

import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Unpacks aggregates and parses each row of each record. Rows are collected; rejects leave by the side output. A
 * malformed aggregate is one reject.
 *
 * <p>{@value #REJECTED_LINES} counts rejects, in the metric group that the service sends to CloudWatch. They are
 * logged without their bytes, which may be personal data. {@value #RECORDS_OF_OTHER_SHARDS} counts the records in
 * aggregates whose hash key is not one of the shard's. Kinesis stored them here, so they are parsed like all others;
 * consumers that use the Kinesis Client Library drop them.
 */
final class Parser extends ProcessFunction<SourceRecord, RowData> {
    static final OutputTag<Reject> REJECTS = new OutputTag<>("rejects") {};
    static final String REJECTED_LINES = "rejectedLines";
    static final String RECORDS_OF_OTHER_SHARDS = "recordsOfOtherShards";
    private static final long serialVersionUID = 1;
    private static final Logger LOG = LoggerFactory.getLogger(Parser.class);

    private final RecordParser parser;
    private final Projection projection;
    private final int metadata;
    private transient Counter rejectedLines;
    private transient Counter recordsOfOtherShards;
    private transient boolean hasMetadata;

    /** A row has the fields that are projected from {@link Schema#table}. */
    Parser(Schema schema, Projection projection) {
        parser = schema.parser(projection);
        this.projection = projection;
        metadata = schema.columns.size();
    }

    @Override
    public void open(OpenContext context) {
        rejectedLines = rejectedLines(getRuntimeContext());
        recordsOfOtherShards = counter(getRuntimeContext(), RECORDS_OF_OTHER_SHARDS);
        hasMetadata = projection.columns().anyMatch(column -> column >= metadata);
    }

    /** The counter of rejects in an operator. */
    static Counter rejectedLines(RuntimeContext context) {
        return counter(context, REJECTED_LINES);
    }

    private static Counter counter(RuntimeContext context, String name) {
        return context.getMetricGroup().addGroup("kinesisanalytics").counter(name);
    }

    @Override
    public void processElement(SourceRecord record, Context context, Collector<RowData> rows) {
        if (!Aggregate.isOne(record.data)) {
            parse(record, record.partitionKey, record.data, context, rows);
            return;
        }
        List<Aggregate.Entry> entries;
        try {
            entries = Aggregate.entries(record.data);
        } catch (RejectedException e) {
            context.output(REJECTS, rejectOf(record, record.data, e.getMessage(), e.column));
            return;
        }
        for (Aggregate.Entry entry : entries.subList(Math.min(record.parsed, entries.size()), entries.size())) {
            if (entry.hashKey.compareTo(record.firstHashKey) < 0 || entry.hashKey.compareTo(record.lastHashKey) > 0) {
                recordsOfOtherShards.inc();
            }
            parse(record, entry.partitionKey, entry.data, context, rows);
        }
    }

    /** Parses the data of a record, or of one record in an aggregate. */
    private void parse(
            SourceRecord record, String partitionKey, byte[] data, Context context, Collector<RowData> rows) {
        parser.parse(data, new RecordParser.Sink() {
            @Override
            public void row(GenericRowData row) {
                if (hasMetadata) {
                    addMetadata(row, record, partitionKey);
                }
                rows.collect(row);
            }

            @Override
            public void reject(byte[] data, String reason, String column) {
                context.output(REJECTS, rejectOf(record, data, reason, column));
            }
        });
    }

    /** Sets the fields of {@link Schema#METADATA}. */
    private void addMetadata(GenericRowData row, SourceRecord record, String partitionKey) {
        set(row, 0, TimestampData.fromInstant(record.arrivalTime));
        set(row, 1, StringData.fromString(partitionKey));
        set(row, 2, StringData.fromString(record.sequenceNumber));
        set(row, 3, StringData.fromString(record.shard));
    }

    private void set(GenericRowData row, int column, Object value) {
        int field = projection.field(metadata + column);
        if (field >= 0) {
            row.setField(field, value);
        }
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
