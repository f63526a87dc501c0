/**
 * The analytics application: an Apache Flink job that runs {@code pipeline.sql} over a Kinesis stream.
 *
 * <pre>
 * Kinesis → source → parser → view named by the schema → pipeline.sql → table → lines → packer → sink → Firehose
 *                       └ rejects → view error_stream                                └ rows that do not fit
 *
 * rejects and rows that do not fit → lines of JSON → packer → sink → Firehose
 * </pre>
 *
 * <p>The package names no column. The resolved schema says what a record holds, and {@code pipeline.sql} what the
 * result holds. Both are resources of the JAR, so its content is all that the application does.
 *
 * <p>Promises: a line that cannot be parsed, and a row that the table of {@code pipeline.sql} cannot hold, become
 * rejects. They are never padded, cut, guessed or dropped, and the good lines beside them are kept. Rejects have a
 * delivery stream of their own. Every line is delivered at least once and ends with one newline. The uids of the job's
 * own operators never change, so that a new version restores an old one's snapshot.
 *
 * <p>Not promised: a query whose own computation fails on a value (an integer divided by zero, a text compared with a
 * number) stops the job at that value, again after each restart. CAST, the most common case, is refused at the start.
 *
 * <p>Left to others: checkpoints, restarts and credentials come from the Flink runtime.
 */
package streamproof.analytics;
