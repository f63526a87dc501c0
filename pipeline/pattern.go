package pipeline

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The patterns of columns that name none.
const (
	TimestampPattern = "yyyy-MM-dd HH:mm:ss"
	DatePattern      = "yyyy-MM-dd"
)

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
//	[.SSS]             the same with up to as many digits, or none: Java's own optional part would want exactly these
//	XXX XX X           offset from UTC as +01:00, +0100 or +01, or Z
//	xxx xx             the same where none is +00:00 or +0000
//	'T'                text: T, Z, at, of, blanks and marks
//
// All other letters are refused; what is no letter stands for itself. A time with an offset is the instant that it names,
// one without is taken as UTC.
type Pattern struct {
	text                     string
	form                     *regexp.Regexp // what time.Parse would take is more than the pattern says
	layout                   string
	day, clock, zone, weekly bool
}

// parts are the letters of a pattern, longest first, with what they look like and what package time calls them.
var parts = []struct{ letters, form, layout string }{
	{"yyyy", `\d{4}`, "2006"},
	{"MMM", `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`, "Jan"},
	{"MM", `\d{2}`, "01"},
	{"M", `[1-9]\d?`, "1"},
	{"dd", `\d{2}`, "02"},
	{"d", `[1-9]\d?`, "2"},
	{"EEE", `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)`, "Mon"},
	{"HH", `\d{2}`, "15"},
	{"H", `\d{1,2}`, "15"},
	{"hh", `\d{2}`, "03"},
	{"h", `[1-9]\d?`, "3"},
	{"a", `(?:AM|PM)`, "PM"},
	{"mm", `\d{2}`, "04"},
	{"ss", `\d{2}`, "05"},
	{"XXX", `(?:Z|[+-]\d{2}:\d{2})`, "Z07:00"},
	{"XX", `(?:Z|[+-]\d{4})`, "Z0700"},
	{"X", `(?:Z|[+-]\d{2})`, "Z07"},
	{"xxx", `[+-]\d{2}:\d{2}`, "-07:00"},
	{"xx", `[+-]\d{4}`, "-0700"},
}

var (
	fraction         = regexp.MustCompile(`^[.,](S{1,9})`)
	optionalFraction = regexp.MustCompile(`^\[\.(S{1,9})\]`)
)

// ParsePattern reads a pattern.
func ParsePattern(text string) (*Pattern, error) {
	p := &Pattern{text: text}
	fail := func(problem string, args ...any) (*Pattern, error) {
		return nil, fmt.Errorf("pattern %q: %s", text, fmt.Sprintf(problem, args...))
	}
	var form, layout strings.Builder
	has := map[string]bool{}
	add := func(f, l string) { form.WriteString(f); layout.WriteString(l) }
	form.WriteString(`^`)
	for at := 0; at < len(text); {
		rest := text[at:]
		if m := fraction.FindStringSubmatch(rest); m != nil && has["ss"] && !strings.HasPrefix(rest[len(m[0]):], "S") {
			add(fmt.Sprintf(`[%s]\d{%d}`, m[0][:1], len(m[1])), m[0][:1]+strings.Repeat("0", len(m[1])))
			at += len(m[0])
			continue
		}
		if m := optionalFraction.FindStringSubmatch(rest); m != nil && strings.HasSuffix(text[:at], "ss") {
			add(fmt.Sprintf(`(?:\.\d{1,%d})?`, len(m[1])), "") // time.Parse takes a fraction after the seconds by itself
			at += len(m[0])
			continue
		}
		switch c := rest[0]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			run := len(rest) - len(strings.TrimLeft(rest, string(c)))
			known := false
			for _, part := range parts {
				if part.letters == rest[:run] {
					if has[part.letters] {
						return fail("%s is there twice", part.letters)
					}
					has[part.letters], known = true, true
					add(part.form, part.layout)
				}
			}
			if !known {
				return fail("%s is not one of the letters that are known", rest[:run])
			}
			at += run
		case c == '\'':
			literal, size := quotedLiteral(rest)
			if size == 0 {
				return fail("a quote is not closed")
			}
			if strings.Trim(literal, "TZ :-,./atof") != "" { // other text could mean something in a layout
				return fail("text in quotes may be of T, Z, at, of, blanks and :-,./ only")
			}
			add(regexp.QuoteMeta(literal), literal)
			at += size
		case strings.ContainsRune(" -/:,.", rune(c)):
			add(regexp.QuoteMeta(string(c)), string(c))
			at++
		default:
			return fail("%q has to stand in quotes", c)
		}
	}
	form.WriteString(`$`)
	either := func(letters ...string) int {
		n := 0
		for _, l := range letters {
			if has[l] {
				n++
			}
		}
		return n
	}
	months, days, hours, zones := either("MMM", "MM", "M"), either("dd", "d"), either("HH", "H", "hh", "h"), either("XXX", "XX", "X", "xxx", "xx")
	half := either("hh", "h")
	switch {
	case !has["yyyy"] || months != 1 || days != 1:
		return fail("it has to have year, month and day, each once")
	case hours > 1 || zones > 1:
		return fail("hour and offset may be there once")
	case hours == 0 && (has["mm"] || has["ss"] || has["a"] || zones > 0), hours == 1 && !has["mm"]:
		return fail("a time has hour and minutes")
	case (half == 1) != has["a"]:
		return fail("hh and h go with a")
	}
	p.form, p.layout = regexp.MustCompile(form.String()), layout.String()
	p.day, p.clock, p.zone, p.weekly = true, hours == 1, zones == 1, has["EEE"]
	return p, nil
}

// quotedLiteral reads text in quotes, and gives how much of the pattern it is, 0 where the quote is not closed.
func quotedLiteral(text string) (literal string, size int) {
	end := strings.IndexByte(text[1:], '\'')
	if end < 0 {
		return "", 0
	}
	return text[1 : end+1], end + 2
}

// String gives the pattern's text.
func (p *Pattern) String() string { return p.text }

// HasTime says whether the pattern has a time of the day.
func (p *Pattern) HasTime() bool { return p.clock }

// Parse reads a value. All of it has to be as the pattern says, and a day and a time that exist.
func (p *Pattern) Parse(value string) (time.Time, bool) {
	if !p.form.MatchString(value) {
		return time.Time{}, false
	}
	t, err := time.Parse(p.layout, value)
	if err != nil || p.weekly && !strings.Contains(value, t.Format("Mon")) {
		return time.Time{}, false
	}
	return t.UTC(), true
}
