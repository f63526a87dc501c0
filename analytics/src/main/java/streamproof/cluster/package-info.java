/**
 * What Managed Service for Apache Flink does around a job, in one JVM: a cluster to which the job's JAR is submitted
 * over REST. It is packed into a JAR of its own, for this machine only.
 */
package streamproof.cluster;
