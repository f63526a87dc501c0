package discover

import (
	"slices"
	"strings"
	"unicode"
)

const (
	headerCandidates = 5
	// mostName is the maximum size of a column name, in bytes.
	mostName = 128
)

// findHeader returns the column names, or nil if there is no header. A header begins a record, and either stands
// above a column of another type than text, or begins several records of several rows and occurs nowhere else.
func findHeader(rows []line, width int, asked *bool) []string {
	if asked != nil && !*asked || len(rows) == 0 {
		return nil
	}
	if asked != nil {
		return texts(rows[0])
	}
	for _, header := range headersOf(rows) {
		if namesTyped(rows, header, width) || repeats(rows, header) {
			return header
		}
	}
	return nil
}

// headersOf returns the candidates for the header, those that begin the most records first.
func headersOf(rows []line) [][]string {
	starts := map[string]int{}
	var all [][]string
	for _, l := range rows {
		if !l.first || !mayBeHeader(l) {
			continue
		}
		fields := texts(l)
		key := strings.Join(fields, "\x00")
		if starts[key]++; starts[key] == 1 {
			all = append(all, fields)
		}
	}
	slices.SortStableFunc(all, func(a, b []string) int { return starts[strings.Join(b, "\x00")] - starts[strings.Join(a, "\x00")] })
	return all[:min(len(all), headerCandidates)]
}

// namesTyped reports whether a header names a column in which nearly all values are of another type than text.
func namesTyped(rows []line, header []string, width int) bool {
	typed, filled := make([]int, width), make([]int, width)
	for _, l := range rows {
		if isHeader(l, header) {
			continue
		}
		for i, f := range l.fields {
			if f.text == "" || !f.quoted && slices.Contains(nulls[:], f.text) {
				continue
			}
			filled[i]++
			if isTyped(f.text) || isTime(f.text) {
				typed[i]++
			}
		}
	}
	for i := range width {
		if header[i] != "" && typed[i] > 0 && rare(filled[i]-typed[i], filled[i]) {
			return true
		}
	}
	return false
}

// repeats reports whether a header begins several records of several rows and occurs nowhere else. Among columns of
// text, only this tells a header from a row.
func repeats(rows []line, header []string) bool {
	starts, others := 0, 0
	for i, l := range rows {
		switch {
		case !isHeader(l, header):
			others++
		case !l.first || i+1 == len(rows) || rows[i+1].at.number != l.at.number:
			return false
		default:
			starts++
		}
	}
	return len(header) > 1 && starts > 1 && others > starts
}

// markFirst marks the rows that may be the header of their record: the first row, and the rows after sparse ones,
// such as the title of a spreadsheet.
func markFirst(rows []line) {
	for i := range rows {
		l := &rows[i]
		begins := i == 0 || rows[i-1].at.number != l.at.number
		l.first = l.at.begins && (begins || rows[i-1].first && isSparse(rows[i-1]))
	}
}

// isSparse reports whether most fields of a line are empty.
func isSparse(l line) bool {
	return count(l.fields, func(f csvField) bool { return strings.TrimSpace(f.text) != "" })*2 < len(l.fields)
}

// mayBeHeader reports whether the fields of a line can be names: no value of another type than text, and at most half
// of them empty.
func mayBeHeader(l line) bool {
	for _, f := range l.fields {
		name := strings.TrimSpace(f.text)
		if len(name) > mostName || isTyped(name) || isTime(name) || slices.Contains(nullWords, name) || strings.ContainsFunc(name, isOddControl) {
			return false
		}
	}
	return !isSparse(l)
}

// isOddControl reports whether a character is a control character other than a line break or tab.
func isOddControl(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }

func texts(l line) []string {
	var all []string
	for _, f := range l.fields {
		all = append(all, f.text)
	}
	return all
}

func isHeader(l line, header []string) bool {
	for i, f := range l.fields {
		if f.text != header[i] {
			return false
		}
	}
	return true
}

// noteHeader notes a row that may be an unrecognized header: text above columns of other types, or the first row if
// all columns are text.
func (d *discovery) noteHeader(rows []line, found bool) {
	if d.options.Header != nil {
		return
	}
	text := true
	for i := range d.Columns {
		text = text && d.Columns[i].isText()
	}
	for i, l := range rows[:min(len(rows), headerCandidates)] {
		if texts, others := d.disagreeing(l); texts > 0 && (others == 0 || i == 0 && !found) {
			d.note("row %d, %s, looks like a header: it has text where other rows have values of another type", i+1, show(firstLine(l.raw)))
			return
		}
	}
	if !found && text && !d.prose && mayBeHeader(rows[0]) {
		d.note("every column is text, so the first row, %s, may be a header", show(firstLine(rows[0].raw)))
	}
}

// disagreeing counts the values of a line in columns that are not text: those that are text, and the others.
func (d *discovery) disagreeing(l line) (texts, others int) {
	for i, f := range l.fields {
		switch c := &d.Columns[i]; {
		case c.isText() || d.isNull(f, c):
		case isTyped(f.text) || isTime(f.text) || slices.Contains(nullWords, f.text):
			others++
		default:
			texts++
		}
	}
	return texts, others
}
