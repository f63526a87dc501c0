// Package row reads the rows of a result, line by line, and makes comparable keys of them.
//
// A key is the row by value: equal keys are equal rows, whether they were written as CSV or as JSON, or came out of
// the judge's own engine. Integers compare as integers, REAL as the nearest 32-bit float, DOUBLE as 64-bit, text byte
// by byte, timestamps as instants, and NULL only with NULL. A line is read strictly: what is not exactly a row of the
// schema is an error, and nothing is padded, trimmed or guessed.
//
// A line that begins with a brace is JSON: an object of all columns, each by its name or by its alias. Every other
// line is CSV as in RFC 4180, in the order of the schema, without a header. Its delimiter is the comma, a semicolon, a
// bar or a tab, told line by line: what is a row by commas is that row. Only where it is none, the delimiter is the
// one that stands outside quotes; text that has any of the four has to be in quotes then, so that no line is a row in
// two ways.
package row
