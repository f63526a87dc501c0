package streamproof.analytics;

import java.util.function.Consumer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Defines a job without changing the environment's configuration.
 *
 * <p>The service refuses a job if the program has set options of its environment, and the Table planner sets some for
 * every query. So the job is drafted in a second environment, and only its operators are added to the first.
 */
final class Draft {
    private Draft() {}

    /** Calls {@code define} with a draft, checks it, and adds its operators to {@code env}. */
    static void define(StreamExecutionEnvironment env, Consumer<StreamExecutionEnvironment> define) {
        Configuration configuration = Configuration.fromMap(env.getConfiguration().toMap());
        // Only Flink's own serializers: a snapshot must be readable by a later version of a record's class.
        configuration.set(PipelineOptions.GENERIC_TYPES, false);
        StreamExecutionEnvironment draft =
                new StreamExecutionEnvironment(configuration, Thread.currentThread().getContextClassLoader());
        define.accept(draft);
        draft.getStreamGraph(false); // creates the serializers, and fails if one is generic
        draft.getTransformations().forEach(env::addOperator);
    }
}
