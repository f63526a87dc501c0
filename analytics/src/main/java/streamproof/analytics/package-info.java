/**
 * The analytics application: an Apache Flink job that runs {@code pipeline.sql} over a Kinesis stream.
 *
 * <pre>
 * Kinesis stream → source → parser → view named by schema.json → pipeline.sql → delivery table → sink → Firehose
 *                              └ rejects → view error_stream
 * </pre>
 *
 * <p>The package knows no column: names, order and types of a record come from {@code schema.json}, the query and the
 * columns of its result from {@code pipeline.sql}. Both files are in the JAR, so that the content of the JAR is the
 * whole of what the application does.
 *
 * <p>Promises: what cannot be parsed becomes a reject, and is never padded, guessed or dropped; the good lines beside
 * it go on. Every row is delivered at least once and ends with one newline. The uids of the operators that keep state
 * ({@code source}, {@code sink}) and of the parser never change, so that a new version restores an old one's snapshot.
 *
 * <p>Left to others: checkpointing, restarts and credentials are those of the Flink runtime that the job is given to.
 */
package streamproof.analytics;
