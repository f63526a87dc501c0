// Package reshape is the transformation that Firehose calls before it writes to S3. It turns rows into rows in another
// format.
//
// A record's data is any number of lines. A line is a row of the pipeline's output, in CSV or JSON (see package row),
// or a trip: CSV with all columns of the schema, which a delivery stream that reads the Kinesis stream itself has. If
// schema.json has another format, a record with a line that is not a row of the output is read as the Flink job reads
// it (package record). Rows go out as JSON lines with the schema's names, or as CSV with a chosen delimiter. Every
// line ends with a newline.
//
// Every record is answered exactly once and in order. A record with a line that is not a row goes back complete, as
// ProcessingFailed with its own data, and Firehose keeps it under the error prefix: none of its rows is delivered. The
// answer never exceeds Lambda's limit. docs/transform.md has the details.
//
// The rules for events and answers are those of
// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html.
package reshape
