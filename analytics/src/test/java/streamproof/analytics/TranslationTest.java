package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
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

/**
 * Flink accepts what {@code streamproof sql translate} makes of legacy SQL: the golden files of the Go package
 * dialect.
 */
class TranslationTest {
    private static final Path PROGRAMS = Path.of("../internal/dialect/testdata");

    static List<String> programs() throws IOException {
        try (Stream<Path> files = Files.walk(PROGRAMS)) {
            return files.map(file -> PROGRAMS.relativize(file).toString())
                    .filter(name -> name.endsWith(".flink.sql"))
                    .sorted()
                    .collect(Collectors.toList());
        }
    }

    @Test
    void theProgramsAreFound() throws IOException {
        assertFalse(programs().size() < 25, "too few programs in " + PROGRAMS.toAbsolutePath());
    }

    /** As the job runs a script, up to the graph with Flink's generated code, into the script's own table. */
    @ParameterizedTest
    @MethodSource("programs")
    void flinkAccepts(String program) throws IOException {
        Path file = PROGRAMS.resolve(program);
        Path schema = file.resolveSibling(Schema.FILE);
        assertEquals(
                List.of(),
                Job.faults(
                        StreamExecutionEnvironment.getExecutionEnvironment(),
                        Schema.parse(Files.exists(schema) ? Files.readString(schema) : Job.resource(Schema.FILE)),
                        Files.readString(file)));
    }

    /** Numbers, texts and times as legacy SQL computes them, where Flink by itself differs or stops. */
    @Test
    void valuesAreTheLegacyDialects() throws Exception {
        StreamTableEnvironment tables = Tables.of(
                Schema.parse(Files.readString(PROGRAMS.resolve("iot").resolve(Schema.FILE))),
                List.of(
                        "0,0.1,GOOD,2016-02-01 00:20:31,true,abc123,2.5",
                        "2,1e300,FAIL,2048-05-09 12:50:41,false,x,-2.5"));
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
