package streamproof.analytics;

import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.List;
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
 * Unpacks aggregates and parses each row of each record. Rows are collected; rejects leave by the side output. A
 * malformed aggregate is one reject.
 *
 * <p>{@value #REJECTED_LINES} counts rejects, in the metric group that the service sends to CloudWatch. They are
 * logged without their bytes, which may be personal data. {@value #RECORDS_OF_OTHER_SHARDS} counts the records in
 * aggregates whose hash key is not one of the shard's. Kinesis stored them here, so they are parsed like all others;
 * consumers that use the Kinesis Client Library drop them.
 */
final class Parser extends ProcessFunction<SourceRecord, Row> {
    static final OutputTag<Reject> REJECTS = new OutputTag<>("rejects") {};
    static final String REJECTED_LINES = "rejectedLines";
    static final String RECORDS_OF_OTHER_SHARDS = "recordsOfOtherShards";
    private static final long serialVersionUID = 1;
    private static final Logger LOG = LoggerFactory.getLogger(Parser.class);

    private final RecordParser parser;
    private final boolean metadata;
    private transient Counter rejectedLines;
    private transient Counter recordsOfOtherShards;

    /** With {@code metadata}, each row ends with the fields of {@link Schema#METADATA}. */
    Parser(Schema schema, boolean metadata) {
        parser = schema.parser();
        this.metadata = metadata;
    }

    @Override
    public void open(OpenContext context) {
        rejectedLines = rejectedLines(getRuntimeContext());
        recordsOfOtherShards = counter(getRuntimeContext(), RECORDS_OF_OTHER_SHARDS);
    }

    /** The counter of rejects in an operator. */
    static Counter rejectedLines(RuntimeContext context) {
        return counter(context, REJECTED_LINES);
    }

    private static Counter counter(RuntimeContext context, String name) {
        return context.getMetricGroup().addGroup("kinesisanalytics").counter(name);
    }

    @Override
    public void processElement(SourceRecord record, Context context, Collector<Row> rows) {
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
    private void parse(SourceRecord record, String partitionKey, byte[] data, Context context, Collector<Row> rows) {
        parser.parse(data, new RecordParser.Sink() {
            @Override
            public void row(Row row) {
                rows.collect(metadata ? Row.join(row, metadataOf(record, partitionKey)) : row);
            }

            @Override
            public void reject(byte[] data, String reason, String column) {
                context.output(REJECTS, rejectOf(record, data, reason, column));
            }
        });
    }

    private static Row metadataOf(SourceRecord record, String partitionKey) {
        return Row.of(
                LocalDateTime.ofInstant(record.arrivalTime, ZoneOffset.UTC),
                partitionKey,
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
