package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.api.java.typeutils.GenericTypeInfo;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.InMemoryReporter;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The job between its source and Firehose, in a Flink cluster. Closing a sink takes the AWS SDK two seconds, so the
 * tests overlap.
 */
@Execution(ExecutionMode.CONCURRENT)
class JobTest {
    private static final InMemoryReporter METRICS = InMemoryReporter.createWithRetainedMetrics();

    @RegisterExtension
    static final MiniClusterExtension FLINK = new MiniClusterExtension(new MiniClusterResourceConfiguration.Builder()
            .setConfiguration(METRICS.addToConfiguration(new Configuration()))
            .setNumberSlotsPerTaskManager(12) // two for each of the tests that run at once
            .build());

    private static final Schema SCHEMA = SchemaTest.schema(
            "INTEGER", "BIGINT", "REAL", "DOUBLE", "TIMESTAMP", "CHAR(2)", "VARCHAR(9)", "BOOLEAN");
    private static final String SCRIPT = "CREATE TABLE T (A INT, B BIGINT, C FLOAT, D DOUBLE, E TIMESTAMP, F CHAR(2),"
            + " G VARCHAR, H BOOLEAN, I INT); INSERT INTO T SELECT *, TRY_CAST(NULL AS INT) FROM S";

    /** The data that the verifier's engine is compared with. */
    private static final Path VERIFIED = Path.of("../internal/query/testdata");

    private FirehoseStandIn firehose;
    private MiniCluster cluster;

    @BeforeEach
    void start(@InjectMiniCluster MiniCluster cluster) throws IOException {
        this.cluster = cluster;
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
                Schema.parse(Job.resource(Schema.FILE)),
                Job.resource("pipeline.sql"),
                record(1 + String.format(good, 3, "7", "43.35")
                        + 2 + String.format(bad, 3, "7", "43.35")
                        + 2 + String.format(good, 9, "10", "99.9")),
                record(3 + String.format(good, 1, "1", "1.5") + 4 + String.format(good, 1, "1", "1.5")),
                record(""),
                record("2" + String.format(good, 5, "3.3", "250.05").stripTrailing()));
        assertEquals(List.of("1,3,7.0,43.35\n", "2,5,3.3,250.05\n", "2,9,10.0,99.9\n"), accepted());
        assertEquals(Set.of("analysed", "rejected"), firehose.deliveryStreams());
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

    /**
     * JSON objects with columns of all kinds, and NULLs, through the query's operators. A DECIMAL is only computed
     * with: it cannot be a column of the result. Rejected is an object, not its line.
     */
    @Test
    void jsonRecords() throws Exception {
        Schema clicks = SchemaTest.resolved(
                "{\"type\":\"json\"}",
                "{\"name\":\"at\",\"alias\":\"C\",\"kind\":\"TIMESTAMP\",\"precision\":3,\"pattern\":[\"yyyy\",\"'-\",\"MM\",\"'-\","
                        + "\"dd\",\"'T\",\"HH\",\"':\",\"mm\",\"':\",\"ss\",\"[.SSS]\",\"XXX\"]}",
                "{\"name\":\"user\",\"alias\":\"U\",\"kind\":\"BIGINT\",\"path\":[\"user\",\"id\"],\"nullable\":true}",
                "{\"name\":\"price\",\"alias\":\"P\",\"kind\":\"DECIMAL\",\"precision\":10,\"scale\":2,\"nullable\":true}",
                "{\"name\":\"born\",\"alias\":\"D\",\"kind\":\"DATE\",\"pattern\":[\"yyyy\",\"'-\",\"MM\",\"'-\",\"dd\"],\"nullable\":true}",
                "{\"name\":\"tags\",\"alias\":\"T\",\"kind\":\"VARCHAR\",\"nullable\":true}",
                "{\"name\":\"ok\",\"alias\":\"OK\",\"kind\":\"BOOLEAN\",\"nullable\":true}");
        JobID job = run(
                "JSON",
                clicks,
                "CREATE TABLE O (C TIMESTAMP(3), U BIGINT, P DOUBLE, M BOOLEAN, D DATE, Y BIGINT, T STRING, OK BOOLEAN);"
                        + " INSERT INTO O SELECT C, U, TRY_CAST(P * 2 AS DOUBLE), P > 12.49, D, EXTRACT(YEAR FROM D), T, OK"
                        + " FROM S WHERE U IS NULL OR P IS NOT NULL",
                record("{\"at\":\"2026-11-23T20:00:09.25+01:00\",\"user\":{\"id\":7},\"price\":12.5,\"born\":\"1969-07-20\","
                        + "\"tags\":[ 1, \"é\" ],\"ok\":true}{\"at\":\"2026-11-23T20:00:10Z\"}\n"
                        + "{\"at\":\"2026-11-23T20:00:11Z\",\"user\":{\"id\":8}}"
                        + "{\"at\":null} {\"at\":\"2026-11-23T20:00:12Z\",\"price\":0.01}"));
        assertEquals(
                List.of(
                        "{\"C\":\"2026-11-23 19:00:09.25\",\"U\":7,\"P\":25.0,\"M\":true,\"D\":\"1969-07-20\",\"Y\":1969,"
                                + "\"T\":\"[1,\\\"é\\\"]\",\"OK\":true}\n",
                        "{\"C\":\"2026-11-23 20:00:10\",\"U\":null,\"P\":null,\"M\":null,\"D\":null,\"Y\":null,\"T\":null,"
                                + "\"OK\":null}\n",
                        "{\"C\":\"2026-11-23 20:00:12\",\"U\":null,\"P\":0.02,\"M\":false,\"D\":null,\"Y\":null,\"T\":null,"
                                + "\"OK\":null}\n"),
                accepted());
        assertEquals(1, rejectedLines(job));
        assertTrue(
                firehose.lines("rejected").get(0).startsWith("{\"reason\":\"missing value\",\"column\":\"at\",\"data\":\""
                        + Base64.getEncoder().encodeToString("{\"at\":null}".getBytes(StandardCharsets.UTF_8)) + "\""),
                firehose.lines("rejected").get(0));
    }

    /** Good aggregates give their records, also those of another shard. Each of the others is a reject, unchanged. */
    @Test
    void aggregates() throws Exception {
        JsonNode table = new ObjectMapper().readTree(AggregateTest.TABLE.toFile());
        List<SourceRecord> records = new ArrayList<>();
        Set<String> wantRows = new TreeSet<>();
        Set<String> wantRejects = new TreeSet<>();
        for (JsonNode test : table) {
            SourceRecord record = record("");
            record.data = test.required("data").binaryValue();
            if (test.has("reason")) {
                wantRejects.add(test.get("reason").asText() + " " + test.get("data").asText());
                records.add(record);
            } else if (test.has("records") && test.get("records").get(0).get("Data").asText().equals("eA==")) { // x
                test.get("records").forEach(row -> wantRows.add(
                        row.get("PartitionKey").asText() + "," + new String(Base64.getDecoder().decode(row.get("Data").asText()), StandardCharsets.UTF_8) + "\n"));
                records.add(record);
            }
        }
        assertTrue(wantRejects.size() > 25, wantRejects.toString());
        JobID job = run(
                "CSV",
                SchemaTest.schema("VARCHAR"),
                "CREATE TABLE T (K STRING, A STRING); INSERT INTO T SELECT PARTITION_KEY, C0 FROM S_WITH_METADATA",
                records.toArray(new SourceRecord[0]));
        assertEquals(wantRows, new TreeSet<>(accepted()));
        Set<String> rejects = new TreeSet<>();
        for (String line : firehose.lines("rejected")) {
            JsonNode reject = new ObjectMapper().readTree(line);
            rejects.add(reject.get("reason").asText() + " " + reject.get("data").asText());
        }
        assertEquals(wantRejects, rejects);
        assertEquals(wantRejects.size(), rejectedLines(job));
        // "a" and the hash key 7 belong to the lower half; "b" and the largest hash key do not.
        assertEquals(accepted().size() - 2, counted(job, Parser.RECORDS_OF_OTHER_SHARDS));
    }

    /** Semicolons, a decimal comma, a header and a newline within a value, as spreadsheets write them. */
    @Test
    void csvRecordsOfAnotherFormat() throws Exception {
        Schema sales = SchemaTest.resolved(
                "{\"delimiter\":\";\",\"decimal\":\",\",\"newline\":\"\\r\\n\",\"multiline\":true,\"header\":true,\"nulls\":[\"\"]}",
                "{\"name\":\"id\",\"alias\":\"ID\",\"path\":[\"Nº\"],\"kind\":\"INTEGER\"}",
                "{\"name\":\"day\",\"alias\":\"D\",\"kind\":\"DATE\",\"pattern\":[\"dd\",\"'/\",\"MM\",\"'/\",\"yyyy\"],\"nullable\":true}",
                "{\"name\":\"what\",\"alias\":\"W\",\"kind\":\"VARCHAR\",\"length\":20,\"nullable\":true}",
                "{\"name\":\"price\",\"alias\":\"P\",\"kind\":\"REAL\"}");
        JobID job = run(
                "CSV",
                sales,
                "CREATE TABLE O (ID INT, D DATE, W STRING, P FLOAT); INSERT INTO O SELECT ID, D, REPLACE(W, '\n', '/'), P FROM S",
                record("Nº;day;what;price\r\n1;23/11/2026;\"a;\n\"\"b\"\"\";12,50\r\n2;;;-3,1\r\n3;24/11/2026;\"\";1.5\r\n"));
        assertEquals(List.of("1,2026-11-23,\"a;/\"\"b\"\"\",12.5\n", "2,,,-3.1\n"), accepted());
        assertEquals(1, rejectedLines(job));
    }

    /** The metadata of records, and the plain source in the same script. */
    @Test
    void metadata() throws Exception {
        run(
                "CSV",
                SCHEMA,
                "CREATE TABLE T (A INT, B TIMESTAMP(3), C STRING, D STRING, E STRING); INSERT INTO T SELECT C0,"
                        + " APPROXIMATE_ARRIVAL_TIME, PARTITION_KEY, SEQUENCE_NUMBER, SHARD_ID FROM S_WITH_METADATA"
                        + " UNION ALL SELECT C0, TRY_CAST(NULL AS TIMESTAMP(3)), 'plain', '', '' FROM (SELECT * FROM S) WHERE C0 > 8",
                record("8,8,1,1,2024-01-01 00:00:00,ab,,true\n9,8,1,1,2024-01-01 00:00:00,ab,,true\n"));
        assertEquals(
                List.of(
                        "8,\"2024-01-01 00:00:00.12\",4,49,shardId-000000000001\n",
                        "9,\"2024-01-01 00:00:00.12\",4,49,shardId-000000000001\n",
                        "9,,plain,,\n"),
                accepted());
    }

    /** Scans of some columns in any order, of one, and of none. The column that none reads is checked all the same. */
    @Test
    void columnsThatTheQueryReads() throws Exception {
        run(
                "CSV",
                SchemaTest.schema("INTEGER", "INTEGER", "INTEGER"),
                "CREATE TABLE T (A INT, B INT, C STRING); INSERT INTO T SELECT C1, C0, 'some' FROM S WHERE C0 > 1"
                        + " UNION ALL SELECT C1, 0, 'one' FROM S UNION ALL SELECT 0, 0, 'none' FROM S",
                record("1,2,0\n3,4,0\n5,6,x\n"));
        assertEquals(List.of("0,0,none\n", "0,0,none\n", "2,0,one\n", "4,0,one\n", "4,3,some\n"), accepted());
        assertEquals(1, firehose.lines("rejected").size());
        assertTrue(firehose.lines("rejected").get(0).startsWith("{\"reason\":\"not an integer\",\"column\":\"n2\""));
    }

    /** The time is in UTC, whatever the machine's time zone (the build sets another one). */
    @Test
    void rejectsAreATable() throws Exception {
        run(
                "JSON",
                SCHEMA,
                "CREATE TABLE T (reason STRING, `column` STRING, data BYTES, shard STRING, sequence_number STRING,"
                        + " arrival_time TIMESTAMP(3)); INSERT INTO T SELECT * FROM error_stream",
                record("x,8,1,1,2024-01-01 00:00:00,ab,,true\n\n"));
        String where = "\"shard\":\"shardId-000000000001\",\"sequence_number\":\"49\",\"arrival_time\":\"2024-01-01 00:00:00.12\"}\n";
        assertEquals(
                List.of(
                        "{\"reason\":\"blank line\",\"column\":null,\"data\":\"\"," + where,
                        "{\"reason\":\"not an integer\",\"column\":\"n0\","
                                + "\"data\":\"eCw4LDEsMSwyMDI0LTAxLTAxIDAwOjAwOjAwLGFiLCx0cnVl\"," + where),
                accepted());
    }

    /** Rejects of every kind, byte for byte; the good lines of the same record are delivered. */
    @Test
    void rejectsAreDelivered() throws Exception {
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        data.writeBytes("1,a\n1\n1,a,b\n2x,a\n2147483648,a\n1,\"a\n".getBytes(StandardCharsets.UTF_8));
        data.writeBytes(new byte[] {'1', ',', (byte) 0xff, '\n', '\n'});
        data.writeBytes("1,a\"b\"\n1,\"a\"b\n1,a\r\n2,\"b\"".getBytes(StandardCharsets.UTF_8));
        SourceRecord mixed = record("");
        mixed.data = data.toByteArray();
        JobID job = run(
                "CSV",
                SchemaTest.schema("INTEGER", "VARCHAR"),
                "CREATE TABLE T (A INT, B STRING); INSERT INTO T SELECT * FROM S",
                mixed,
                record(""));
        assertEquals(List.of("1,a\n", "2,b\n"), accepted());
        String where = ",\"shard\":\"shardId-000000000001\",\"sequence_number\":\"49\","
                + "\"arrival_time\":\"2024-01-01T00:00:00.120Z\"}\n";
        assertEquals(
                List.of(
                        "{\"reason\":\"blank line\",\"column\":null,\"data\":\"\"" + where,
                        "{\"reason\":\"carriage return\",\"column\":null,\"data\":\"MSxhDQ==\"" + where,
                        "{\"reason\":\"empty record\",\"column\":null,\"data\":\"\"" + where,
                        "{\"reason\":\"invalid UTF-8\",\"column\":null,\"data\":\"MSz/\"" + where,
                        "{\"reason\":\"misplaced quote\",\"column\":null,\"data\":\"MSwiYSJi\"" + where,
                        "{\"reason\":\"misplaced quote\",\"column\":null,\"data\":\"MSxhImIi\"" + where,
                        "{\"reason\":\"not an integer\",\"column\":\"n0\",\"data\":\"MngsYQ==\"" + where,
                        "{\"reason\":\"out of range\",\"column\":\"n0\",\"data\":\"MjE0NzQ4MzY0OCxh\"" + where,
                        "{\"reason\":\"unclosed quote\",\"column\":null,\"data\":\"MSwiYQ==\"" + where,
                        "{\"reason\":\"wrong number of columns\",\"column\":null,\"data\":\"MQ==\"" + where,
                        "{\"reason\":\"wrong number of columns\",\"column\":null,\"data\":\"MSxhLGI=\"" + where),
                firehose.lines("rejected"));
        assertEquals(11, rejectedLines(job));
    }

    /** Kinesis takes records of up to 10 MiB, Firehose of 1,000 KiB. */
    @Test
    void aLargeRejectIsDeliveredInParts() throws Exception {
        SourceRecord large = record("1\n");
        large.data = new byte[10 * 1024 * 1024];
        new Random(1).nextBytes(large.data);
        for (int i = 0; i < large.data.length; i++) {
            large.data[i] |= (byte) 0x80; // neither UTF-8 nor a newline
        }
        run("CSV", SchemaTest.schema("INTEGER"), "CREATE TABLE T (A INT); INSERT INTO T SELECT * FROM S", record("1"), large);
        assertEquals(List.of("1\n"), accepted());
        byte[][] parts = new byte[15][];
        for (String line : firehose.records("rejected")) { // calls may overtake each other
            assertTrue(line.length() <= 1_024_000, "a record of " + line.length() + " bytes");
            JsonNode part = new ObjectMapper().readTree(line);
            assertEquals("invalid UTF-8", part.get("reason").asText());
            assertEquals("49", part.get("sequence_number").asText());
            int number = part.get("part").asInt();
            assertTrue(line.endsWith(",\"part\":" + number + ",\"parts\":15}\n"), line.substring(line.length() - 99));
            parts[number - 1] = part.get("data").binaryValue();
        }
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            data.writeBytes(part);
        }
        assertArrayEquals(large.data, data.toByteArray());
    }

    /**
     * A row that the table cannot hold is not padded or cut and stops nothing: it is a reject, as it would be
     * written.
     */
    @Test
    void rowsThatDoNotFit() throws Exception {
        JobID job = run(
                "CSV",
                SchemaTest.schema("VARCHAR", "DOUBLE"),
                "CREATE TABLE T (A CHAR(2), B VARCHAR(3), C INT NOT NULL, D FLOAT, E VARCHAR);"
                        + " INSERT INTO T SELECT C0, C0, TRY_CAST(SUBSTRING(C0, 2, 1) AS INT), TRY_CAST(C1 AS FLOAT),"
                        + " REPLACE(SUBSTRING(C0, 1, 1), 'n', CHR(10)) FROM S",
                record("a1,1.5\na,1.5\na234,1.5\n😀2,2.5\nab,1.5\nb3,1e39\nn4,3.5\n"));
        assertEquals(List.of("a1,a1,1,1.5,a\n", "😀2,😀2,2,2.5,😀\n"), accepted());
        assertEquals(
                List.of(
                        unfit("does not fit", "A", "a,a,,1.5,a"),
                        unfit("does not fit", "A", "a234,a234,2,1.5,a"),
                        unfit("newline in a row", null, "n4,n4,4,3.5,\"\n\""),
                        unfit("not a finite number", "D", "b3,b3,3,Infinity,b"),
                        unfit("null in a column that is NOT NULL", "C", "ab,ab,,1.5,a")),
                firehose.lines("rejected"));
        assertEquals(5, rejectedLines(job));
    }

    @Test
    void rowsThatAreTooLong() throws Exception {
        String fits = "a".repeat(1_023_997); // the format quotes a long text
        run(
                "CSV",
                SchemaTest.schema("VARCHAR"),
                "CREATE TABLE T (A STRING); INSERT INTO T SELECT * FROM S",
                record("b\n" + fits + "\n" + fits + "a\nc\n"));
        assertEquals(List.of('"' + fits + "\"\n", "b\n", "c\n"), accepted());
        String parts = ",\"shard\":null,\"sequence_number\":null,\"arrival_time\":null,\"part\":%d,\"parts\":2}\n";
        String start = "{\"reason\":\"too long for a delivery record\",\"column\":null,\"data\":\"";
        assertEquals(
                List.of(
                        start + base64("a".repeat(323_999) + '"') + '"' + String.format(parts, 2),
                        start + base64('"' + "a".repeat(699_999)) + '"' + String.format(parts, 1)),
                firehose.lines("rejected").stream()
                        .sorted(Comparator.comparing(String::length))
                        .collect(Collectors.toList()));
    }

    private static String unfit(String reason, String column, String data) {
        return String.format(
                "{\"reason\":\"%s\",\"column\":%s,\"data\":\"%s\",\"shard\":null,\"sequence_number\":null,"
                        + "\"arrival_time\":null}\n",
                reason, column == null ? null : '"' + column + '"', base64(data));
    }

    private static String base64(String data) {
        return Base64.getEncoder().encodeToString(data.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void linesArePacked() throws Exception {
        StreamExecutionEnvironment env = environment(new Configuration().set(CoreOptions.DEFAULT_PARALLELISM, 1));
        define(
                env,
                "CSV",
                SchemaTest.schema("INTEGER"),
                "CREATE TABLE T (A INT); INSERT INTO T SELECT * FROM S",
                record("1\nx\n2\n"),
                record("3\ny\n"));
        env.execute();
        assertEquals(List.of("1\n2\n3\n"), firehose.records("analysed"));
        assertEquals(1, firehose.records("rejected").size());
        assertEquals(2, firehose.lines("rejected").size());
    }

    /** Otherwise a row might be neither with Firehose nor in the checkpoint that counts its record as read. */
    @Test
    @Timeout(180)
    void packsLeaveBeforeEachCheckpoint() throws Exception {
        StreamExecutionEnvironment env = environment(
                new Configuration().set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofMillis(100)));
        Job.define(
                env,
                config("CSV", Map.of("pack.delay.ms", "900000")),
                SchemaTest.schema("INTEGER"),
                "CREATE TABLE T (A INT); INSERT INTO T SELECT * FROM S",
                draft -> draft.fromSource(
                        new DataGeneratorSource<>(
                                i -> record("1\nx\n"),
                                Long.MAX_VALUE,
                                RateLimiterStrategy.perSecond(10),
                                TypeInformation.of(SourceRecord.class)),
                        WatermarkStrategy.noWatermarks(),
                        "records"));
        JobClient job = env.executeAsync();
        while (!firehose.deliveryStreams().equals(Set.of("analysed", "rejected"))) {
            Thread.sleep(50);
        }
        job.cancel().get();
    }

    /**
     * Failed calls and refused records are sent again; records that were accepted beside them are not. More calls
     * fail than the SDK itself retries, so the sink sees a failure. Nothing is packed, so a call has several records.
     */
    @ParameterizedTest
    @CsvSource({"1, analysed", "x, rejected", "12, rejected"})
    void firehoseFails(String value, String deliveryStream) throws Exception {
        firehose.failNext(7, 3);
        StreamExecutionEnvironment env = environment();
        Job.define(
                env,
                config("CSV", Map.of("pack.delay.ms", "0")),
                SchemaTest.schema("VARCHAR"),
                "CREATE TABLE T (A CHAR(1), B INT NOT NULL); INSERT INTO T SELECT C0, 1 FROM S WHERE C0 <> 'x'"
                        + " UNION ALL SELECT C0, TRY_CAST(C0 AS INT) FROM S WHERE C0 = 'x'",
                draft -> draft.fromData(
                        List.of(record((value + "\n").repeat(5))), TypeInformation.of(SourceRecord.class)));
        env.execute();
        assertEquals(5, firehose.records(deliveryStream).size());
        assertEquals(Set.of(deliveryStream), firehose.deliveryStreams());
    }

    /** An error that no retry can fix fails the job, and does not leave it waiting for an answer. */
    @Test
    @Timeout(180)
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
                "CREATE TABLE T (A INT); INSERT INTO T SELECT B FROM S                      | Column 'B' not found",
                "CREATE TABLE T (A DECIMAL(3, 1)); INSERT INTO T SELECT 1                   | column A: type DECIMAL(3, 1)",
                "CREATE TABLE T (A INT); INSERT INTO T SELECT 1e0                           | Incompatible types",
            })
    void refusedScripts(String script, String want) {
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

    static List<Path> programs() throws IOException {
        try (Stream<Path> files = Files.list(VERIFIED.resolve("programs"))) {
            return files.filter(file -> file.toString().endsWith(".sql") && !file.toString().endsWith(".legacy.sql"))
                    .sorted()
                    .collect(Collectors.toList());
        }
    }

    /**
     * Programs with several SELECTs and with views, whose results a test of {@code internal/query} compares with the
     * verifier's. {@code -Dupdate} writes the golden files.
     */
    @ParameterizedTest
    @MethodSource("programs")
    void programsOfTheVerifier(Path program) throws Exception {
        run(
                "CSV",
                Schema.parse(Files.readString(VERIFIED.resolve(Schema.FILE))),
                Files.readString(program),
                record(Files.readString(VERIFIED.resolve("rows.csv"))));
        assertEquals(Set.of("analysed"), firehose.deliveryStreams(), "nothing is rejected");
        String rows = accepted().stream().sorted().collect(Collectors.joining());
        Path golden = Path.of(program.toString().replace(".sql", ".golden"));
        if (System.getProperty("update") != null) {
            Files.writeString(golden, rows);
        }
        assertEquals(Files.readString(golden), rows, "write it again with -Dupdate");
    }

    /** Snapshots identify operators by uid. A change would lose the position in the stream and unsent rows. */
    @Test
    void uidsOfOperators() throws Exception {
        StreamExecutionEnvironment env = environment();
        Config config = config("CSV");
        Job.define(env, config, SCHEMA, SCRIPT, draft -> Job.source(draft, config));
        Set<String> uids = new TreeSet<>();
        Set<String> without = new TreeSet<>();
        for (StreamNode node : env.getStreamGraph().getStreamNodes()) {
            if (node.getTransformationUID() != null) {
                uids.add(node.getTransformationUID());
            } else {
                without.add(node.getOperatorName().replaceAll("\\[.*|[0-9]", ""));
            }
        }
        assertEquals(
                Set.of(
                        "source", "parser", "lines", "packer", "sink", "rejects-lines", "rejects-packer",
                        "rejects-sink"),
                uids);
        assertEquals(Set.of("records", "Calc"), without, "only what the planner makes of the script");
    }

    /** All tests here run under the service's rules. This one shows that the rules are in force. */
    @Test
    void configurationSetInCodeIsRefused() {
        StreamExecutionEnvironment env = environment();
        define(env, "CSV", SchemaTest.schema("INTEGER"), "CREATE TABLE T (A INT); INSERT INTO T SELECT * FROM S", record("1\n"));
        env.configure(new Configuration().set(PipelineOptions.GENERIC_TYPES, false));
        Exception e = assertThrows(Exception.class, env::execute);
        assertTrue(e.getMessage().contains("Not allowed configuration change(s) were detected"), e.getMessage());
        assertTrue(e.getMessage().contains("pipeline.generic-types"), e.getMessage());
    }

    /** A later version of the record's class could not read a snapshot of such a record. */
    @Test
    void recordsWithoutASerializerAreRefused() {
        Exception e = assertThrows(
                Exception.class,
                () -> Job.define(
                        environment(),
                        config("CSV"),
                        SchemaTest.schema("INTEGER"),
                        "CREATE TABLE T (A INT); INSERT INTO T SELECT * FROM S",
                        draft -> draft.fromData(List.of(record("1")), new GenericTypeInfo<>(SourceRecord.class))));
        assertTrue(e.getMessage().contains("Generic types have been disabled"), e.getMessage());
    }

    /** Two queries of the same shape, set by hand one after the other, do not restore each other's state. */
    @Test
    void uidsOfAQuerySetByHand() {
        Set<String> first = uidsOf("CREATE TABLE T (A INT); INSERT INTO T SELECT C0 FROM S WHERE C0 > 1");
        Set<String> second = uidsOf("CREATE TABLE T (A INT); INSERT INTO T SELECT C0 FROM S WHERE C0 > 2");
        assertEquals(first, uidsOf("CREATE TABLE T (A INT); INSERT INTO T SELECT C0 FROM S WHERE C0 > 1"));
        first.retainAll(second);
        assertEquals(
                Set.of(
                        "source", "parser", "lines", "packer", "sink", "rejects-lines", "rejects-packer",
                        "rejects-sink"),
                first,
                "the job's own");
        assertFalse(second.contains(null), "an operator has no uid: " + second);
    }

    private Set<String> uidsOf(String script) {
        StreamExecutionEnvironment env = environment();
        Properties group = new Properties();
        group.setProperty("000", script);
        group.setProperty("sha256", Config.sha256(script));
        Config config = Config.of(Map.of(Config.GROUP, ConfigTest.properties(Map.of()), Config.SQL_GROUP, group));
        Job.define(env, config, SchemaTest.schema("INTEGER"), config.script.orElseThrow(), draft -> Job.source(draft, config));
        return env.getStreamGraph().getStreamNodes().stream()
                .map(StreamNode::getTransformationUID)
                .collect(Collectors.toCollection(HashSet::new));
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
                draft -> draft.fromData(List.of(records), TypeInformation.of(SourceRecord.class)));
    }

    private StreamExecutionEnvironment environment() {
        return environment(new Configuration());
    }

    private StreamExecutionEnvironment environment(Configuration cluster) {
        return ServiceEnvironment.of(this.cluster, cluster);
    }

    private Config config(String format) {
        return config(format, Map.of());
    }

    private Config config(String format, Map<String, String> more) {
        Properties properties = ConfigTest.properties(more);
        properties.putAll(Map.of("output.format", format, "firehose.endpoint", firehose.endpoint()));
        return Config.of(Map.of(Config.GROUP, properties));
    }

    private List<String> accepted() {
        return firehose.lines("analysed");
    }

    /** The counter, summed over all subtasks as in CloudWatch. */
    private static long rejectedLines(JobID job) {
        return counted(job, Parser.REJECTED_LINES);
    }

    private static long counted(JobID job, String counter) {
        return METRICS.findJobMetricGroups(job, counter).stream()
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
        record.partitionKey = "4";
        record.data = data.getBytes(StandardCharsets.UTF_8);
        record.shard = "shardId-000000000001";
        record.firstHashKey = KinesisStandIn.FIRST_HASH_KEY;
        record.lastHashKey = KinesisStandIn.LAST_HASH_KEY;
        record.sequenceNumber = "49";
        record.arrivalTime = Instant.ofEpochMilli(1704067200120L);
        return record;
    }
}
