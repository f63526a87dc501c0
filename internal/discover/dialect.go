package discover

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// A dialect is how lines of CSV are taken apart.
type dialect struct {
	delimiter byte
	quote     byte // 0 where nothing is quoted
	// width, where it is known, is how many columns a row of several lines has: with others, it is a line whose quote
	// is not closed.
	width int
}

// The dialects that are looked for, the likelier ones first: of equal ones the first is taken.
const delimiters = ",;\t|^~\x01\x1f"

var quotes = [...]byte{'"', '\'', 0}

// A field is one value of a line.
type field struct {
	text   string
	quoted bool
}

// A line is a row as it stands, which may have newlines between quotes.
type line struct {
	fields   []field
	raw      []byte
	fault    string // what is wrong with it; fields is nil then
	multi    bool   // it has a newline between quotes
	carriage bool   // it ends with \r\n
	at       text
	first    bool // it may be the header of its record
	number   int  // of the line in its record, from 1
}

// The faults of a line.
const (
	unclosedQuote  = "a quote is not closed"
	misplacedQuote = "a quote is not where one may be"
	carriageReturn = "a carriage return within the line"
)

// split takes text apart. What is wrong with a line spoils that line and no other: the next one begins after the next
// newline.
func (d dialect) split(t text, take func(line)) {
	rest, number := t.data, 1
	for len(rest) > 0 {
		l, size := d.next(rest)
		atEnd := size == len(rest) && rest[size-1] != '\n'
		raw := rest[:size]
		rest = rest[size:]
		l.number = number
		number += bytes.Count(raw, []byte("\n"))
		if len(bytes.Trim(raw, "\r\n")) == 0 {
			continue
		}
		if t.cut && atEnd || t.cut && l.fault == unclosedQuote && !bytes.ContainsRune(rest, rune(d.quote)) {
			return // the sample ends within this line
		}
		l.raw, l.at = raw, t
		take(l)
	}
}

// next reads the first row of text, and gives how much of it the row is, with its newline.
func (d dialect) next(text []byte) (line, int) {
	l, size := d.parse(text)
	if l.multi && d.width > 0 && len(l.fields) != d.width {
		return line{fault: unclosedQuote}, bytes.IndexByte(text, '\n') + 1
	}
	return l, size
}

func (d dialect) parse(text []byte) (l line, size int) {
	whole := len(text)
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		whole = end + 1
	}
	fault := func(reason string) (line, int) { return line{fault: reason}, whole }
	at := 0
	for {
		if d.quote != 0 && at < len(text) && text[at] == d.quote {
			value, end, reason := d.unquote(text, at)
			if reason != "" {
				return fault(reason)
			}
			l.multi = l.multi || strings.Contains(value, "\n")
			l.fields = append(l.fields, field{value, true})
			at = end
		} else {
			end := at
			for end < len(text) && text[end] != d.delimiter && text[end] != '\n' {
				if text[end] == d.quote && d.quote != 0 {
					return fault(misplacedQuote)
				}
				end++
			}
			value := text[at:end]
			if end == len(text) || text[end] == '\n' {
				if cut, ok := bytes.CutSuffix(value, []byte("\r")); ok {
					value, l.carriage = cut, true
				}
			}
			if bytes.IndexByte(value, '\r') >= 0 {
				return fault(carriageReturn)
			}
			l.fields = append(l.fields, field{string(value), false})
			at = end
		}
		switch {
		case at == len(text):
			return l, at
		case text[at] == '\n':
			return l, at + 1
		case text[at] == '\r' && (at+1 == len(text) || text[at+1] == '\n'): // after a closing quote
			l.carriage = true
			return l, min(at+2, len(text))
		case text[at] != d.delimiter:
			return fault(misplacedQuote)
		}
		at++
		if at == len(text) { // a delimiter ends the text
			l.fields = append(l.fields, field{})
			return l, at
		}
	}
}

// unquote reads the field whose quote opens at start, and gives where the text goes on.
func (d dialect) unquote(text []byte, start int) (value string, end int, fault string) {
	var b strings.Builder
	for at := start + 1; ; {
		end := bytes.IndexByte(text[at:], d.quote)
		if end < 0 {
			return "", 0, unclosedQuote
		}
		b.Write(text[at : at+end])
		at += end + 1
		if at < len(text) && text[at] == d.quote {
			b.WriteByte(d.quote)
			at++
			continue
		}
		return b.String(), at, ""
	}
}

// sniffBytes are as many as are tried with each dialect.
const sniffBytes = 128 << 10

// sniff finds the dialect under which texts look most like a table: van den Burg, Nazábal and Sutton, "Wrangling messy
// CSV files by detecting row and type patterns" (2019). A dialect is worth how even its rows are, times the share of
// fields that look like values.
func sniff(texts []text, only string) dialect {
	size := 0
	for i, t := range texts {
		if size += len(t.data); size > sniffBytes {
			last := t
			last.data, last.cut = t.data[:len(t.data)-(size-sniffBytes)], true
			texts = append(slices.Clone(texts[:i]), last)
			if i == 0 && bytes.IndexByte(last.data, '\n') < 0 {
				texts[0] = t // one line, however long
			}
			break
		}
	}
	candidates := delimiters
	if only != "" {
		candidates = only
	}
	var best dialect
	most, faulty := -1.0, false
	for _, quote := range quotes {
		switch {
		case quote == '\'' && !slices.ContainsFunc(texts, func(t text) bool { return bytes.IndexByte(t.data, quote) >= 0 }):
			continue
		case quote == 0 && !faulty:
			continue // a stray quote here and there is a fault
		}
		for i := range len(candidates) {
			if d := (dialect{delimiter: candidates[i], quote: quote}); d.delimiter != quote {
				if score, faults := d.score(texts); score > most+1e-9 {
					best, most, faulty = d, score, faults
				}
			}
		}
	}
	return best
}

// score is what a dialect is worth, and whether quotes are misplaced more often than by fault.
func (d dialect) score(texts []text) (score float64, faulty bool) {
	widths := map[int]int{}
	rows, fields, known, faults := 0, 0, 0, 0
	for _, t := range texts {
		d.split(t, func(l line) {
			rows++
			if l.fault != "" {
				widths[0]++
				fields++
				if l.fault != carriageReturn {
					faults++
				}
				return
			}
			widths[len(l.fields)]++
			for _, f := range l.fields {
				fields++
				if f.quoted || d.looksLikeValue(f.text) {
					known++
				}
			}
		})
	}
	if rows == 0 {
		return 0, false
	}
	even := 0.0
	for width, n := range widths {
		even += float64(n) * max(float64(width-1)/float64(max(width, 1)), 1e-3)
	}
	even /= float64(len(widths) * rows)
	return even * float64(known) / float64(fields), !rare(faults, rows)
}

// looksLikeValue says whether a field without quotes is something that people write into one field.
func (d dialect) looksLikeValue(s string) bool {
	if s == "" || isTyped(s) {
		return true
	}
	if !utf8.ValidString(s) {
		return false
	}
	// Another mark that could have been the delimiter, or a quote, within it says that it was not taken apart far
	// enough.
	return !strings.ContainsAny(s, delimiters+"\"") && strings.TrimSpace(s) == s
}
