package discover

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// nulls are the texts taken for NULL, in the order in which the format lists them.
var nulls = [...]string{"", "NULL", "null", `\N`}

func (d *discovery) csv() error {
	format := sniff(d.texts, d.options.Delimiter)
	lines, width := d.split(format)
	if d.options.Delimiter == "" && misplaced(lines) {
		// Quotes are part of the text here, as in the logs of web servers.
		if format.delimiter = d.unusedDelimiter(); format.delimiter != 0 {
			format.quote, d.prose = 0, true
			lines, width = d.split(format)
		}
	}
	if slices.ContainsFunc(lines, func(l line) bool { return l.multi && len(l.fields) != width }) {
		format.width = width
		lines, width = d.split(format)
	}
	if len(lines) == 0 {
		return &UndecidedError{Reason: "the sample ends within its first row"}
	}
	rows := slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return l.fault != "" || len(l.fields) != width })
	if len(rows)*4 < len(lines)*3 {
		return d.severalForms(lines)
	}
	d.csvFormat = format
	d.Format = schema.Format{Type: schema.CSV, Delimiter: string(format.delimiter), Newline: "\n", Decimal: "."}
	d.Format.Multiline = slices.ContainsFunc(rows, func(l line) bool { return l.multi })
	if format.quote != 0 {
		d.Format.Quote = string(format.quote)
	}
	for _, l := range rows {
		d.quoted = d.quoted || slices.ContainsFunc(l.fields, func(f csvField) bool { return f.quoted })
	}
	if carriage := func(l line) bool { return l.carriage }; rare(count(rows, carriage), len(rows)) {
		rows = slices.DeleteFunc(rows, carriage)
	} else {
		d.Format.Newline = "\r\n"
	}
	markFirst(rows)
	header := findHeader(rows, width, d.options.Header)
	if header != nil {
		d.Format.Header = true
		before := len(rows)
		rows = slices.DeleteFunc(rows, func(l line) bool { return isHeader(l, header) })
		d.Sample.Headers = before - len(rows)
		if len(rows) == 0 {
			return &UndecidedError{Reason: "the sample has a header but no rows"}
		}
	}
	d.decimal(rows, width)
	d.countRows(len(rows), func(i int) int { return rows[i].at.number })
	d.csvColumns(rows, header, width)
	d.noteHeader(rows, header != nil)
	if d.prose {
		d.note("the lines have quotes where CSV allows none, so each line is one text")
	}
	for _, row := range rows[:min(len(rows), firstRows)] {
		var values []*string
		for i, f := range row.fields {
			if text := f.text; !d.isNull(f, &d.Columns[i]) {
				values = append(values, &text)
			} else {
				values = append(values, nil)
			}
		}
		d.Rows = append(d.Rows, values)
	}
	return nil
}

// split splits all texts into rows, and returns the most frequent number of columns.
func (d *discovery) split(f csvFormat) (lines []line, width int) {
	widths := map[int]int{}
	for _, t := range d.texts {
		f.split(t, func(l line) {
			if l.fault == "" && !utf8.Valid(l.raw) {
				l.fault = encodingFault(l.raw)
			}
			if lines = append(lines, l); l.fault == "" {
				widths[len(l.fields)]++
			}
		})
	}
	for w, n := range widths {
		if n > widths[width] || n == widths[width] && w > width {
			width = w
		}
	}
	return lines, width
}

// count returns how many of some things are so.
func count[T any](all []T, is func(T) bool) int {
	n := 0
	for _, one := range all {
		if is(one) {
			n++
		}
	}
	return n
}

func (l line) where() string { return place(l.at.record, l.at.line+l.number) }

// place names a record, and the line if the record has several.
func place(r *Record, number int) string {
	if bytes.IndexByte(bytes.TrimSpace(r.Data), '\n') < 0 {
		return r.Name
	}
	return fmt.Sprintf("%s, line %d", r.Name, number)
}

// severalForms returns the error for lines without a common form, with the forms as faults.
func (d *discovery) severalForms(lines []line) error {
	for _, l := range lines {
		if l.fault != "" {
			d.fault(l.fault, l.where(), l.raw)
		}
	}
	for _, l := range lines {
		if l.fault == "" {
			d.fault(columns(len(l.fields)), l.where(), l.raw)
		}
	}
	for _, f := range d.Faults {
		if f.Count*4 >= len(lines)*3 {
			return d.undecided("%d of the %d lines cannot be read", f.Count, len(lines))
		}
	}
	return d.undecided("the %d lines take several forms, and none covers three quarters of them", len(lines))
}

// misplaced reports whether nearly all lines have a quote where CSV allows none.
func misplaced(lines []line) bool {
	n := count(lines, func(l line) bool { return l.fault == record.MisplacedQuote })
	return n > 0 && rare(len(lines)-n, len(lines))
}

// unusedDelimiter returns a delimiter that occurs in no text, or 0.
func (d *discovery) unusedDelimiter() byte {
	for i := len(delimiters) - 1; i >= 0; i-- { // the least likely first: later lines must not have it either
		c := delimiters[i]
		if !slices.ContainsFunc(d.texts, func(t text) bool { return bytes.IndexByte(t.data, c) >= 0 }) {
			return c
		}
	}
	return 0
}

// decimal finds the decimal mark: a comma if some column of numbers has one and none has a point. 12,345 is no
// evidence, because the comma may separate thousands.
func (d *discovery) decimal(rows []line, width int) {
	var shown [2]bool // a column with points, one with commas
	for i := range width {
		total, whole := 0, 0
		var fractions, certain [2]int
		for _, row := range rows {
			text := row.fields[i].text
			if text == "" || slices.Contains(nulls[:], text) {
				continue
			}
			total++
			for comma := range fractions {
				number, ok := withPoint(text, comma == 1)
				switch shape := shapeOf(number); {
				case !ok:
				case shape == isInteger && comma == 0:
					whole++
				case shape == isNumber:
					fractions[comma]++
					if !perhapsThousands.MatchString(text) {
						certain[comma]++
					}
				}
			}
		}
		for comma, n := range fractions {
			shown[comma] = shown[comma] || certain[comma] > 0 && rare(total-n-whole, total)
		}
	}
	d.fractions = shown[0] || shown[1]
	switch {
	case !shown[1] || d.Format.Delimiter == ",":
	case shown[0]:
		d.note("some columns have a decimal comma and some a point; the format has only one of them, here the point")
	default:
		d.Format.Decimal = ","
	}
}

func (d *discovery) isNull(f csvField, c *Column) bool {
	return !f.quoted && c.Nullable && slices.Contains(d.Format.Nulls, f.text)
}

// countRows counts the rows, and those of the record with the most. Rows are in the order of their records.
func (d *discovery) countRows(rows int, record func(row int) int) {
	d.Sample.Rows = rows
	same := 0
	for i := range rows {
		if i > 0 && record(i) != record(i-1) {
			same = 0
		}
		same++
		d.Sample.MostRows = max(d.Sample.MostRows, same)
	}
}

// csvColumns proposes the columns. Whether an empty field is NULL is decided for all of them together: it is, if some
// column that is not text has one.
func (d *discovery) csvColumns(rows []line, header []string, width int) {
	found := map[string]bool{}
	columns := make([]*collector, width)
	for i := range width {
		columns[i] = newCollector(false)
		columns[i].comma = d.Format.Decimal == ","
		for _, row := range rows {
			f := row.fields[i]
			if !f.quoted && slices.Contains(nulls[:], f.text) {
				columns[i].null(f.text)
				found[f.text] = found[f.text] || f.text != ""
				continue
			}
			columns[i].add(f.text, isString)
		}
		if inferred := columns[i].infer(); columns[i].nulls[""] > 0 && columns[i].total > 0 && !inferred.isText() {
			found[""] = true
		}
	}
	for _, null := range nulls {
		if found[null] {
			d.Format.Nulls = append(d.Format.Nulls, null)
		}
	}
	names := newNames(width)
	for i, c := range columns {
		if !found[""] {
			c.addMany("", isString, c.nulls[""])
			delete(c.nulls, "")
		}
		column := c.infer()
		path := ""
		if header != nil {
			path = header[i]
		}
		names.give(&column, path, i)
		if header != nil && path != column.Name {
			column.Path, column.path = path, schema.Path{path}
		}
		if column.Unnamed = header != nil && path == ""; column.Unnamed {
			column.Notes = append(column.Notes, "the header has an empty name for it")
		}
		d.Columns = append(d.Columns, column)
	}
}
