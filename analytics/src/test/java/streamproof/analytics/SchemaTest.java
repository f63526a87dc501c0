package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SchemaTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern TYPE = Pattern.compile("([A-Z]+)(?:\\(([0-9]+)\\))?");

    /**
     * A stream S of CSV with columns n0, n1, … of these kinds, CHAR and VARCHAR with their length; the query has C0,
     * C1, …
     */
    static Schema schema(String... types) {
        return resolved("{}", IntStream.range(0, types.length)
                .mapToObj(i -> {
                    Matcher type = TYPE.matcher(types[i]);
                    type.matches();
                    return String.format(
                            "{\"name\":\"n%d\",\"alias\":\"C%d\",\"kind\":\"%s\",\"length\":%s,\"pattern\":%s}",
                            i, i, type.group(1), type.group(2),
                            type.group(1).equals("TIMESTAMP")
                                    ? "[\"yyyy\",\"'-\",\"MM\",\"'-\",\"dd\",\"' \",\"HH\",\"':\",\"mm\",\"':\",\"ss\"]"
                                    : "[]");
                })
                .toArray(String[]::new));
    }

    /** A stream S in the resolved form, where the format and the columns may leave out what is the default. */
    static Schema resolved(String format, String... columns) {
        try {
            ObjectNode root = JSON.createObjectNode().put("source", "S");
            root.set("format", JSON.readerForUpdating(JSON.readTree("{\"type\":\"csv\",\"delimiter\":\",\",\"quote\":\"\\\"\","
                            + "\"newline\":\"\\n\",\"multiline\":false,\"decimal\":\".\",\"header\":false,\"nulls\":[]}"))
                    .<JsonNode>readValue(format));
            for (String column : columns) {
                JsonNode given = JSON.readTree(column);
                ObjectNode resolved = root.withArray("columns").addObject();
                resolved.put("length", 0).put("precision", 0).put("scale", 0).put("nullable", false);
                resolved.putArray("path").add(given.required("name"));
                resolved.putArray("pattern");
                resolved.setAll((ObjectNode) given);
            }
            return Schema.parse(root.toString());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @ParameterizedTest
    @MethodSource
    void typesInSql(String type, DataType want) {
        Schema schema = resolved("{}", "{\"name\":\"n\",\"alias\":\"C\"," + type + "}");
        assertEquals(want, schema.table().getChildren().get(0));
    }

    static Stream<Arguments> typesInSql() {
        return Stream.of(
                Arguments.of("\"kind\":\"INTEGER\"", DataTypes.INT()),
                Arguments.of("\"kind\":\"BIGINT\"", DataTypes.BIGINT()),
                Arguments.of("\"kind\":\"REAL\"", DataTypes.FLOAT()),
                Arguments.of("\"kind\":\"DOUBLE\"", DataTypes.DOUBLE()),
                Arguments.of("\"kind\":\"DECIMAL\",\"precision\":10", DataTypes.DECIMAL(10, 0)),
                Arguments.of("\"kind\":\"DECIMAL\",\"precision\":10,\"scale\":2", DataTypes.DECIMAL(10, 2)),
                Arguments.of("\"kind\":\"TIMESTAMP\"", DataTypes.TIMESTAMP(0)),
                Arguments.of("\"kind\":\"TIMESTAMP\",\"precision\":3", DataTypes.TIMESTAMP(3)),
                Arguments.of("\"kind\":\"TIMESTAMP\",\"precision\":9", DataTypes.TIMESTAMP(9)),
                Arguments.of("\"kind\":\"DATE\"", DataTypes.DATE()),
                Arguments.of("\"kind\":\"CHAR\",\"length\":3", DataTypes.CHAR(3)),
                Arguments.of("\"kind\":\"VARCHAR\",\"length\":3", DataTypes.VARCHAR(3)),
                Arguments.of("\"kind\":\"VARCHAR\"", DataTypes.STRING()),
                Arguments.of("\"kind\":\"BOOLEAN\"", DataTypes.BOOLEAN()));
    }

    /** A schema that is not in the resolved form is refused, as that of a JAR that was built from other sources. */
    @Test
    void notResolved() {
        for (String schema : new String[] {
            "{\"source\":\"S\"}",
            "{\"source\":\"S\",\"columns\":[{\"name\":\"a\",\"alias\":\"b\",\"type\":\"INTEGER\"}]}",
        }) {
            assertThrows(IllegalArgumentException.class, () -> Schema.parse(schema));
        }
        assertThrows(
                IllegalArgumentException.class,
                () -> resolved("{}", "{\"name\":\"n\",\"alias\":\"C\",\"kind\":\"MONEY\"}"));
    }
}
