// Package dialect reads pipeline.sql and gives it as Flink SQL.
//
// The file may be written in Flink SQL or in the legacy dialect, that of Amazon Kinesis Data Analytics for SQL. Parse says
// which, by its statements, and gives its syntax tree with a position for everything. Translate gives what Flink runs:
// Flink SQL as it stands, byte for byte, and the legacy dialect rewritten on its syntax tree, with names and types bound
// to schema.json's columns and to the streams of the file.
//
// Whatever needs to know what pipeline.sql says leans on this package: the build of the Flink job, the judge (package
// query) and the command line. So none of them can read it in another way.
//
// What the legacy dialect has and the translation does not is refused, by name, with line and column and what to use in
// Flink SQL. Flink SQL is checked as far as a fault is certain; what goes beyond this package's grammar is Flink's.
// docs/legacy-sql.md is the list, and a test that runs each line of it keeps it true.
package dialect
