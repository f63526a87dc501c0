package generator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"streamproof/internal/schema"
)

// A layout says how a row is written in the schema's format.
type layout struct {
	parts []part // in the order of the row
	end   string // the text after the last one, with the newline
	// plain reports that the row is CSV whose values stand in it as they are made, each followed by the delimiter, and
	// the last by "\n".
	plain     bool
	delimiter byte
}

// A part is a value of a row, and the text before it.
type part struct {
	before string
	column int
	writer writer
}

// A writer writes a column's values in the format.
type writer struct {
	column
	around string // quotes on both sides
	comma  bool   // in place of a point
}

func (w *writer) append(dst []byte, state uint64, planned int64) []byte {
	dst = append(dst, w.around...)
	start := len(dst)
	dst = w.make(&w.column, dst, state, planned)
	if w.comma {
		for i, c := range dst[start:] {
			if c == '.' {
				dst[start+i] = ','
			}
		}
	}
	return append(dst, w.around...)
}

// append appends a row, and returns where in it the value of a column is.
func (l *layout) append(dst []byte, column int, state uint64, planned int64) (row []byte, from, to int) {
	for i := range l.parts {
		p := &l.parts[i]
		dst = append(dst, p.before...)
		start := len(dst)
		dst = p.writer.append(dst, state, planned)
		if p.column == column {
			from, to = start, len(dst)
		}
	}
	return append(dst, l.end...), from, to
}

// layOut returns the layout of rows of these columns. It leaves out columns with a fault, which have no make. The error
// names every value that the format cannot hold.
func layOut(s schema.Schema, columns []column) (layout, error) {
	if s.Format.OrDefault().Type == schema.JSON {
		return layOutJSON(s, columns)
	}
	return layOutCSV(s, columns)
}

func layOutCSV(schema schema.Schema, columns []column) (layout, error) {
	format := schema.Format.OrDefault()
	l := layout{end: format.Newline, delimiter: format.Delimiter[0], plain: format.Newline == "\n"}
	var faults []error
	header := format.Header
	for i, c := range columns {
		spec := schema.Columns[i]
		if c.make == nil {
			header = false
			continue
		}
		w := writer{column: c}
		err := w.write(spec)
		if err == nil {
			w.comma = isNumber(spec.Type.Kind) && format.Decimal == ","
			err = w.quote(spec, format)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("column %s: %w", spec.Name, err))
		}
		l.plain = l.plain && w.around == "" && !w.comma && c.pattern == nil
		p := part{column: i, writer: w}
		if i > 0 {
			p.before = format.Delimiter
		}
		l.parts = append(l.parts, p)
		header = header && spec.Fake.Text == spec.Place()[0]
	}
	if header && len(faults) == 0 && len(columns) > 0 {
		faults = append(faults, errors.New("all columns are constants, so every row would equal the header"))
	}
	return l, errors.Join(faults...)
}

func isNumber(kind schema.Kind) bool {
	switch kind {
	case schema.Integer, schema.BigInt, schema.Real, schema.Double, schema.Decimal:
		return true
	}
	return false
}

// write makes the column's pattern write the values of a time.
func (w *writer) write(spec schema.Column) error {
	if w.pattern != nil {
		w.make = makePattern
		return nil
	}
	isTime := spec.Type.Kind == schema.Timestamp || spec.Type.Kind == schema.Date
	if !isTime || spec.Fake.Text == "" {
		return nil
	}
	p, layout := spec.TimePattern(), schema.TimestampLayout+".999999999"
	if spec.Type.Kind == schema.Date {
		layout = time.DateOnly
	}
	at, err := time.Parse(layout, spec.Fake.Text)
	if err != nil {
		return err
	}
	w.text = string(p.Append(nil, at))
	if read, ok := p.Parse(w.text); !ok || read.Format(layout) != spec.Fake.Text {
		return fmt.Errorf("%q cannot be written as %s", spec.Fake.Text, p)
	}
	return nil
}

// quote puts the column's values into quotes if some value needs them.
func (w *writer) quote(spec schema.Column, format schema.Format) error {
	special := format.Delimiter + format.Quote + "\r\n"
	needs := strings.ContainsAny(w.text, special)
	for _, value := range w.edges() {
		needs = needs || strings.ContainsAny(value, special)
	}
	for _, null := range format.Nulls {
		needs = needs || spec.Nullable && w.mayBe(null, spec)
	}
	switch {
	case !needs:
		return nil
	case format.Quote == "":
		return fmt.Errorf("%q would need quotes, which the format does not have", w.edges()[0])
	case strings.Contains(w.text, "\n") && !format.Multiline:
		return errors.New("a newline in a value needs a format that is multiline")
	}
	w.around = format.Quote
	w.text = strings.ReplaceAll(w.text, format.Quote, format.Quote+format.Quote)
	return nil
}

// mayBe reports whether one of the values may be a text that means NULL.
func (w *writer) mayBe(null string, spec schema.Column) bool {
	switch {
	case spec.Fake.Text != "":
		return w.text == null
	case w.pattern != nil:
		_, is := w.pattern.Parse(null)
		return is
	case w.comma:
		null = strings.Replace(null, ",", ".", 1)
	}
	return isOfType(null, spec.Type)
}

// edges returns the lowest and the highest value as written, without quotes.
func (w *writer) edges() []string {
	var values []string
	for _, highest := range []bool{false, true} {
		edge := writer{column: w.edge(highest), comma: w.comma}
		values = append(values, string(edge.append(nil, 0, 0)))
	}
	return values
}

// A member of an object is another object, or the value of a column.
type member struct {
	name    string
	column  int
	members []*member // of an object, nil of a value
}

func layOutJSON(schema schema.Schema, columns []column) (layout, error) {
	l := layout{}
	var faults []error
	root := &member{column: -1}
	writers := make([]writer, len(columns))
	for i, c := range columns {
		if c.make == nil {
			continue
		}
		spec := schema.Columns[i]
		writers[i] = writer{column: c}
		err := writers[i].json(spec)
		if err == nil {
			err = root.add(spec, i)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("column %s: %w", spec.Name, err))
		}
	}
	var literal strings.Builder
	root.each(&literal, func(column int) {
		l.parts = append(l.parts, part{before: literal.String(), column: column, writer: writers[column]})
		literal.Reset()
	})
	l.end = literal.String() + "\n"
	return l, errors.Join(faults...)
}

// add adds a column at its path.
func (m *member) add(spec schema.Column, column int) error {
	path := spec.Place()
	for i, name := range path {
		last := i == len(path)-1
		at := slices.IndexFunc(m.members, func(n *member) bool { return n.name == name })
		if at < 0 {
			next := &member{name: name, column: -1}
			if last {
				next.column = column
			}
			m.members = append(m.members, next)
			m = next
			continue
		}
		if m = m.members[at]; last || m.column >= 0 {
			return fmt.Errorf("path %s leads to a value and to an object: a row cannot have both", path[:i+1])
		}
	}
	return nil
}

// each writes the text between the values of an object, and calls value at the place of each value.
func (m *member) each(literal *strings.Builder, value func(column int)) {
	literal.WriteByte('{')
	for i, n := range m.members {
		if i > 0 {
			literal.WriteByte(',')
		}
		literal.Write(jsonString(n.name))
		literal.WriteByte(':')
		if n.column >= 0 {
			value(n.column)
		} else {
			n.each(literal, value)
		}
	}
	literal.WriteByte('}')
}

func jsonString(text string) []byte {
	quoted, _ := jsontext.AppendQuote(nil, text) // schema.json is valid UTF-8
	return quoted
}

// json writes the values as JSON does.
func (w *writer) json(spec schema.Column) error {
	if err := w.write(spec); err != nil {
		return err
	}
	switch kind := spec.Type.Kind; {
	case isNumber(kind):
		for _, value := range w.edges() {
			if v := jsontext.Value(value); !v.IsValid() || v.Kind() != '0' {
				return fmt.Errorf("%q is not a number in JSON", value)
			}
		}
	case kind == schema.Boolean:
		w.text = strings.ToLower(w.text)
	default:
		quoted := jsonString(w.text)
		w.text, w.around = string(quoted[1:len(quoted)-1]), `"`
	}
	return nil
}
