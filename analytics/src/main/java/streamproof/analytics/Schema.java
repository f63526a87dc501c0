package streamproof.analytics;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.types.Row;

/** The records of the stream, as {@code schema.json} describes them: lines of CSV, or objects of JSON. */
final class Schema implements Serializable {
    private static final long serialVersionUID = 1;
    private static final Pattern TYPE = Pattern.compile("([A-Z]+(?: [A-Z]+)*)(?:\\(([1-9][0-9]{0,8})(?:, ?([0-9]{1,2}))?\\))?");
    /** Other names that SQL has for a type: the same as the Go package schema knows. */
    private static final Map<String, String> SYNONYMS =
            Map.of(
                    "INT", "INTEGER", "FLOAT", "REAL", "DOUBLE PRECISION", "DOUBLE", "STRING", "VARCHAR",
                    "NUMERIC", "DECIMAL", "DEC", "DECIMAL");
    /** The most digits of a DECIMAL. */
    private static final int MOST_DIGITS = 38;

    /** What the service says of a record, by the names that Kinesis Data Analytics for SQL had for it; the time is in UTC. */
    static final List<String> METADATA =
            List.of("APPROXIMATE_ARRIVAL_TIME", "PARTITION_KEY", "SEQUENCE_NUMBER", "SHARD_ID");

    /** The name of the view that the query reads. */
    final String source;

    final List<Column> columns;

    final Format format;

    /** How a row is written; what schema.json leaves out is as in the Go package schema. */
    static final class Format implements Serializable {
        private static final long serialVersionUID = 1;

        final boolean json;
        final char delimiter;
        /** -1, which no character is, where nothing is quoted. */
        final int quote;
        /** A carriage return may stand before the newline that ends a row. */
        final boolean carriage;
        /** A newline between quotes does not end the row. */
        final boolean multiline;
        /** What stands before a fraction. */
        final char decimal;

        final boolean header;
        /** The texts that are NULL where they are not quoted. */
        final List<String> nulls = new ArrayList<>();

        private Format(JsonNode node) {
            String type = node.path("type").asText("csv");
            if (!type.equals("csv") && !type.equals("json")) {
                throw new IllegalArgumentException("format: type is " + type + ", want csv or json");
            }
            json = type.equals("json");
            delimiter = node.path("delimiter").asText(",").charAt(0);
            String quotes = node.path("quote").asText("\"");
            quote = quotes.isEmpty() ? -1 : quotes.charAt(0);
            carriage = node.path("newline").asText("\n").equals("\r\n");
            multiline = node.path("multiline").asBoolean();
            decimal = node.path("decimal").asText(".").charAt(0);
            header = node.path("header").asBoolean();
            node.path("nulls").forEach(text -> nulls.add(text.asText()));
        }
    }

    /** A field of a record; {@code alias} is the name that the query knows it by. */
    static final class Column implements Serializable {
        private static final long serialVersionUID = 1;

        final String name;
        final String alias;
        final ColumnType type;
        /** Of CHAR(n) and VARCHAR(n), in characters, 0 where unbounded; of a DECIMAL, how many digits it has. */
        final int length;
        /** How many of the digits of a DECIMAL stand behind the point. */
        final int scale;
        /** How a TIMESTAMP or DATE is written, else null. */
        final TimePattern pattern;
        /** What stands before a fraction. */
        final char decimal;

        final boolean nullable;
        /** Where the value stands: in JSON the names that lead to it, in CSV one, which a header has. */
        final List<String> path;

        private Column(JsonNode node, Format format) {
            name = node.required("name").asText();
            alias = node.required("alias").asText();
            String sqlType = node.required("type").asText();
            Matcher match = TYPE.matcher(sqlType);
            if (!match.matches()) {
                throw new IllegalArgumentException("column " + name + ": " + sqlType + " is not a SQL type");
            }
            try {
                type = ColumnType.valueOf(SYNONYMS.getOrDefault(match.group(1), match.group(1)));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("column " + name + ": SQL type " + sqlType + " is not supported", e);
            }
            boolean isDecimal = type == ColumnType.DECIMAL;
            length = match.group(2) == null ? isDecimal ? 10 : 0 : Integer.parseInt(match.group(2));
            scale = match.group(3) == null ? 0 : Integer.parseInt(match.group(3));
            boolean sized = type == ColumnType.CHAR || type == ColumnType.VARCHAR || isDecimal;
            if (length > 0 && !sized || length == 0 && type == ColumnType.CHAR) {
                throw new IllegalArgumentException(
                        "column " + name + ": SQL type " + sqlType + (sized ? " needs a length" : " takes no length"));
            }
            if (isDecimal ? length > MOST_DIGITS || scale > length : match.group(3) != null) {
                throw new IllegalArgumentException("column " + name + ": SQL type " + sqlType
                        + (isDecimal ? " has too many digits" : " takes no scale"));
            }
            pattern = pattern(node.path("pattern").asText());
            decimal = format.decimal;
            nullable = node.path("nullable").asBoolean();
            String place = node.path("path").asText();
            if (format.json && !place.isEmpty()) {
                path = JsonPath.names(place);
            } else if (node.path("unnamed").asBoolean()) {
                path = List.of("");
            } else {
                path = List.of(place.isEmpty() ? name : place);
            }
        }

        private TimePattern pattern(String text) {
            switch (type) {
                case TIMESTAMP:
                    return new TimePattern(text.isEmpty() ? "yyyy-MM-dd HH:mm:ss" : text);
                case DATE:
                    return new TimePattern(text.isEmpty() ? "yyyy-MM-dd" : text);
                default:
                    return null;
            }
        }
    }

    private Schema(String source, Format format, List<Column> columns) {
        this.source = source;
        this.format = format;
        this.columns = columns;
    }

    /** Reads the text of schema.json; what the file says for producers (fake values) does not matter here. */
    static Schema parse(String json) throws IOException {
        JsonNode root = new ObjectMapper().readTree(json);
        Format format = new Format(root.path("format"));
        List<Column> columns = new ArrayList<>();
        for (JsonNode column : root.required("columns")) {
            columns.add(new Column(column, format));
        }
        return new Schema(root.required("source").asText(), format, columns);
    }

    /** What takes records apart. */
    RecordParser parser() {
        return format.json ? new ObjectParser(this) : new LineParser(this);
    }

    /** The name of the view with the columns of {@link #METADATA}, too: the same as the Go package dialect knows. */
    String sourceWithMetadata() {
        return source + "_WITH_METADATA";
    }

    /** The type of a parsed line: its fields have the names that the query uses. */
    TypeInformation<Row> rowType(boolean metadata) {
        List<String> names = columns.stream().map(column -> column.alias).collect(Collectors.toList());
        List<TypeInformation<?>> types = columns.stream().map(column -> column.type.rowType).collect(Collectors.toList());
        if (metadata) {
            names.addAll(METADATA);
            types.addAll(List.of(Types.LOCAL_DATE_TIME, Types.STRING, Types.STRING, Types.STRING));
        }
        return Types.ROW_NAMED(names.toArray(String[]::new), types.toArray(TypeInformation[]::new));
    }

    /** The columns of the view that the query reads. */
    org.apache.flink.table.api.Schema viewSchema(boolean metadata) {
        org.apache.flink.table.api.Schema.Builder view = org.apache.flink.table.api.Schema.newBuilder();
        columns.forEach(column -> view.column(column.alias, column.type.dataType(column)));
        if (metadata) {
            view.column(METADATA.get(0), DataTypes.TIMESTAMP(3));
            METADATA.subList(1, METADATA.size()).forEach(name -> view.column(name, DataTypes.STRING()));
        }
        return view.build();
    }
}
