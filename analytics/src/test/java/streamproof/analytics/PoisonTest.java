package streamproof.analytics;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each record that the producer spoils on purpose has one line that is rejected, for the reason that the producer says. */
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
        LineParser parser = new LineParser(Schema.parse(Files.readString(Path.of("../pipeline/schema.json"))));

        List<String> reasons = new ArrayList<>();
        List<byte[]> lines = parser.lines(record);
        for (byte[] line : lines) {
            try {
                parser.parse(line);
            } catch (RejectedException e) {
                // That a record is empty is Parser's to see.
                reasons.add(record.length == 0 ? "empty record" : e.getMessage());
            }
        }
        assertEquals(List.of(want.required("reason").asText()), reasons);
        assertTrue(lines.size() <= 3, "the record has more than two good lines");
    }
}
