package row

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"streamproof/internal/encoding"
	"streamproof/internal/schema"
)

// Delimiters are the delimiters that a line of CSV may have.
const Delimiters = ",;|\t"

// A Column of a result.
type Column struct {
	// Name is the schema's name for the column, and Alias the query's. They are the same if only one has a name for it.
	Name, Alias string
	Type        schema.Type
}

// A Schema is the columns of a result, in order.
type Schema []Column

// Of returns the columns of the records themselves.
func Of(schema schema.Schema) Schema {
	var s Schema
	for _, c := range schema.Columns {
		s = append(s, Column{Name: c.Name, Alias: c.Alias, Type: c.Type})
	}
	return s
}

// A Field is one value of a line.
type Field struct {
	// Text is the value as the line has it, without quotes and escapes: a number may be 007 or 1e-1. It may be a part
	// of the line. It has no meaning if the value is NULL.
	Text []byte
	Null bool
}

// Each value of a key begins with one of these.
const (
	null    = 0
	present = 1
)

// Append reads one line, without its newline, and appends its key to dst. An error is an *Error; dst is returned
// unchanged then.
func (s Schema) Append(dst, line []byte) ([]byte, error) { return s.AppendFields(dst, nil, line) }

// AppendFields is Append that also sets fields, one for each column, to the values of the line, unless fields is nil.
func (s Schema) AppendFields(dst []byte, fields []Field, line []byte) ([]byte, error) {
	var key []byte
	var err *Error
	if len(line) > 0 && line[0] == '{' {
		key, err = s.appendJSON(dst, fields, line)
	} else {
		key, err = s.appendCSV(dst, fields, line)
	}
	if err != nil {
		if name := encodingOf(line); name != "" {
			err = &Error{Reason: name}
		}
		return dst, err
	}
	return key, nil
}

// encodingOf names the encoding that may be why a line is not a row, or the carriage return of a CRLF.
func encodingOf(line []byte) string {
	name := encoding.Guess(line)
	if name == "" && len(line) > 0 && line[0] != '{' && line[len(line)-1] == '\r' {
		name = "carriage return"
	}
	return name
}

// AppendNull appends a NULL to a row's key. This and the methods below make the key of a row that was computed, column
// by column.
func (c *Column) AppendNull(key []byte) []byte { return append(key, null) }

// AppendInteger appends an INTEGER, a BIGINT, or 0 or 1 for a BOOLEAN.
func (c *Column) AppendInteger(key []byte, n int64) ([]byte, error) {
	switch kind := c.Type.Kind; {
	case kind == schema.Integer && n == int64(int32(n)):
		return binary.BigEndian.AppendUint32(append(key, present), uint32(n)), nil
	case kind == schema.BigInt:
		return binary.BigEndian.AppendUint64(append(key, present), uint64(n)), nil
	case kind == schema.Boolean && n == n&1:
		return append(key, present, byte(n)), nil
	}
	return key, c.otherType(strconv.AppendInt(nil, n, 10))
}

// AppendFloat appends a REAL or a DOUBLE.
func (c *Column) AppendFloat(key []byte, f float64) ([]byte, error) {
	switch c.Type.Kind {
	case schema.Real:
		return binary.BigEndian.AppendUint32(append(key, present), math.Float32bits(float32(f)+0)), nil
	case schema.Double:
		return binary.BigEndian.AppendUint64(append(key, present), math.Float64bits(f+0)), nil
	}
	return key, c.otherType(strconv.AppendFloat(nil, f, 'g', -1, 64))
}

// AppendText appends a value of any type that a line has in the form of this text.
func (c *Column) AppendText(key []byte, text string) ([]byte, error) {
	appended, err := c.appendText(key, []byte(text), true)
	if err != nil {
		return key, err
	}
	return appended, nil
}

// Format returns the row of a key as CSV, for people.
func (s Schema) Format(key []byte) string {
	var out []byte
	for i, f := range s.Fields(nil, key) {
		if i > 0 {
			out = append(out, ',')
		}
		switch {
		case f.Null:
		case s[i].isText():
			out = strconv.AppendQuote(out, string(f.Text))
		default:
			out = append(out, f.Text...)
		}
	}
	return string(out)
}

// Fields appends the values of a key to dst. A Writer makes a line of them that Append reads as the same key.
func (s Schema) Fields(dst []Field, key []byte) []Field {
	for _, c := range s {
		marker := key[0]
		key = key[1:]
		if marker == null {
			dst = append(dst, Field{Null: true})
			continue
		}
		var text []byte
		switch c.Type.Kind {
		case schema.Integer:
			text = strconv.AppendInt(nil, int64(int32(binary.BigEndian.Uint32(key))), 10)
			key = key[4:]
		case schema.BigInt:
			text = strconv.AppendInt(nil, int64(binary.BigEndian.Uint64(key)), 10)
			key = key[8:]
		case schema.Real:
			text = strconv.AppendFloat(nil, float64(math.Float32frombits(binary.BigEndian.Uint32(key))), 'g', -1, 32)
			key = key[4:]
		case schema.Double:
			text = strconv.AppendFloat(nil, math.Float64frombits(binary.BigEndian.Uint64(key)), 'g', -1, 64)
			key = key[8:]
		case schema.Timestamp:
			seconds := int64(binary.BigEndian.Uint64(key))
			nanos := int64(binary.BigEndian.Uint32(key[8:]))
			text = time.Unix(seconds, nanos).UTC().AppendFormat(nil, schema.TimestampLayout+".999999999")
			key = key[12:]
		case schema.Date:
			text = fmt.Appendf(nil, "%04d-%02d-%02d", binary.BigEndian.Uint16(key), key[2], key[3])
			key = key[4:]
		case schema.Boolean:
			text = strconv.AppendBool(nil, key[0] == 1)
			key = key[1:]
		default:
			length, n := binary.Uvarint(key)
			text = key[n : n+int(length)]
			key = key[n+int(length):]
		}
		dst = append(dst, Field{Text: text})
	}
	return dst
}
