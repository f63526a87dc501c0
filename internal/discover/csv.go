package discover

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"streamproof/pipeline"
)

// nulls are the texts that are taken for NULL, in the order in which the format has them.
var nulls = [...]string{"", "NULL", "null", `\N`}

// csv finds out about lines.
func (d *discovery) csv() error {
	dialect := sniff(d.texts, d.options.Delimiter)
	lines, width := d.split(dialect)
	if slices.ContainsFunc(lines, func(l line) bool { return l.multi && len(l.fields) != width }) {
		dialect.width = width
		lines, width = d.split(dialect)
	}
	if len(lines) == 0 {
		return &UndecidedError{Reason: "the sample ends within its first row"}
	}
	most, carriages, multis := 0, 0, 0
	for _, l := range lines {
		if l.fault != "" || len(l.fields) != width {
			continue
		}
		most++
		if l.carriage {
			carriages++
		}
		if l.multi {
			multis++
		}
		d.quoted = d.quoted || slices.ContainsFunc(l.fields, func(f field) bool { return f.quoted })
	}
	if most*4 < len(lines)*3 {
		for _, l := range lines {
			if l.fault != "" {
				d.fault(l.fault, 1, l.where(), l.raw)
			}
		}
		for _, l := range lines {
			if l.fault == "" {
				d.fault(columns(len(l.fields)), 1, l.where(), l.raw)
			}
		}
		return d.undecided("the %d lines are of several forms, and none has three quarters of them", len(lines))
	}
	d.Format = pipeline.Format{Type: pipeline.CSV, Delimiter: string(dialect.delimiter), Newline: "\n", Decimal: ".", Multiline: multis > 0}
	if dialect.quote != 0 {
		d.Format.Quote = string(dialect.quote)
	}
	if !rare(carriages, most) {
		d.Format.Newline = "\r\n"
	}
	var rows []line
	for _, l := range lines {
		switch {
		case l.fault != "":
		case l.carriage && d.Format.Newline == "\n":
			l.fault = `ends with \r\n, where most do not`
		case len(l.fields) != width:
			l.fault = fmt.Sprintf("%s, where most have %d", columns(len(l.fields)), width)
		default:
			rows = append(rows, l)
			continue
		}
		d.Sample.FaultyRows++
		d.fault(l.fault, 1, l.where(), l.raw)
	}
	for _, t := range d.objects {
		d.Sample.FaultyRows++
		d.fault("JSON, where most is CSV", 1, t.record.Name, t.value)
	}
	header := findHeader(rows, width, d.options.Header)
	if header != nil {
		d.Format.Header = true
		before := len(rows)
		rows = slices.DeleteFunc(rows, func(l line) bool { return isHeader(l, header) })
		d.Sample.Headers = before - len(rows)
		if len(rows) == 0 {
			return &UndecidedError{Reason: "there is a header, and no row"}
		}
	}
	d.decimal(rows, width)
	d.countRows(len(rows), func(i int) int { return rows[i].at.number })
	d.csvColumns(rows, header, width)
	texts := !slices.ContainsFunc(d.Columns, func(c Column) bool { return !c.isText() })
	if header == nil && d.options.Header == nil && width > 1 && texts && mayBeHeader(rows[0]) {
		d.note("all is text, so nothing says whether the first row, %s, is a header", show(firstLine(rows[0].raw)))
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

// split takes all texts apart, and gives the number of columns that most rows have.
func (d *discovery) split(dialect dialect) (lines []line, width int) {
	widths := map[int]int{}
	for _, t := range d.texts {
		dialect.split(t, func(l line) {
			if l.fault == "" && !utf8.Valid(l.raw) {
				l.fault = notUTF8
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

// where says where a line stands.
func (l line) where() string { return place(l.at.record, l.at.line+l.number) }

// place is a line of a record, which is named where the record has others.
func place(r *Record, number int) string {
	if bytes.IndexByte(bytes.TrimSpace(r.Data), '\n') < 0 {
		return r.Name
	}
	return fmt.Sprintf("%s, line %d", r.Name, number)
}

// isTyped says whether a text looks like something else than text, whatever the decimal.
func isTyped(s string) bool { return shapeOf(s) != isText || decimalComma.MatchString(s) }

// decimal finds out what stands before fractions: a comma where it does so in a column of numbers, and no column of numbers has a
// point there. What could be a mark between thousands says nothing.
func (d *discovery) decimal(rows []line, width int) {
	var shown [2]bool // a column with points, one with commas
	for i := range width {
		total, whole := 0, 0
		var fractions, clear [2]int
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
					if !thousands.MatchString(text) {
						clear[comma]++
					}
				}
			}
		}
		for comma, n := range fractions {
			shown[comma] = shown[comma] || clear[comma] > 0 && rare(total-n-whole, total)
		}
	}
	d.fractions = shown[0] || shown[1]
	switch {
	case !shown[1] || d.Format.Delimiter == ",":
	case shown[0]:
		d.note("some columns have numbers with a decimal comma, and some with a point: the format has one of them, here the point")
	default:
		d.Format.Decimal = ","
	}
}

func (d *discovery) isNull(f field, c *Column) bool {
	return !f.quoted && c.Nullable && slices.Contains(d.Format.Nulls, f.text)
}

// countRows counts the rows, whose records' numbers only rise.
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

// csvColumns finds out about each column. Whether an empty field is NULL is found out about all of them together: it is,
// where a column of another type than text has one.
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
		name, path := alias(i), ""
		if header != nil {
			path = header[i]
			if name = strings.TrimSpace(path); name == "" {
				name = alias(i)
			}
		}
		column.Name = names.take(name, i)
		if path != column.Name {
			column.Path = path
		}
		d.Columns = append(d.Columns, column)
	}
}

// findHeader tells the line that has the names of the columns, nil where there is none: a first line of texts, all
// different, in a column of which all else is of another type; or one with which several records begin, and
// that is nowhere else.
func findHeader(rows []line, width int, asked *bool) []string {
	if asked != nil && !*asked || len(rows) == 0 {
		return nil
	}
	if asked != nil {
		return texts(rows[0])
	}
	starts := map[string]int{}
	var candidates []line
	for _, l := range rows {
		if !l.first || !mayBeHeader(l) {
			continue
		}
		key := strings.Join(texts(l), "\x00")
		if starts[key]++; starts[key] == 1 {
			candidates = append(candidates, l)
		}
	}
	slices.SortStableFunc(candidates, func(a, b line) int {
		return starts[strings.Join(texts(b), "\x00")] - starts[strings.Join(texts(a), "\x00")]
	})
	for _, candidate := range candidates[:min(len(candidates), 5)] {
		header := texts(candidate)
		others, within := 0, false
		typed := make([]int, width)
		filled := make([]int, width)
		for _, l := range rows {
			if isHeader(l, header) {
				within = within || !l.first
				continue
			}
			others++
			for i, f := range l.fields {
				if f.text == "" {
					continue
				}
				filled[i]++
				if isTyped(f.text) || isTime(f.text) {
					typed[i]++
				}
			}
		}
		for i := range width {
			if typed[i] > 0 && rare(filled[i]-typed[i], filled[i]) {
				return header
			}
		}
		// Without any other type, only a line that is often first, and never in the middle, is no row of text.
		if n := starts[strings.Join(header, "\x00")]; n > 1 && others > n && !within && width > 1 {
			return header
		}
	}
	return nil
}

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

// mayBeHeader says whether all fields could be names.
func mayBeHeader(l line) bool {
	seen := map[string]bool{}
	for _, f := range l.fields {
		name := strings.ToUpper(strings.TrimSpace(f.text))
		if name == "" || len(name) > 128 || seen[name] || isTyped(f.text) || isTime(f.text) || strings.ContainsFunc(name, unicode.IsControl) {
			return false
		}
		seen[name] = true
	}
	return true
}
