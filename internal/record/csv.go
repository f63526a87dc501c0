package record

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"streamproof/internal/row"
)

// A CSVScanner splits CSV as RFC 4180 describes it, with any delimiter and quote. The Flink job's LineParser does the
// same.
type CSVScanner struct {
	Delimiter byte
	Quote     byte // 0 if nothing is quoted

	fields  []CSVField
	scratch []byte // fields with doubled quotes
}

// A CSVField is the text of a field, without its quotes.
type CSVField struct {
	Text   []byte
	Quoted bool
}

// Extent returns the position of the newline that ends the first row of text if newlines in quotes do not, or -1. A
// quote that is never closed contains all of the text, except for a newline at its end.
func (s *CSVScanner) Extent(text []byte) int {
	for at := 0; ; at++ { // at the start of a field
		if s.Quote != 0 && at < len(text) && text[at] == s.Quote {
			closing := s.closingQuote(text, at)
			if closing < 0 {
				if text[len(text)-1] == '\n' {
					return len(text) - 1
				}
				return -1
			}
			at = closing + 1
			if at < len(text) && text[at] != s.Delimiter { // the row ends here or is malformed: nothing else is quoted
				return indexFrom(text, at, '\n')
			}
		}
		for at < len(text) && text[at] != s.Delimiter {
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

// Split returns the fields of a line, which are valid until the next call, or the reason why it has none.
func (s *CSVScanner) Split(line []byte) (fields []CSVField, reason string) {
	quote, delimiter := s.Quote, s.Delimiter
	s.fields, s.scratch = s.fields[:0], s.scratch[:0]
	for at := 0; ; at++ {
		if quote != 0 && at < len(line) && line[at] == quote {
			closing := s.closingQuote(line, at)
			if closing < 0 {
				return nil, UnclosedQuote
			}
			s.fields = append(s.fields, CSVField{s.unquote(line[at+1 : closing]), true})
			at = closing + 1
		} else {
			start, misplaced, carriage := at, false, false
			for at < len(line) && line[at] != delimiter { // by hand: most fields are too short for a call to pay off
				misplaced = misplaced || quote != 0 && line[at] == quote
				carriage = carriage || line[at] == '\r'
				at++
			}
			switch {
			case misplaced:
				return nil, MisplacedQuote
			case carriage:
				return nil, CarriageReturn
			}
			s.fields = append(s.fields, CSVField{line[start:at], false})
		}
		switch {
		case at == len(line):
			return s.fields, ""
		case line[at] == '\r':
			return nil, CarriageReturn
		case line[at] != delimiter:
			return nil, MisplacedQuote
		}
	}
}

// closingQuote returns the position of the quote that closes the one at a position, or -1. A doubled quote does not.
func (s *CSVScanner) closingQuote(text []byte, at int) int {
	for {
		at = indexFrom(text, at+1, s.Quote)
		if at < 0 || at+1 == len(text) || text[at+1] != s.Quote {
			return at
		}
		at++
	}
}

// unquote replaces each doubled quote by one.
func (s *CSVScanner) unquote(text []byte) []byte {
	at := bytes.IndexByte(text, s.Quote)
	if at < 0 {
		return text
	}
	start := len(s.scratch)
	for ; at >= 0; at = bytes.IndexByte(text, s.Quote) {
		s.scratch = append(s.scratch, text[:at+1]...)
		text = text[at+2:]
	}
	s.scratch = append(s.scratch, text...)
	return s.scratch[start:]
}

func indexFrom(text []byte, start int, c byte) int {
	if at := bytes.IndexByte(text[start:], c); at >= 0 {
		return start + at
	}
	return -1
}

func (r *Reader) csv(record []byte, yield func(Row) bool) {
	if len(record) == 0 {
		yield(fault(record, EmptyRecord, ""))
		return
	}
	multiline := r.format.Multiline && bytes.IndexByte(record, r.scanner.Quote) >= 0
	for size := len(record); len(record) > 0; {
		start := size - len(record)
		end := bytes.IndexByte(record, '\n')
		if multiline {
			end = r.scanner.Extent(record)
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
		out, isHeader := r.line(line)
		out.Offset = start
		if !isHeader && !yield(out) {
			return
		}
	}
}

// line reads a line without its newline.
func (r *Reader) line(line []byte) (out Row, isHeader bool) {
	r.scratch = r.scratch[:0]
	switch {
	case len(line) == 0:
		return fault(line, BlankLine, ""), false
	case !utf8.Valid(line):
		return unreadable(line, InvalidUTF8, ""), false
	}
	fields, reason := r.scanner.Split(line)
	if reason == "" && len(fields) != len(r.columns) {
		reason = WrongColumns
	}
	if reason != "" {
		return unreadable(line, reason, ""), false
	}
	same := func(f CSVField, name string) bool { return string(f.Text) == name }
	if r.format.Header && slices.EqualFunc(fields, r.header, same) {
		return out, true
	}
	for i := range r.columns {
		c, f := &r.columns[i], &fields[i]
		if c.nullable && !f.Quoted && c.isNull(f.Text) {
			r.fields[i] = row.Field{Null: true}
			continue
		}
		value, scratch, reason := c.read(r.scratch, f.Text)
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
