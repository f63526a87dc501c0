package discover

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"streamproof/internal/record"
)

// A csvFormat says how a line of CSV is split.
type csvFormat struct {
	delimiter byte
	quote     byte // 0 if nothing is quoted
	// width, if known, is the number of columns of a row that spans lines. Another number means an unclosed quote.
	width int
}

// The delimiters and quotes that are tried, the likelier ones first. The first wins a tie.
const delimiters = ",;\t|^~\x01\x1f"

var quotes = [...]byte{'"', '\'', 0}

type csvField struct {
	text   string
	quoted bool
}

// A line is a row as written. It may have newlines between quotes.
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

// split splits a text into rows. A fault spoils only its own line: the next row begins after the next newline.
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

// next splits off the first row of a text, and returns its size including the newline.
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

// sniffBytes is how much of the sample each format is tried on.
const sniffBytes = 128 << 10

// sniff finds the format that makes the texts look most like a table: van den Burg, Nazábal and Sutton, "Wrangling
// messy CSV files by detecting row and type patterns" (2019). The score is how even the rows are, times the share of
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

// score rates a format, and reports whether more quotes are misplaced than faults would explain.
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

// looksLikeValue reports whether an unquoted field looks like a single value.
func looksLikeValue(s string) bool {
	if s == "" || isTyped(s) {
		return true
	}
	if !utf8.ValidString(s) {
		return false
	}
	// A quote, or another delimiter, suggests that the field should have been split further.
	return !strings.ContainsAny(s, delimiters+"\"") && strings.TrimSpace(s) == s
}
