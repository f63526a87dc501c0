package streamproof.analytics;

import java.time.ZoneOffset;
import java.util.List;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;

/** The environment in which tests run SQL without a job. */
final class Tables {
    private Tables() {}

    /** Has the schema's view, over these rows. */
    static StreamTableEnvironment of(Schema schema, List<Row> rows) {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setParallelism(1);
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.getConfig().setLocalTimeZone(ZoneOffset.UTC);
        tables.createTemporaryView(
                schema.source,
                tables.fromDataStream(env.fromData(rows, schema.rowType(false)), schema.viewSchema(false)));
        return tables;
    }
}
