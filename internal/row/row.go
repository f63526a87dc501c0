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

// AppendValues appends the key of a row that a SQL engine returned as int64, float64, string, bool, time.Time or nil.
func (s Schema) AppendValues(dst []byte, values []any) ([]byte, error) {
	if len(values) != len(s) {
		return dst, fmt.Errorf("a row of %d values for %d columns", len(values), len(s))
	}
	key := dst
	for i, value := range values {
		if value == nil {
			key = append(key, null)
			continue
		}
		key = append(key, present)
		var ok bool
		switch kind := s[i].Type.Kind; kind {
		case schema.Integer:
			var n int64
			n, ok = value.(int64)
			ok = ok && n == int64(int32(n))
			key = binary.BigEndian.AppendUint32(key, uint32(n))
		case schema.BigInt:
			var n int64
			n, ok = value.(int64)
			key = binary.BigEndian.AppendUint64(key, uint64(n))
		case schema.Real:
			var f float64
			f, ok = value.(float64)
			key = binary.BigEndian.AppendUint32(key, math.Float32bits(float32(f)+0))
		case schema.Double:
			var f float64
			f, ok = value.(float64)
			key = binary.BigEndian.AppendUint64(key, math.Float64bits(f+0))
		default:
			var text string
			text, ok = value.(string)
			if ok {
				var err *Error
				if key, err = s[i].appendText(key[:len(key)-1], []byte(text), true); err != nil {
					return dst, err
				}
			}
		}
		if !ok {
			return dst, fmt.Errorf("column %s: %v (%T) is not of type %s", s[i].Name, value, value, s[i].Type)
		}
	}
	return key, nil
}

// Format returns the row of a key as CSV, for people.
func (s Schema) Format(key []byte) string {
	var out []byte
	for i, c := range s {
		if i > 0 {
			out = append(out, ',')
		}
		marker := key[0]
		key = key[1:]
		if marker == null {
			continue
		}
		switch c.Type.Kind {
		case schema.Integer:
			out = strconv.AppendInt(out, int64(int32(binary.BigEndian.Uint32(key))), 10)
			key = key[4:]
		case schema.BigInt:
			out = strconv.AppendInt(out, int64(binary.BigEndian.Uint64(key)), 10)
			key = key[8:]
		case schema.Real:
			out = strconv.AppendFloat(out, float64(math.Float32frombits(binary.BigEndian.Uint32(key))), 'g', -1, 32)
			key = key[4:]
		case schema.Double:
			out = strconv.AppendFloat(out, math.Float64frombits(binary.BigEndian.Uint64(key)), 'g', -1, 64)
			key = key[8:]
		case schema.Timestamp:
			seconds := int64(binary.BigEndian.Uint64(key))
			nanos := int64(binary.BigEndian.Uint32(key[8:]))
			out = time.Unix(seconds, nanos).UTC().AppendFormat(out, schema.TimestampLayout+".999999999")
			key = key[12:]
		case schema.Date:
			out = fmt.Appendf(out, "%04d-%02d-%02d", binary.BigEndian.Uint16(key), key[2], key[3])
			key = key[4:]
		case schema.Boolean:
			out = strconv.AppendBool(out, key[0] == 1)
			key = key[1:]
		default:
			length, n := binary.Uvarint(key)
			out = strconv.AppendQuote(out, string(key[n:n+int(length)]))
			key = key[n+int(length):]
		}
	}
	return string(out)
}
