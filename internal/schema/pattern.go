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
}

// known are the letters of a pattern.
var known = []string{
	"yyyy", "MMM", "MM", "M", "dd", "d", "EEE", "HH", "H", "hh", "h", "a", "mm", "ss", "XXX", "XX", "X", "xxx", "xx",
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
			add = part{letters: rest[:size]}
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

// A moment is what the parts of a value say.
type moment struct {
	year, month, day, hour, minute, second, nanos int
	offset                                        int // minutes
	weekday                                       int // -1 if missing
	half, afternoon                               bool
}

// Parse reads a value. It reports false unless all of the value matches the pattern and is a day and time that exist,
// in the years 0 to 9999 of UTC.
func (p *Pattern) Parse(value string) (time.Time, bool) {
	m := moment{weekday: -1}
	for i := range p.parts {
		var ok bool
		if value, ok = p.parts[i].read(value, &m); !ok {
			return time.Time{}, false
		}
	}
	if m.half {
		if m.hour < 1 || m.hour > 12 {
			return time.Time{}, false
		}
		m.hour %= 12
		if m.afternoon {
			m.hour += 12
		}
	}
	if value != "" || m.month < 1 || m.month > 12 || m.day < 1 || m.hour > 23 || m.minute > 59 || m.second > 59 {
		return time.Time{}, false
	}
	t := time.Date(m.year, time.Month(m.month), m.day, m.hour, m.minute, m.second, m.nanos, time.UTC)
	if t.Day() != m.day || m.weekday >= 0 && int(t.Weekday()) != m.weekday {
		return time.Time{}, false
	}
	t = t.Add(-time.Duration(m.offset) * time.Minute)
	return t, t.Year() >= 0 && t.Year() <= 9999
}

// The names of months and days of the week, of three letters each.
const (
	monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"
	dayNames   = "SunMonTueWedThuFriSat"
)

// read takes the part off the front of a value.
func (p *part) read(value string, m *moment) (rest string, ok bool) {
	switch p.letters {
	case "'":
		return strings.CutPrefix(value, p.literal)
	case "yyyy":
		m.year, rest, ok = number(value, 4, 4)
	case "MM":
		m.month, rest, ok = number(value, 2, 2)
	case "M":
		m.month, rest, ok = shortNumber(value)
	case "MMM":
		m.month, rest, ok = name(value, monthNames)
		m.month++
	case "dd":
		m.day, rest, ok = number(value, 2, 2)
	case "d":
		m.day, rest, ok = shortNumber(value)
	case "EEE":
		m.weekday, rest, ok = name(value, dayNames)
	case "HH":
		m.hour, rest, ok = number(value, 2, 2)
	case "H":
		m.hour, rest, ok = number(value, 1, 2)
	case "hh":
		m.half = true
		m.hour, rest, ok = number(value, 2, 2)
	case "h":
		m.half = true
		m.hour, rest, ok = shortNumber(value)
	case "a":
		if rest, ok = strings.CutPrefix(value, "PM"); ok {
			m.afternoon = true
			return rest, true
		}
		return strings.CutPrefix(value, "AM")
	case "mm":
		m.minute, rest, ok = number(value, 2, 2)
	case "ss":
		m.second, rest, ok = number(value, 2, 2)
	case "S":
		return p.readFraction(value, m)
	default:
		return p.readOffset(value, m)
	}
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

// shortNumber reads one or two digits without a leading zero.
func shortNumber(value string) (n int, rest string, ok bool) {
	if value == "" || value[0] == '0' {
		return 0, value, false
	}
	return number(value, 1, 2)
}

// name reads one of the names and returns its number, from 0.
func name(value, names string) (n int, rest string, ok bool) {
	for n = 0; n*3 < len(names); n++ {
		if rest, ok = strings.CutPrefix(value, names[n*3:n*3+3]); ok {
			return n, rest, true
		}
	}
	return 0, value, false
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
	m.nanos = n
	return rest, ok
}

// readOffset reads an offset of up to 23 hours and 59 minutes.
func (p *part) readOffset(value string, m *moment) (rest string, ok bool) {
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
	m.offset = sign * (hours*60 + minutes)
	return rest, ok && hours <= 23 && minutes <= 59
}

// Append appends a time in UTC as the pattern has it. Parse reads it as the same time, as far as the pattern has its
// parts. A fraction that may be missing has no trailing zeros.
func (p *Pattern) Append(dst []byte, t time.Time) []byte {
	t = t.UTC()
	for i := range p.parts {
		dst = p.parts[i].append(dst, t)
	}
	return dst
}

// AppendNoSuchDay is Append with February 30 in place of the day.
func (p *Pattern) AppendNoSuchDay(dst []byte, t time.Time) []byte {
	t = t.UTC()
	february := time.Date(t.Year(), time.February, 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	for i := range p.parts {
		switch p.parts[i].letters {
		case "dd", "d":
			dst = append(dst, "30"...)
		default:
			dst = p.parts[i].append(dst, february)
		}
	}
	return dst
}

func (p *part) append(dst []byte, t time.Time) []byte {
	hour := (t.Hour()+11)%12 + 1
	switch p.letters {
	case "'":
		return append(dst, p.literal...)
	case "yyyy":
		return fmt.Appendf(dst, "%04d", t.Year())
	case "MMM":
		return append(dst, monthNames[3*t.Month()-3:3*t.Month()]...)
	case "MM":
		return appendTwo(dst, int(t.Month()))
	case "M":
		return fmt.Append(dst, int(t.Month()))
	case "dd":
		return appendTwo(dst, t.Day())
	case "d":
		return fmt.Append(dst, t.Day())
	case "EEE":
		return append(dst, dayNames[3*t.Weekday():3*t.Weekday()+3]...)
	case "HH":
		return appendTwo(dst, t.Hour())
	case "H":
		return fmt.Append(dst, t.Hour())
	case "hh":
		return appendTwo(dst, hour)
	case "h":
		return fmt.Append(dst, hour)
	case "a":
		return append(dst, "AMPM"[t.Hour()/12*2:t.Hour()/12*2+2]...)
	case "mm":
		return appendTwo(dst, t.Minute())
	case "ss":
		return appendTwo(dst, t.Second())
	case "S":
		digits := fmt.Sprintf("%09d", t.Nanosecond())[:p.digits]
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

func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }
