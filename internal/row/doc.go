// Package row reads the rows of a result, line by line, and makes comparable keys of them.
//
// A key is the row by value. Equal keys are equal rows, whether a row was written as CSV or as JSON, or computed by the
// verifier's engine. Integers compare as integers, REAL as the nearest 32-bit float, DOUBLE as 64-bit, text byte by
// byte, timestamps as instants, and NULL only with NULL. Reading is strict: a line that is not exactly a row of the
// schema is an error, and nothing is padded, trimmed or guessed.
//
// A line that begins with a brace is JSON: an object of all columns, each under its name or its alias. Every other line
// is CSV as in RFC 4180, in the order of the schema, without a header. Its delimiter is a comma, a semicolon, a bar or
// a tab, determined for each line. A line that is a row with commas is that row. Otherwise the delimiter is the one
// that stands outside quotes, so text with any of the four must be quoted: no line is a row in two ways.
package row
