/**
 * The analytics application: an Apache Flink job that runs {@code pipeline.sql} over a Kinesis stream.
 *
 * <pre>
 * Kinesis → source → parser → view named by schema.json → pipeline.sql → table → lines → packer → sink → Firehose
 *                       └ rejects → view error_stream                               └ rows that do not fit
 *
 * rejects and rows that do not fit → lines of JSON → packer → sink → Firehose
 * </pre>
 *
 * <p>The package knows no column: names, order and types of a record come from {@code schema.json}, the query and the
 * columns of its result from {@code pipeline.sql}. The source gives records as Kinesis has them; the parser takes aggregates
 * apart. Both files are in the JAR, so that the content of the JAR is the whole of what the application does.
 *
 * <p>Promises: what cannot be parsed, and a row that the table of {@code pipeline.sql} cannot hold, become rejects, and
 * are never padded, cut, guessed or dropped; the good lines beside them go on. Rejects have a delivery stream of their
 * own. Every line is delivered at least once and ends with one newline. The uids of all operators but those that the
 * planner makes of the script never change, so that a new version restores an old one's snapshot.
 *
 * <p>Not promised: a query whose own computation fails on a value (an integer divided by zero, a text compared with a
 * number) stops the job there, again after each restart. CAST, the commonest such case, is refused at the start.
 *
 * <p>Left to others: checkpointing, restarts and credentials are those of the Flink runtime that the job is given to.
 */
package streamproof.analytics;
