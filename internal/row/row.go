// Package row reads the rows that the analytics application writes, line by line, and makes comparable keys of them.
//
// A key is the row by value: equal keys are equal rows, whether they were written as CSV or as JSON, or came out of the
// judge's own engine. Integers compare as integers, REAL as the nearest 32-bit float, DOUBLE as 64-bit, text byte by byte,
// timestamps as instants, and NULL only with NULL. A line is read strictly: what is not exactly a row of the schema is
// an error, and nothing is padded, trimmed or guessed.
package row

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"streamproof/pipeline"
)

// A Column of a result.
type Column struct {
	// Name is what the schema calls the column, Alias what the query calls it; they are the same where only one does.
	Name, Alias string
	Type        pipeline.Type
}

// A Schema is the columns of a result, in order.
type Schema []Column

// Each value of a key begins with one of these.
const (
	null    = 0
	present = 1
)

// Append reads one line, without its newline, and appends its key to dst. The format is told by the line itself:
// what begins with a brace is JSON, the rest is CSV. On an error, dst is returned as it came.
func (s Schema) Append(dst, line []byte) ([]byte, error) {
	var key []byte
	var err error
	if len(line) > 0 && line[0] == '{' {
		key, err = s.appendJSON(dst, line)
	} else {
		key, err = s.appendCSV(dst, line)
	}
	if err != nil {
		return dst, err
	}
	return key, nil
}

func (s Schema) appendCSV(dst, line []byte) ([]byte, error) {
	if len(line) == 0 {
		return nil, errors.New("empty line")
	}
	rest := line
	for i := range s {
		var field []byte
		var quoted, last bool
		if len(rest) > 0 && rest[0] == '"' {
			var err error
			if field, rest, err = unquote(rest); err != nil {
				return nil, fmt.Errorf("column %s: %w", s[i].Name, err)
			}
			quoted, last = true, len(rest) == 0
			if !last {
				rest = rest[1:] // the comma that unquote has seen
			}
		} else {
			comma := 0 // by hand: most fields are too short for a call to pay
			for comma < len(rest) && rest[comma] != ',' {
				comma++
			}
			if last = comma == len(rest); last {
				field = rest
			} else {
				field, rest = rest[:comma], rest[comma+1:]
			}
		}
		if last != (i == len(s)-1) {
			return nil, fmt.Errorf("the line has not the %d columns of the output", len(s))
		}
		var err error
		if dst, err = s[i].appendText(dst, field, quoted); err != nil {
			return nil, fmt.Errorf("column %s: %w", s[i].Name, err)
		}
	}
	return dst, nil
}

// unquote takes a field in quotes apart, up to the comma or the end that must follow it.
func unquote(text []byte) (field, rest []byte, err error) {
	for at := 1; at < len(text); at++ {
		if text[at] != '"' {
			continue
		}
		if at+1 < len(text) && text[at+1] == '"' {
			at++
			continue
		}
		if at+1 < len(text) && text[at+1] != ',' {
			return nil, nil, errors.New("text after a closing quote")
		}
		return bytes.ReplaceAll(text[1:at], []byte(`""`), []byte(`"`)), text[at+1:], nil
	}
	return nil, nil, errors.New("a quote is not closed")
}

func (s Schema) appendJSON(dst, line []byte) ([]byte, error) {
	decoder := jsontext.NewDecoder(bytes.NewReader(line))
	if _, err := decoder.ReadToken(); err != nil {
		return nil, err
	}
	values := make([][]byte, len(s)) // each is a key's part
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		at := -1
		for i := range s {
			if s[i].Name == name.String() || s[i].Alias == name.String() {
				at = i
			}
		}
		if at < 0 {
			return nil, fmt.Errorf("column %q is not one of the output's", name.String())
		}
		if values[at] != nil {
			return nil, fmt.Errorf("column %s is given twice", s[at].Name)
		}
		value, err := decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		if values[at], err = s[at].appendToken(nil, value); err != nil {
			return nil, fmt.Errorf("column %s: %w", s[at].Name, err)
		}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the closing brace")
	}
	for i, value := range values {
		if value == nil {
			return nil, fmt.Errorf("column %s is missing", s[i].Name)
		}
		dst = append(dst, value...)
	}
	return dst, nil
}

func (c *Column) appendToken(dst []byte, value jsontext.Token) ([]byte, error) {
	switch kind := value.Kind(); kind {
	case 'n':
		return append(dst, null), nil
	case '0':
		switch c.Type.Kind {
		case pipeline.Integer, pipeline.BigInt, pipeline.Real, pipeline.Double:
			return c.appendText(dst, []byte(value.String()), false)
		}
	case '"':
		switch c.Type.Kind {
		case pipeline.Timestamp, pipeline.Char, pipeline.VarChar:
			return c.appendText(dst, []byte(value.String()), true)
		}
	case 't', 'f':
		if c.Type.Kind == pipeline.Boolean {
			return c.appendText(dst, []byte(value.String()), false)
		}
	}
	return nil, fmt.Errorf("the JSON value is not of type %s", c.Type)
}

// appendText reads one value as text; empty text that is not quoted is NULL, but for text columns.
func (c *Column) appendText(dst, text []byte, quoted bool) ([]byte, error) {
	kind := c.Type.Kind
	isText := kind == pipeline.Char || kind == pipeline.VarChar
	if len(text) == 0 && !quoted && !isText {
		return append(dst, null), nil
	}
	bad := func() ([]byte, error) { return nil, fmt.Errorf("%q is not of type %s", excerpt(text), c.Type) }
	dst = append(dst, present)
	// The string is only read while text is, and never kept.
	s := unsafe.String(unsafe.SliceData(text), len(text))
	switch kind {
	case pipeline.Integer:
		n, ok := parseInteger(text)
		if !ok || n != int64(int32(n)) {
			return bad()
		}
		return binary.BigEndian.AppendUint32(dst, uint32(n)), nil
	case pipeline.BigInt:
		n, ok := parseInteger(text)
		if !ok {
			return bad()
		}
		return binary.BigEndian.AppendUint64(dst, uint64(n)), nil
	case pipeline.Real:
		f, err := parseFloat(s, 32)
		if err != nil {
			return bad()
		}
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f))), nil
	case pipeline.Double:
		f, err := parseFloat(s, 64)
		if err != nil {
			return bad()
		}
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), nil
	case pipeline.Timestamp:
		t, err := time.Parse(pipeline.TimestampLayout, s) // takes a fraction of a second too
		if err != nil {
			return bad()
		}
		return appendTime(dst, t), nil
	case pipeline.Boolean:
		switch s {
		case "true":
			return append(dst, 1), nil
		case "false":
			return append(dst, 0), nil
		}
		return bad()
	default:
		if !quoted && bytes.IndexByte(text, '"') >= 0 {
			return bad()
		}
		if !utf8.Valid(text) || c.Type.Length > 0 && utf8.RuneCount(text) > c.Type.Length {
			return bad()
		}
		dst = binary.AppendUvarint(dst, uint64(len(text)))
		return append(dst, text...), nil
	}
}

// AppendValues appends the key of a row that came out of a SQL engine as int64, float64, string, bool, time.Time or nil.
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
		case pipeline.Integer:
			var n int64
			n, ok = value.(int64)
			ok = ok && n == int64(int32(n))
			key = binary.BigEndian.AppendUint32(key, uint32(n))
		case pipeline.BigInt:
			var n int64
			n, ok = value.(int64)
			key = binary.BigEndian.AppendUint64(key, uint64(n))
		case pipeline.Real:
			var f float64
			f, ok = value.(float64)
			key = binary.BigEndian.AppendUint32(key, math.Float32bits(float32(f)+0))
		case pipeline.Double:
			var f float64
			f, ok = value.(float64)
			key = binary.BigEndian.AppendUint64(key, math.Float64bits(f+0))
		default:
			var text string
			text, ok = value.(string)
			if ok {
				var err error
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

// Format writes the row of a key as CSV, for people.
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
		case pipeline.Integer:
			out = strconv.AppendInt(out, int64(int32(binary.BigEndian.Uint32(key))), 10)
			key = key[4:]
		case pipeline.BigInt:
			out = strconv.AppendInt(out, int64(binary.BigEndian.Uint64(key)), 10)
			key = key[8:]
		case pipeline.Real:
			out = strconv.AppendFloat(out, float64(math.Float32frombits(binary.BigEndian.Uint32(key))), 'g', -1, 32)
			key = key[4:]
		case pipeline.Double:
			out = strconv.AppendFloat(out, math.Float64frombits(binary.BigEndian.Uint64(key)), 'g', -1, 64)
			key = key[8:]
		case pipeline.Timestamp:
			seconds := int64(binary.BigEndian.Uint64(key))
			nanos := int64(binary.BigEndian.Uint32(key[8:]))
			out = time.Unix(seconds, nanos).UTC().AppendFormat(out, pipeline.TimestampLayout+".999999999")
			key = key[12:]
		case pipeline.Boolean:
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

func appendTime(dst []byte, t time.Time) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
}

// parseInteger reads digits with an optional minus. It takes no plus, no space and no underscore.
func parseInteger(text []byte) (int64, bool) {
	digits, negative := text, false
	if len(text) > 0 && text[0] == '-' {
		digits, negative = text[1:], true
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// parseFloat reads a decimal number, with an exponent or without, that fits the given bits. A negative zero is zero.
func parseFloat(s string, bits int) (float64, error) {
	digits, point, number := 0, -1, uint64(0)
	short := true // digits, with a minus and a point at most
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
			number = number*10 + uint64(c-'0')
		case c == '.' && point < 0:
			point = i
		case c == '-' && i == 0:
		case c == '.', c == '-', c == '+', c == 'e', c == 'E':
			short = false
		default:
			return 0, strconv.ErrSyntax // infinities, NaN and hexadecimal are no values of a column
		}
	}
	// Most numbers are the quotient of two that a float of either size holds exactly, which division rounds as it should.
	if short && digits > 0 && digits <= 7 {
		decimals := 0
		if point >= 0 {
			decimals = len(s) - point - 1
		}
		f := float64(float32(number) / float32(powers[decimals]))
		if bits == 64 {
			f = float64(number) / powers[decimals]
		}
		if s[0] == '-' {
			f = -f
		}
		return f + 0, nil
	}
	f, err := strconv.ParseFloat(s, bits)
	return f + 0, err
}

// powers of ten.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}

// excerpt is the start of text, for a message.
func excerpt(text []byte) []byte {
	const most = 40
	if len(text) > most {
		return text[:most]
	}
	return text
}
