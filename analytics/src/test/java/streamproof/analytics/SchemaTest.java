package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SchemaTest {
    /** A stream S of columns n0, n1, … of these types, which the query knows as C0, C1, …. */
    static Schema schema(String... types) {
        try {
            return Schema.parse(IntStream.range(0, types.length)
                    .mapToObj(i -> String.format("{\"name\":\"n%d\",\"alias\":\"C%d\",\"type\":\"%s\"}", i, i, types[i]))
                    .collect(Collectors.joining(",", "{\"source\":\"S\",\"columns\":[", "]}")));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void typesInSql() {
        Object[][] want = {
            {"INTEGER", DataTypes.INT()},
            {"INT", DataTypes.INT()},
            {"BIGINT", DataTypes.BIGINT()},
            {"REAL", DataTypes.FLOAT()},
            {"FLOAT", DataTypes.FLOAT()},
            {"DOUBLE", DataTypes.DOUBLE()},
            {"DOUBLE PRECISION", DataTypes.DOUBLE()},
            {"TIMESTAMP", DataTypes.TIMESTAMP(0)},
            {"CHAR(3)", DataTypes.CHAR(3)},
            {"VARCHAR(3)", DataTypes.VARCHAR(3)},
            {"VARCHAR", DataTypes.STRING()},
            {"STRING", DataTypes.STRING()},
            {"BOOLEAN", DataTypes.BOOLEAN()},
        };
        for (Object[] row : want) {
            DataType type = (DataType) row[1];
            assertEquals(
                    org.apache.flink.table.api.Schema.newBuilder().column("C0", type).build(),
                    schema((String) row[0]).viewSchema(false),
                    (String) row[0]);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "DECIMAL(5)  | column n0: SQL type DECIMAL(5) is not supported",
                "char(1)     | column n0: char(1) is not a SQL type",
                "CHAR        | column n0: SQL type CHAR needs a length",
                "CHAR(0)     | column n0: CHAR(0) is not a SQL type",
                "INTEGER(4)  | column n0: SQL type INTEGER(4) takes no length",
                "TIMESTAMP(3)| column n0: SQL type TIMESTAMP(3) takes no length",
            })
    void unknownTypes(String type, String want) {
        assertEquals(want, assertThrows(IllegalArgumentException.class, () -> schema(type)).getMessage());
    }

    @Test
    void incompleteFile() {
        assertThrows(IllegalArgumentException.class, () -> Schema.parse("{\"source\":\"S\"}"));
        assertThrows(
                IllegalArgumentException.class,
                () -> Schema.parse("{\"source\":\"S\",\"columns\":[{\"name\":\"a\",\"alias\":\"b\"}]}"));
    }
}
