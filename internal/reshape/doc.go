// Package reshape is the transformation that Firehose calls before it writes to S3: rows in, rows out in another form.
//
// A record's data is any number of lines, each a row: of the pipeline's output, as CSV or as JSON (see package row), or
// a trip, as CSV with all columns of the schema, where the delivery stream reads the Kinesis stream itself. Where schema.json
// has another format, a record with a line that is no row of the output is read as the Flink job does (package record). They come
// back as JSON lines with the names of the schema, or as CSV with a delimiter of choice; every line ends with a newline.
//
// Every record comes back exactly once and in order. One that has a line which is no row comes back whole, as
// ProcessingFailed with its own data, so that Firehose keeps it under the error prefix: no row of a record is delivered
// where another is not. The answer never exceeds what Lambda lets a function answer. docs/transform.md has the details.
//
// The rules of events and answers are those of
// https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html.
package reshape
