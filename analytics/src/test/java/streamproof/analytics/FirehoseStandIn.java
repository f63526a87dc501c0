package streamproof.analytics;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * Firehose's PutRecordBatch, with the faults that a test sets. It runs in the job's process, so a test sees each
 * accepted record.
 */
class FirehoseStandIn implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpServer server;
    private final Map<String, List<String>> accepted = new TreeMap<>();
    private int failingCalls;
    private int refusedRecords;
    private boolean denied;

    FirehoseStandIn() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    String endpoint() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    /** Answers the next {@code calls} calls with a 500, and then refuses {@code records} records. */
    synchronized void failNext(int calls, int records) {
        failingCalls = calls;
        refusedRecords = records;
    }

    /** Denies all further calls. */
    synchronized void deny() {
        denied = true;
    }

    /** The data of each record that a delivery stream accepted, in that order. */
    synchronized List<String> records(String deliveryStream) {
        return List.copyOf(accepted.getOrDefault(deliveryStream, List.of()));
    }

    /** What Firehose would write: the records one after another, as lines with their newlines, sorted. */
    List<String> lines(String deliveryStream) {
        return Arrays.stream(String.join("", records(deliveryStream)).split("(?<=\n)"))
                .filter(line -> !line.isEmpty())
                .sorted()
                .collect(Collectors.toList());
    }

    /** The delivery streams that accepted records. */
    synchronized Set<String> deliveryStreams() {
        return Set.copyOf(accepted.keySet());
    }

    /** Called for each accepted record. */
    void accept(String deliveryStream, byte[] data) {
        accepted.computeIfAbsent(deliveryStream, name -> new ArrayList<>()).add(new String(data, StandardCharsets.UTF_8));
    }

    private synchronized void answer(HttpExchange exchange) throws IOException {
        JsonNode request = JSON.readTree(exchange.getRequestBody());
        ObjectNode answer = JSON.createObjectNode();
        int status = 200;
        if (!"Firehose_20150804.PutRecordBatch".equals(exchange.getRequestHeaders().getFirst("X-Amz-Target"))) {
            status = 400;
            answer.put("__type", "UnknownOperationException");
        } else if (denied) {
            status = 400;
            answer.put("__type", "AccessDeniedException");
        } else if (failingCalls > 0) {
            failingCalls--;
            status = 500;
            answer.put("__type", "InternalFailure");
        } else {
            String deliveryStream = request.required("DeliveryStreamName").asText();
            int refused = 0;
            ArrayNode entries = answer.putArray("RequestResponses");
            for (JsonNode record : request.required("Records")) {
                if (refusedRecords > 0) {
                    refusedRecords--;
                    refused++;
                    entries.addObject().put("ErrorCode", "ServiceUnavailableException").put("ErrorMessage", "Slow down.");
                } else {
                    accept(deliveryStream, record.required("Data").binaryValue());
                    entries.addObject().put("RecordId", "1");
                }
            }
            answer.put("FailedPutCount", refused);
        }
        byte[] body = JSON.writeValueAsBytes(answer);
        exchange.getResponseHeaders().set("Content-Type", "application/x-amz-json-1.1");
        exchange.sendResponseHeaders(status, body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
