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
            {"DATE", DataTypes.DATE()},
            {"DECIMAL", DataTypes.DECIMAL(10, 0)},
            {"NUMERIC(5)", DataTypes.DECIMAL(5, 0)},
            {"DECIMAL(10, 2)", DataTypes.DECIMAL(10, 2)},
        };
        for (Object[] row : want) {
            DataType type = (DataType) row[1];
            assertEquals(
                    org.apache.flink.table.api.Schema.newBuilder().column("C0", type).build(),
                    schema((String) row[0]).viewSchema(false),
                    (String) row[0]);
        }
    }

    /** A TIMESTAMP has the digits of its pattern. */
    @Test
    void patternsInSql() throws IOException {
        Object[][] want = {
            {"yyyy-MM-dd HH:mm", DataTypes.TIMESTAMP(0)},
            {"yyyy-MM-dd HH:mm:ss.SSS", DataTypes.TIMESTAMP(3)},
            {"yyyy-MM-dd HH:mm:ss[.SSSSSS]XXX", DataTypes.TIMESTAMP(6)},
            {"yyyy-MM-dd'T'HH:mm:ss,SSSSSSSSS", DataTypes.TIMESTAMP(9)},
        };
        for (Object[] row : want) {
            String schema = "{\"source\":\"S\",\"columns\":[{\"name\":\"n\",\"alias\":\"C\",\"type\":\"TIMESTAMP\",\"pattern\":\""
                    + row[0] + "\"}]}";
            assertEquals(
                    org.apache.flink.table.api.Schema.newBuilder().column("C", (DataType) row[1]).build(),
                    Schema.parse(schema).viewSchema(false),
                    (String) row[0]);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "MONEY       | column n0: SQL type MONEY is not supported",
                "DECIMAL(39) | column n0: SQL type DECIMAL(39) has too many digits",
                "DECIMAL(2,3)| column n0: SQL type DECIMAL(2,3) has too many digits",
                "VARCHAR(2,1)| column n0: SQL type VARCHAR(2,1) takes no scale",
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
