package engine

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"modernc.org/sqlite"

	"streamproof/internal/schema"
)

// A function is called by SQLite and computes as Flink does. It is NULL if an argument is, unless null is set. If
// Flink's result is not certain, or its job would stop, it returns an error, and the row stays undecided.
type function struct {
	name string
	args int32
	of   func(a []driver.Value) (driver.Value, error)
	null bool
}

// register adds the functions to a driver, as not deterministic: SQLite must not compute them before there is a row, to
// which an error belongs.
func (e *Engine) register(d *sqlite.Driver) error {
	for _, f := range functions {
		err := d.RegisterScalarFunction(f.name, f.args, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			for _, a := range args {
				if a == nil && !f.null {
					return nil, nil
				}
			}
			v, err := f.of(args)
			if err != nil && e.fault == nil {
				e.fault = err
			}
			return v, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var functions = []function{
	// SQLite computes all arguments of a function, but not both sides of AND.
	{name: "f_both", args: 2, null: true, of: func(a []driver.Value) (driver.Value, error) {
		return truth(a[0] == int64(1) && a[1] == int64(1)), nil
	}},
	{name: "f_known", args: 1, null: true, of: func([]driver.Value) (driver.Value, error) { return int64(1), nil }},

	wrapped("f_int_add", func(a, b int64) int64 { return a + b }),
	wrapped("f_int_subtract", func(a, b int64) int64 { return a - b }),
	wrapped("f_int_multiply", func(a, b int64) int64 { return a * b }),
	divided("f_int_divide", func(a, b int64) int64 { return int64(int32(a / b)) }),
	integers("f_add", func(a, b int64) int64 { return a + b }),
	integers("f_subtract", func(a, b int64) int64 { return a - b }),
	integers("f_multiply", func(a, b int64) int64 { return a * b }),
	divided("f_divide", func(a, b int64) int64 { return a / b }),
	divided("f_mod", func(a, b int64) int64 { return a % b }),

	floats("f_real_add", func(a, b float64) float64 { return float64(float32(a) + float32(b)) }),
	floats("f_real_subtract", func(a, b float64) float64 { return float64(float32(a) - float32(b)) }),
	floats("f_real_multiply", func(a, b float64) float64 { return float64(float32(a) * float32(b)) }),
	floats("f_real_divide", func(a, b float64) float64 { return float64(float32(a) / float32(b)) }),
	floats("f_double_add", func(a, b float64) float64 { return a + b }),
	floats("f_double_subtract", func(a, b float64) float64 { return a - b }),
	floats("f_double_multiply", func(a, b float64) float64 { return a * b }),
	floats("f_double_divide", func(a, b float64) float64 { return a / b }),

	// The least integer has no positive counterpart and stays as it is.
	one("f_int_abs", func(a int64) (driver.Value, error) { return int64(int32(max(a, -a))), nil }),
	one("f_abs", func(a int64) (driver.Value, error) { return max(a, -a), nil }),
	one("f_double_negate", func(a float64) (driver.Value, error) { return -a, nil }),
	one("f_double_abs", func(a float64) (driver.Value, error) { return math.Abs(a), nil }),
	one("f_floor", func(a float64) (driver.Value, error) { return math.Floor(a), nil }),
	one("f_ceil", func(a float64) (driver.Value, error) { return math.Ceil(a), nil }),

	{name: "f_real", args: 1, of: func(a []driver.Value) (driver.Value, error) {
		if n, ok := a[0].(int64); ok {
			return float64(float32(n)), nil
		}
		return finite(float64(float32(a[0].(float64))))
	}},
	one("f_double", func(a int64) (driver.Value, error) { return float64(a), nil }),
	one("f_int", func(a float64) (driver.Value, error) {
		if a = math.Trunc(a); a < math.MinInt32 || a > math.MaxInt32 {
			return nil, fmt.Errorf("%v is no INTEGER", a)
		}
		return int64(a), nil
	}),
	one("f_bigint", func(a float64) (driver.Value, error) {
		if a = math.Trunc(a); a < math.MinInt64 || a >= math.MaxInt64 {
			return nil, fmt.Errorf("%v is no BIGINT", a)
		}
		return int64(a), nil
	}),
	one("f_wrap", func(a int64) (driver.Value, error) { return int64(int32(a)), nil }),
	one("f_text_int", func(a string) (driver.Value, error) {
		if integer.MatchString(a) {
			return strconv.ParseInt(a, 10, 32)
		}
		return nil, noNumber(a)
	}),
	one("f_text_bigint", func(a string) (driver.Value, error) {
		if bigint.MatchString(a) {
			return strconv.ParseInt(a, 10, 64)
		}
		return nil, noNumber(a)
	}),
	one("f_text_double", func(a string) (driver.Value, error) {
		if decimal.MatchString(a) {
			return strconv.ParseFloat(a, 64)
		}
		return nil, noNumber(a)
	}),

	one("f_upper", func(a string) (driver.Value, error) { return strings.ToUpper(a), onlyASCII(a) }),
	one("f_lower", func(a string) (driver.Value, error) { return strings.ToLower(a), onlyASCII(a) }),
	one("f_trim", func(a string) (driver.Value, error) { return trimmed(strings.Trim(a, " ")) }),
	one("f_ltrim", func(a string) (driver.Value, error) { return trimmed(strings.TrimLeft(a, " ")) }),
	one("f_rtrim", func(a string) (driver.Value, error) { return trimmed(strings.TrimRight(a, " ")) }),
	one("f_length", func(a string) (driver.Value, error) { return int64(utf8.RuneCountInString(a)), nil }),
	one("f_ordered", func(a string) (driver.Value, error) {
		// Flink orders texts by UTF-16 or by UTF-8, whichever it has at hand. The two differ from here on.
		if strings.IndexFunc(a, func(r rune) bool { return r >= '\uE000' }) >= 0 {
			return nil, fmt.Errorf("the order of %q", a)
		}
		return a, nil
	}),
	{name: "f_substring", args: 3, of: substring},
	{name: "f_position", args: 2, of: func(a []driver.Value) (driver.Value, error) {
		part, all := a[0].(string), a[1].(string)
		if part == "" {
			return nil, fmt.Errorf("the POSITION of an empty text")
		}
		at := strings.Index(all, part)
		if at < 0 {
			return int64(0), nil
		}
		return int64(utf8.RuneCountInString(all[:at])) + 1, nil
	}},
	{name: "f_replace", args: 3, of: func(a []driver.Value) (driver.Value, error) {
		if a[1].(string) == "" {
			return nil, fmt.Errorf("REPLACE of an empty text")
		}
		return strings.ReplaceAll(a[0].(string), a[1].(string), a[2].(string)), nil
	}},
	{name: "f_like", args: 2, of: like},

	{name: "f_extract", args: 3, of: func(a []driver.Value) (driver.Value, error) {
		at, from, to := a[0].(string), a[1].(int64), a[2].(int64)
		if err := recent(at); err != nil {
			return nil, err
		}
		return strconv.ParseInt(at[from:to], 10, 64)
	}},
	{name: "f_begin", args: 2, of: func(a []driver.Value) (driver.Value, error) {
		at, to := a[0].(string), a[1].(int64)
		return at[:to] + "0000-01-01 00:00:00"[to:], recent(at)
	}},
	{name: "f_difference", args: 3, of: func(a []driver.Value) (driver.Value, error) {
		from, err := time.Parse(schema.TimestampLayout, a[0].(string))
		to, fault := time.Parse(schema.TimestampLayout, a[1].(string))
		if err := errors.Join(err, fault); err != nil {
			return nil, err
		}
		n := (to.Unix() - from.Unix()) / a[2].(int64)
		if n != int64(int32(n)) {
			return nil, fmt.Errorf("a TIMESTAMPDIFF of %d is no INTEGER", n)
		}
		return n, nil
	}},
	{name: "f_later", args: 3, of: func(a []driver.Value) (driver.Value, error) {
		from, err := time.Parse(schema.TimestampLayout, a[0].(string))
		if err != nil {
			return nil, err
		}
		t := time.Unix(from.Unix()+a[1].(int64)*a[2].(int64), 0).UTC()
		if year := t.Year(); year < 1 || year > 9999 {
			return nil, fmt.Errorf("a TIMESTAMP in the year %d", year)
		}
		return t.Format(schema.TimestampLayout), nil
	}},
	one("f_date", func(a string) (driver.Value, error) { return a[:len("2006-01-02")], recent(a) }),
	one("f_micro", func(a string) (driver.Value, error) {
		if len(a) > len("2006-01-02 15:04:05.123456") {
			return nil, fmt.Errorf("%s has more digits than the column: the job rejects it", a)
		}
		return a, nil
	}),
	// SQLite's own CAST does not always give the nearest DOUBLE.
	one("f_decimal_double", func(a string) (driver.Value, error) { return strconv.ParseFloat(a, 64) }),
	one("f_decimal", func(a string) (driver.Value, error) { return decimalKey(a), nil }),
	{name: "f_format", args: 2, of: func(a []driver.Value) (driver.Value, error) {
		at := a[0].(string)
		if err := recent(at); err != nil {
			return nil, err
		}
		return strings.NewReplacer("yyyy", at[:4], "MM", at[5:7], "dd", at[8:10], "HH", at[11:13], "mm", at[14:16],
			"ss", at[17:19]).Replace(a[1].(string)), nil
	}},
}

// decimalKey returns a text for a decimal number. Such texts compare as the numbers do.
func decimalKey(number string) string {
	negative := strings.HasPrefix(number, "-")
	whole, fraction, _ := strings.Cut(strings.TrimLeft(number, "+-"), ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole+fraction == "" {
		negative = false
	}
	const digits = schema.MaxPrecision
	key := []byte("1" + strings.Repeat("0", max(digits-len(whole), 0)) + whole + fraction + strings.Repeat("0", max(digits-len(fraction), 0)))
	if negative {
		key[0] = '0'
		for i, c := range key[1:] {
			key[i+1] = '0' + '9' - c
		}
	}
	return string(key)
}

// one returns a function of one argument.
func one[T any](name string, of func(a T) (driver.Value, error)) function {
	return function{name: name, args: 1, of: func(a []driver.Value) (driver.Value, error) {
		v, ok := a[0].(T)
		if !ok {
			return nil, fmt.Errorf("%s of %v (%[2]T)", name, a[0])
		}
		return of(v)
	}}
}

// two returns a function of two arguments of the same type.
func two[T any](name string, of func(a, b T) (driver.Value, error)) function {
	return function{name: name, args: 2, of: func(a []driver.Value) (driver.Value, error) {
		left, ok := a[0].(T)
		right, also := a[1].(T)
		if !ok || !also {
			return nil, fmt.Errorf("%s of %v (%[2]T) and %v (%[3]T)", name, a[0], a[1])
		}
		return of(left, right)
	}}
}

// integers returns a function that overflows silently, as Flink's do.
func integers(name string, of func(a, b int64) int64) function {
	return two(name, func(a, b int64) (driver.Value, error) { return of(a, b), nil })
}

// wrapped is integers for 32 bits.
func wrapped(name string, of func(a, b int64) int64) function {
	return integers(name, func(a, b int64) int64 { return int64(int32(of(a, b))) })
}

// divided fails on a division by zero, which stops Flink's job.
func divided(name string, of func(a, b int64) int64) function {
	return two(name, func(a, b int64) (driver.Value, error) {
		if b == 0 {
			return nil, fmt.Errorf("a division of %d by 0, which stops the job", a)
		}
		return of(a, b), nil
	})
}

func floats(name string, of func(a, b float64) float64) function {
	return two(name, func(a, b float64) (driver.Value, error) { return finite(of(a, b)) })
}

// finite refuses NaN, which SQLite does not have, and infinity, which no column can hold.
func finite(f float64) (driver.Value, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, fmt.Errorf("a result that is no finite number")
	}
	return f, nil
}

var (
	integer = regexp.MustCompile(`^-?[0-9]{1,9}$`)
	bigint  = regexp.MustCompile(`^-?[0-9]{1,18}$`)
	decimal = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,15})?$`)
	letters = regexp.MustCompile(`^[A-Za-z]*$`)
)

// noNumber accepts a text that is certainly not a number in Java, which also reads NaN and Infinity. It is NULL then.
func noNumber(a string) error {
	if letters.MatchString(a) && a != "NaN" && a != "Infinity" {
		return nil
	}
	return fmt.Errorf("the text %q as a number", a)
}

// onlyASCII refuses letters for which the engines' case tables differ.
func onlyASCII(a string) error {
	for i := range len(a) {
		if a[i] >= utf8.RuneSelf {
			return fmt.Errorf("the case of %q", a)
		}
	}
	return nil
}

// trimmed refuses texts that still begin or end with what may count as a blank.
func trimmed(a string) (driver.Value, error) {
	first, _ := utf8.DecodeRuneInString(a)
	last, _ := utf8.DecodeLastRuneInString(a)
	for _, r := range []rune{first, last} {
		if a != "" && (unicode.IsSpace(r) && r != ' ' || unicode.IsControl(r)) {
			return nil, fmt.Errorf("a TRIM to %q", a)
		}
	}
	return a, nil
}

// recent refuses times before 1970, whose parts depend on calendar and rounding.
func recent(timestamp string) error {
	if timestamp < "1970" {
		return fmt.Errorf("parts of %s, which is before 1970", timestamp)
	}
	return nil
}

// substring counts characters from 1.
func substring(a []driver.Value) (driver.Value, error) {
	all, start, length := a[0].(string), a[1].(int64), a[2].(int64)
	if start < 1 || length < 0 {
		return nil, fmt.Errorf("a SUBSTRING from %d for %d", start, length)
	}
	from := len(all)
	characters := int64(0)
	for i := range all {
		if characters++; characters == start {
			from = i
		}
		if characters-start == length {
			return all[from:i], nil
		}
	}
	return all[from:], nil
}

// like supports %, for any text, and _, for one character.
func like(a []driver.Value) (driver.Value, error) {
	text, pattern := a[0].(string), a[1].(string)
	if strings.Contains(pattern, "_") && strings.ContainsAny(text, "\r\n\u0085\u2028\u2029") {
		return nil, fmt.Errorf("%q LIKE %q: a line break may not count as a character", text, pattern)
	}
	return truth(matches([]rune(text), []rune(pattern))), nil
}

// truth is a BOOLEAN in SQLite.
func truth(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// matches backtracks to the last % only, and has it match one more character.
func matches(text, pattern []rune) bool {
	t, p, anything, from := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '%':
			anything, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '_' || pattern[p] == text[t]):
			t, p = t+1, p+1
		case anything >= 0:
			from++
			t, p = from, anything+1
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '%' {
		p++
	}
	return p == len(pattern)
}
