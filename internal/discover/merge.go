package discover

import (
	"fmt"
	"slices"
	"strings"

	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// Merged is an existing schema combined with a proposal.
type Merged struct {
	Schema schema.Schema `json:"-"`
	// Changed reports whether the schema differs from the existing one.
	Changed bool `json:"changed"`
	// Changes are the differences. Warnings are what the sample contradicts in the columns that were kept.
	Changes  []string `json:"changes"`
	Warnings []string `json:"warnings"`
	// Now has the merged column of each column of the proposal.
	Now []schema.Column `json:"-"`
	// Misfits counts the sampled values that each of them cannot read.
	Misfits []int `json:"-"`

	read schema.Format // reads the sampled values
}

// An OtherDataError says that the schema describes other data than the sample.
type OtherDataError struct{ Reason string }

func (e *OtherDataError) Error() string { return e.Reason }

// Merge adds a proposal to an existing schema. It keeps what a person may have edited: the names, aliases, types,
// patterns, fake values and nullability of columns at the same place. The place is the path in JSON, the name if both
// CSV formats have a header, and otherwise the position. A warning reports what the sample contradicts.
//
// The error is an *OtherDataError if the schema describes other data.
func Merge(current schema.Schema, p *Proposal) (*Merged, error) {
	m := &Merged{Changes: []string{}, Warnings: []string{}}
	was, is := current.Format.OrDefault(), p.Format
	if was.Type != is.Type {
		return nil, &OtherDataError{fmt.Sprintf("the schema is for %s, but the sample is %s", strings.ToUpper(was.Type), strings.ToUpper(is.Type))}
	}
	taken := match(current, p)
	m.read = p.Format
	m.read.Decimal = keptDecimal(was, p)
	known, contradicted := 0, 0
	for i, at := range taken {
		if at < 0 {
			continue
		}
		known++
		if misfits, _ := p.Columns[i].misfits(&current.Columns[at], m.read); misfits*2 > p.Columns[i].Values {
			contradicted++
		}
	}
	if known == 0 || contradicted*2 > known {
		return nil, &OtherDataError{fmt.Sprintf("the schema describes other data: of its %d columns, %d are in the sample, and %d of these hold other values",
			len(current.Columns), known, contradicted)}
	}
	m.Schema = schema.Schema{Source: current.Source, Format: current.Format, Samples: current.Samples}
	m.columns(current, p, taken)
	m.format(was, p)
	m.Changed = !current.Equal(m.Schema)
	return m, nil
}

// match returns the place in the schema of each column of the proposal, or -1.
func match(current schema.Schema, p *Proposal) (taken []int) {
	format := current.Format.OrDefault()
	byPath := p.Format.Type == schema.JSON || p.Format.Header && format.Header
	for i, c := range p.Columns {
		at := -1
		switch {
		case byPath:
			column := c.column(i)
			for j, other := range current.Columns {
				if slices.Equal(other.Place(), column.Place()) && !slices.Contains(taken, j) {
					at = j
					break
				}
			}
		case i < len(current.Columns):
			at = i
		}
		taken = append(taken, at)
	}
	return taken
}

func (m *Merged) columns(current schema.Schema, p *Proposal, taken []int) {
	names := newNames(0)
	for i, c := range current.Columns {
		if slices.Contains(taken, i) || p.Format.Type == schema.JSON {
			names.take(c.Name, i)
			names.take(c.Alias, i)
		}
	}
	fresh := len(current.Columns) // numbers above those of all columns that were there
	for i := range p.Columns {
		c := &p.Columns[i]
		if at := taken[i]; at >= 0 {
			m.keep(current.Columns[at], c, p)
			continue
		}
		column := c.column(len(m.Schema.Columns))
		column.Alias = names.take(column.Alias, fresh)
		if name := names.take(column.Name, fresh); name != column.Name {
			if p.Format.Type == schema.JSON || p.Format.Header {
				column.Path = column.Place()
			}
			column.Name = name
		}
		fresh++
		m.Changes = append(m.Changes, fmt.Sprintf("column %s %s is new", column.Name, column.Type))
		m.add(column, 0)
	}
	for i, c := range current.Columns {
		if slices.Contains(taken, i) {
			continue
		}
		if p.Format.Type == schema.JSON {
			// A member may be rare.
			m.Warnings = append(m.Warnings, fmt.Sprintf("column %s is in no row of the sample; it is kept", c.Name))
			m.Schema.Columns = append(m.Schema.Columns, c)
			continue
		}
		m.Changes = append(m.Changes, fmt.Sprintf("column %s is removed: the rows have only %s", c.Name, columns(len(p.Columns))))
	}
}

func (m *Merged) add(c schema.Column, misfits int) {
	m.Schema.Columns = append(m.Schema.Columns, c)
	m.Now, m.Misfits = append(m.Now, c), append(m.Misfits, misfits)
}

// keep keeps a column as edited, and warns of what the sample contradicts.
func (m *Merged) keep(kept schema.Column, c *Column, p *Proposal) {
	misfits, first := c.misfits(&kept, m.read)
	if misfits > 0 {
		text := fmt.Sprintf("column %s is kept as %s, but %d of %d values are not, such as %s", kept.Name, typeText(kept.Type, kept.Pattern), misfits, c.Values, show(first))
		if typeText(c.Type, c.Pattern) != typeText(kept.Type, kept.Pattern) {
			text += fmt.Sprintf("; %s would hold %d", typeText(c.Type, c.Pattern), c.Agree)
		}
		m.Warnings = append(m.Warnings, text)
	}
	if c.Nulls > 0 && !kept.Nullable {
		m.Warnings = append(m.Warnings, fmt.Sprintf("column %s is kept as not nullable, but %d of %d values are NULL", kept.Name, c.Nulls, c.Nulls+c.Values))
	}
	if p.Format.Header {
		// What the header calls it, which the column may be called, too.
		column := c.column(0)
		if kept.Path = column.Place(); kept.Path[0] == kept.Name {
			kept.Path = nil
		}
	}
	m.add(kept, misfits)
}

// format takes from the sample what the existing format cannot read. The rest stays.
func (m *Merged) format(was schema.Format, p *Proposal) {
	if was.Type == schema.JSON {
		return
	}
	is := p.Format
	now := is
	if len(p.Columns) == 1 {
		now.Delimiter = was.Delimiter
	}
	if !p.quoted && is.Quote != "" {
		now.Quote = was.Quote
	}
	now.Multiline = (is.Multiline || was.Multiline) && now.Quote != ""
	if now.Decimal = keptDecimal(was, p); now.Decimal == now.Delimiter {
		now.Decimal = "."
	}
	now.Header = is.Header || was.Header
	if was.Newline == "\r\n" {
		now.Newline = was.Newline
	}
	now.Nulls = nil
	nullable := slices.ContainsFunc(m.Schema.Columns, func(c schema.Column) bool { return c.Nullable })
	for _, null := range append(slices.Clone(was.Nulls), is.Nulls...) {
		if !slices.Contains(now.Nulls, null) && (nullable || slices.Contains(was.Nulls, null)) {
			now.Nulls = append(now.Nulls, null)
		}
	}
	for _, change := range []struct{ what, was, is string }{
		{"delimiter", was.Delimiter, now.Delimiter}, {"quote", was.Quote, now.Quote}, {"newline", was.Newline, now.Newline}, {"decimal", was.Decimal, now.Decimal},
		{"multiline", fmt.Sprint(was.Multiline), fmt.Sprint(now.Multiline)}, {"header", fmt.Sprint(was.Header), fmt.Sprint(now.Header)},
		{"nulls", fmt.Sprintf("%q", was.Nulls), fmt.Sprintf("%q", now.Nulls)},
	} {
		if change.was != change.is {
			m.Changes = append(m.Changes, fmt.Sprintf("format: %s changes from %q to %q", change.what, change.was, change.is))
		}
	}
	if !now.IsDefault() || m.Schema.Format.Type != "" {
		m.Schema.Format = now
	}
}

// keptDecimal returns the decimal of the sample, or the existing one if the sample does not show any.
func keptDecimal(was schema.Format, p *Proposal) string {
	if !p.fractions && was.Decimal != p.Format.Delimiter {
		return was.Decimal
	}
	return p.Format.Decimal
}

// misfits counts the values that a kept column cannot read, and returns the first.
func (c *Column) misfits(kept *schema.Column, format schema.Format) (n int, first string) {
	for _, v := range c.from.values {
		if !record.Reads(kept, format, v.text) {
			if n == 0 {
				first = v.text
			}
			n += v.count
		}
	}
	return n, first
}

func typeText(t schema.Type, pattern *schema.Pattern) string {
	if pattern != nil {
		return fmt.Sprintf("%s %q", t, pattern)
	}
	return t.String()
}
