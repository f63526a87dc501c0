// Package dialect parses pipeline.sql and returns it as Flink SQL.
//
// The file may be in Flink SQL or in the legacy dialect, that of Amazon Kinesis Data Analytics for SQL. Parse tells the
// two apart by their statements and returns a syntax tree in which everything has a position. Translate returns what
// Flink runs: Flink SQL byte for byte, or the legacy dialect rewritten on its syntax tree, with names and types bound
// to schema.json's columns and to the file's own streams.
//
// The build of the Flink job, the verifier (package query) and the command line all read pipeline.sql through this
// package, so none of them can read it differently. It is also the one place that checks the job's own rules: one
// CREATE TABLE and one INSERT, no CAST, no column that cannot be delivered. Everything else in Flink SQL is checked by
// Flink, which plans the query in every build: see docs/decisions/0027.
//
// A legacy construct that cannot be translated is refused by name, with line, column and a replacement in Flink SQL.
// docs/legacy-sql.md lists them all; a test runs each line of that list.
package dialect
