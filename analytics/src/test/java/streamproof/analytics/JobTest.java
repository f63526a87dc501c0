package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.testutils.InMemoryReporter;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The job between its source and Firehose, in a Flink cluster. */
class JobTest {
    private static final InMemoryReporter METRICS = InMemoryReporter.createWithRetainedMetrics();

    @RegisterExtension
    static final MiniClusterExtension FLINK = new MiniClusterExtension(new MiniClusterResourceConfiguration.Builder()
            .setConfiguration(METRICS.addToConfiguration(new Configuration()))
            .setNumberSlotsPerTaskManager(2)
            .build());

    private static final Schema SCHEMA = SchemaTest.schema(
            "INTEGER", "BIGINT", "REAL", "DOUBLE", "TIMESTAMP", "CHAR(2)", "VARCHAR(9)", "BOOLEAN");
    private static final String SCRIPT = "CREATE TABLE T (A INT, B BIGINT, C FLOAT, D DOUBLE, E TIMESTAMP, F CHAR(2),"
            + " G VARCHAR, H BOOLEAN, I INT); INSERT INTO T SELECT *, CAST(NULL AS INT) FROM S";

    private FirehoseStandIn firehose;

    @BeforeEach
    void startFirehose() throws IOException {
        firehose = new FirehoseStandIn();
    }

    @AfterEach
    void stopFirehose() {
        firehose.close();
    }

    @AfterAll
    static void closeMetrics() {
        METRICS.close();
    }

    /** The project's own schema and query: the exercise's. */
    @Test
    void pipeline() throws Exception {
        String good = ",2016-02-01 00:00:02,2016-02-01 00:09:02,%d,%s,-73.000120345678901,40.012340567809012,1,N,"
                + "-73.043210987606543,40.000000000100002,5,23,1,0.05,12,7,0.3,%s\n";
        String bad = good.replace("2016-02-01", "2016-02-30");
        JobID job = run(
                "CSV",
                Schema.parse(Job.resource("schema.json")),
                Job.resource("pipeline.sql"),
                record(1 + String.format(good, 3, "7", "43.35")
                        + 2 + String.format(bad, 3, "7", "43.35")
                        + 2 + String.format(good, 9, "10", "99.9")),
                record(3 + String.format(good, 1, "1", "1.5") + 4 + String.format(good, 1, "1", "1.5")),
                record(""),
                record("2" + String.format(good, 5, "3.3", "250.05").stripTrailing()));
        assertEquals(List.of("1,3,7.0,43.35\n", "2,5,3.3,250.05\n", "2,9,10.0,99.9\n"), accepted());
        assertEquals(Set.of("analysed"), firehose.deliveryStreams());
        assertEquals(2, rejectedLines(job), "a day that does not exist, and the empty record");
    }

    @Test
    void csvRows() throws Exception {
        run("CSV", SCHEMA, SCRIPT, values());
        assertEquals(
                List.of(
                        "-1,-9223372036854775808,3.3,-73.00012034567891,\"2024-02-29 23:59:59\",ab,\"a \"\"b\"\", c\",true,\n",
                        "7,8,1.0E10,1.0E-5,\"2024-01-01 00:00:00\",éé,,false,\n"),
                accepted());
    }

    @Test
    void jsonRows() throws Exception {
        run("JSON", SCHEMA, SCRIPT, values());
        assertEquals(
                List.of(
                        "{\"A\":-1,\"B\":-9223372036854775808,\"C\":3.3,\"D\":-73.00012034567891,"
                                + "\"E\":\"2024-02-29 23:59:59\",\"F\":\"ab\",\"G\":\"a \\\"b\\\", c\",\"H\":true,\"I\":null}\n",
                        "{\"A\":7,\"B\":8,\"C\":1.0E10,\"D\":1.0E-5,"
                                + "\"E\":\"2024-01-01 00:00:00\",\"F\":\"éé\",\"G\":\"\",\"H\":false,\"I\":null}\n"),
                accepted());
    }

    /** The time is in UTC, whatever the zone of the machine (the build sets another one). */
    @Test
    void rejectsAreATable() throws Exception {
        run(
                "JSON",
                SCHEMA,
                "CREATE TABLE T (reason STRING, `column` STRING, data BYTES, shard STRING, sequence_number STRING,"
                        + " arrival_time TIMESTAMP(3)); INSERT INTO T SELECT * FROM error_stream",
                record("x,8,1,1,2024-01-01 00:00:00,ab,,true\n\n"));
        String where = "\"shard\":\"shardId-000000000001\",\"sequence_number\":\"49\",\"arrival_time\":\"2024-01-01 00:00:00.123\"}\n";
        assertEquals(
                List.of(
                        "{\"reason\":\"blank line\",\"column\":null,\"data\":\"\"," + where,
                        "{\"reason\":\"not an integer\",\"column\":\"n0\","
                                + "\"data\":\"eCw4LDEsMSwyMDI0LTAxLTAxIDAwOjAwOjAwLGFiLCx0cnVl\"," + where),
                accepted());
    }

    /**
     * Failed calls and refused records are sent again, and what was accepted beside them is not. There are more failed
     * calls than the SDK repeats by itself, so that the sink sees one.
     */
    @Test
    void firehoseFails() throws Exception {
        firehose.failNext(7, 3);
        run("CSV", SchemaTest.schema("INTEGER"), "CREATE TABLE T (A INT); INSERT INTO T SELECT * FROM S", record("1\n2\n3\n4\n5\n"));
        assertEquals(List.of("1\n", "2\n", "3\n", "4\n", "5\n"), accepted());
    }

    /** What no repetition mends fails the job, and does not leave it waiting for an answer that it has had. */
    @Test
    @Timeout(60)
    void firehoseDenies() {
        firehose.deny();
        Exception e = assertThrows(
                Exception.class,
                () -> run("CSV", SchemaTest.schema("INTEGER"), "CREATE TABLE T (A INT); INSERT INTO T SELECT * FROM S", record("1\n")));
        assertTrue(ExceptionUtils.getStackTrace(e).contains("AccessDenied"), ExceptionUtils.getStackTrace(e));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "CREATE TABLE T (A INT)                                                     | not 1 and 0",
                "INSERT INTO T SELECT * FROM S                                              | not 0 and 1",
                "CREATE TABLE T (A INT); CREATE TABLE U (A INT); INSERT INTO T SELECT 1     | not 2 and 1",
                "CREATE TABLE T (A INT); INSERT INTO T SELECT 1; INSERT INTO T SELECT 2     | not 1 and 2",
                "CREATE TABLE T (A INT); DROP TABLE T                                       | not: DROP TABLE T",
                "CREATE TABLE T (A INT); INSERT INTO T SELECT B FROM S                      | Column 'B' not found",
            })
    void unfitScripts(String script, String want) {
        Exception e = assertThrows(
                Exception.class, () -> define(environment(), "CSV", SchemaTest.schema("INTEGER"), script, record("1")));
        assertTrue(e.getMessage().contains(want), e.getMessage());
    }

    @Test
    void viewsMayStandBetween() throws Exception {
        run(
                "CSV",
                SchemaTest.schema("INTEGER"),
                "CREATE VIEW V AS SELECT C0 + 1 AS A FROM S; CREATE TABLE T (A INT); INSERT INTO T SELECT A FROM V",
                record("1"));
        assertEquals(List.of("2\n"), accepted());
    }

    /** Snapshots know operators by these names: a change loses the position in the stream and unsent rows. */
    @Test
    void uidsOfOperators() throws Exception {
        StreamExecutionEnvironment env = environment();
        Config config = config("CSV");
        Job.define(env, config, SCHEMA, SCRIPT, Job.source(env, config));
        Set<String> uids = env.getStreamGraph().getStreamNodes().stream()
                .map(StreamNode::getTransformationUID)
                .collect(Collectors.toSet());
        assertTrue(uids.containsAll(Set.of("source", "parser", "sink")), uids.toString());
        assertFalse(env.getConfiguration().get(PipelineOptions.GENERIC_TYPES));
    }

    private JobID run(String format, Schema schema, String script, SourceRecord... records) throws Exception {
        StreamExecutionEnvironment env = environment();
        define(env, format, schema, script, records);
        return env.execute().getJobID();
    }

    private void define(
            StreamExecutionEnvironment env, String format, Schema schema, String script, SourceRecord... records) {
        Job.define(
                env,
                config(format),
                schema,
                script,
                env.fromData(List.of(records), TypeInformation.of(SourceRecord.class)));
    }

    private static StreamExecutionEnvironment environment() {
        return StreamExecutionEnvironment.getExecutionEnvironment();
    }

    private Config config(String format) {
        Properties properties = new Properties();
        properties.putAll(Map.of(
                "stream.arn", "arn:aws:kinesis:eu-west-1:000000000000:stream/trips",
                "delivery.stream", "analysed",
                "output.format", format,
                "firehose.endpoint", firehose.endpoint()));
        return Config.of(Map.of(Config.GROUP, properties));
    }

    private List<String> accepted() {
        return firehose.accepted().stream().sorted().collect(Collectors.toList());
    }

    /** The counter over all subtasks, as CloudWatch gets it. */
    private static long rejectedLines(JobID job) {
        return METRICS.findJobMetricGroups(job, Parser.REJECTED_LINES).stream()
                .filter(metric -> List.of(metric.f0.getScopeComponents()).contains("kinesisanalytics"))
                .mapToLong(metric -> ((Counter) metric.f2).getCount())
                .sum();
    }

    private static SourceRecord values() {
        return record("-1,-9223372036854775808,3.3,-73.000120345678908,2024-02-29 23:59:59,ab,\"a \"\"b\"\", c\",TRUE\n"
                + "7,8,1e10,0.00001,2024-01-01 00:00:00,éé,,false\n");
    }

    private static SourceRecord record(String data) {
        SourceRecord record = new SourceRecord();
        record.data = data.getBytes(StandardCharsets.UTF_8);
        record.shard = "shardId-000000000001";
        record.sequenceNumber = "49";
        record.arrivalTime = Instant.ofEpochMilli(1704067200123L);
        return record;
    }
}
