package streamproof.analytics;

import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.Arrays;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.util.Collector;

/**
 * Writes a reject as a line of JSON that ends with a newline, the keys always in this order:
 *
 * <pre>
 * {"reason":"not an integer","column":"VendorID","data":"eA==","shard":"shardId-000000000001",
 *  "sequence_number":"49","arrival_time":"2026-11-23T20:00:00.123Z"}
 * </pre>
 *
 * <p>{@code data} is base64. Data of more than {@value #PART_BYTES} bytes might not fit a Firehose record, so it is
 * written in parts: a line for each, with {@code part}, from 1, and {@code parts} at the end. Firehose may deliver them
 * in any order.
 */
final class RejectLines implements FlatMapFunction<Reject, byte[]> {
    /** In base64 933,336 of a Firehose record's 1,024,000 bytes, which leaves 90,000 for the rest of the line. */
    static final int PART_BYTES = 700_000;

    private static final long serialVersionUID = 1;
    private static final ObjectMapper JSON = new ObjectMapper();
    /** Three digits always: Instant.toString drops trailing zeros. */
    private static final DateTimeFormatter TIME =
            new DateTimeFormatterBuilder().appendInstant(3).toFormatter().withZone(ZoneOffset.UTC);

    @Override
    public void flatMap(Reject reject, Collector<byte[]> lines) throws JsonProcessingException {
        int parts = Math.max(1, (reject.data.length + PART_BYTES - 1) / PART_BYTES);
        for (int part = 1; part <= parts; part++) {
            ObjectNode line = JSON.createObjectNode();
            line.put("reason", reject.reason);
            line.put("column", reject.column);
            int start = (part - 1) * PART_BYTES;
            int end = Math.min(reject.data.length, start + PART_BYTES);
            line.put("data", Arrays.copyOfRange(reject.data, start, end));
            line.put("shard", reject.shard);
            line.put("sequence_number", reject.sequenceNumber);
            line.put("arrival_time", reject.arrivalTime == null ? null : TIME.format(reject.arrivalTime));
            if (parts > 1) {
                line.put("part", part);
                line.put("parts", parts);
            }
            byte[] text = JSON.writeValueAsBytes(line);
            byte[] ended = Arrays.copyOf(text, text.length + 1);
            ended[text.length] = '\n';
            lines.collect(ended);
        }
    }
}
