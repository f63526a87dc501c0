package streamproof.analytics;

import static org.apache.flink.table.api.Expressions.$;

import com.amazonaws.services.kinesisanalytics.runtime.KinesisAnalyticsRuntime;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.dag.Transformation;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.connector.aws.config.AWSConfigConstants;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.connectors.kinesis.FlinkKinesisConsumer;
import org.apache.flink.streaming.connectors.kinesis.config.ConsumerConfigConstants;
import org.apache.flink.streaming.api.transformations.SideOutputTransformation;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.catalog.CatalogTable;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ObjectPath;
import org.apache.flink.table.catalog.exceptions.TableNotExistException;
import org.apache.flink.table.expressions.Expression;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.Row;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The application's entry point.
 *
 * <p>On Managed Service for Apache Flink it is started without arguments, reads its {@link Config} from the
 * application's environment properties and has checkpoints, credentials and parallelism from the service.
 *
 * <p>With {@code --local DIR} the same job runs in a plain JVM, in a Flink mini-cluster of its own:
 *
 * <pre>
 * java --add-opens java.base/java.util=ALL-UNNAMED \
 *   -cp 'target/streamproof-analytics.jar:target/local/*:target/local' streamproof.analytics.Job --local DIR
 * </pre>
 *
 * DIR holds
 *
 * <ul>
 *   <li>{@code application_properties.json}: the property groups, in the form that the service writes to
 *       /etc/flink/application_properties.json: {@code [{"PropertyGroupId": "streamproof", "PropertyMap": {…}}]}
 *   <li>{@code config.yaml}: Flink's configuration. It says where checkpoints go ({@code execution.checkpointing.dir};
 *       there is one every 10 seconds unless {@code execution.checkpointing.interval} says otherwise), from which
 *       savepoint or checkpoint the job goes on ({@code execution.state-recovery.path}) and where its REST endpoint
 *       listens ({@code rest.*}).
 * </ul>
 *
 * <p>Credentials come from the AWS SDKs' default chains: environment, system properties, profile, then container
 * credentials. The job runs until it is stopped with a savepoint over REST; then the JVM exits with status 0. If the
 * job fails for good, the JVM prints the cause to standard error and exits with status 1.
 *
 * <p>With {@code --check SCHEMA SQL} it plans the script in a file over the schema in another, as the job would, and runs
 * nothing. It prints each fault as a line of JSON, {@code {"line": 3, "column": 8, "message": "…"}}, and exits with status
 * 0; with 2 where it could not look.
 */
public final class Job {
    private static final Logger LOG = LoggerFactory.getLogger(Job.class);
    private static final String NAME = "streamproof";
    private static final Duration LOCAL_CHECKPOINT_INTERVAL = Duration.ofSeconds(10);

    private Job() {}

    public static void main(String[] args) throws Exception {
        if (args.length == 0) {
            run(StreamExecutionEnvironment.getExecutionEnvironment(), KinesisAnalyticsRuntime.getApplicationProperties());
        } else if (args.length == 2 && args[0].equals("--local")) {
            System.exit(runLocally(Path.of(args[1]))); // the connectors leave threads that would keep the JVM alive
        } else if (args.length == 3 && args[0].equals("--check")) {
            System.exit(check(Path.of(args[1]), Path.of(args[2])));
        } else {
            throw new IllegalArgumentException("arguments are " + Arrays.toString(args)
                    + ": give none, or --local DIR, or --check SCHEMA SQL");
        }
    }

    private static int runLocally(Path directory) {
        try {
            // The consumer keeps its position by a serializer that looks into java.util, at the first checkpoint.
            if (!List.class.getModule().isOpen("java.util", Job.class.getModule())) {
                throw new IllegalStateException(
                        "checkpoints would fail: start java with --add-opens java.base/java.util=ALL-UNNAMED");
            }
            Configuration flink = GlobalConfiguration.loadConfiguration(directory.toString());
            if (!flink.contains(CheckpointingOptions.CHECKPOINTING_INTERVAL)) {
                flink.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, LOCAL_CHECKPOINT_INTERVAL);
            }
            run(
                    StreamExecutionEnvironment.getExecutionEnvironment(flink),
                    localProperties(directory.resolve("application_properties.json")));
            return 0;
        } catch (Throwable failure) {
            LOG.error("The job failed", failure);
            printCauses(failure);
            return 1;
        }
    }

    private static void printCauses(Throwable failure) {
        System.err.println("streamproof analytics failed: "
                + Stream.iterate(failure, Objects::nonNull, Throwable::getCause)
                        .map(Throwable::toString)
                        .collect(Collectors.joining("\n  caused by ")));
    }

    private static int check(Path schema, Path sql) {
        try {
            for (Script.Fault fault : faults(Schema.parse(Files.readString(schema)), Files.readString(sql))) {
                System.out.println(new ObjectMapper()
                        .createObjectNode()
                        .put("line", fault.line)
                        .put("column", fault.column)
                        .put("message", fault.message));
            }
            return 0;
        } catch (Throwable failure) {
            printCauses(failure);
            return 2;
        }
    }

    /** What keeps the job from running this script over records of this schema. */
    static List<Script.Fault> faults(Schema schema, String script) {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        Properties properties = new Properties();
        properties.putAll(Map.of( // it calls none of them
                "stream.arn", "arn:aws:kinesis:eu-west-1:000000000000:stream/none",
                "delivery.stream", "none",
                "rejects.delivery.stream", "none",
                "output.format", "CSV"));
        Config config = Config.of(Map.of(Config.GROUP, properties));
        try {
            define(env, config, schema, script, source(env, config));
        } catch (Script.FaultyException e) {
            return e.faults;
        }
        env.getStreamGraph();
        return List.of();
    }

    /** Reads the file by the service's own library, which takes a missing one for an empty one. */
    private static Map<String, Properties> localProperties(Path file) throws IOException {
        if (!Files.exists(file)) {
            throw new NoSuchFileException(file.toString());
        }
        try {
            return KinesisAnalyticsRuntime.getApplicationProperties(file.toString());
        } catch (IOException | RuntimeException e) {
            throw new IllegalArgumentException(file + " does not hold property groups", e);
        }
    }

    /** Runs the job until it ends. */
    private static void run(StreamExecutionEnvironment env, Map<String, Properties> properties) throws Exception {
        Config config = Config.of(properties);
        Schema schema = Schema.parse(resource("schema.json"));
        String script = config.script.isPresent() ? config.script.get() : resource("pipeline.sql");
        define(env, config, schema, script, source(env, config));
        env.execute(NAME);
    }

    /**
     * The records of the stream. This consumer, deprecated as it is, takes KPL aggregates apart. Of the stream it needs
     * DescribeStream, ListShards, GetShardIterator and GetRecords.
     */
    @SuppressWarnings("deprecation")
    static DataStream<SourceRecord> source(StreamExecutionEnvironment env, Config config) {
        Properties consumer = new Properties();
        consumer.setProperty(AWSConfigConstants.AWS_REGION, config.region);
        consumer.setProperty(ConsumerConfigConstants.STREAM_INITIAL_POSITION, config.initialPosition.name());
        config.kinesisEndpoint.ifPresent(
                endpoint -> consumer.setProperty(AWSConfigConstants.AWS_ENDPOINT, endpoint));
        return env.addSource(
                        new FlinkKinesisConsumer<>(config.stream, new SourceRecord.Deserializer(), consumer))
                .uid("source")
                .name("source");
    }

    /** Adds to {@code env} all that happens to the records: parser, views, the statements of the script, sinks. */
    static void define(
            StreamExecutionEnvironment env,
            Config config,
            Schema schema,
            String script,
            DataStream<SourceRecord> records) {
        // Every record type has a serializer of Flink's own, which later versions of the type can read.
        env.configure(new Configuration().set(PipelineOptions.GENERIC_TYPES, false));
        // Few queries ask for it, and it is longer than many a record.
        boolean metadata = script.contains(schema.sourceWithMetadata());
        SingleOutputStreamOperator<Row> rows = records.process(new Parser(schema, metadata), schema.rowType(metadata))
                .uid("parser")
                .name("parser");
        DataStream<Reject> rejects = rows.getSideOutput(Parser.REJECTS);

        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.getConfig().setLocalTimeZone(ZoneOffset.UTC); // the same result wherever the job runs
        Table source = tables.fromDataStream(rows, schema.viewSchema(metadata));
        if (metadata) {
            tables.createTemporaryView(schema.sourceWithMetadata(), source);
            source = source.dropColumns(Schema.METADATA.stream().map(name -> $(name)).toArray(Expression[]::new));
        }
        tables.createTemporaryView(schema.source, source);
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
        Delivery delivery =
                new Delivery(config.region, config.firehoseEndpoint, config.packBytes, config.packDelayMillis);
        delivery.send(new DataStream<>(env, lines), config.deliveryStream, "");
        delivery.send(
                rejects.union(unfit)
                        .flatMap(new RejectLines(), PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO)
                        .uid("rejects-lines")
                        .name("rejects-lines"),
                config.rejectsDeliveryStream,
                "rejects-");
    }

    /** The end of what the planner has made of the script. */
    @SuppressWarnings("unchecked")
    private static Transformation<byte[]> lines(StreamExecutionEnvironment env) {
        return (Transformation<byte[]>) env.getTransformations().stream()
                .filter(end -> LineTableFactory.UID.equals(end.getUid()))
                .findFirst()
                .orElseThrow();
    }

    /**
     * Names what the planner has made of a query that was set by hand. By itself Flink knows such operators by their place in
     * the graph, and two queries of the same form would take each other's state for their own: with the query's hash in the
     * name, a snapshot gives each query what is its own.
     */
    private static void nameOperators(Transformation<?> end, String hash) {
        int number = 0;
        for (Transformation<?> operator : end.getTransitivePredecessors()) {
            if (operator.getUid() == null) {
                operator.setUid("query-" + hash.substring(0, 16) + "-" + number++);
            }
        }
    }

    /**
     * Runs the script. There is one table and one INSERT: each INSERT would make a sink of its own, and a snapshot knows
     * the sink by its one uid.
     */
    private static void runScript(String text, StreamTableEnvironment tables, String format) {
        Script script = new Script(text);
        List<Script.Statement> statements = script.statements();
        List<Script.Fault> faults = new ArrayList<>();
        List<Script.Statement> creates = new ArrayList<>();
        List<Script.Statement> inserts = new ArrayList<>();
        for (Script.Statement statement : statements) {
            for (int cast : statement.casts()) {
                faults.add(script.fault(
                        statement.offset + cast,
                        "CAST would stop the job at a value that it cannot convert, again after each restart: use"
                                + " TRY_CAST, which gives NULL"));
            }
            if (begins(statement, "INSERT ")) {
                inserts.add(statement);
            } else if (begins(statement, "CREATE TABLE ")) {
                creates.add(statement);
            } else if (!begins(statement, "CREATE ")) {
                faults.add(script.fault(statement.offset, "only CREATE and INSERT can stand here, not: " + statement.text));
            }
        }
        if (faults.isEmpty() && (creates.size() != 1 || inserts.size() != 1)) {
            faults.add(script.fault(
                    0,
                    String.format(
                            "there must be one CREATE TABLE and one INSERT (UNION ALL makes one of several), not %d and %d",
                            creates.size(), inserts.size())));
        }
        if (!faults.isEmpty()) {
            throw new Script.FaultyException(faults, null);
        }
        for (Script.Statement statement : statements) {
            try {
                if (statement == creates.get(0)) {
                    tables.executeSql(statement.text + " WITH ('connector' = '" + LineTableFactory.IDENTIFIER + "')");
                    widen(tables, format);
                } else if (statement != inserts.get(0)) {
                    tables.executeSql(statement.text);
                }
            } catch (RuntimeException e) {
                throw new Script.FaultyException(List.of(script.fault(statement, e)), e);
            }
        }
        try {
            tables.createStatementSet().addInsertSql(inserts.get(0).text).attachAsDataStream();
        } catch (RuntimeException e) {
            throw new Script.FaultyException(List.of(script.fault(inserts.get(0), e)), e);
        }
    }

    private static boolean begins(Script.Statement statement, String words) {
        return (statement.text.toUpperCase(Locale.ROOT).replaceAll("\\s+", " ") + " ").startsWith(words);
    }

    /** Replaces the table that the script has made by one that takes every value: see {@link OutputType}. */
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
            throw new IllegalStateException(e); // it was listed
        }
    }

    /** The text of a file of pipeline/. */
    static String resource(String name) throws IOException {
        try (InputStream file = Job.class.getResourceAsStream("/pipeline/" + name)) {
            return new String(file.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
