package streamproof.cluster;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;

/**
 * A Flink cluster in one JVM that accepts jobs over REST and runs until the JVM ends:
 *
 * <pre>
 * java --add-opens=java.base/java.util=ALL-UNNAMED -cp 'target/local/*:target/local' streamproof.cluster.Cluster DIR
 * </pre>
 *
 * <p>DIR holds {@code config.yaml}, Flink's configuration. {@code POST /jars/<name>/run} runs a JAR in {@code
 * <web.upload.dir>/flink-web-upload} as the service does: Flink reads the main class from its manifest and loads its
 * classes child-first. No class of a job is on this JVM's class path.
 */
public final class Cluster {
    private Cluster() {}

    public static void main(String[] args) throws Exception {
        Configuration configuration = ProgramRules.enforce(GlobalConfiguration.loadConfiguration(args[0]));
        MiniCluster cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumSlotsPerTaskManager(configuration.get(TaskManagerOptions.NUM_TASK_SLOTS))
                .build());
        try {
            cluster.start();
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1); // remaining threads would keep the JVM alive
        }
    }
}
