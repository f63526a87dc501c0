package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The patterns of columns that name none, and the layout of the first in package time.
const (
	TimestampPattern = "yyyy-MM-dd HH:mm:ss"
	TimestampLayout  = time.DateTime
	DatePattern      = "yyyy-MM-dd"
)

var timestampPattern, datePattern = mustParse(TimestampPattern), mustParse(DatePattern)

func mustParse(text string) *Pattern {
	p, err := ParsePattern(text)
	if err != nil {
		panic(err)
	}
	return p
}

// DefaultPattern returns the pattern of a TIMESTAMP or DATE that names none, and nil for other kinds.
func DefaultPattern(kind Kind) *Pattern {
	switch kind {
	case Timestamp:
		return timestampPattern
	case Date:
		return datePattern
	}
	return nil
}

// A Pattern is how a time or a day is written, in letters of Java's DateTimeFormatter:
//
//	yyyy               year, of four digits
//	MM M MMM           month: two digits, one or two, or Jan to Dec
//	dd d               day of the month: two digits, or one or two
//	EEE                day of the week: Mon to Sun
//	HH H               hour, 00 to 23: two digits, or one or two
//	hh h a             hour, 01 to 12, with AM or PM
//	mm ss              minutes and seconds, of two digits
//	.SSS  ,SSS         fraction of a second, of exactly as many digits, 1 to 9
//	[.SSS]             the same with at most as many digits, or none; in Java it would be exactly as many, or none
//	XXX XX X           offset from UTC as +01:00, +0100 or +01, or Z
//	xxx xx             the same with +00:00 or +0000 in place of Z
//	'T'                text: T, Z, at, of, spaces and punctuation
//
// Other letters are refused; punctuation and spaces stand for themselves. A time with an offset is the instant it
// names; a time without one is taken as UTC. A value is read from left to right, and each part takes as many digits as
// it may.
type Pattern struct {
	text  string
	parts []part
	clock bool
	// digits is how many a fraction of a second has at most.
	digits int
}

type part struct {
	// letters are as in the pattern; "S" is a fraction of a second, "'" text.
	letters  string
	literal  string // the text, or the mark before a fraction
	digits   int    // of a fraction
	optional bool   // a fraction that may be missing
	field    *field // of letters that stand for a number
}

// known are the letters of a pattern.
var known = []string{
	"yyyy", "MMM", "MM", "M", "dd", "d", "EEE", "HH", "H", "hh", "h", "a", "mm", "ss", "XXX", "XX", "X", "xxx", "xx",
}

// A field is how a number of a moment is written: as one of the names, or in digits.
type field struct {
	of          int
	least, most int      // digits
	noZero      bool     // it cannot begin with a zero
	names       []string // by number
}

// fields are the letters that stand for a number.
var fields = map[string]*field{
	"yyyy": {of: year, least: 4, most: 4},
	"MM":   {of: month, least: 2, most: 2},
	"M":    {of: month, least: 1, most: 2, noZero: true},
	"MMM":  {of: month, names: strings.Split("- Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", " ")},
	"dd":   {of: day, least: 2, most: 2},
	"d":    {of: day, least: 1, most: 2, noZero: true},
	"EEE":  {of: weekday, names: strings.Split("Sun Mon Tue Wed Thu Fri Sat", " ")},
	"HH":   {of: hour, least: 2, most: 2},
	"H":    {of: hour, least: 1, most: 2},
	"hh":   {of: halfHour, least: 2, most: 2},
	"h":    {of: halfHour, least: 1, most: 2, noZero: true},
	"a":    {of: half, names: []string{"AM", "PM"}},
	"mm":   {of: minute, least: 2, most: 2},
	"ss":   {of: second, least: 2, most: 2},
}

var (
	fraction         = regexp.MustCompile(`^([.,])(S{1,9})(?:[^S]|$)`)
	optionalFraction = regexp.MustCompile(`^\[\.(S{1,9})\]`)
)

// ParsePattern reads a pattern.
func ParsePattern(text string) (*Pattern, error) {
	p := &Pattern{text: text}
	fail := func(problem string, args ...any) (*Pattern, error) {
		return nil, fmt.Errorf("pattern %q: %s", text, fmt.Sprintf(problem, args...))
	}
	for at := 0; at < len(text); {
		rest := text[at:]
		add := part{letters: "'"}
		size := 1
		switch c := rest[0]; {
		case p.has("ss") && fraction.MatchString(rest):
			m := fraction.FindStringSubmatch(rest)
			add, size = part{letters: "S", literal: m[1], digits: len(m[2])}, 1+len(m[2])
		case strings.HasSuffix(text[:at], "ss") && optionalFraction.MatchString(rest):
			m := optionalFraction.FindStringSubmatch(rest)
			add, size = part{letters: "S", literal: ".", digits: len(m[1]), optional: true}, len(m[0])
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			size = len(rest) - len(strings.TrimLeft(rest, string(c)))
			add = part{letters: rest[:size], field: fields[rest[:size]]}
			if !slices.Contains(known, add.letters) {
				return fail("%s is not supported; want %s", add.letters, strings.Join(known, " "))
			}
		case c == '\'':
			var closed bool
			if add.literal, _, closed = strings.Cut(rest[1:], "'"); !closed {
				return fail("a quote is not closed")
			}
			if strings.Trim(add.literal, "TZ :-,./atof") != "" {
				return fail("quoted text may have only T, Z, at, of, spaces and :-,./")
			}
			size = len(add.literal) + 2
		case strings.ContainsRune(" -/:,.", rune(c)):
			add.literal = rest[:1]
		default:
			return fail("%q must be in quotes", c)
		}
		if add.letters != "'" && p.has(add.letters) {
			return fail("%s occurs twice", add.letters)
		}
		p.parts = append(p.parts, add)
		p.digits = max(p.digits, add.digits)
		at += size
	}
	count := func(letters ...string) (n int) {
		for _, l := range letters {
			if p.has(l) {
				n++
			}
		}
		return n
	}
	hours, half, zones := count("HH", "H", "hh", "h"), count("hh", "h"), count("XXX", "XX", "X", "xxx", "xx")
	switch {
	case !p.has("yyyy") || count("MMM", "MM", "M") != 1 || count("dd", "d") != 1:
		return fail("it needs a year, a month and a day, each once")
	case hours > 1 || zones > 1:
		return fail("it may have an hour and an offset once each")
	case hours == 0 && (p.has("mm") || p.has("ss") || p.has("a") || zones > 0), hours == 1 && !p.has("mm"):
		return fail("a time needs an hour and minutes")
	case (half == 1) != p.has("a"):
		return fail("hh and h need a, and a needs one of them")
	}
	p.clock = hours == 1
	return p, nil
}

func (p *Pattern) has(letters string) bool {
	return slices.ContainsFunc(p.parts, func(part part) bool { return part.letters == letters })
}

// tokens returns the parts as the resolved form has them.
func (p *Pattern) tokens() []string {
	var all []string
	for _, part := range p.parts {
		token := part.letters
		switch token {
		case "'":
			token += part.literal
		case "S":
			token = part.literal + strings.Repeat("S", part.digits)
			if part.optional {
				token = "[" + token + "]"
			}
		}
		all = append(all, token)
	}
	return all
}

// String returns the pattern's text, which is empty for nil.
func (p *Pattern) String() string {
	if p == nil {
		return ""
	}
	return p.text
}

// MarshalText returns the pattern's text.
func (p *Pattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// HasTime reports whether the pattern has a time of day.
func (p *Pattern) HasTime() bool { return p.clock }

// HasSeconds reports whether the time of day has seconds.
func (p *Pattern) HasSeconds() bool { return p.has("ss") }

// Digits returns how many digits of a second's fraction a value has at most: the p of TIMESTAMP(p).
func (p *Pattern) Digits() int { return p.digits }

// A moment is the numbers that the parts of a value say. Those that are missing are 0, apart from weekday and halfHour.
type moment [nanos + 1]int

const (
	year = iota
	month
	day
	weekday  // 0 is Sunday
	hour     // 0 to 23
	halfHour // 1 to 12
	half     // of the day: 0 is AM, 1 is PM
	minute
	second
	nanos

	missing = -1 // a weekday or halfHour
)

// momentOf is the moment of a time in UTC.
func momentOf(t time.Time) moment {
	return moment{
		t.Year(), int(t.Month()), t.Day(), int(t.Weekday()), t.Hour(), (t.Hour()+11)%12 + 1, t.Hour() / 12, t.Minute(),
		t.Second(), t.Nanosecond(),
	}
}

// Parse reads a value. It reports false unless all of the value matches the pattern and is a day and time that exist,
// in the years 0 to 9999 of UTC.
func (p *Pattern) Parse(value string) (time.Time, bool) {
	m := moment{weekday: missing, halfHour: missing}
	offset := 0
	for i := range p.parts {
		var ok bool
		if value, ok = p.parts[i].read(value, &m, &offset); !ok {
			return time.Time{}, false
		}
	}
	if h := m[halfHour]; h != missing {
		if h < 1 || h > 12 {
			return time.Time{}, false
		}
		m[hour] = h%12 + 12*m[half]
	}
	if value != "" || m[month] < 1 || m[month] > 12 || m[day] < 1 || m[hour] > 23 || m[minute] > 59 || m[second] > 59 {
		return time.Time{}, false
	}
	t := time.Date(m[year], time.Month(m[month]), m[day], m[hour], m[minute], m[second], m[nanos], time.UTC)
	if t.Day() != m[day] || m[weekday] != missing && int(t.Weekday()) != m[weekday] {
		return time.Time{}, false
	}
	t = t.Add(-time.Duration(offset) * time.Minute)
	return t, t.Year() >= 0 && t.Year() <= 9999
}

// read takes the part off the front of a value. The offset is in minutes.
func (p *part) read(value string, m *moment, offset *int) (rest string, ok bool) {
	switch {
	case p.field != nil:
		return p.field.read(value, m)
	case p.letters == "'":
		return strings.CutPrefix(value, p.literal)
	case p.letters == "S":
		return p.readFraction(value, m)
	default:
		return p.readOffset(value, offset)
	}
}

func (f *field) read(value string, m *moment) (rest string, ok bool) {
	for n, name := range f.names {
		if rest, ok = strings.CutPrefix(value, name); ok {
			m[f.of] = n
			return rest, true
		}
	}
	if f.names != nil || f.noZero && strings.HasPrefix(value, "0") {
		return value, false
	}
	m[f.of], rest, ok = number(value, f.least, f.most)
	return rest, ok
}

// number reads at least least digits, and as many up to most as there are.
func number(value string, least, most int) (n int, rest string, ok bool) {
	size := 0
	for size < len(value) && size < most && value[size] >= '0' && value[size] <= '9' {
		n = n*10 + int(value[size]-'0')
		size++
	}
	return n, value[size:], size >= least
}

func (p *part) readFraction(value string, m *moment) (rest string, ok bool) {
	digits, ok := strings.CutPrefix(value, p.literal)
	if !ok {
		return value, p.optional
	}
	least := p.digits
	if p.optional {
		least = 1
	}
	n, rest, ok := number(digits, least, p.digits)
	for range 9 - (len(digits) - len(rest)) {
		n *= 10
	}
	m[nanos] = n
	return rest, ok
}

// readOffset reads an offset of up to 23 hours and 59 minutes.
func (p *part) readOffset(value string, offset *int) (rest string, ok bool) {
	if value == "" {
		return value, false
	}
	sign := 1
	switch value[0] {
	case 'Z':
		return value[1:], p.letters[0] == 'X'
	case '-':
		sign = -1
	case '+':
	default:
		return value, false
	}
	hours, rest, ok := number(value[1:], 2, 2)
	minutes := 0
	if ok && len(p.letters) == 3 {
		rest, ok = strings.CutPrefix(rest, ":")
	}
	if ok && len(p.letters) > 1 {
		minutes, rest, ok = number(rest, 2, 2)
	}
	*offset = sign * (hours*60 + minutes)
	return rest, ok && hours <= 23 && minutes <= 59
}

// Append appends a time in UTC as the pattern has it. Parse reads it as the same time, as far as the pattern has its
// parts. A fraction that may be missing has no trailing zeros.
func (p *Pattern) Append(dst []byte, t time.Time) []byte { return p.append(dst, momentOf(t.UTC())) }

// AppendNoSuchDay is Append with February 30 in place of the day.
func (p *Pattern) AppendNoSuchDay(dst []byte, t time.Time) []byte {
	t = t.UTC()
	m := momentOf(time.Date(t.Year(), time.February, 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC))
	m[day] = 30
	return p.append(dst, m)
}

func (p *Pattern) append(dst []byte, m moment) []byte {
	for i := range p.parts {
		dst = p.parts[i].append(dst, &m)
	}
	return dst
}

func (p *part) append(dst []byte, m *moment) []byte {
	if f := p.field; f != nil {
		if f.names != nil {
			return append(dst, f.names[m[f.of]]...)
		}
		n := m[f.of]
		if f.least == 4 {
			dst = append(dst, byte('0'+n/1000), byte('0'+n/100%10))
		}
		if f.least > 1 || n > 9 {
			dst = append(dst, byte('0'+n/10%10))
		}
		return append(dst, byte('0'+n%10))
	}
	switch p.letters {
	case "'":
		return append(dst, p.literal...)
	case "S":
		digits := fmt.Sprintf("%09d", m[nanos])[:p.digits]
		if p.optional {
			if digits = strings.TrimRight(digits, "0"); digits == "" {
				return dst
			}
		}
		return append(append(dst, p.literal...), digits...)
	case "xxx":
		return append(dst, "+00:00"...)
	case "xx":
		return append(dst, "+0000"...)
	default:
		return append(dst, 'Z')
	}
}
