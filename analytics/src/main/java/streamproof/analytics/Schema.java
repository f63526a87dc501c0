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

/** The records of the stream, as {@code schema.json} describes them: headerless CSV lines. */
final class Schema implements Serializable {
    private static final long serialVersionUID = 1;
    private static final Pattern TYPE = Pattern.compile("([A-Z]+(?: [A-Z]+)*)(?:\\(([1-9][0-9]{0,8})\\))?");
    /** Other names that SQL has for a type: the same as the Go package pipeline knows. */
    private static final Map<String, String> SYNONYMS =
            Map.of("INT", "INTEGER", "FLOAT", "REAL", "DOUBLE PRECISION", "DOUBLE", "STRING", "VARCHAR");

    /** What the service says of a record, by the names that Kinesis Data Analytics for SQL had for it; the time is in UTC. */
    static final List<String> METADATA =
            List.of("APPROXIMATE_ARRIVAL_TIME", "PARTITION_KEY", "SEQUENCE_NUMBER", "SHARD_ID");

    /** The name of the view that the query reads. */
    final String source;

    final List<Column> columns;

    /** A field of a record; {@code alias} is the name that the query knows it by. */
    static final class Column implements Serializable {
        private static final long serialVersionUID = 1;

        final String name;
        final String alias;
        final ColumnType type;
        final int length;

        Column(String name, String alias, String sqlType) {
            this.name = name;
            this.alias = alias;
            Matcher match = TYPE.matcher(sqlType);
            if (!match.matches()) {
                throw new IllegalArgumentException("column " + name + ": " + sqlType + " is not a SQL type");
            }
            try {
                this.type = ColumnType.valueOf(SYNONYMS.getOrDefault(match.group(1), match.group(1)));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("column " + name + ": SQL type " + sqlType + " is not supported", e);
            }
            this.length = match.group(2) == null ? 0 : Integer.parseInt(match.group(2));
            boolean sized = type == ColumnType.CHAR || type == ColumnType.VARCHAR;
            if (length > 0 && !sized || length == 0 && type == ColumnType.CHAR) {
                throw new IllegalArgumentException(
                        "column " + name + ": SQL type " + sqlType + (sized ? " needs a length" : " takes no length"));
            }
        }
    }

    private Schema(String source, List<Column> columns) {
        this.source = source;
        this.columns = columns;
    }

    /** Reads the text of schema.json; what the file says for producers (fake values) does not matter here. */
    static Schema parse(String json) throws IOException {
        JsonNode root = new ObjectMapper().readTree(json);
        List<Column> columns = new ArrayList<>();
        for (JsonNode column : root.required("columns")) {
            columns.add(new Column(
                    column.required("name").asText(),
                    column.required("alias").asText(),
                    column.required("type").asText()));
        }
        return new Schema(root.required("source").asText(), columns);
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
        columns.forEach(column -> view.column(column.alias, column.type.dataType(column.length)));
        if (metadata) {
            view.column(METADATA.get(0), DataTypes.TIMESTAMP(3));
            METADATA.subList(1, METADATA.size()).forEach(name -> view.column(name, DataTypes.STRING()));
        }
        return view.build();
    }
}
