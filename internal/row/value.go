package row

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"streamproof/internal/schema"
)

// appendText reads one value as text. Empty text without quotes is NULL, except in text columns.
func (c *Column) appendText(dst, text []byte, quoted bool) ([]byte, *Error) {
	if len(text) == 0 && !quoted && !c.isText() {
		return append(dst, null), nil
	}
	dst = append(dst, present)
	// The string is read only while text is, and never kept.
	s := unsafe.String(unsafe.SliceData(text), len(text))
	switch c.Type.Kind {
	case schema.Integer:
		n, ok := ParseInteger(text)
		if !ok || n != int64(int32(n)) {
			break
		}
		return binary.BigEndian.AppendUint32(dst, uint32(n)), nil
	case schema.BigInt:
		n, ok := ParseInteger(text)
		if !ok {
			break
		}
		return binary.BigEndian.AppendUint64(dst, uint64(n)), nil
	case schema.Real:
		f, err := parseFloat(s, 32)
		if err != nil {
			break
		}
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f))), nil
	case schema.Double:
		f, err := parseFloat(s, 64)
		if err != nil {
			break
		}
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), nil
	case schema.Timestamp:
		seconds, nanos, ok := parseTimestamp(text)
		if !ok {
			break
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(seconds))
		return binary.BigEndian.AppendUint32(dst, nanos), nil
	case schema.Date:
		year, month, day, ok := parseDate(text)
		if !ok {
			break
		}
		return append(binary.BigEndian.AppendUint16(dst, uint16(year)), byte(month), byte(day)), nil
	case schema.Boolean:
		switch { // the job writes lower case, and reads any
		case strings.EqualFold(s, "true"):
			return append(dst, 1), nil
		case strings.EqualFold(s, "false"):
			return append(dst, 0), nil
		}
	default:
		if !quoted && (bytes.IndexByte(text, '"') >= 0 || bytes.IndexByte(text, '\r') >= 0) {
			break
		}
		if !utf8.Valid(text) || c.Type.Length > 0 && utf8.RuneCount(text) > c.Type.Length {
			break
		}
		dst = binary.AppendUvarint(dst, uint64(len(text)))
		return append(dst, text...), nil
	}
	return nil, c.otherType(text)
}

func (c *Column) isText() bool {
	return c.Type.Kind == schema.Char || c.Type.Kind == schema.VarChar
}

// otherType is the error for a value that is not of the column's type.
func (c *Column) otherType(text []byte) *Error {
	return &Error{Column: c.Name, Reason: "is not of type " + c.Type.String(), Text: excerpt(text)}
}

// excerpt is the start of text, for a message.
func excerpt(text []byte) string {
	const most = 40
	return string(text[:min(len(text), most)])
}

// ParseInteger reads digits with an optional sign, as the job does: no spaces and no underscores. Leading zeros do not
// count.
func ParseInteger(text []byte) (int64, bool) {
	digits, negative := text, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		digits, negative = text[1:], text[0] == '-'
	}
	const longest = 19 // in 64 bits
	for len(digits) > longest && digits[0] == '0' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > longest {
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

// ParseFloat reads a decimal number, with or without an exponent, that fits the given bits. A negative zero is zero.
func ParseFloat(text []byte, bits int) (float64, bool) {
	// The string is read only while text is, and never kept.
	f, err := parseFloat(unsafe.String(unsafe.SliceData(text), len(text)), bits)
	return f, err == nil
}

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
			return 0, strconv.ErrSyntax // no column has infinities, NaN or hexadecimal
		}
		if digits > 7 {
			break // after so many digits, strconv refuses them, too
		}
	}
	// Most numbers are the quotient of two integers that a float of either size holds exactly. Division rounds it
	// correctly.
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

// parseTimestamp reads schema.TimestampLayout, after which a point and up to nine digits of a second may follow.
func parseTimestamp(text []byte) (seconds int64, nanos uint32, ok bool) {
	const size = len(schema.TimestampLayout)
	var parts [6]int // year to second
	if len(text) < size || !parseParts(text[:size], schema.TimestampLayout, parts[:]) {
		return 0, 0, false
	}
	year, month, day, hour, minute, second := parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]
	if !isDay(year, month, day) || hour > 23 || minute > 59 || second > 59 {
		return 0, 0, false
	}
	if fraction := text[size:]; len(fraction) > 0 {
		if fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 10 {
			return 0, 0, false
		}
		for i := 1; i < 10; i++ {
			nanos *= 10
			if i < len(fraction) {
				digit := fraction[i] - '0'
				if digit > 9 {
					return 0, 0, false
				}
				nanos += uint32(digit)
			}
		}
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC).Unix(), nanos, true
}

// parseDate reads yyyy-MM-dd.
func parseDate(text []byte) (year, month, day int, ok bool) {
	var parts [3]int
	ok = len(text) == len(time.DateOnly) && parseParts(text, time.DateOnly, parts[:])
	year, month, day = parts[0], parts[1], parts[2]
	return year, month, day, ok && isDay(year, month, day)
}

// parseParts reads the numbers of a text that has digits where a layout of the same length has them, and otherwise the
// same characters.
func parseParts(text []byte, layout string, parts []int) bool {
	part := 0
	for i := range len(layout) {
		switch digit := text[i] - '0'; {
		case layout[i] < '0' || layout[i] > '9':
			if text[i] != layout[i] {
				return false
			}
			part++
		case digit > 9:
			return false
		default:
			parts[part] = parts[part]*10 + int(digit)
		}
	}
	return true
}

// isDay reports whether a day exists.
func isDay(year, month, day int) bool {
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	if month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0) {
		return day <= 29
	}
	return day <= [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}
