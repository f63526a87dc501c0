package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.formats.csv.CsvRowDataSerializationSchema;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.utils.LogicalTypeCasts;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.Test;

/**
 * Flink's results for the expressions in the table of {@code internal/query}, which tests that the verifier's own
 * engine computes the same.
 */
class ExpressionsTest {
    private static final Path TABLE = Path.of("../internal/query/testdata");
    private static final Path GOLDEN = TABLE.resolve("flink.golden");

    /** As the job would write them. {@code -Dupdate} writes the golden file. */
    @Test
    void valuesAreThoseOfTheGoldenFile() throws Exception {
        Schema schema = Schema.parse(Files.readString(TABLE.resolve(Schema.FILE)));
        List<String> records = Files.readAllLines(TABLE.resolve("rows.csv"));
        StreamTableEnvironment tables = Tables.of(schema, records);

        List<Expression> expressions = new ArrayList<>();
        Map<String, LogicalType> types = new HashMap<>();
        for (JsonNode entry : new ObjectMapper().readTree(TABLE.resolve("expressions.json").toFile())) {
            String type = entry.required("type").asText();
            Expression expression = new Expression(
                    entry.required("sql").asText(), type, types.computeIfAbsent(type, t -> declared(tables, t)));
            expression.isJudged = !entry.has("refused");
            expressions.add(expression);
        }
        List<DataType> given = select(tables, schema, expressions).getResolvedSchema().getColumnDataTypes();
        for (int i = 0; i < expressions.size(); i++) {
            expressions.get(i).noteType(given.get(i + 1).getLogicalType());
        }
        // All in one query, with the types and conversions of the job's sink.
        List<DataTypes.Field> fields = new ArrayList<>(List.of(DataTypes.FIELD("N", DataTypes.INT())));
        List<Expression> convertible = new ArrayList<>(expressions);
        convertible.removeIf(expression -> !expression.isConvertible);
        convertible.forEach(expression -> fields.add(DataTypes.FIELD("X" + fields.size(), expression.widened)));
        Table result = select(tables, schema, convertible);
        DataType rows = DataTypes.ROW(fields.toArray(new DataTypes.Field[0])).notNull().bridgedTo(RowData.class);
        try (CloseableIterator<RowData> all =
                tables.<RowData>toDataStream(result, rows).executeAndCollect()) {
            all.forEachRemaining(row -> {
                int column = 0;
                for (Expression expression : convertible) {
                    expression.add(row, ++column);
                }
            });
        }

        // A WHERE keeps the rows for which the condition is TRUE, though the planner treats the two differently.
        List<Expression> conditions = new ArrayList<>();
        StringBuilder filters = new StringBuilder();
        for (Expression expression : convertible) {
            if (expression.isJudged && expression.widened.equals(DataTypes.BOOLEAN())) {
                filters.append(conditions.isEmpty() ? "" : " UNION ALL ")
                        .append("SELECT " + conditions.size() + ", N FROM " + schema.source + " WHERE " + expression.sql);
                conditions.add(expression);
            }
        }
        try (CloseableIterator<Row> all = Tables.of(schema, records).executeSql(filters.toString()).collect()) {
            all.forEachRemaining(
                    row -> conditions.get((Integer) row.getField(0)).kept.add((Integer) row.getField(1)));
        }
        for (Expression condition : conditions) {
            assertEquals(condition.isTrue, condition.kept, condition.sql);
        }

        StringBuilder golden = new StringBuilder();
        expressions.forEach(expression -> golden.append(expression.lines).append('\n'));
        if (System.getProperty("update") != null) {
            Files.writeString(GOLDEN, golden);
        }
        assertEquals(Files.readString(GOLDEN), golden.toString(), "write it again with -Dupdate");
    }

    private static Table select(StreamTableEnvironment tables, Schema schema, List<Expression> expressions) {
        StringBuilder query = new StringBuilder("SELECT N");
        for (int i = 0; i < expressions.size(); i++) {
            query.append(", ").append(expressions.get(i).sql).append(" AS X").append(i + 1);
        }
        return tables.sqlQuery(query.append(" FROM ").append(schema.source).toString());
    }

    /** The type that CREATE TABLE declares. */
    private static LogicalType declared(StreamTableEnvironment tables, String type) {
        tables.executeSql("CREATE TABLE X (X " + type.replace("REAL", "FLOAT") + ") WITH ('connector' = 'blackhole')");
        try {
            return tables.from("X").getResolvedSchema().getColumnDataTypes().get(0).getLogicalType();
        } finally {
            tables.executeSql("DROP TABLE X");
        }
    }

    private static final class Expression {
        final String sql;
        final LogicalType declared;
        final DataType widened;
        final CsvRowDataSerializationSchema csv;
        /** Flink converts it to the column's type. If it did not, no job would start. */
        boolean isConvertible;

        /** The verifier computes it. */
        boolean isJudged;

        final StringBuilder lines;
        /** The numbers of the rows for which it is true. */
        final List<Integer> isTrue = new ArrayList<>();

        /** The numbers of the rows that it keeps as a WHERE. */
        final List<Integer> kept = new ArrayList<>();

        Expression(String sql, String type, LogicalType declared) throws Exception {
            this.sql = sql;
            this.declared = declared;
            lines = new StringBuilder(sql).append(": ").append(type).append('\n');
            widened = OutputType.widened(declared);
            csv = new CsvRowDataSerializationSchema.Builder(RowType.of(new IntType(), widened.getLogicalType())).build();
            csv.open(null);
        }

        /** Notes the type that Flink gives it. */
        void noteType(LogicalType type) {
            isConvertible = LogicalTypeCasts.supportsImplicitCast(type, widened.getLogicalType());
            if (!isConvertible) {
                lines.append("Flink: it is ").append(type.asSummaryString()).append('\n');
            }
        }

        /** Adds the line that the job would write for a numbered row, or why it would write none. */
        void add(RowData row, int column) {
            Object value = RowData.createFieldGetter(widened.getLogicalType(), column).getFieldOrNull(row);
            String reason = OutputType.unfit(declared, value);
            int number = row.getInt(0);
            if (Boolean.TRUE.equals(value)) {
                isTrue.add(number);
            }
            lines.append(reason != null
                            ? number + ": " + reason
                            : new String(csv.serialize(GenericRowData.of(number, value)), StandardCharsets.UTF_8))
                    .append('\n');
        }
    }
}
