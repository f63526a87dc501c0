// Package record reads the records of the source stream in any format that schema.json can describe: lines of CSV or
// objects of JSON.
//
// It returns each row as canonical values, and what is not a row with a reason. The Flink job's RecordParser does the
// same, byte by byte and reason by reason; testdata/records.json tests both.
//
// A canonical value is NULL or text as SQL would print it: without quotes and escapes; numbers with a point and without
// a plus; integers without leading zeros; a DECIMAL with all decimals of its type; a TIMESTAMP as yyyy-MM-dd HH:mm:ss
// in UTC, with as many digits of a fraction as it has; a DATE as yyyy-MM-dd; a BOOLEAN as true or false.
package record
