package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Flink takes what {@code streamproof sql translate} makes of the legacy dialect: the golden files of the Go package. */
class TranslationTest {
    private static final Path PROGRAMS = Path.of("../internal/dialect/testdata");
    private static final Path PROJECT_SCHEMA = Path.of("../pipeline/schema.json");

    static List<String> programs() throws IOException {
        try (Stream<Path> files = Files.walk(PROGRAMS)) {
            return files.map(file -> PROGRAMS.relativize(file).toString())
                    .filter(name -> name.endsWith(".flink.sql"))
                    .sorted()
                    .collect(Collectors.toList());
        }
    }

    @Test
    void thereArePrograms() throws IOException {
        assertFalse(programs().size() < 25, "too few programs in " + PROGRAMS.toAbsolutePath());
    }

    /** As the job takes a script, as far as the graph that would run: with the code that Flink generates, into its own table. */
    @ParameterizedTest
    @MethodSource("programs")
    void isTaken(String program) throws IOException {
        Path file = PROGRAMS.resolve(program);
        Path schema = file.resolveSibling("schema.json");
        assertEquals(
                List.of(),
                Job.faults(
                        StreamExecutionEnvironment.getExecutionEnvironment(),
                        Schema.parse(Files.readString(Files.exists(schema) ? schema : PROJECT_SCHEMA)),
                        Files.readString(file)));
    }

    /** As the legacy dialect did, where Flink by itself would not, or would stop: numbers, texts and times. */
    @Test
    void valuesAreTheLegacyDialects() throws Exception {
        Schema schema = Schema.parse(Files.readString(PROGRAMS.resolve("iot/schema.json")));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.getConfig().setLocalTimeZone(ZoneOffset.UTC);
        LocalDateTime before = LocalDateTime.parse("2016-02-01T00:20:31");
        LocalDateTime after = LocalDateTime.parse("2048-05-09T12:50:41");
        tables.createTemporaryView(
                schema.source,
                tables.fromDataStream(
                        env.fromData(
                                List.of(
                                        Row.of(0, 0.1, "GOOD", before, true, "abc123", 2.5f),
                                        Row.of(2, 1e300, "FAIL", after, false, "x", -2.5f)),
                                schema.rowType(false)),
                        schema.viewSchema(false)));
        String insert = new Script(Files.readString(PROGRAMS.resolve("iot/values.flink.sql")))
                .statements()
                .get(1)
                .text;
        List<Row> rows = new ArrayList<>();
        try (CloseableIterator<Row> results =
                tables.executeSql(insert.substring(insert.indexOf("SELECT"))).collect()) {
            results.forEachRemaining(rows::add);
        }
        assertEquals(
                List.of(
                        Row.of(
                                null, 0.25, 3, 0, "ab", "abc#", (short) 0, LocalDateTime.parse("2016-02-01T00:15"),
                                1454286031000L, "abc123", 20, "2016/02/01 00"),
                        Row.of(
                                3, -2.5e300, -3, null, "", "x", null, LocalDateTime.parse("2048-05-09T12:45"),
                                2472641441000L, "x     ", 16972610, "2048/05/09 12")),
                rows);
    }
}
