package engine

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"streamproof/internal/schema"
)

// A function computes as Flink does. It is NULL if an argument is that may not be anything. If Flink's result is not
// certain, or its job would stop, it returns an error, and the row stays undecided.
type function struct {
	args []kind
	of   func(a []value) (value, error)
}

var functions = map[string]function{
	// Unlike AND, it computes both sides of a condition, too.
	"both":  {[]kind{anything, anything}, func(a []value) (value, error) { return truth(a[0].isTrue() && a[1].isTrue()), nil }},
	"known": {[]kind{anything}, func([]value) (value, error) { return truth(true), nil }},

	"int_add":      wrapped(func(a, b int64) int64 { return a + b }),
	"int_subtract": wrapped(func(a, b int64) int64 { return a - b }),
	"int_multiply": wrapped(func(a, b int64) int64 { return a * b }),
	"int_divide":   divided(func(a, b int64) int64 { return int64(int32(a / b)) }),
	"add":          integers(func(a, b int64) int64 { return a + b }),
	"subtract":     integers(func(a, b int64) int64 { return a - b }),
	"multiply":     integers(func(a, b int64) int64 { return a * b }),
	"divide":       divided(func(a, b int64) int64 { return a / b }),
	"mod":          divided(func(a, b int64) int64 { return a % b }),

	"real_add":        floats(func(a, b float64) float64 { return float64(float32(a) + float32(b)) }),
	"real_subtract":   floats(func(a, b float64) float64 { return float64(float32(a) - float32(b)) }),
	"real_multiply":   floats(func(a, b float64) float64 { return float64(float32(a) * float32(b)) }),
	"real_divide":     floats(func(a, b float64) float64 { return float64(float32(a) / float32(b)) }),
	"double_add":      floats(func(a, b float64) float64 { return a + b }),
	"double_subtract": floats(func(a, b float64) float64 { return a - b }),
	"double_multiply": floats(func(a, b float64) float64 { return a * b }),
	"double_divide":   floats(func(a, b float64) float64 { return a / b }),

	// The least integer has no positive counterpart and stays as it is.
	"int_negate":    ofInteger(func(a int64) (value, error) { return integerOf(int64(int32(-a))), nil }),
	"negate":        ofInteger(func(a int64) (value, error) { return integerOf(-a), nil }),
	"int_abs":       ofInteger(func(a int64) (value, error) { return integerOf(int64(int32(max(a, -a)))), nil }),
	"abs":           ofInteger(func(a int64) (value, error) { return integerOf(max(a, -a)), nil }),
	"double_negate": ofFloat(func(a float64) (value, error) { return floatOf(-a), nil }),
	"double_abs":    ofFloat(func(a float64) (value, error) { return floatOf(math.Abs(a)), nil }),
	"floor":         ofFloat(func(a float64) (value, error) { return floatOf(math.Floor(a)), nil }),
	"ceil":          ofFloat(func(a float64) (value, error) { return floatOf(math.Ceil(a)), nil }),

	"real": {[]kind{anything}, func(a []value) (value, error) {
		switch a[0].kind {
		case integer:
			return floatOf(float64(float32(a[0].n))), nil
		case float:
			return finite(float64(float32(a[0].f)))
		case null:
			return value{}, nil
		}
		return value{}, fmt.Errorf("a REAL of %+v", a[0])
	}},
	"double": ofInteger(func(a int64) (value, error) { return floatOf(float64(a)), nil }),
	"int": ofFloat(func(a float64) (value, error) {
		if a = math.Trunc(a); a < math.MinInt32 || a > math.MaxInt32 {
			return value{}, fmt.Errorf("%v is no INTEGER", a)
		}
		return integerOf(int64(a)), nil
	}),
	"bigint": ofFloat(func(a float64) (value, error) {
		if a = math.Trunc(a); a < math.MinInt64 || a >= math.MaxInt64 {
			return value{}, fmt.Errorf("%v is no BIGINT", a)
		}
		return integerOf(int64(a)), nil
	}),
	"wrap": ofInteger(func(a int64) (value, error) { return integerOf(int64(int32(a))), nil }),
	"text": ofInteger(func(a int64) (value, error) { return textOf(strconv.FormatInt(a, 10)), nil }),
	"truth_text": ofInteger(func(a int64) (value, error) {
		if a == 0 {
			return textOf("FALSE"), nil
		}
		return textOf("TRUE"), nil
	}),
	"text_int":    ofNumber(plainInteger, func(a string) (value, error) { return parsed(strconv.ParseInt(a, 10, 32)) }),
	"text_bigint": ofNumber(plainBigint, func(a string) (value, error) { return parsed(strconv.ParseInt(a, 10, 64)) }),
	"text_double": ofNumber(plainDecimal, decimalDouble),

	"upper":  ofText(func(a string) (value, error) { return textOf(strings.ToUpper(a)), onlyASCII(a) }),
	"lower":  ofText(func(a string) (value, error) { return textOf(strings.ToLower(a)), onlyASCII(a) }),
	"trim":   ofText(func(a string) (value, error) { return trimmed(strings.Trim(a, " ")) }),
	"ltrim":  ofText(func(a string) (value, error) { return trimmed(strings.TrimLeft(a, " ")) }),
	"rtrim":  ofText(func(a string) (value, error) { return trimmed(strings.TrimRight(a, " ")) }),
	"length": ofText(func(a string) (value, error) { return integerOf(int64(utf8.RuneCountInString(a))), nil }),
	"ordered": ofText(func(a string) (value, error) {
		// Flink orders texts by UTF-16 or by UTF-8, whichever it has at hand. The two differ from here on.
		if strings.IndexFunc(a, func(r rune) bool { return r >= '\uE000' }) >= 0 {
			return value{}, fmt.Errorf("the order of %q", a)
		}
		return textOf(a), nil
	}),
	"concat":    {[]kind{text, text}, func(a []value) (value, error) { return textOf(a[0].text + a[1].text), nil }},
	"substring": {[]kind{text, integer, integer}, func(a []value) (value, error) { return substring(a[0].text, a[1].n, a[2].n) }},
	"left":      {[]kind{text, integer}, func(a []value) (value, error) { return substring(a[0].text, 1, a[1].n) }},
	"position": {[]kind{text, text}, func(a []value) (value, error) {
		part, all := a[0].text, a[1].text
		if part == "" {
			return value{}, errors.New("the POSITION of an empty text")
		}
		at := strings.Index(all, part)
		if at < 0 {
			return integerOf(0), nil
		}
		return integerOf(int64(utf8.RuneCountInString(all[:at])) + 1), nil
	}},
	"replace": {[]kind{text, text, text}, func(a []value) (value, error) {
		if a[1].text == "" {
			return value{}, errors.New("REPLACE of an empty text")
		}
		return textOf(strings.ReplaceAll(a[0].text, a[1].text, a[2].text)), nil
	}},
	"like": {[]kind{text, text}, like},

	"extract": {[]kind{text, integer, integer}, func(a []value) (value, error) {
		at, from, to := a[0].text, a[1].n, a[2].n
		if err := recent(at); err != nil {
			return value{}, err
		}
		return parsed(strconv.ParseInt(at[from:to], 10, 64))
	}},
	"begin": {[]kind{text, integer}, func(a []value) (value, error) {
		at, to := a[0].text, a[1].n
		return textOf(at[:to] + "0000-01-01 00:00:00"[to:]), recent(at)
	}},
	"difference": {[]kind{text, text, integer}, func(a []value) (value, error) {
		from, err := time.Parse(schema.TimestampLayout, a[0].text)
		to, fault := time.Parse(schema.TimestampLayout, a[1].text)
		if err := errors.Join(err, fault); err != nil {
			return value{}, err
		}
		n := (to.Unix() - from.Unix()) / a[2].n
		if n != int64(int32(n)) {
			return value{}, fmt.Errorf("a TIMESTAMPDIFF of %d is no INTEGER", n)
		}
		return integerOf(n), nil
	}},
	"later": {[]kind{text, integer, integer}, func(a []value) (value, error) {
		from, err := time.Parse(schema.TimestampLayout, a[0].text)
		if err != nil {
			return value{}, err
		}
		t := time.Unix(from.Unix()+a[1].n*a[2].n, 0).UTC()
		if year := t.Year(); year < 1 || year > 9999 {
			return value{}, fmt.Errorf("a TIMESTAMP in the year %d", year)
		}
		return textOf(t.Format(schema.TimestampLayout)), nil
	}},
	"date": ofText(func(a string) (value, error) { return textOf(a[:len("2006-01-02")]), recent(a) }),
	"micro": ofText(func(a string) (value, error) {
		if len(a) > len("2006-01-02 15:04:05.123456") {
			return value{}, fmt.Errorf("%s has more digits than the column: the job rejects it", a)
		}
		return textOf(a), nil
	}),
	"decimal_double": ofText(decimalDouble),
	"decimal":        ofText(func(a string) (value, error) { return textOf(decimalKey(a)), nil }),
	"format": {[]kind{text, text}, func(a []value) (value, error) {
		at := a[0].text
		if err := recent(at); err != nil {
			return value{}, err
		}
		return textOf(strings.NewReplacer("yyyy", at[:4], "MM", at[5:7], "dd", at[8:10], "HH", at[11:13], "mm", at[14:16],
			"ss", at[17:19]).Replace(a[1].text)), nil
	}},
}

func decimalDouble(a string) (value, error) {
	f, err := strconv.ParseFloat(a, 64)
	return floatOf(f), err
}

func parsed(n int64, err error) (value, error) { return integerOf(n), err }

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

func ofInteger(of func(a int64) (value, error)) function {
	return function{[]kind{integer}, func(a []value) (value, error) { return of(a[0].n) }}
}

func ofFloat(of func(a float64) (value, error)) function {
	return function{[]kind{float}, func(a []value) (value, error) { return of(a[0].f) }}
}

func ofText(of func(a string) (value, error)) function {
	return function{[]kind{text}, func(a []value) (value, error) { return of(a[0].text) }}
}

// ofNumber returns a function of a text that is a number in the plain form. It is NULL for a text that is certainly not
// a number in Java, which also reads NaN and Infinity.
func ofNumber(plain *regexp.Regexp, of func(a string) (value, error)) function {
	return ofText(func(a string) (value, error) {
		switch {
		case plain.MatchString(a):
			return of(a)
		case letters.MatchString(a) && a != "NaN" && a != "Infinity":
			return value{}, nil
		}
		return value{}, fmt.Errorf("the text %q as a number", a)
	})
}

// integers returns a function that overflows silently, as Flink's do.
func integers(of func(a, b int64) int64) function {
	return function{[]kind{integer, integer}, func(a []value) (value, error) { return integerOf(of(a[0].n, a[1].n)), nil }}
}

// wrapped is integers for 32 bits.
func wrapped(of func(a, b int64) int64) function {
	return integers(func(a, b int64) int64 { return int64(int32(of(a, b))) })
}

// divided fails on a division by zero, which stops Flink's job.
func divided(of func(a, b int64) int64) function {
	return function{[]kind{integer, integer}, func(a []value) (value, error) {
		if a[1].n == 0 {
			return value{}, fmt.Errorf("a division of %d by 0, which stops the job", a[0].n)
		}
		return integerOf(of(a[0].n, a[1].n)), nil
	}}
}

func floats(of func(a, b float64) float64) function {
	return function{[]kind{float, float}, func(a []value) (value, error) { return finite(of(a[0].f, a[1].f)) }}
}

// finite refuses NaN and infinity, which no column can hold.
func finite(f float64) (value, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return value{}, errors.New("a result that is no finite number")
	}
	return floatOf(f), nil
}

var (
	plainInteger = regexp.MustCompile(`^-?[0-9]{1,9}$`)
	plainBigint  = regexp.MustCompile(`^-?[0-9]{1,18}$`)
	plainDecimal = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,15})?$`)
	letters      = regexp.MustCompile(`^[A-Za-z]*$`)
)

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
func trimmed(a string) (value, error) {
	first, _ := utf8.DecodeRuneInString(a)
	last, _ := utf8.DecodeLastRuneInString(a)
	for _, r := range []rune{first, last} {
		if a != "" && (unicode.IsSpace(r) && r != ' ' || unicode.IsControl(r)) {
			return value{}, fmt.Errorf("a TRIM to %q", a)
		}
	}
	return textOf(a), nil
}

// recent refuses times before 1970, whose parts depend on calendar and rounding.
func recent(timestamp string) error {
	if timestamp < "1970" {
		return fmt.Errorf("parts of %s, which is before 1970", timestamp)
	}
	return nil
}

// substring counts characters from 1.
func substring(all string, start, length int64) (value, error) {
	if start < 1 || length < 0 {
		return value{}, fmt.Errorf("a SUBSTRING from %d for %d", start, length)
	}
	from := len(all)
	characters := int64(0)
	for i := range all {
		if characters++; characters == start {
			from = i
		}
		if characters-start == length {
			return textOf(all[from:i]), nil
		}
	}
	return textOf(all[from:]), nil
}

// like supports %, for any text, and _, for one character.
func like(a []value) (value, error) {
	all, pattern := a[0].text, a[1].text
	if strings.Contains(pattern, "_") && strings.ContainsAny(all, "\r\n\u0085\u2028\u2029") {
		return value{}, fmt.Errorf("%q LIKE %q: a line break may not count as a character", all, pattern)
	}
	return truth(matches([]rune(all), []rune(pattern))), nil
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
