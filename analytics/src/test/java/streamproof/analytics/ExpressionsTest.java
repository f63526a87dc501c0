package streamproof.analytics;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.formats.csv.CsvRowDataSerializationSchema;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
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
 * What Flink makes of the expressions that the judge is compared with: {@code internal/query} has the table of them, and
 * a test that the judge's own engine gives the same.
 */
class ExpressionsTest {
    private static final Path TABLE = Path.of("../internal/query/testdata");
    private static final Path GOLDEN = TABLE.resolve("flink.golden");

    /** As the job would write them. With {@code -Dupdate} the golden file is written instead. */
    @Test
    void valuesAreThoseOfTheGoldenFile() throws Exception {
        Schema schema = Schema.parse(Files.readString(TABLE.resolve("schema.json")));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.getConfig().setLocalTimeZone(ZoneOffset.UTC);
        List<Row> records = new ArrayList<>();
        for (String line : Files.readAllLines(TABLE.resolve("rows.csv"))) {
            records.add(new LineParser(schema).parse(line.getBytes(StandardCharsets.UTF_8)));
        }
        tables.createTemporaryView(
                schema.source, tables.fromDataStream(env.fromData(records, schema.rowType(false)), schema.viewSchema(false)));

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
            expressions.get(i).isGiven(given.get(i + 1).getLogicalType());
        }
        // All in one query; the types are set as the job's sink sets them, with the same conversions.
        List<DataTypes.Field> fields = new ArrayList<>(List.of(DataTypes.FIELD("N", DataTypes.INT())));
        List<Expression> taken = new ArrayList<>(expressions);
        taken.removeIf(expression -> !expression.isTaken);
        taken.forEach(expression -> fields.add(DataTypes.FIELD("X" + fields.size(), expression.widened)));
        Table result = select(tables, schema, taken);
        DataType rows = DataTypes.ROW(fields.toArray(new DataTypes.Field[0])).notNull().bridgedTo(RowData.class);
        try (CloseableIterator<RowData> all =
                tables.<RowData>toDataStream(result, rows).executeAndCollect()) {
            all.forEachRemaining(row -> {
                int column = 0;
                for (Expression expression : taken) {
                    expression.add(row, ++column);
                }
            });
        }

        // What is TRUE is what a WHERE lets through, though the planner treats the two in other ways.
        List<Expression> conditions = new ArrayList<>();
        StringBuilder filters = new StringBuilder();
        for (Expression expression : taken) {
            if (expression.isJudged && expression.widened.equals(DataTypes.BOOLEAN())) {
                filters.append(conditions.isEmpty() ? "" : " UNION ALL ")
                        .append("SELECT " + conditions.size() + ", N FROM " + schema.source + " WHERE " + expression.sql);
                conditions.add(expression);
            }
        }
        try (CloseableIterator<Row> all = tables.executeSql(filters.toString()).collect()) {
            all.forEachRemaining(
                    row -> conditions.get((Integer) row.getField(0)).isLetThrough.add((Integer) row.getField(1)));
        }
        for (Expression condition : conditions) {
            assertEquals(condition.isTrue, condition.isLetThrough, condition.sql);
        }

        StringBuilder golden = new StringBuilder();
        expressions.forEach(expression -> golden.append(expression.lines).append('\n'));
        if (System.getProperty("update") != null) {
            Files.writeString(GOLDEN, golden);
        }
        assertEquals(Files.readString(GOLDEN), golden.toString(), "write it anew with -Dupdate");
    }

    private static Table select(StreamTableEnvironment tables, Schema schema, List<Expression> expressions) {
        StringBuilder query = new StringBuilder("SELECT N");
        for (int i = 0; i < expressions.size(); i++) {
            query.append(", ").append(expressions.get(i).sql).append(" AS X").append(i + 1);
        }
        return tables.sqlQuery(query.append(" FROM ").append(schema.source).toString());
    }

    /** What CREATE TABLE makes of a type. */
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
        /** Whether Flink puts it into a column of the type: with one that it does not, no job would start. */
        boolean isTaken;

        /** Whether the judge computes it. */
        boolean isJudged;

        final StringBuilder lines;
        /** The numbers of the rows of which it is. */
        final List<Integer> isTrue = new ArrayList<>();

        /** Those that it lets through as a WHERE. */
        final List<Integer> isLetThrough = new ArrayList<>();

        Expression(String sql, String type, LogicalType declared) throws Exception {
            this.sql = sql;
            this.declared = declared;
            lines = new StringBuilder(sql).append(": ").append(type).append('\n');
            widened = OutputType.widened(declared);
            csv = new CsvRowDataSerializationSchema.Builder(RowType.of(new IntType(), widened.getLogicalType())).build();
            csv.open(null);
        }

        /** Takes what Flink says of its type. */
        void isGiven(LogicalType type) {
            isTaken = LogicalTypeCasts.supportsImplicitCast(type, widened.getLogicalType());
            if (!isTaken) {
                lines.append("Flink: it is ").append(type.asSummaryString()).append('\n');
            }
        }

        /** The line that the job would write of a row with a number, or why it would write none. */
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
