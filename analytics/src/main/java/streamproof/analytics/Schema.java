package streamproof.analytics;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.runtime.typeutils.InternalTypeInfo;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.RowType;

/**
 * The records of the stream: lines of CSV, or objects of JSON.
 *
 * <p>It is read from the resolved form of {@code schema.json}, which the Go package schema writes when the JAR is
 * built: every default filled in, every type, path and pattern taken apart. Go refuses a faulty schema, so no rule of
 * it is checked again here.
 */
final class Schema implements Serializable {
    /** The resolved schema among the JAR's resources. */
    static final String FILE = "schema.resolved.json";

    private static final long serialVersionUID = 1;

    /**
     * What Kinesis says about a record, under the names that Kinesis Data Analytics for SQL had for it; times in UTC.
     */
    static final List<String> METADATA =
            List.of("APPROXIMATE_ARRIVAL_TIME", "PARTITION_KEY", "SEQUENCE_NUMBER", "SHARD_ID");

    /** The name of the view that the query reads. */
    final String source;

    final Format format;

    final List<Column> columns = new ArrayList<>();

    /** How a row is written. */
    static final class Format implements Serializable {
        private static final long serialVersionUID = 1;
        /** In place of the quote, if nothing is quoted: no character. */
        private static final int NO_QUOTE = -1;

        final boolean json;
        final char delimiter;
        /** A character, or -1 if nothing is quoted. */
        final int quote;
        /** A carriage return may stand before the newline that ends a row. */
        final boolean carriage;
        /** A newline between quotes does not end the row. */
        final boolean multiline;
        /** The character before a fraction. */
        final char decimal;

        final boolean header;
        /** The texts that are NULL unless they are quoted. */
        final List<String> nulls;

        private Format(JsonNode node) {
            json = node.required("type").asText().equals("json");
            delimiter = node.required("delimiter").asText().charAt(0);
            quote = node.required("quote").asText().chars().findFirst().orElse(NO_QUOTE);
            carriage = node.required("newline").asText().equals("\r\n");
            multiline = node.required("multiline").asBoolean();
            decimal = node.required("decimal").asText().charAt(0);
            header = node.required("header").asBoolean();
            nulls = texts(node.required("nulls"));
        }
    }

    /** A field of a record. */
    static final class Column implements Serializable {
        private static final long serialVersionUID = 1;

        final String name;
        /** The column's name in the query. */
        final String alias;

        final ColumnType type;
        /** Of a CHAR or VARCHAR, in characters; 0 if unbounded. */
        final int length;
        /** The digits of a DECIMAL, or of a TIMESTAMP's fraction. */
        final int precision;
        /** How many of a DECIMAL's digits follow the point. */
        final int scale;

        final boolean nullable;
        /** JSON: the names that lead to the value. CSV: one name, as a header has it. */
        final List<String> path;
        /** How a TIMESTAMP or DATE is written. */
        final TimePattern pattern;
        /** The character before a fraction. */
        final char decimal;

        private Column(JsonNode node, Format format) {
            name = node.required("name").asText();
            alias = node.required("alias").asText();
            type = ColumnType.valueOf(node.required("kind").asText());
            length = node.required("length").asInt();
            precision = node.required("precision").asInt();
            scale = node.required("scale").asInt();
            nullable = node.required("nullable").asBoolean();
            path = texts(node.required("path"));
            pattern = new TimePattern(texts(node.required("pattern")));
            decimal = format.decimal;
        }
    }

    private Schema(JsonNode root) {
        source = root.required("source").asText();
        format = new Format(root.required("format"));
        root.required("columns").forEach(column -> columns.add(new Column(column, format)));
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(text -> texts.add(text.asText()));
        return texts;
    }

    /** Reads a resolved schema. */
    static Schema parse(String json) throws IOException {
        return new Schema(new ObjectMapper().readTree(json));
    }

    /** A parser that checks every column, and makes those of the projection. */
    RecordParser parser(Projection projection) {
        return format.json ? new ObjectParser(this, projection) : new LineParser(this, projection);
    }

    /** The name of the view that has the columns of {@link #METADATA} too; the Go package dialect uses the same. */
    String sourceWithMetadata() {
        return source + "_WITH_METADATA";
    }

    /** The type of a row of the table: the columns under the query's names, and {@link #METADATA}. */
    DataType table() {
        List<DataTypes.Field> fields = new ArrayList<>();
        columns.forEach(column -> fields.add(DataTypes.FIELD(column.alias, column.type.dataType(column))));
        fields.add(DataTypes.FIELD(METADATA.get(0), DataTypes.TIMESTAMP(3)));
        METADATA.subList(1, METADATA.size()).forEach(name -> fields.add(DataTypes.FIELD(name, DataTypes.STRING())));
        return DataTypes.ROW(fields);
    }

    /** The type of a parsed row. */
    TypeInformation<RowData> rowType(Projection projection) {
        RowType table = (RowType) table().getLogicalType();
        return InternalTypeInfo.of(new RowType(
                projection.columns().mapToObj(table.getFields()::get).collect(Collectors.toList())));
    }
}
