package streamproof.analytics;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A stream of one shard, which has the upper half of the hash keys, with Kinesis' limits: five reads a second, at most
 * 10 MB an answer, and then no read for as long as the answer takes at 2 MB a second.
 *
 * <p>https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
 */
final class KinesisStandIn implements AutoCloseable {
    static final BigInteger FIRST_HASH_KEY = BigInteger.ONE.shiftLeft(127);
    static final BigInteger LAST_HASH_KEY = BigInteger.ONE.shiftLeft(128).subtract(BigInteger.ONE);

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int READS_PER_SECOND = 5;
    private static final int BYTES_PER_SECOND = 2 * 1024 * 1024;
    private static final int ANSWER_BYTES = 10 * 1024 * 1024;
    private static final long SECOND = 1_000_000_000;

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<byte[]> records = new ArrayList<>();
    private final Deque<Long> reads = new ArrayDeque<>();
    private long refusesUntil = System.nanoTime();
    private boolean denies;

    KinesisStandIn() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::answer);
        server.start();
    }

    String endpoint() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    /** Adds a record and returns its sequence number. */
    synchronized String put(byte[] data) {
        records.add(data);
        return sequenceNumber(records.size() - 1);
    }

    /** Refuses all reads for a while, as if others used them up. */
    synchronized void refuse(Duration duration) {
        refusesUntil = System.nanoTime() + duration.toNanos();
    }

    /** Denies all calls from now on. */
    synchronized void deny() {
        denies = true;
    }

    private static String sequenceNumber(int index) {
        return String.valueOf(1000 + index);
    }

    private void answer(HttpExchange exchange) throws IOException {
        JsonNode request = JSON.readTree(exchange.getRequestBody());
        String call = exchange.getRequestHeaders().getFirst("X-Amz-Target").replace("Kinesis_20131202.", "");
        ObjectNode answer = JSON.createObjectNode();
        int status = answer(call, request, answer) ? 200 : 400;
        byte[] body = JSON.writeValueAsBytes(answer);
        exchange.getResponseHeaders().set("Content-Type", "application/x-amz-json-1.1");
        exchange.sendResponseHeaders(status, body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    private synchronized boolean answer(String call, JsonNode request, ObjectNode answer) {
        if (denies) {
            answer.put("__type", "AccessDeniedException").put("message", "not authorized to perform: kinesis:" + call);
            return false;
        }
        switch (call) {
            case "DescribeStream":
                ObjectNode description = answer.putObject("StreamDescription");
                description.put("StreamName", "trips").put("StreamStatus", "ACTIVE").put("HasMoreShards", false);
                description.put("StreamARN", "arn:aws:kinesis:eu-west-1:000000000000:stream/trips");
                addShard(description.putArray("Shards"));
                return true;
            case "ListShards":
                addShard(answer.putArray("Shards"));
                return true;
            case "GetShardIterator":
                answer.put("ShardIterator", String.valueOf(position(request)));
                return true;
            case "GetRecords":
                return read(Integer.parseInt(request.required("ShardIterator").asText()), request.path("Limit").asInt(10_000), answer);
            default:
                answer.put("__type", "UnknownOperationException").put("message", call);
                return false;
        }
    }

    private static void addShard(ArrayNode shards) {
        ObjectNode shard = shards.addObject().put("ShardId", "shardId-000000000000");
        shard.putObject("HashKeyRange")
                .put("StartingHashKey", FIRST_HASH_KEY.toString())
                .put("EndingHashKey", LAST_HASH_KEY.toString());
        shard.putObject("SequenceNumberRange").put("StartingSequenceNumber", sequenceNumber(0));
    }

    private int position(JsonNode request) {
        int at = request.path("StartingSequenceNumber").asInt(1000) - 1000;
        switch (request.required("ShardIteratorType").asText()) {
            case "AFTER_SEQUENCE_NUMBER":
                return at + 1;
            case "LATEST":
                return records.size();
            default:
                return at;
        }
    }

    private boolean read(int from, int limit, ObjectNode answer) {
        long now = System.nanoTime();
        while (!reads.isEmpty() && now - reads.peek() >= SECOND) {
            reads.remove();
        }
        if (now < refusesUntil || reads.size() == READS_PER_SECOND) {
            answer.put("__type", "ProvisionedThroughputExceededException").put("message", "Rate exceeded for shard");
            return false;
        }
        reads.add(now);
        long bytes = 0;
        int next = from;
        ArrayNode read = answer.putArray("Records");
        while (next < records.size() && next - from < limit && bytes + records.get(next).length <= ANSWER_BYTES) {
            byte[] data = records.get(next);
            bytes += data.length;
            read.addObject()
                    .put("SequenceNumber", sequenceNumber(next++))
                    .put("PartitionKey", "4")
                    .put("ApproximateArrivalTimestamp", 1704067200.12)
                    .put("Data", data);
        }
        refusesUntil = now + bytes * SECOND / BYTES_PER_SECOND;
        answer.put("NextShardIterator", String.valueOf(next));
        answer.put("MillisBehindLatest", next < records.size() ? 1000 : 0);
        return true;
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
