package discover

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A kind is what the format says of a value. CSV values are all strings.
type kind uint8

const (
	isNull kind = iota
	isString
	isJSONNumber
	isJSONBoolean
	isNested // the JSON of an array or object
)

// A shape is what a text looks like. It is narrower than the types: only what the job and package row read alike
// counts.
type shape uint8

const (
	isText    shape = iota
	isInteger       // digits, perhaps with a minus
	isCode          // the same with zeros before it, which an integer would lose
	isNumber        // a decimal number with a point or an exponent
	isBoolean       // true or false
)

var (
	// A number with a comma in it, perhaps with points between thousands.
	decimalComma = regexp.MustCompile(`^-?(?:\d{1,3}(?:\.\d{3})*|\d+)?,\d+(?:[eE][+-]?\d+)?$`)
	// A number with points between thousands.
	grouped = regexp.MustCompile(`^-?\d{1,3}(?:\.\d{3})+(?:,\d+)?$`)
	// What could stand between thousands as well: 1,234 and 12.500.
	perhapsThousands = regexp.MustCompile(`^-?[1-9]\d{0,2}[.,]\d{3}$`)
	// A number that certainly has marks between thousands: 1.234,5 and 1,234,567 and 1 234.
	thousands = regexp.MustCompile(`^[-+]?\d{1,3}(?:(?:\.\d{3})+,\d+|(?:,\d{3})+\.\d*|(?:\.\d{3}){2,}|(?:,\d{3}){2,}|(?:[ '’\x{a0}\x{202f}]\d{3})+(?:[.,]\d+)?)$`)
	// A number with a plus.
	plus = regexp.MustCompile(`^\+(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?$`)
	// A number with a currency or a percent sign.
	unit       = regexp.MustCompile(`^(?:[-+]?[$€£¥] ?[-+]?\d[\d.,]*|[-+]?\d[\d.,]*[ \x{a0}]?[%$€£¥])$`)
	numberForm = regexp.MustCompile(`^-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$`)
)

// isTyped reports whether a text looks like a typed value, in any notation of numbers.
func isTyped(s string) bool {
	return shapeOf(s) != isText || decimalComma.MatchString(s) || thousands.MatchString(s) || plus.MatchString(s) || unit.MatchString(s)
}

func shapeOf(s string) shape {
	if s == "" {
		return isText
	}
	if s == "true" || s == "false" {
		return isBoolean
	}
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] != '.' && (digits[0] < '0' || digits[0] > '9') {
		return isText
	}
	if strings.Trim(digits, "0123456789") == "" {
		if len(digits) > 1 && digits[0] == '0' {
			return isCode
		}
		return isInteger
	}
	if numberForm.MatchString(s) {
		if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) {
			return isNumber
		}
	}
	return isText
}

// A decimal is a number: its digits without zeros at either end, times a power of ten.
type decimal struct {
	negative bool
	digits   string
	exponent int
}

// decimalOf reads a number of a shape that is one.
func decimalOf(s string) decimal {
	var d decimal
	mantissa, exponent := s, 0
	if at := strings.IndexAny(s, "eE"); at >= 0 {
		mantissa = s[:at]
		exponent, _ = strconv.Atoi(s[at+1:]) // too long a one is no number for a float either
	}
	mantissa, d.negative = strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	d.digits = strings.TrimRight(digits, "0")
	if d.digits == "" {
		return decimal{}
	}
	d.exponent = exponent - len(fraction) + len(digits) - len(d.digits)
	return d
}

// whole counts the digits before the point, scale those after it.
func (d decimal) whole() int { return max(len(d.digits)+d.exponent, 0) }
func (d decimal) scale() int { return max(-d.exponent, 0) }

// survives reports whether a number survives a round trip through a float of so many bits.
func survives(s string, bits int) bool {
	f, err := strconv.ParseFloat(s, bits)
	return err == nil && !math.IsInf(f, 0) && decimalOf(strconv.FormatFloat(f, 'e', -1, bits)) == decimalOf(s)
}

// doubleDigits is the most digits that a 64-bit float is written with: C's DBL_DECIMAL_DIG.
const doubleDigits = 17

// isDouble reports whether a 64-bit float may have been written as this number: a fraction of up to doubleDigits
// digits, or an integer that survives.
func isDouble(s string) bool {
	d := decimalOf(s)
	if d.exponent >= 0 {
		return survives(s, 64)
	}
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && len(d.digits) <= doubleDigits && f != 0 || d.digits == ""
}

// withPoint returns a number with a point in place of its decimal comma. If comma is true, a text with a point is not
// a number.
func withPoint(s string, comma bool) (number string, ok bool) {
	if !comma {
		return s, true
	}
	return strings.Replace(s, ",", ".", 1), !strings.Contains(s, ".")
}
