package streamproof.cluster;

import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;

/**
 * The service's rules for programs: from Flink 1.19 on, it refuses configuration that is set in code.
 *
 * <p>https://docs.aws.amazon.com/managed-flink/latest/java/troubleshooting-job-configuration.html
 */
public final class ProgramRules {
    /** The options that code may still set, as the page lists them. */
    private static final List<String> ALLOWED = List.of(
            "pipeline.auto-watermark-interval",
            "pipeline.closure-cleaner-level",
            "pipeline.max-parallelism",
            "pipeline.name",
            "pipeline.operator-chaining.chain-operators-with-different-max-parallelism",
            "pipeline.operator-chaining.enabled",
            "pipeline.vertex-description-mode",
            "pipeline.vertex-name-include-index-prefix",
            "python.execution-mode",
            "python.operator-chaining.enabled");

    private ProgramRules() {}

    /** Sets the rules in a cluster's configuration, and returns it. */
    public static Configuration enforce(Configuration cluster) {
        return cluster.set(DeploymentOptions.PROGRAM_CONFIG_ENABLED, false)
                .set(DeploymentOptions.PROGRAM_CONFIG_WILDCARDS, ALLOWED);
    }
}
