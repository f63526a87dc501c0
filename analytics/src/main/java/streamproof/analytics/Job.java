package streamproof.analytics;

import static org.apache.flink.table.api.Expressions.$;

import com.amazonaws.services.kinesisanalytics.runtime.KinesisAnalyticsRuntime;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.function.Function;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.dag.Transformation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.transformations.SideOutputTransformation;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.catalog.CatalogTable;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ObjectPath;
import org.apache.flink.table.catalog.exceptions.TableNotExistException;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.expressions.Expression;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/**
 * The application's entry point, named in the JAR's manifest. A Flink cluster starts it and configures checkpoints,
 * parallelism and credentials. It sets no configuration of Flink in code, because the service would refuse that.
 *
 * <p>Its arguments are
 *
 * <ul>
 *   <li>none: on Managed Service for Apache Flink, which passes none. The {@link Config} is in
 *       /etc/flink/application_properties.json, which the service writes.
 *   <li>{@code --properties FILE}: the property groups are in FILE, in the same form: {@code [{"PropertyGroupId":
 *       "streamproof", "PropertyMap": {…}}]}
 *   <li>{@code --check SCHEMA SQL}: checks the script in the file SQL over the resolved schema in the file SCHEMA. Each
 *       fault is printed as a line of JSON: {@code {"line": 3, "column": 8, "message": "…"}}. A script without faults
 *       is executed as a job that could not read its stream, so {@link streamproof.cluster.Plan} only plans it.
 * </ul>
 */
public final class Job {
    private static final String NAME = "streamproof";

    private Job() {}

    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        if (args.length == 0) {
            run(env, KinesisAnalyticsRuntime.getApplicationProperties());
        } else if (args.length == 2 && args[0].equals("--properties")) {
            run(env, properties(Path.of(args[1])));
        } else if (args.length == 3 && args[0].equals("--check")) {
            check(env, Path.of(args[1]), Path.of(args[2]));
        } else {
            throw new IllegalArgumentException("arguments are " + Arrays.toString(args)
                    + ": give none, or --properties FILE, or --check SCHEMA SQL");
        }
    }

    private static void check(StreamExecutionEnvironment env, Path schema, Path sql) throws Exception {
        List<Script.Fault> faults = faults(env, Schema.parse(Files.readString(schema)), Files.readString(sql));
        for (Script.Fault fault : faults) {
            System.out.println(new ObjectMapper()
                    .createObjectNode()
                    .put("line", fault.line)
                    .put("column", fault.column)
                    .put("message", fault.message));
        }
        if (faults.isEmpty()) {
            env.execute(NAME);
        }
    }

    /** Why the job cannot run a script over records of a schema. If there are no faults, {@code env} has the job. */
    static List<Script.Fault> faults(StreamExecutionEnvironment env, Schema schema, String script) {
        Properties properties = new Properties();
        properties.putAll(Map.of( // none of them is called
                "stream.arn", "arn:aws:kinesis:eu-west-1:000000000000:stream/none",
                "delivery.stream", "none",
                "rejects.delivery.stream", "none",
                "output.format", "CSV"));
        Config config = Config.of(Map.of(Config.GROUP, properties));
        try {
            define(env, config, schema, script, draft -> source(draft, config));
            return List.of();
        } catch (Script.FaultyException e) {
            return e.faults;
        }
    }

    /** Reads a file with the service's own library, which treats a missing file as an empty one. */
    private static Map<String, Properties> properties(Path file) throws IOException {
        if (!Files.exists(file)) {
            throw new NoSuchFileException(file.toString());
        }
        try {
            return KinesisAnalyticsRuntime.getApplicationProperties(file.toString());
        } catch (IOException | RuntimeException e) {
            throw new IllegalArgumentException(file + " has no property groups", e);
        }
    }

    private static void run(StreamExecutionEnvironment env, Map<String, Properties> properties) throws Exception {
        Config config = Config.of(properties);
        Schema schema = Schema.parse(resource(Schema.FILE));
        String script = config.script.isPresent() ? config.script.get() : resource("pipeline.sql");
        define(env, config, schema, script, draft -> source(draft, config));
        env.execute(NAME);
    }

    /** The records of the stream. Reading needs DescribeStream, ListShards, GetShardIterator and GetRecords. */
    @SuppressWarnings("deprecation")
    static DataStream<SourceRecord> source(StreamExecutionEnvironment env, Config config) {
        return env.addSource(new RawConsumer(config.stream, Reading.of(config))).uid("source").name("source");
    }

    /** Adds the job to {@code env}: the source, the parser, the views, the script's statements and the sinks. */
    static void define(
            StreamExecutionEnvironment env,
            Config config,
            Schema schema,
            String script,
            Function<StreamExecutionEnvironment, DataStream<SourceRecord>> source) {
        Draft.define(env, draft -> define(draft, config, schema, script, source.apply(draft)));
    }

    private static void define(
            StreamExecutionEnvironment env,
            Config config,
            Schema schema,
            String script,
            DataStream<SourceRecord> records) {
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.getConfig().setLocalTimeZone(ZoneOffset.UTC); // the same result wherever the job runs
        DataStream<Reject> rejects = addViews(tables, schema, records).getSideOutput(Parser.REJECTS);
        tables.createTemporaryView(
                "error_stream",
                tables.fromDataStream(rejects)
                        .select(
                                $("reason"),
                                $("column"),
                                $("data"),
                                $("shard"),
                                $("sequenceNumber").as("sequence_number"),
                                $("arrivalTime").as("arrival_time")));
        runScript(script, tables, config.format);

        Transformation<byte[]> lines = lines(env);
        config.scriptHash.ifPresent(hash -> nameOperators(lines, hash));
        DataStream<Reject> unfit = new DataStream<>(env, new SideOutputTransformation<>(lines, RowLines.UNFIT));
        Delivery.send(config, new DataStream<>(env, lines), config.deliveryStream, "");
        Delivery.send(
                config,
                rejects.union(unfit)
                        .flatMap(new RejectLines(), PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO)
                        .uid("rejects-lines")
                        .name("rejects-lines"),
                config.rejectsDeliveryStream,
                "rejects-");
    }

    /** Adds the parser and the views of its rows, with and without the metadata, that the query reads. */
    static SingleOutputStreamOperator<RowData> addViews(
            StreamTableEnvironment tables, Schema schema, DataStream<SourceRecord> records) {
        Projection projection = new Projection();
        SingleOutputStreamOperator<RowData> rows = records.process(
                        new Parser(schema, projection), schema.rowType(projection))
                .uid("parser")
                .name("parser");
        Table source = RecordTable.of(tables, schema, rows, projection);
        tables.createTemporaryView(schema.sourceWithMetadata(), source);
        source = source.dropColumns(Schema.METADATA.stream().map(name -> $(name)).toArray(Expression[]::new));
        tables.createTemporaryView(schema.source, source);
        return rows;
    }

    /** The last operator that the planner made of the script. */
    @SuppressWarnings("unchecked")
    private static Transformation<byte[]> lines(StreamExecutionEnvironment env) {
        return (Transformation<byte[]>) env.getTransformations().stream()
                .filter(end -> LineTableFactory.UID.equals(end.getUid()))
                .findFirst()
                .orElseThrow();
    }

    /**
     * Gives uids to the planner's operators for a query that was set by hand. Without uids Flink identifies them by
     * their place in the graph, and a query would restore the state of another query of the same shape. The query's
     * hash in the uid keeps them apart.
     */
    private static void nameOperators(Transformation<?> end, String hash) {
        int number = 0;
        for (Transformation<?> operator : end.getTransitivePredecessors()) {
            if (operator.getUid() == null) {
                operator.setUid("query-" + hash.substring(0, 16) + "-" + number++);
            }
        }
    }

    /** Runs a script that the build or {@code sql run} has checked: it has one CREATE TABLE and one INSERT. */
    private static void runScript(String text, StreamTableEnvironment tables, String format) {
        Script script = new Script(text);
        List<Script.Statement> statements = script.statements();
        for (Script.Statement statement : statements) {
            script.run(statement, () -> {
                if (begins(statement, "CREATE TABLE ")) {
                    tables.executeSql(statement.text + " WITH ('connector' = '" + LineTableFactory.IDENTIFIER + "')");
                    widen(tables, format);
                } else if (!begins(statement, "INSERT ")) {
                    tables.executeSql(statement.text);
                }
            });
        }
        for (Script.Statement statement : statements) {
            if (begins(statement, "INSERT ")) {
                script.run(statement, () -> tables.createStatementSet()
                        .addInsertSql(statement.text)
                        .attachAsDataStream());
            }
        }
    }

    private static boolean begins(Script.Statement statement, String words) {
        return (statement.text.toUpperCase(Locale.ROOT).replaceAll("\\s+", " ") + " ").startsWith(words);
    }

    /** Replaces the script's table with one that accepts every value: see {@link OutputType}. */
    private static void widen(StreamTableEnvironment tables, String format) {
        Set<String> names = new HashSet<>(Arrays.asList(tables.listTables()));
        names.removeAll(Arrays.asList(tables.listViews()));
        String name = names.iterator().next();
        List<RowType.RowField> declared = new ArrayList<>();
        org.apache.flink.table.api.Schema.Builder widened = org.apache.flink.table.api.Schema.newBuilder();
        for (Column column : tables.from("`" + name + "`").getResolvedSchema().getColumns()) {
            LogicalType type = column.getDataType().getLogicalType();
            declared.add(new RowType.RowField(column.getName(), type));
            try {
                widened.column(column.getName(), OutputType.widened(type));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("column " + column.getName() + ": " + e.getMessage(), e);
            }
        }
        CatalogTable table = CatalogTable.newBuilder()
                .schema(widened.build())
                .options(Map.of(
                        FactoryUtil.CONNECTOR.key(), LineTableFactory.IDENTIFIER,
                        FactoryUtil.FORMAT.key(), format,
                        LineTableFactory.DECLARED.key(), new RowType(declared).asSerializableString()))
                .build();
        try {
            tables.getCatalog(tables.getCurrentCatalog())
                    .orElseThrow()
                    .alterTable(new ObjectPath(tables.getCurrentDatabase(), name), table, false);
        } catch (TableNotExistException e) {
            throw new IllegalStateException(e); // it was listed above
        }
    }

    /** The text of a resource of the pipeline. */
    static String resource(String name) throws IOException {
        try (InputStream file = Job.class.getResourceAsStream("/pipeline/" + name)) {
            return new String(file.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
