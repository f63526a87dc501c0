// Package row reads the rows of a result, line by line, and makes comparable keys of them.
//
// A key is the row by value: equal keys are equal rows, whether they were written as CSV or JSON or came from the
// verifier's own SQL engine. Integers compare as integers, REAL as the nearest 32-bit float, DOUBLE as the nearest
// 64-bit float, text byte by byte, timestamps as instants, and NULL only with NULL. Reading is strict: a line that is
// not exactly a row of the schema is an error. Nothing is padded, trimmed or guessed.
//
// A line that begins with a brace is JSON: an object of all columns, each under its name or alias. Any other line is
// CSV as in RFC 4180, in the order of the schema, without a header. Its delimiter is the comma if the line is a row
// with commas, and else the semicolon, bar or tab that occurs outside quotes. A writer quotes text that has any of the
// four, so that no line can be read in two ways.
package row
