package record

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"streamproof/internal/row"
)

// A csvField is the text of a field, before anything is made of it.
type csvField struct {
	text   []byte
	quoted bool
}

func (r *Reader) csv(record []byte, yield func(Row) bool) {
	if len(record) == 0 {
		yield(fault(record, EmptyRecord, ""))
		return
	}
	multiline := r.format.Multiline && bytes.IndexByte(record, r.format.Quote[0]) >= 0
	for whole := len(record); len(record) > 0; {
		start := whole - len(record)
		end := bytes.IndexByte(record, '\n')
		if multiline {
			end = r.extent(record)
		}
		line := record
		if end >= 0 {
			line, record = record[:end], record[end+1:]
		} else {
			record = nil
		}
		if r.format.Newline == "\r\n" && len(line) > 0 && line[len(line)-1] == '\r' {
			line = line[:len(line)-1]
		}
		out, skip := r.line(line)
		out.Offset = start
		if !skip && !yield(out) {
			return
		}
	}
}

// extent finds the newline that ends the first row of a text in which some may be between quotes: -1 where there is none. A quote
// that is never closed has all of the text in it, but for a newline at its end.
func (r *Reader) extent(text []byte) int {
	quote, delimiter := r.format.Quote[0], r.format.Delimiter[0]
	for at := 0; ; at++ { // at the start of a field
		if at < len(text) && text[at] == quote {
			closing := closingQuote(text, at, quote)
			if closing < 0 {
				if text[len(text)-1] == '\n' {
					return len(text) - 1
				}
				return -1
			}
			at = closing + 1
			if at < len(text) && text[at] != delimiter { // it ends here, or is at fault: nothing else is between quotes
				return indexFrom(text, at, '\n')
			}
		}
		for at < len(text) && text[at] != delimiter {
			if text[at] == '\n' {
				return at
			}
			at++
		}
		if at >= len(text) {
			return -1
		}
	}
}

// closingQuote finds the quote that closes the one at a place, -1 where there is none. Two of them are one in the text.
func closingQuote(text []byte, at int, quote byte) int {
	for {
		at = indexFrom(text, at+1, quote)
		if at < 0 || at+1 == len(text) || text[at+1] != quote {
			return at
		}
		at++
	}
}

func indexFrom(text []byte, start int, c byte) int {
	if at := bytes.IndexByte(text[start:], c); at >= 0 {
		return start + at
	}
	return -1
}

// line reads a line without its newline; it is skipped where it is the header.
func (r *Reader) line(line []byte) (out Row, skip bool) {
	r.scratch = r.scratch[:0]
	switch {
	case len(line) == 0:
		return fault(line, BlankLine, ""), false
	case !utf8.Valid(line):
		return unreadable(line, InvalidUTF8, ""), false
	}
	if reason := r.split(line); reason != "" {
		return unreadable(line, reason, ""), false
	}
	if len(r.raw) != len(r.columns) {
		return unreadable(line, WrongColumns, ""), false
	}
	if r.format.Header && slices.EqualFunc(r.raw, r.header, func(f csvField, place string) bool { return string(f.text) == place }) {
		return out, true
	}
	for i := range r.columns {
		c, f := &r.columns[i], &r.raw[i]
		if c.nullable && !f.quoted && c.isNull(f.text) {
			r.fields[i] = row.Field{Null: true}
			continue
		}
		value, scratch, reason := c.read(r.scratch, f.text)
		if reason != "" {
			return unreadable(line, reason, c.name), false
		}
		r.fields[i], r.scratch = row.Field{Text: value}, scratch
	}
	return Row{Raw: line, Fields: r.fields}, false
}

func (c *column) isNull(text []byte) bool {
	for _, null := range c.nulls {
		if string(text) == null {
			return true
		}
	}
	return false
}

// split takes a line apart, as RFC 4180 has it but for the delimiter and the quote, or says why that cannot be done.
func (r *Reader) split(line []byte) (reason string) {
	var quote byte // of a format without, one that is in no line
	if r.format.Quote != "" {
		quote = r.format.Quote[0]
	}
	delimiter := r.format.Delimiter[0]
	r.raw = r.raw[:0]
	for at := 0; ; at++ {
		if quote != 0 && at < len(line) && line[at] == quote {
			closing := closingQuote(line, at, quote)
			if closing < 0 {
				return UnclosedQuote
			}
			r.raw = append(r.raw, csvField{r.unquote(line[at+1:closing], quote), true})
			at = closing + 1
		} else {
			start, misplaced, carriage := at, false, false
			for at < len(line) && line[at] != delimiter { // by hand: most fields are too short for a call to pay
				misplaced = misplaced || quote != 0 && line[at] == quote
				carriage = carriage || line[at] == '\r'
				at++
			}
			switch {
			case misplaced:
				return MisplacedQuote
			case carriage:
				return CarriageReturn
			}
			r.raw = append(r.raw, csvField{line[start:at], false})
		}
		switch {
		case at == len(line):
			return ""
		case line[at] == '\r':
			return CarriageReturn
		case line[at] != delimiter:
			return MisplacedQuote
		}
	}
}

// unquote makes one quote of two.
func (r *Reader) unquote(text []byte, quote byte) []byte {
	at := bytes.IndexByte(text, quote)
	if at < 0 {
		return text
	}
	start := len(r.scratch)
	for ; at >= 0; at = bytes.IndexByte(text, quote) {
		r.scratch = append(r.scratch, text[:at+1]...)
		text = text[at+2:]
	}
	r.scratch = append(r.scratch, text...)
	return r.scratch[start:]
}
