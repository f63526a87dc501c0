package record

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"streamproof/internal/schema"
)

// The reasons for rejecting a value.
const (
	notAnInteger  = "not an integer"
	notANumber    = "not a number"
	notABoolean   = "not a boolean"
	notATimestamp = "not a timestamp"
	notADate      = "not a date"
	outOfRange    = "out of range"
	wrongLength   = "wrong length"
	missingValue  = "missing value"
)

// A column reads the values of one column.
type column struct {
	name     string
	typ      schema.Type
	nullable bool
	nulls    []string
	point    byte // before a fraction
	pattern  *schema.Pattern
	// canonical reports that a value in the pattern is already canonical.
	canonical bool
	// json are the kinds of JSON that a value may have, if they are limited, and malformed the reason for another kind.
	json, malformed string
}

func newColumn(c *schema.Column, format schema.Format) column {
	out := column{name: c.Name, typ: c.Type, nullable: c.Nullable, nulls: format.Nulls, point: '.'}
	if format.Decimal != "" {
		out.point = format.Decimal[0]
	}
	if out.pattern = c.TimePattern(); out.pattern != nil {
		out.canonical = out.pattern.String() == schema.DefaultPattern(c.Type.Kind).String()
	}
	switch c.Type.Kind {
	case schema.Integer, schema.BigInt:
		out.json, out.malformed = "0", notAnInteger
	case schema.Real, schema.Double, schema.Decimal:
		out.json, out.malformed = "0", notANumber
	case schema.Boolean:
		out.json, out.malformed = "tf", notABoolean
	case schema.Timestamp:
		out.json, out.malformed = `"`, notATimestamp
	case schema.Date:
		out.json, out.malformed = `"`, notADate
	}
	return out
}

// Reads reports whether a text, which is not NULL, is a value of a column of CSV.
func Reads(c *schema.Column, format schema.Format, text string) bool {
	column := newColumn(c, format.OrDefault())
	_, _, reason := column.read(nil, []byte(text))
	return reason == ""
}

// read returns the canonical form of a text, which is a part of the text or is appended to scratch, or the reason why
// there is none.
func (c *column) read(scratch, text []byte) (value, grown []byte, reason string) {
	switch c.typ.Kind {
	case schema.Integer:
		return readInteger(scratch, text, math.MinInt32, math.MaxInt32)
	case schema.BigInt:
		return readInteger(scratch, text, math.MinInt64, math.MaxInt64)
	case schema.Real:
		return c.readFloat(scratch, text, 32)
	case schema.Double:
		return c.readFloat(scratch, text, 64)
	case schema.Decimal:
		return c.readDecimal(scratch, text)
	case schema.Timestamp, schema.Date:
		return c.readTime(scratch, text)
	case schema.Boolean:
		switch s := unsafeString(text); {
		case strings.EqualFold(s, "true"):
			return trueText, scratch, ""
		case strings.EqualFold(s, "false"):
			return falseText, scratch, ""
		}
		return nil, scratch, notABoolean
	case schema.Char:
		if utf8.RuneCount(text) != c.typ.Length {
			return nil, scratch, wrongLength
		}
	default:
		if c.typ.Length > 0 && len(text) > c.typ.Length && utf8.RuneCount(text) > c.typ.Length {
			return nil, scratch, wrongLength
		}
	}
	return text, scratch, ""
}

var trueText, falseText = []byte("true"), []byte("false")

// unsafeString returns text as a string, which is read only while text is, and never kept.
func unsafeString(text []byte) string { return unsafe.String(unsafe.SliceData(text), len(text)) }

// readInteger reads digits with an optional sign.
func readInteger(scratch, text []byte, least, most int64) (value, grown []byte, reason string) {
	digits := text
	negative := len(text) > 0 && text[0] == '-'
	if negative || len(text) > 0 && text[0] == '+' {
		digits = text[1:]
	}
	if len(digits) == 0 || countDigits(digits) < len(digits) {
		return nil, scratch, notAnInteger
	}
	zeros := 0
	for zeros < len(digits)-1 && digits[zeros] == '0' {
		zeros++
	}
	significant := digits[zeros:]
	const longest = 19 // in 64 bits
	if len(significant) > longest {
		return nil, scratch, outOfRange
	}
	var n uint64 // 19 digits fit
	for _, c := range significant {
		n = n*10 + uint64(c-'0')
	}
	if negative && n > uint64(-(least+1))+1 || !negative && n > uint64(most) {
		return nil, scratch, outOfRange
	}
	switch {
	case !negative || n == 0:
		return significant, scratch, ""
	case zeros == 0:
		return text, scratch, ""
	}
	start := len(scratch)
	scratch = append(append(scratch, '-'), significant...)
	return scratch[start:], scratch, ""
}

func countDigits(text []byte) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// A number is a number in parts.
type number struct {
	negative        bool
	whole, fraction []byte // digits
	exponent        []byte // with its sign, or empty
}

// parseNumber reads SQL's approximate number: a sign, digits, a fraction and an exponent. All are optional, but there
// must be a digit.
func (c *column) parseNumber(text []byte) (n number, ok bool) {
	rest := text
	if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
		n.negative = rest[0] == '-'
		rest = rest[1:]
	}
	size := countDigits(rest)
	n.whole, rest = rest[:size], rest[size:]
	if len(rest) > 0 && rest[0] == c.point {
		size = countDigits(rest[1:])
		n.fraction, rest = rest[1:1+size], rest[1+size:]
	}
	if len(n.whole)+len(n.fraction) == 0 {
		return n, false
	}
	if len(rest) > 0 && (rest[0] == 'e' || rest[0] == 'E') {
		n.exponent, rest = rest[1:], nil
		digits := n.exponent
		if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
			digits = digits[1:]
		}
		if len(digits) == 0 || countDigits(digits) < len(digits) {
			return n, false
		}
	}
	return n, len(rest) == 0
}

func (c *column) readFloat(scratch, text []byte, bits int) (value, grown []byte, reason string) {
	n, ok := c.parseNumber(text)
	if !ok {
		return nil, scratch, notANumber
	}
	if text[0] == '+' {
		text = text[1:]
	}
	if c.point != '.' {
		start := len(scratch)
		scratch = append(scratch, text...)
		text = scratch[start:]
		if at := bytes.IndexByte(text, c.point); at >= 0 {
			text[at] = '.'
		}
	}
	const finite = 38 // a number of so many digits fits 32 bits
	if len(n.whole) > finite || len(n.exponent) > 0 {
		if _, err := strconv.ParseFloat(unsafeString(text), bits); err != nil {
			return nil, scratch, outOfRange
		}
	}
	return text, scratch, ""
}

// readDecimal writes all of the type's digits after the point. A value with more digits than that, or with too many
// before the point, is out of range; zeros at either end do not count.
func (c *column) readDecimal(scratch, text []byte) (value, grown []byte, reason string) {
	n, ok := c.parseNumber(text)
	if !ok {
		return nil, scratch, notANumber
	}
	start := len(scratch)
	scratch = append(append(scratch, n.whole...), n.fraction...)
	digits := bytes.TrimLeft(scratch[start:], "0")
	// The value is 0.DIGITS times ten to the power of point.
	point := len(n.whole) - (len(n.whole) + len(n.fraction) - len(digits)) + exponentOf(n.exponent)
	digits = bytes.TrimRight(digits, "0")
	scale := c.typ.Scale
	if len(digits) == 0 {
		point, n.negative = 0, false
	} else if point > c.typ.Length-scale || len(digits)-point > scale {
		return nil, scratch[:start], outOfRange
	}
	var plain [schema.MaxPrecision + 3]byte
	out := plain[:0]
	if n.negative {
		out = append(out, '-')
	}
	digit := func(at int) byte { // at so many places after the first of digits
		if at < 0 || at >= len(digits) {
			return '0'
		}
		return digits[at]
	}
	if point <= 0 {
		out = append(out, '0')
	}
	for at := range point {
		out = append(out, digit(at))
	}
	if scale > 0 {
		out = append(out, '.')
	}
	for at := point; at < point+scale; at++ {
		out = append(out, digit(at))
	}
	scratch = append(scratch[:start], out...)
	return scratch[start:], scratch, ""
}

// exponentOf reads an exponent, bounded where more makes no difference.
func exponentOf(text []byte) int {
	const far = 1 << 30 // no text has so many digits
	negative := len(text) > 0 && text[0] == '-'
	n := 0
	for _, c := range text {
		if c >= '0' && c <= '9' {
			n = min(n*10+int(c-'0'), far)
		}
	}
	if negative {
		return -n
	}
	return n
}

func (c *column) readTime(scratch, text []byte) (value, grown []byte, reason string) {
	t, ok := c.pattern.Parse(unsafeString(text))
	switch {
	case !ok:
		return nil, scratch, c.malformed
	case c.canonical:
		return text, scratch, ""
	}
	start := len(scratch)
	if c.typ.Kind == schema.Date {
		scratch = t.AppendFormat(scratch, "2006-01-02")
	} else {
		scratch = t.AppendFormat(scratch, schema.TimestampLayout+".999999999")
	}
	return scratch[start:], scratch, ""
}
