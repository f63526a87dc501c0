package streamproof.analytics;

import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/** The environment in which tests run SQL without a job. */
final class Tables {
    private Tables() {}

    /**
     * Has the schema's views of these records, by the parser and the table of the job: the query's first operator gets
     * rows as it does there, which no serializer has written. One query can be run.
     */
    static StreamTableEnvironment of(Schema schema, List<String> records) {
        // Not the context's, which may be the cluster of JobTest: that runs at the same time, and may end first.
        Configuration configuration = new Configuration();
        configuration.set(DeploymentOptions.TARGET, "local");
        configuration.set(DeploymentOptions.ATTACHED, true);
        StreamExecutionEnvironment env = new StreamExecutionEnvironment(configuration);
        env.setParallelism(1);
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        tables.getConfig().setLocalTimeZone(ZoneOffset.UTC);
        List<SourceRecord> source = records.stream().map(Tables::record).collect(Collectors.toList());
        Job.addViews(tables, schema, env.fromData(source, TypeInformation.of(SourceRecord.class)));
        return tables;
    }

    private static SourceRecord record(String text) {
        SourceRecord record = new SourceRecord();
        record.data = text.getBytes(StandardCharsets.UTF_8);
        return record;
    }
}
