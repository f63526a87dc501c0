package streamproof.analytics;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordingFile;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.kinesis.shaded.com.amazonaws.services.kinesis.producer.protobuf.Messages;
import org.apache.flink.kinesis.shaded.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.kinesis.shaded.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.kinesis.shaded.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.kinesis.shaded.com.fasterxml.jackson.dataformat.cbor.CBORFactory;
import org.apache.flink.kinesis.shaded.com.google.protobuf.ByteString;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants;

/**
 * Measures the job from a stand-in for Kinesis that answers at once, in CBOR as Kinesis does, to the stand-in for
 * Firehose: rows/s, processor time and allocation, and how both divide among the parts of the job. The stand-ins run
 * in the same process, so they are a part, too. Compare processor times: rows/s are lower on a busy machine.
 *
 * <pre>mvn --file analytics/pom.xml test-compile exec:exec -Dbench=JobBench [-Dbench.records=3000000]</pre>
 */
final class JobBench {
    /** The parts by the innermost frame of a stack that is in such a class. */
    private static final Map<String, List<String>> PARTS = new LinkedHashMap<>();

    static {
        PARTS.put(
                "stand-ins",
                List.of(
                        "sun.net.httpserver.",
                        "streamproof.analytics.JobBench",
                        "streamproof.analytics.PackingBench",
                        "streamproof.analytics.FirehoseStandIn"));
        PARTS.put("source: AWS SDK", List.of("org.apache.flink.kinesis.shaded."));
        PARTS.put(
                "source: connector",
                List.of("org.apache.flink.streaming.connectors.kinesis.", "streamproof.analytics.RawConsumer"));
        PARTS.put(
                "query",
                List.of(
                        "StreamExecCalc",
                        "streamproof.analytics.RecordTable",
                        "org.apache.flink.table.runtime.operators."));
        PARTS.put("lines", List.of("streamproof.analytics.RowLines"));
        PARTS.put("packer", List.of("streamproof.analytics.Packer"));
        PARTS.put("sink", List.of("org.apache.flink.connector.", "software.amazon.awssdk.", "io.netty."));
        PARTS.put("parser", List.of("streamproof.analytics."));
        PARTS.put("between operators", List.of("org.apache.flink.streaming.runtime.tasks.CopyingChainingOutput"));
    }

    private static final String OTHERS = "others";

    private JobBench() {}

    /** A stream of some shards, each of which answers every read with the same records until all are sent. */
    private static final class Stream implements AutoCloseable {
        private static final ObjectMapper CBOR = new ObjectMapper(new CBORFactory());
        private static final int SHARDS = 8;
        private static final int READ = 10_000;

        final long records;
        private final AtomicLong left;
        private final byte[] full;
        private final byte[] empty = answer(List.of());
        private final HttpServer server;
        private final ExecutorService threads = Executors.newCachedThreadPool();

        /** Of {@code records} in aggregates of so many each, or in none if it is 1. */
        Stream(long records, int aggregated) throws Exception {
            left = new AtomicLong(records / READ);
            this.records = left.get() * READ;
            List<byte[]> read = new ArrayList<>();
            for (int i = 0; i < READ; i += aggregated) {
                read.add(aggregated == 1 ? PackingBench.record(i).data : aggregate(i, i + aggregated));
            }
            full = answer(read);
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            server.setExecutor(threads);
            server.createContext("/", this::answer);
            server.start();
        }

        String endpoint() {
            return "http://127.0.0.1:" + server.getAddress().getPort();
        }

        private static byte[] aggregate(int from, int to) throws NoSuchAlgorithmException {
            Messages.AggregatedRecord.Builder aggregate =
                    Messages.AggregatedRecord.newBuilder().addPartitionKeyTable("4");
            for (int i = from; i < to; i++) {
                aggregate.addRecordsBuilder().setPartitionKeyIndex(0).setData(
                        ByteString.copyFrom(PackingBench.record(i).data));
            }
            return AggregateTest.aggregate(aggregate.build().toByteArray());
        }

        private static byte[] answer(List<byte[]> records) throws IOException {
            ObjectNode answer = CBOR.createObjectNode();
            ArrayNode read = answer.putArray("Records");
            for (byte[] data : records) {
                read.addObject()
                        .put("SequenceNumber", "4966" + (10_000_000 + read.size()))
                        .put("PartitionKey", "4")
                        .put("ApproximateArrivalTimestamp", 1704067200120L)
                        .put("Data", data);
            }
            answer.put("NextShardIterator", "next").put("MillisBehindLatest", 0);
            return CBOR.writeValueAsBytes(answer);
        }

        private static byte[] description() throws IOException {
            ObjectNode answer = CBOR.createObjectNode();
            answer.putObject("StreamDescription")
                    .put("StreamName", "trips")
                    .put("StreamARN", "arn:aws:kinesis:eu-west-1:000000000000:stream/trips")
                    .put("StreamStatus", "ACTIVE")
                    .put("HasMoreShards", false)
                    .putArray("Shards");
            return CBOR.writeValueAsBytes(answer);
        }

        private static byte[] shards() throws IOException {
            ObjectNode answer = CBOR.createObjectNode();
            ArrayNode shards = answer.putArray("Shards");
            BigInteger size = BigInteger.ONE.shiftLeft(128).divide(BigInteger.valueOf(SHARDS));
            for (int i = 0; i < SHARDS; i++) {
                ObjectNode shard = shards.addObject().put("ShardId", String.format("shardId-%012d", i));
                BigInteger first = size.multiply(BigInteger.valueOf(i));
                shard.putObject("HashKeyRange")
                        .put("StartingHashKey", first.toString())
                        .put("EndingHashKey", first.add(size).subtract(BigInteger.ONE).toString());
                shard.putObject("SequenceNumberRange").put("StartingSequenceNumber", "49");
            }
            return CBOR.writeValueAsBytes(answer);
        }

        private void answer(HttpExchange exchange) throws IOException {
            exchange.getRequestBody().readAllBytes();
            byte[] body;
            switch (exchange.getRequestHeaders().getFirst("X-Amz-Target").replace("Kinesis_20131202.", "")) {
                case "DescribeStream":
                    body = description();
                    break;
                case "ListShards":
                    body = shards();
                    break;
                case "GetShardIterator":
                    body = CBOR.writeValueAsBytes(CBOR.createObjectNode().put("ShardIterator", "next"));
                    break;
                default:
                    body = left.getAndDecrement() > 0 ? full : empty;
                    if (body == empty) {
                        pause();
                    }
            }
            exchange.getResponseHeaders().set("Content-Type", "application/x-amz-cbor-1.1");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        }

        @Override
        public void close() {
            server.stop(0);
            threads.shutdownNow();
        }
    }

    private static void pause() {
        try {
            Thread.sleep(10);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] args) throws Exception {
        long records = Long.parseLong(args[0]);
        measure("a record each", records, 1);
        measure("in aggregates of 100", records, 100);
        System.exit(0); // the sinks leave threads
    }

    private static void measure(String name, long records, int aggregated) throws Exception {
        run(records / 5, aggregated); // warms up
        Path file = Files.createTempFile("streamproof-", ".jfr");
        try (Recording recording = new Recording()) {
            recording.enable("jdk.ExecutionSample").withPeriod(Duration.ofMillis(10));
            recording.enable("jdk.ObjectAllocationSample").with("throttle", "1000/s");
            recording.start();
            Result result = run(records, aggregated);
            recording.stop();
            recording.dump(file);
            System.out.printf(
                    Locale.ROOT,
                    "from Kinesis, %s: %,d rows of %,d records, %,.0f rows/s, %.2f µs of CPU a row%n",
                    name,
                    result.rows,
                    records,
                    result.rows / result.seconds,
                    1e6 * result.cpuSeconds / result.rows);
            printParts(file, result.rows);
        } finally {
            Files.delete(file);
        }
    }

    private static final class Result {
        final long rows;
        final double seconds;
        final double cpuSeconds;

        Result(long rows, double seconds, double cpuSeconds) {
            this.rows = rows;
            this.seconds = seconds;
            this.cpuSeconds = cpuSeconds;
        }
    }

    private static Result run(long records, int aggregated) throws Exception {
        try (Stream kinesis = new Stream(records, aggregated); PackingBench.Meter firehose = new PackingBench.Meter()) {
            Properties properties = ConfigTest.properties(
                    Map.of("kinesis.endpoint", kinesis.endpoint(), "firehose.endpoint", firehose.endpoint()));
            Config config = Config.of(Map.of(Config.GROUP, properties));
            Properties reading = Reading.of(config);
            reading.setProperty(ConsumerConfigConstants.SHARD_GETRECORDS_INTERVAL_MILLIS, "0");
            reading.setProperty(ConsumerConfigConstants.SHARD_USE_ADAPTIVE_READS, "false");
            Configuration configuration = new Configuration();
            configuration.set(RestartStrategyOptions.RESTART_STRATEGY, "none"); // a failure ends the benchmark
            StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
            env.setParallelism(Runtime.getRuntime().availableProcessors());
            env.enableCheckpointing(10_000);
            Job.define(
                    env,
                    config,
                    Schema.parse(Job.resource(Schema.FILE)),
                    Job.resource("pipeline.sql"),
                    draft -> source(draft, config.stream, reading));
            long cpu = cpuNanos();
            long start = System.nanoTime();
            JobClient job = env.executeAsync();
            CompletableFuture<JobExecutionResult> end = job.getJobExecutionResult();
            while (firehose.rows() < kinesis.records / 2 && !end.isDone()) { // the query keeps half of them
                pause();
            }
            if (end.isDone()) {
                end.get();
            }
            Result result = new Result(
                    firehose.rows(), (firehose.lastNanos - start) / 1e9, (cpuNanos() - cpu) / 1e9);
            job.cancel().get();
            end.handle((none, cancelled) -> none).get();
            return result;
        }
    }

    @SuppressWarnings("deprecation")
    private static DataStream<SourceRecord> source(StreamExecutionEnvironment env, String stream, Properties reading) {
        return env.addSource(new RawConsumer(stream, reading)).uid("source").name("source");
    }

    private static long cpuNanos() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    private static void printParts(Path file, long rows) throws IOException {
        Map<String, Long> samples = new HashMap<>();
        Map<String, Long> bytes = new HashMap<>();
        for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
            if (event.getStackTrace() == null) {
                continue;
            }
            String part = part(event.getStackTrace().getFrames());
            if (event.getEventType().getName().equals("jdk.ExecutionSample")) {
                samples.merge(part, 1L, Long::sum);
            } else if (event.getEventType().getName().equals("jdk.ObjectAllocationSample")) {
                bytes.merge(part, event.getLong("weight"), Long::sum);
            }
        }
        double all = samples.values().stream().mapToLong(Long::longValue).sum();
        double allBytes = bytes.values().stream().mapToLong(Long::longValue).sum();
        System.out.printf(Locale.ROOT, "  %-18s %5s %12s%n", "part", "CPU", "bytes a row");
        List<String> parts = new ArrayList<>(PARTS.keySet());
        parts.add(OTHERS);
        for (String part : parts) {
            System.out.printf(
                    Locale.ROOT,
                    "  %-18s %4.0f%% %,12.0f%n",
                    part,
                    100 * samples.getOrDefault(part, 0L) / all,
                    (double) bytes.getOrDefault(part, 0L) / rows);
        }
        System.out.printf(Locale.ROOT, "  %-18s %5s %,12.0f%n", "all", "", allBytes / rows);
    }

    private static String part(List<RecordedFrame> frames) {
        for (RecordedFrame frame : frames) {
            String type = frame.getMethod().getType().getName();
            for (Map.Entry<String, List<String>> part : PARTS.entrySet()) {
                if (part.getValue().stream().anyMatch(type::startsWith)) {
                    return part.getKey();
                }
            }
        }
        return OTHERS;
    }
}
