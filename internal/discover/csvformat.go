package discover

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"streamproof/internal/record"
)

// A dialect is how lines of CSV are taken apart.
type csvFormat struct {
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
type csvField struct {
	text   string
	quoted bool
}

// A line is a row as it stands, which may have newlines between quotes.
type line struct {
	fields   []csvField
	raw      []byte
	fault    string // what is wrong with it; fields is nil then
	multi    bool   // it has a newline between quotes
	carriage bool   // it ends with \r\n
	at       text
	first    bool // it may be the header of its record
	number   int  // of the line in its record, from 1
}

// split takes text apart. What is wrong with a line spoils that line and no other: the next one begins after the next
// newline.
func (f csvFormat) split(t text, take func(line)) {
	rest, number := t.data, 1
	for len(rest) > 0 {
		l, size := f.next(rest)
		atEnd := size == len(rest) && rest[size-1] != '\n'
		raw := rest[:size]
		rest = rest[size:]
		l.number = number
		number += bytes.Count(raw, []byte("\n"))
		if len(bytes.Trim(raw, "\r\n")) == 0 {
			continue
		}
		if t.cut && atEnd || t.cut && l.fault == record.UnclosedQuote && !bytes.ContainsRune(rest, rune(f.quote)) {
			return // the sample ends within this line
		}
		l.raw, l.at = raw, t
		take(l)
	}
}

// next reads the first row of text, and returns its size with the newline.
func (f csvFormat) next(text []byte) (line, int) {
	scanner := record.CSVScanner{Delimiter: f.delimiter, Quote: f.quote}
	size := len(text)
	if end := scanner.Extent(text); end >= 0 {
		size = end + 1
	}
	var l line
	raw, carriage := bytes.CutSuffix(bytes.TrimSuffix(text[:size], []byte("\n")), []byte("\r"))
	l.carriage = carriage
	fields, reason := scanner.Split(raw)
	for _, field := range fields {
		l.fields = append(l.fields, csvField{string(field.Text), field.Quoted})
		l.multi = l.multi || bytes.IndexByte(field.Text, '\n') >= 0
	}
	if l.multi && f.width > 0 && len(l.fields) != f.width {
		reason = record.UnclosedQuote
	}
	if reason != "" {
		return line{fault: reason}, lineSize(text)
	}
	return l, size
}

// sniffBytes are as many as are tried with each dialect.
const sniffBytes = 128 << 10

// sniff finds the dialect under which texts look most like a table: van den Burg, Nazábal and Sutton, "Wrangling messy
// CSV files by detecting row and type patterns" (2019). A dialect is worth how even its rows are, times the share of
// fields that look like values.
func sniff(texts []text, only string) csvFormat {
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
	var best csvFormat
	most, faulty := -1.0, false
	for _, quote := range quotes {
		switch {
		case quote == '\'' && !slices.ContainsFunc(texts, func(t text) bool { return bytes.IndexByte(t.data, quote) >= 0 }):
			continue
		case quote == 0 && !faulty:
			continue // a stray quote here and there is a fault
		}
		for i := range len(candidates) {
			if f := (csvFormat{delimiter: candidates[i], quote: quote}); f.delimiter != quote {
				if score, faults := f.score(texts); score > most+1e-9 {
					best, most, faulty = f, score, faults
				}
			}
		}
	}
	return best
}

// score is what a dialect is worth, and whether quotes are misplaced more often than by fault.
func (f csvFormat) score(texts []text) (score float64, faulty bool) {
	widths := map[int]int{}
	rows, fields, known, faults := 0, 0, 0, 0
	for _, t := range texts {
		f.split(t, func(l line) {
			rows++
			if l.fault != "" {
				widths[0]++
				fields++
				if l.fault != record.CarriageReturn {
					faults++
				}
				return
			}
			widths[len(l.fields)]++
			for _, field := range l.fields {
				fields++
				if field.quoted || looksLikeValue(field.text) {
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
func looksLikeValue(s string) bool {
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
