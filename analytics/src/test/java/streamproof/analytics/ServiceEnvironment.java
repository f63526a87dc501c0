package streamproof.analytics;

import java.util.List;
import org.apache.flink.client.program.StreamContextEnvironment;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.util.MiniClusterPipelineExecutorServiceLoader;
import streamproof.cluster.ProgramRules;

/** The execution environment that a program gets from a cluster with {@link ProgramRules}. */
final class ServiceEnvironment {
    private ServiceEnvironment() {}

    /** An environment that executes in a cluster with this configuration. */
    static StreamExecutionEnvironment of(MiniCluster cluster, Configuration configuration) {
        ProgramRules.enforce(configuration);
        MiniClusterPipelineExecutorServiceLoader.updateConfigurationForMiniCluster(configuration, List.of(), List.of());
        return new StreamContextEnvironment(
                new MiniClusterPipelineExecutorServiceLoader(cluster),
                configuration,
                new Configuration(configuration),
                ServiceEnvironment.class.getClassLoader(),
                false,
                true,
                configuration.get(DeploymentOptions.PROGRAM_CONFIG_ENABLED),
                configuration.get(DeploymentOptions.PROGRAM_CONFIG_WILDCARDS));
    }
}
