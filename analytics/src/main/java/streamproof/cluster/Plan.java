package streamproof.cluster;

import java.io.File;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.dag.Pipeline;
import org.apache.flink.client.ClientUtils;
import org.apache.flink.client.FlinkPipelineTranslationUtil;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.client.program.ProgramAbortException;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.core.execution.PipelineExecutor;
import org.apache.flink.core.execution.PipelineExecutorFactory;
import org.apache.flink.core.execution.PipelineExecutorServiceLoader;

/**
 * Plans the job of a JAR with the code that a cluster starts it with, and runs no job:
 *
 * <pre>
 * java --add-opens=java.base/java.util=ALL-UNNAMED -cp 'target/local/*:target/local' \
 *     streamproof.cluster.Plan JAR [ARGUMENT …]
 * </pre>
 *
 * <p>The exit status is 0 if a cluster would accept the job, or the program executes none. Otherwise it is 2, and the
 * causes are printed to standard error.
 */
public final class Plan {
    private Plan() {}

    public static void main(String[] args) {
        try {
            plan(new File(args[0]), Arrays.copyOfRange(args, 1, args.length));
            System.exit(0);
        } catch (Throwable failure) {
            System.err.println(Stream.iterate(failure, Objects::nonNull, Throwable::getCause)
                    .map(Throwable::toString)
                    .collect(Collectors.joining("\n  caused by ")));
            System.exit(2);
        }
    }

    private static void plan(File jar, String... arguments) throws Exception {
        Configuration configuration =
                ProgramRules.enforce(new Configuration().set(DeploymentOptions.TARGET, Planner.NAME));
        try (PackagedProgram program = PackagedProgram.newBuilder()
                .setJarFile(jar)
                .setArguments(arguments)
                .setConfiguration(configuration)
                .build()) {
            ClientUtils.executeProgram(new Planner(), configuration, program, true, false);
        } catch (ProgramAbortException planned) {
            // from Planner
        }
    }

    /** Builds the graph that a cluster would get, then ends the program. */
    private static final class Planner implements PipelineExecutorServiceLoader, PipelineExecutorFactory {
        static final String NAME = "plan";

        @Override
        public PipelineExecutorFactory getExecutorFactory(Configuration configuration) {
            return this;
        }

        @Override
        public PipelineExecutor getExecutor(Configuration configuration) {
            return (Pipeline pipeline, Configuration job, ClassLoader classes) -> {
                FlinkPipelineTranslationUtil.getJobGraph(classes, pipeline, job, 1);
                throw new ProgramAbortException();
            };
        }

        @Override
        public Stream<String> getExecutorNames() {
            return Stream.of(NAME);
        }

        @Override
        public String getName() {
            return NAME;
        }

        @Override
        public boolean isCompatibleWith(Configuration configuration) {
            return true;
        }
    }
}
