package generator

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// Bounds of a spec. They are far below where a sum in hundredths, or a year of four digits, would overflow.
const (
	maxNumber  = 1_000_000_000_000
	maxMinutes = 100_000_000
	maxWidth   = 18
)

// compile compiles the fake specs of a schema. The error names every fault in them.
func compile(schema schema.Schema) ([]column, error) {
	var faults []error
	c := compiler{schema: schema, columns: make([]column, len(schema.Columns))}
	for i, spec := range schema.Columns {
		err := c.compile(i)
		if err == nil {
			err = c.tryValues(i)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("column %s: %w", spec.Name, err))
			c.columns[i] = column{}
		}
	}
	return c.columns, errors.Join(faults...)
}

type compiler struct {
	schema  schema.Schema
	columns []column
	drawn   uint64 // draws of the columns so far
}

func (c *compiler) compile(i int) error {
	fake, into := c.schema.Columns[i].Fake, &c.columns[i]
	kinds := 0
	for _, set := range []bool{fake.Text != "", len(fake.Integers) > 0, fake.Time != "", len(fake.Sum) > 0} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return fmt.Errorf("%d of text, integers, time and sum are set, want exactly one", kinds)
	case len(fake.Integers) == 0 && (fake.Prefix != "" || fake.Width != 0):
		return errors.New("prefix and width go with integers only")
	case fake.Time == "" && fake.PlusMinutes != [2]int64{}:
		return errors.New("plusMinutes goes with time only")
	case fake.Text != "":
		*into = column{make: makeText, text: fake.Text}
		return nil
	case len(fake.Integers) > 0:
		return c.integers(fake, into)
	case fake.Time != "":
		return c.time(i, fake, into)
	default:
		return c.sum(i, fake, into)
	}
}

// draw takes the next counter, even for a faulty range, since no record is made then.
func (c *compiler) draw(r [2]int64, limit int64) (draw, error) {
	c.drawn++
	if r[0] > r[1] || r[0] < -limit || r[1] > limit {
		return draw{}, fmt.Errorf("range [%d, %d] is empty or goes beyond ±%d", r[0], r[1], limit)
	}
	return draw{counter: c.drawn * gamma, low: r[0], span: uint64(r[1]-r[0]) + 1}, nil
}

func (c *compiler) integers(fake schema.Fake, into *column) error {
	*into = column{make: makeIntegers, text: fake.Prefix, width: fake.Width}
	if fake.Width < 0 || fake.Width > maxWidth {
		return fmt.Errorf("width is %d, want 0 to %d", fake.Width, maxWidth)
	}
	for _, r := range fake.Integers {
		d, err := c.draw(r, maxNumber)
		switch {
		case err != nil:
			return err
		case r[0] < 0 && (fake.Prefix != "" || fake.Width > 0 || len(fake.Integers) > 1):
			return fmt.Errorf("range [%d, %d] has negative numbers, which go alone, without prefix and width", r[0], r[1])
		case fake.Width > 0 && digits(r[1]) > fake.Width:
			return fmt.Errorf("range [%d, %d] does not fit a width of %d", r[0], r[1], fake.Width)
		}
		into.draws = append(into.draws, d)
	}
	return nil
}

func (c *compiler) time(i int, fake schema.Fake, into *column) error {
	spec := c.schema.Columns[i]
	switch spec.Type.Kind {
	case schema.Timestamp:
		*into = column{make: makeTime, isTime: true}
	case schema.Date:
		*into = column{make: makeDate, isTime: true}
	default:
		return fmt.Errorf("a time does not go into a column of type %s", spec.Type.Kind)
	}
	if into.pattern = spec.Pattern; into.pattern != nil {
		if spec.Type.Kind == schema.Timestamp && !into.pattern.HasSeconds() {
			into.make = makeMinutes
		}
		if !readsItself(into.pattern) {
			return fmt.Errorf("pattern %q does not always read what it writes as the same time", spec.Pattern)
		}
	}
	if fake.Time != schema.PlannedTime {
		from, err := c.earlier(i, fake.Time)
		if err != nil {
			return err
		}
		if c.schema.Columns[from].Fake.Time == "" {
			return fmt.Errorf("column %s is not a time", fake.Time)
		}
		into.draws = append(into.draws, c.columns[from].draws...)
	}
	if fake.PlusMinutes != [2]int64{} {
		d, err := c.draw(fake.PlusMinutes, maxMinutes)
		if err != nil {
			return err
		}
		into.draws = append(into.draws, d)
	}
	return nil
}

// readsItself reports whether a pattern reads what it has written. "dMyyyy" does not: nothing tells where the day ends.
func readsItself(p *schema.Pattern) bool {
	at := time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)
	for range 365 { // each day of a year, each at the next hour
		at = at.Add(25 * time.Hour)
		want := at
		read, ok := p.Parse(string(p.Append(nil, at)))
		if !p.HasTime() {
			want = at.Truncate(24 * time.Hour)
		}
		if !ok || !read.Equal(want) {
			return false
		}
	}
	return true
}

func (c *compiler) sum(i int, fake schema.Fake, into *column) error {
	*into = column{make: makeSum}
	for _, name := range fake.Sum {
		from, err := c.earlier(i, name)
		if err == nil {
			err = c.addend(from, into)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// earlier returns the column before column i that a spec refers to by name.
func (c *compiler) earlier(i int, name string) (int, error) {
	from := c.schema.Index(name)
	if from < 0 || from >= i {
		return 0, fmt.Errorf("column %s is not an earlier column", name)
	}
	if c.columns[from].make == nil {
		return 0, fmt.Errorf("column %s is faulty itself", name)
	}
	return from, nil
}

// addend adds the value of a column, in hundredths, to a sum.
func (c *compiler) addend(from int, into *column) error {
	name, fake, of := c.schema.Columns[from].Name, c.schema.Columns[from].Fake, c.columns[from]
	if len(fake.Sum) > 0 {
		into.base += of.base
		into.draws = append(into.draws, of.draws...)
		return nil
	}
	if fake.Text != "" {
		base, decimals, ok := hundredths(fake.Text)
		if !ok || decimals > 2 {
			return fmt.Errorf("column %s cannot be added: %q is not a number of at most two decimals", name, fake.Text)
		}
		into.base += base
		return nil
	}
	if len(fake.Integers) != 1 {
		return fmt.Errorf("column %s cannot be added: it is not one number", name)
	}
	d := of.draws[0]
	d.unit = 100
	if fake.Prefix != "" {
		// With a point in the prefix and a fixed number of digits, the numbers are decimals.
		r := fake.Integers[0]
		length := max(fake.Width, digits(r[1]))
		base, decimals, ok := hundredths(fake.Prefix)
		fixed := max(fake.Width, digits(r[0])) == length
		if !ok || !strings.Contains(fake.Prefix, ".") || !fixed || decimals+length > 2 {
			return fmt.Errorf("column %s cannot be added: prefix %q and a number of [%d, %d] do not always make a number of at most two decimals", name, fake.Prefix, r[0], r[1])
		}
		for range decimals + length {
			d.unit /= 10
		}
		if strings.HasPrefix(fake.Prefix, "-") {
			d.unit = -d.unit
		}
		into.base += base
	}
	into.draws = append(into.draws, d)
	return nil
}

// hundredths reads a plain decimal such as "-73.5", "0." or "12".
func hundredths(text string) (value int64, decimals int, ok bool) {
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if whole == "" || len(whole) > 12 || len(fraction) > 2 {
		return 0, len(fraction), false
	}
	for _, r := range whole + fraction {
		if r < '0' || r > '9' {
			return 0, 0, false
		}
	}
	value, _ = strconv.ParseInt(whole+(fraction + "00")[:2], 10, 64)
	if strings.HasPrefix(text, "-") {
		value = -value
	}
	return value, len(fraction), true
}

func digits(n int64) int { return len(strconv.FormatInt(n, 10)) }

// tryValues checks that the lowest and the highest value of a column are of its type. Then those between are as well.
func (c *compiler) tryValues(i int) error {
	typ := c.schema.Columns[i].Type
	for _, highest := range []bool{false, true} {
		edge := c.columns[i].edge(highest)
		if value := string(edge.make(&edge, nil, 0, 0)); !isOfType(value, typ) {
			return fmt.Errorf("%q is not of type %s", value, typ)
		}
	}
	return nil
}

// edge returns the column reduced to its lowest or highest value.
func (c *column) edge(highest bool) column {
	edge := *c
	edge.draws = make([]draw, len(c.draws))
	for j, d := range c.draws {
		// A range of one value gives that value for every state.
		if highest != (d.unit < 0) {
			d.low += int64(d.span - 1)
		}
		d.span = 1
		edge.draws[j] = d
	}
	return edge
}

// isOfType reports whether a text, in SQL's form, is a value of a type.
func isOfType(value string, typ schema.Type) bool {
	if typ.Kind == schema.Decimal && !decimalForm.MatchString(value) {
		return false
	}
	column := schema.Column{Type: typ}
	if typ.Kind == schema.Timestamp {
		column.Pattern = timeForm
	}
	return record.Reads(&column, schema.DefaultFormat(), value)
}

// decimalForm and timeForm are SQL's forms of a DECIMAL and of a TIMESTAMP.
var (
	decimalForm = regexp.MustCompile(`^-?[0-9]+(?:\.[0-9]+)?$`)
	timeForm, _ = schema.ParsePattern(schema.TimestampPattern + "[.SSSSSSSSS]") // it is valid
)
