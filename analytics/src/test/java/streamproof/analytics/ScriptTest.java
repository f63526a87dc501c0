package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ScriptTest {
    @ParameterizedTest
    @MethodSource
    void statements(String script, List<String> want) {
        List<Script.Statement> statements = new Script(script).statements();
        assertEquals(want, statements.stream().map(statement -> statement.text).collect(Collectors.toList()));
        for (Script.Statement statement : statements) {
            assertEquals(
                    statement.text.charAt(0), script.charAt(statement.offset), "the offset of " + statement.text);
        }
    }

    static Stream<Arguments> statements() {
        return Stream.of(
                Arguments.of("", List.of()),
                Arguments.of(" ;\n; -- nothing\n /* at ; all */ ;", List.of()),
                Arguments.of("A;B", List.of("A", "B")),
                Arguments.of("A\n x;\n\nB;\n", List.of("A\n x", "B")),
                Arguments.of("-- a; b\nA -- it's\n;B", List.of("A", "B")),
                Arguments.of("A /* ; ' \n */ x;B", List.of("A        \n    x", "B")),
                Arguments.of("A /*+ HINT('a;b') */;B", List.of("A /*+ HINT('a;b') */", "B")),
                Arguments.of("A ';' 'it''s; -- no comment' x;B", List.of("A ';' 'it''s; -- no comment' x", "B")),
                Arguments.of("A `;` \"x;\"\"y;\";B", List.of("A `;` \"x;\"\"y;\"", "B")),
                Arguments.of("A 'two\nlines;' - -1;B", List.of("A 'two\nlines;' - -1", "B")),
                Arguments.of("A--", List.of("A")));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "A 'x          | pipeline.sql:1:3: ' is never closed",
                "A 'it''s; B   | pipeline.sql:1:7: ' is never closed",
                "#A;\n\n\"B#   | pipeline.sql:3:1: \" is never closed",
                "#A\n `B;#     | pipeline.sql:2:2: ` is never closed",
                "A /* B; C     | pipeline.sql:1:3: /* is never closed",
            })
    void unclosed(String script, String want) {
        assertEquals(
                want, assertThrows(IllegalArgumentException.class, () -> new Script(script).statements())
                        .getMessage());
    }
}
