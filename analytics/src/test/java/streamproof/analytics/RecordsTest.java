package streamproof.analytics;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The job parses records exactly as the Go package record does. */
class RecordsTest {
    private static final Path TABLE = Path.of("../internal/record/testdata/records.json");
    private static final Path SCHEMAS = Path.of("../internal/record/testdata/schemas.resolved.json");
    private static final DateTimeFormatter TIME = new DateTimeFormatterBuilder()
            .appendPattern("uuuu-MM-dd HH:mm:ss")
            .appendFraction(ChronoField.NANO_OF_SECOND, 0, 9, true)
            .toFormatter();

    static Stream<Arguments> cases() throws IOException {
        JsonNode table = new ObjectMapper().readTree(TABLE.toFile());
        JsonNode schemas = new ObjectMapper().readTree(SCHEMAS.toFile());
        List<Arguments> cases = new ArrayList<>();
        for (JsonNode test : table.required("cases")) {
            JsonNode schema = schemas.required(test.required("schema").asText());
            cases.add(Arguments.of(test.required("name").asText(), schema, test));
        }
        return cases.stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void table(String name, JsonNode schemaJson, JsonNode test) throws Exception {
        Schema schema = Schema.parse(schemaJson.toString());
        int columns = schema.columns.size();
        byte[] record = bytes(test.required("record"));
        List<Projection> projections = new ArrayList<>(List.of(Projection.ofFirst(columns), new Projection()));
        for (int column = 0; column < columns; column++) {
            Projection one = new Projection();
            one.add(column);
            projections.add(one);
        }
        for (Projection projection : projections) {
            // As the job has it: on another machine than the one where it was created.
            RecordParser parser = InstantiationUtil.clone(schema.parser(projection));
            for (int turn = 0; turn < 2; turn++) { // no state is left for the next record
                assertEquals(want(test, projection), got(parser, record, test, schema, projection));
            }
        }
    }

    /** Whatever columns are made, all are checked: the rejects are the same. */
    private static List<String> want(JsonNode test, Projection projection) {
        List<String> want = new ArrayList<>();
        for (JsonNode part : test.required("want")) {
            if (part.isArray()) {
                List<String> texts = new ArrayList<>();
                projection.columns().forEach(i -> texts.add(part.get(i).isNull() ? null : part.get(i).asText()));
                want.add("row " + texts);
            } else {
                want.add("reject " + part.required("reason").asText() + " " + part.path("column").asText("null") + " "
                        + Base64.getEncoder().encodeToString(bytes(part.required("data"))));
            }
        }
        return want;
    }

    private static List<String> got(
            RecordParser parser, byte[] record, JsonNode test, Schema schema, Projection projection) {
        List<String> got = new ArrayList<>();
        parser.parse(record, new RecordParser.Sink() {
            @Override
            public void row(GenericRowData row) {
                JsonNode values = test.required("want").path(got.size());
                List<String> texts = new ArrayList<>();
                projection.columns().forEach(i -> texts.add(canonical(
                        row.getField(projection.field(i)), schema.columns.get(i).type, values.path(i).asText())));
                got.add("row " + texts);
            }

            @Override
            public void reject(byte[] data, String reason, String column) {
                got.add("reject " + reason + " " + column + " " + Base64.getEncoder().encodeToString(data));
            }
        });
        return got;
    }

    private static byte[] bytes(JsonNode text) {
        return text.isTextual()
                ? text.asText().getBytes(UTF_8)
                : Base64.getDecoder().decode(text.required("base64").asText());
    }

    /** The value as the table writes it. A float has many texts: {@code want}, if that is the value. */
    private static String canonical(Object value, ColumnType type, String want) {
        if (value instanceof Float || value instanceof Double) {
            Object wanted = value instanceof Float ? (Object) Float.valueOf(want) : Double.valueOf(want);
            return value.equals(wanted) ? want : value.toString();
        }
        if (value instanceof TimestampData) {
            return TIME.format(((TimestampData) value).toLocalDateTime());
        }
        if (value instanceof DecimalData) {
            return ((DecimalData) value).toBigDecimal().toPlainString();
        }
        if (type == ColumnType.DATE && value != null) {
            return LocalDate.ofEpochDay((int) value).toString();
        }
        return value == null ? null : value.toString();
    }
}
