package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ScriptTest {
    @ParameterizedTest
    @MethodSource
    void statements(String script, List<String> want) {
        assertEquals(want, Script.statements(script));
    }

    static Stream<Arguments> statements() {
        return Stream.of(
                Arguments.of("", List.of()),
                Arguments.of(" ;\n; -- nothing\n /* at ; all */ ;", List.of()),
                Arguments.of("A;B", List.of("A", "B")),
                Arguments.of("A\n x;\n\nB;\n", List.of("A\n x", "B")),
                Arguments.of("-- a; b\nA -- it's\n;B", List.of("A", "B")),
                Arguments.of("A /* ; ' \n */ x;B", List.of("A   x", "B")),
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
                "A 'x          | line 1: ' is never closed",
                "A 'it''s; B   | line 1: ' is never closed",
                "#A;\n\n\"B#   | line 3: \" is never closed",
                "#A\n `B;#     | line 2: ` is never closed",
                "A /* B; C     | line 1: /* is never closed",
            })
    void unclosed(String script, String want) {
        assertEquals(
                want, assertThrows(IllegalArgumentException.class, () -> Script.statements(script)).getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '#',
            value = {
                "SELECT CAST(A AS INT) FROM S             | true",
                "SELECT 'x', cast (A AS STRING) FROM S    | true",
                "SELECT TRY_CAST(A AS INT) FROM S         | false",
                "SELECT 'CAST(', \"CAST(\", `CAST(`, CASTS | false",
            })
    void casts(String statement, boolean want) {
        assertEquals(want, Script.casts(statement));
    }
}
