// Package record reads the records of the source stream in every format of schema.json: lines of CSV or objects of
// JSON.
//
// It returns each row of a record as canonical values, and bytes that are not a row with the reason. The Flink job's
// RecordParser does the same, down to the reasons and the bytes. Both are tested with the table testdata/records.json.
//
// A canonical value is NULL, or text as SQL prints it, without quotes and escapes. Numbers have a point and no plus,
// and integers no leading zeros. A DECIMAL has exactly its type's digits after the point. A TIMESTAMP is
// yyyy-MM-dd HH:mm:ss in UTC, with the digits of its fraction if there is one; a DATE is yyyy-MM-dd. A BOOLEAN is true
// or false.
package record
