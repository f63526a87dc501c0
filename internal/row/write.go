package row

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"streamproof/internal/schema"
)

// A Writer appends the values of a row to dst as one line with a newline, which Append reads as the same row. An error
// is an *Error, and names the column whose value no line can hold; dst is returned unchanged then.
type Writer func(dst []byte, fields []Field) ([]byte, error)

// JSON returns the writer of JSON lines: an object of all columns, in order, by the names of the schema. Numbers are
// numbers, written as they were if that is JSON. Text, timestamps and dates are strings, booleans are true or false,
// and NULL is null. It never fails.
func (s Schema) JSON() Writer {
	members := make([][]byte, len(s)) // each column's name, and the text around it
	for i := range s {
		members[i] = append(members[i], "{,"[min(i, 1)])
		members[i] = append(appendString(members[i], []byte(s[i].Name)), ':')
	}
	return func(dst []byte, fields []Field) ([]byte, error) {
		for i := range s {
			dst = append(dst, members[i]...)
			dst = s[i].appendJSONValue(dst, &fields[i])
		}
		return append(dst, "}\n"...), nil
	}
}

// CSV returns the writer of CSV lines with one of the Delimiters. Text is quoted if it has any of the Delimiters, a
// quote or a carriage return, or if the line would otherwise read as something else. No line of CSV can hold text with
// a newline, nor NULL where it would read as empty text or as an empty line.
func (s Schema) CSV(delimiter byte) Writer {
	return func(dst []byte, fields []Field) ([]byte, error) {
		start := len(dst)
		for i := range s {
			if i > 0 {
				dst = append(dst, delimiter)
			}
			text := fields[i].Text
			isText := s[i].isText()
			switch {
			case fields[i].Null && (isText || len(s) == 1):
				return dst[:start], &Error{Column: s[i].Name, Reason: "NULL would read as something else in CSV"}
			case fields[i].Null:
			case isText && bytes.IndexByte(text, '\n') >= 0:
				return dst[:start], &Error{Column: s[i].Name, Reason: "a newline would end the line of CSV"}
			case isText && (needsQuotes(text) || i == 0 && bytes.HasPrefix(text, []byte("{"))) || len(s) == 1 && len(text) == 0:
				dst = append(dst, '"')
				dst = append(dst, bytes.ReplaceAll(text, []byte(`"`), []byte(`""`))...)
				dst = append(dst, '"')
			default:
				dst = append(dst, text...)
			}
		}
		return append(dst, '\n'), nil
	}
}

func needsQuotes(text []byte) bool {
	for _, c := range text {
		if c == '"' || c == '\r' || strings.IndexByte(Delimiters, c) >= 0 {
			return true
		}
	}
	return false
}

// appendJSONValue writes a value that appendText has read.
func (c *Column) appendJSONValue(dst []byte, field *Field) []byte {
	if field.Null {
		return append(dst, "null"...)
	}
	switch c.Type.Kind {
	case schema.Integer, schema.BigInt:
		if !isJSONNumber(field.Text) {
			n, _ := ParseInteger(field.Text)
			return strconv.AppendInt(dst, n, 10)
		}
	case schema.Real, schema.Double:
		if !isJSONNumber(field.Text) {
			bits := 64
			if c.Type.Kind == schema.Real {
				bits = 32
			}
			f, _ := parseFloat(string(field.Text), bits)
			return strconv.AppendFloat(dst, f, 'g', -1, bits)
		}
	case schema.Boolean:
		return strconv.AppendBool(dst, field.Text[0]|0x20 == 't')
	case schema.Decimal: // only records of the source have DECIMALs, already in this form
	case schema.Timestamp, schema.Date:
		return append(append(append(dst, '"'), field.Text...), '"')
	default:
		return appendString(dst, field.Text)
	}
	return append(dst, field.Text...)
}

// isJSONNumber reports whether a number that ParseInteger or ParseFloat has read is also a number in JSON: no plus, no
// leading zeros, and digits on both sides of a point.
func isJSONNumber(text []byte) bool {
	if text[0] == '-' {
		text = text[1:]
	}
	if len(text) == 0 || text[0] < '0' || text[0] > '9' || text[0] == '0' && len(text) > 1 && text[1] >= '0' && text[1] <= '9' {
		return false
	}
	point := bytes.IndexByte(text, '.')
	return point < 0 || point+1 < len(text) && text[point+1] >= '0' && text[point+1] <= '9'
}

// appendString writes text, which is valid UTF-8, as a JSON string.
func appendString(dst, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c == '"' || c == '\\' {
			dst, _ = jsontext.AppendQuote(dst, text)
			return dst
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}
