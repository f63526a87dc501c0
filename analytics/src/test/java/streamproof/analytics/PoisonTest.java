package streamproof.analytics;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** In each record that the producer spoils on purpose, one line is rejected, for the reason that the producer gives. */
class PoisonTest {
    /** Written by the generator's own test. Each character of a record is one byte. */
    private static final Path GOLDEN = Path.of("../internal/generator/testdata/v1-poison.jsonl");

    static List<String> records() throws IOException {
        return Files.readAllLines(GOLDEN);
    }

    @ParameterizedTest
    @MethodSource("records")
    void isRejectedForItsReason(String golden) throws Exception {
        JsonNode want = new ObjectMapper().readTree(golden);
        byte[] record = want.required("record").asText().getBytes(ISO_8859_1);
        List<String> reasons = new ArrayList<>();
        List<RowData> rows = new ArrayList<>();
        parser(Schema.parse(Job.resource(Schema.FILE))).parse(record, new RecordParser.Sink() {
            @Override
            public void row(GenericRowData row) {
                rows.add(row);
            }

            @Override
            public void reject(byte[] data, String reason, String column) {
                reasons.add(reason);
            }
        });
        assertEquals(List.of(want.required("reason").asText()), reasons);
        assertTrue(rows.size() <= 2, "the record has more than two good lines");
    }

    private static RecordParser parser(Schema schema) {
        return schema.parser(Projection.ofFirst(schema.columns.size()));
    }

    static Stream<Path> formats() throws IOException {
        return Files.list(GOLDEN.getParent()).filter(file -> file.getFileName().toString().startsWith("v1-format-"));
    }

    /** The same in other formats: of each record, the reject that the producer names and no other, byte for byte. */
    @ParameterizedTest
    @MethodSource("formats")
    void isRejectedInItsFormat(Path file) throws Exception {
        JsonNode golden = new ObjectMapper().readTree(file.toFile());
        Path schema = Path.of(file.toString().replace("v1-format-", "v1-schema-")); // resolved
        RecordParser parser = parser(Schema.parse(Files.readString(schema)));
        for (JsonNode want : golden.required("records")) {
            byte[] record = want.required("record").binaryValue();
            List<String> rejects = new ArrayList<>();
            parser.parse(record, new RecordParser.Sink() {
                @Override
                public void row(GenericRowData row) {}

                @Override
                public void reject(byte[] data, String reason, String column) {
                    rejects.add(reason + ": " + new String(data, ISO_8859_1));
                }
            });
            List<String> owed = want.has("reason")
                    ? List.of(want.get("reason").asText() + ": " + new String(bytes(want.path("reject")), ISO_8859_1))
                    : List.of();
            assertEquals(owed, rejects, () -> want.path("fault").asText() + " in " + new String(record, ISO_8859_1));
        }
    }

    private static byte[] bytes(JsonNode base64) throws IOException {
        return base64.isMissingNode() ? new byte[0] : base64.binaryValue();
    }
}
