package streamproof.analytics;

import java.util.function.Consumer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Defines a job whose configuration is not the program's to change.
 *
 * <p>The service refuses a job whose environment holds options that the program has set; the Table planner sets some for
 * every query. So the job is drafted on an environment of its own, and only its operators go to the one that executes it.
 */
final class Draft {
    private Draft() {}

    /** Has {@code define} add operators to a draft, checks that, and adds them to {@code env}. */
    static void define(StreamExecutionEnvironment env, Consumer<StreamExecutionEnvironment> define) {
        Configuration configuration = Configuration.fromMap(env.getConfiguration().toMap());
        // Every record type has a serializer of Flink's own, which later versions of the type can read.
        configuration.set(PipelineOptions.GENERIC_TYPES, false);
        StreamExecutionEnvironment draft =
                new StreamExecutionEnvironment(configuration, Thread.currentThread().getContextClassLoader());
        define.accept(draft);
        draft.getStreamGraph(false); // creates the serializers, and so fails where one is generic
        draft.getTransformations().forEach(env::addOperator);
    }
}
