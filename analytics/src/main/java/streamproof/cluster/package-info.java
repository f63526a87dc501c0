/**
 * A stand-in for Managed Service for Apache Flink in one JVM: a cluster that accepts the job's JAR over REST. It is
 * packed into a JAR of its own, which only the local stack uses.
 */
package streamproof.cluster;
