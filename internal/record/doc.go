// Package record reads the records of the source stream, in any format that schema.json can say: CSV lines or JSON
// objects.
//
// It gives each row of a record as canonical values, or the bytes of what is no row with the reason. The Flink job's
// RecordParser does the same, reason by reason and byte by byte: internal/record/testdata/records.json is a table that
// both are tested by.
//
// A canonical value is NULL, or text as SQL would print it: without quotes and escapes; numbers with a point, without
// a plus; whole numbers without zeros before them; a DECIMAL with exactly the digits behind the point that its type
// has; a TIMESTAMP as yyyy-MM-dd HH:mm:ss in UTC, with as much of a fraction as there is; a DATE as yyyy-MM-dd; a
// BOOLEAN as true or false.
package record
