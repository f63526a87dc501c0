package streamproof.analytics;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Measures the gain from packing: the job with the project's own schema and query, over records made in memory, sends
 * to the stand-in for Firehose, once with a row in each record and once with the default packs. The stand-in runs in
 * the same process, so the rows/s are those of both together, from the start of the job to the last answer.
 *
 * <pre>mvn --file analytics/pom.xml test-compile exec:exec [-Dbench.records=3000000]</pre>
 */
final class PackingBench {
    /** Firehose bills each record rounded up to this. */
    private static final long BILLED_STEP = 5 * 1024;

    private PackingBench() {}

    /** Measures what the rows' delivery stream accepts. */
    static final class Meter extends FirehoseStandIn {
        long records;
        long bytes;
        long billed;
        long rows;
        long lastNanos;

        Meter() throws IOException {}

        synchronized long rows() {
            return rows;
        }

        @Override
        void accept(String deliveryStream, byte[] data) {
            lastNanos = System.nanoTime();
            records++;
            bytes += data.length;
            billed += (data.length + BILLED_STEP - 1) / BILLED_STEP * BILLED_STEP;
            for (byte b : data) {
                rows += b == '\n' ? 1 : 0;
            }
        }
    }

    public static void main(String[] args) throws Exception {
        long records = Long.parseLong(args[0]);
        run(records / 10, Map.of()); // warms up
        System.out.printf("%,d records through the job, parallelism %d%n", records, parallelism());
        System.out.println("                  rows/s      rows   Firehose records         bytes        billed");
        Result single = run(records, Map.of("pack.delay.ms", "0")).print("a row a record");
        Result packed = run(records, Map.of()).print("packed");
        System.out.printf(
                Locale.ROOT,
                "packed: %.1f times the rows/s, 1/%.0f of the records, 1/%.0f of the billed bytes%n",
                packed.rowsPerSecond / single.rowsPerSecond,
                (double) single.meter.records / packed.meter.records,
                (double) single.meter.billed / packed.meter.billed);
        System.exit(0); // the sinks leave threads
    }

    private static final class Result {
        final Meter meter;
        final double rowsPerSecond;

        Result(Meter meter, double seconds) {
            this.meter = meter;
            rowsPerSecond = meter.rows / seconds;
        }

        Result print(String name) {
            System.out.printf(
                    Locale.ROOT,
                    "%-14s %,9.0f %,9d %,18d %,13d %,13d%n",
                    name, rowsPerSecond, meter.rows, meter.records, meter.bytes, meter.billed);
            return this;
        }
    }

    private static Result run(long records, Map<String, String> packing) throws Exception {
        try (Meter firehose = new Meter()) {
            Properties properties = ConfigTest.properties(packing);
            properties.setProperty("firehose.endpoint", firehose.endpoint());
            StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
            env.setParallelism(parallelism());
            env.enableCheckpointing(10_000);
            Job.define(
                    env,
                    Config.of(Map.of(Config.GROUP, properties)),
                    Schema.parse(Job.resource(Schema.FILE)),
                    Job.resource("pipeline.sql"),
                    draft -> draft.fromSequence(1, records)
                            .map(PackingBench::record)
                            .returns(TypeInformation.of(SourceRecord.class)));
            long start = System.nanoTime();
            env.execute();
            return new Result(firehose, (firehose.lastNanos - start) / 1e9);
        }
    }

    private static int parallelism() {
        return Runtime.getRuntime().availableProcessors();
    }

    /** A trip like those of the exercise's script. The query keeps half of them. */
    static SourceRecord record(long number) {
        SourceRecord record = new SourceRecord();
        record.data = (1 + number % 4
                        + ",2016-02-01 00:00:02,2016-02-01 00:09:02,3,7,-73.000120345678901,40.012340567809012,1,N,"
                        + "-73.043210987606543,40.000000000100002,5,23,1,0.05,12,7,0.3,"
                        + number % 300
                        + ".35\n")
                .getBytes(StandardCharsets.ISO_8859_1);
        record.shard = "shardId-000000000001";
        record.sequenceNumber = "49";
        record.arrivalTime = Instant.EPOCH;
        return record;
    }
}
