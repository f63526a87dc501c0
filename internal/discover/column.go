package discover

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf8"

	"streamproof/internal/schema"
)

type value struct {
	text   string
	number string // the text with a point for the decimal comma, of a shape that is a number
	kind   kind
	shape  shape
	count  int
}

type collector struct {
	json   bool
	comma  bool    // the numbers have a decimal comma
	values []value // in the order in which they came first
	places map[valueKey]int
	total  int
	nulls  map[string]int // by how they are written
}

type valueKey struct {
	text string
	kind kind
}

func newCollector(json bool) *collector {
	return &collector{json: json, places: map[valueKey]int{}, nulls: map[string]int{}}
}

func (c *collector) null(text string) { c.nulls[text]++ }

func (c *collector) add(text string, kind kind) { c.addMany(text, kind, 1) }

func (c *collector) addMany(text string, kind kind, count int) {
	if count == 0 {
		return
	}
	c.total += count
	key := valueKey{text, kind}
	if at, known := c.places[key]; known {
		c.values[at].count += count
		return
	}
	c.places[key] = len(c.values)
	number, ok := withPoint(text, c.comma)
	shape := isText
	if ok {
		shape = shapeOf(number)
	}
	c.values = append(c.values, value{text, number, kind, shape, count})
}

func (c *collector) count(is func(v value) bool) int {
	n := 0
	for _, v := range c.values {
		if is(v) {
			n += v.count
		}
	}
	return n
}

// all reports whether all values satisfy a predicate.
func (c *collector) all(is func(v value) bool) bool { return c.count(is) == c.total }

// most reports whether n values are nearly all of them, so that the rest are faults.
func (c *collector) most(n int) bool { return n > 0 && rare(c.total-n, c.total) }

func (c *collector) infer() Column { return c.column(c.decide) }

// asText returns the column as text, which holds every value.
func (c *collector) asText() Column {
	return c.column(func(out *Column) func(v value) bool {
		out.Type = c.text()
		return isAny
	})
}

func isAny(value) bool { return true }

// column counts the values that agree with the type that decide chooses.
func (c *collector) column(decide func(out *Column) (agrees func(v value) bool)) Column {
	out := Column{Values: c.total, from: c, Examples: []string{}}
	for _, n := range c.nulls {
		out.Nulls += n
	}
	out.Nullable = out.Nulls > 0
	agrees := decide(&out)
	for _, v := range c.values {
		if agrees(v) {
			out.Agree += v.count
			if len(out.Examples) < examples {
				out.Examples = append(out.Examples, v.text)
			}
		} else if len(out.Disagreeing) < disagrees {
			out.Disagreeing = append(out.Disagreeing, Count{v.text, v.count})
		}
	}
	if out.Agree < out.Values {
		_, longest := c.lengths()
		out.Widest = &schema.Type{Kind: schema.VarChar, Length: roomy(longest)}
	}
	out.fake = c.fake(&out, agrees)
	return out
}

// decide sets the type and its notes. It returns the predicate for values of that type.
func (c *collector) decide(out *Column) (agrees func(v value) bool) {
	numeric := func(v value) bool {
		return (v.shape == isInteger || v.shape == isNumber) && (!c.json || v.kind == isJSONNumber)
	}
	boolean := func(v value) bool { return v.shape == isBoolean && (!c.json || v.kind == isJSONBoolean) }
	text := func(v value) bool { return v.kind == isString }
	codes := c.count(func(v value) bool { return v.shape == isCode })
	numbers := c.count(numeric)
	switch {
	case c.total == 0:
		out.Type = schema.Type{Kind: schema.VarChar}
		out.Notes = append(out.Notes, "NULL in every row, so its type is unknown")
		return isAny
	case c.most(numbers) && codes == 0:
		if typ, ok := c.number(numeric); ok {
			out.Type = typ
			c.noteTimes(out, numeric)
			return numeric
		}
		out.Notes = append(out.Notes, fmt.Sprintf("its numbers have more than the %d digits of a DECIMAL", schema.MaxPrecision))
	case c.most(c.count(boolean)):
		out.Type = schema.Type{Kind: schema.Boolean}
		return boolean
	case c.most(c.count(text)):
		if is := c.time(out); is != nil {
			return is
		}
	}
	out.Type = c.text()
	out.Notes = append(out.Notes, c.textNotes(numbers, codes)...)
	return isAny
}

// number returns the narrowest type that holds all numbers as they are written: see docs/discover.md.
func (c *collector) number(numeric func(v value) bool) (schema.Type, bool) {
	whole, scale, integers := 1, 0, true
	for _, v := range c.values {
		if numeric(v) {
			d := decimalOf(v.number)
			whole, scale = max(whole, d.whole()), max(scale, d.scale())
			integers = integers && v.shape == isInteger
		}
	}
	fits := func(bits int) func(v value) bool {
		return func(v value) bool {
			_, err := strconv.ParseInt(v.text, 10, bits)
			return !numeric(v) || err == nil
		}
	}
	switch {
	case integers && c.all(fits(32)):
		return schema.Type{Kind: schema.Integer}, true
	case integers && c.all(fits(64)):
		return schema.Type{Kind: schema.BigInt}, true
	case !integers && c.all(func(v value) bool { return !numeric(v) || survives(v.number, 32) }):
		return schema.Type{Kind: schema.Real}, true
	case !integers && c.all(func(v value) bool { return !numeric(v) || isDouble(v.number) }):
		return schema.Type{Kind: schema.Double}, true
	}
	if whole+scale > schema.MaxPrecision {
		return schema.Type{}, false
	}
	return schema.Type{Kind: schema.Decimal, Length: whole + scale, Scale: scale}, true
}

// time sets TIMESTAMP or DATE if nearly all values follow one unambiguous pattern.
func (c *collector) time(out *Column) (agrees func(v value) bool) {
	counts := countPatterns(c.values)
	if len(counts) == 0 {
		return nil
	}
	first := counts[0]
	if !c.most(first.count) {
		out.Notes = append(out.Notes, fmt.Sprintf("some values look like times, but follow no common pattern: %s", inPatterns(c.values)))
		return nil
	}
	if other := otherOrder(counts); other != nil {
		out.Notes = append(out.Notes, fmt.Sprintf("dates in either %s or %s: set the type (DATE or TIMESTAMP) and the pattern yourself", first, other))
		return nil
	}
	out.Type = schema.Type{Kind: schema.Date}
	if first.HasTime() {
		out.Type = schema.Type{Kind: schema.Timestamp}
	}
	if first.String() != schema.DefaultPattern(out.Type.Kind).String() {
		out.Pattern = first.Pattern
	}
	return func(v value) bool {
		if v.kind != isString {
			return false
		}
		_, ok := first.Parse(v.text)
		return ok
	}
}

const (
	// A text of several characters becomes CHAR only with this much evidence: so many values, or so many distinct
	// ones.
	charValues    = 100
	charDifferent = 20
)

// text returns CHAR if all values have one length. Otherwise it returns VARCHAR with room to grow, or without a
// length if all values are empty.
func (c *collector) text() schema.Type {
	least, most := c.lengths()
	if least == most && (most == 1 || most > 1 && (c.total >= charValues || len(c.values) >= charDifferent)) {
		return schema.Type{Kind: schema.Char, Length: most}
	}
	if most == 0 {
		return schema.Type{Kind: schema.VarChar}
	}
	return schema.Type{Kind: schema.VarChar, Length: roomy(most)}
}

// lengths returns the lengths of the shortest and the longest value, in characters.
func (c *collector) lengths() (least, most int) {
	least = math.MaxInt
	for _, v := range c.values {
		n := utf8.RuneCountInString(v.text)
		least, most = min(least, n), max(most, n)
	}
	return least, most
}

// roomy rounds a length up to a power of two.
func roomy(length int) int {
	if length <= 1 {
		return 1
	}
	return 1 << bits.Len(uint(length-1))
}

// noteTimes notes integers that may be times.
func (c *collector) noteTimes(out *Column, numeric func(v value) bool) {
	if out.Type.Kind != schema.Integer && out.Type.Kind != schema.BigInt {
		return
	}
	day, _ := schema.ParsePattern("yyyyMMdd")
	for _, form := range []struct {
		what string
		time func(text string, n int64) time.Time
	}{
		{"dates (yyyyMMdd)", func(text string, _ int64) time.Time { at, _ := day.Parse(text); return at }},
		{"seconds since 1970", func(_ string, n int64) time.Time { return time.Unix(n, 0) }},
		{"milliseconds since 1970", func(_ string, n int64) time.Time { return time.UnixMilli(n) }},
	} {
		if c.all(func(v value) bool {
			n, _ := strconv.ParseInt(v.text, 10, 64)
			year := form.time(v.text, n).Year()
			return !numeric(v) || 2000 <= year && year < 2050
		}) {
			out.Notes = append(out.Notes, "perhaps "+form.what)
			return
		}
	}
}

func (c *Column) isText() bool {
	return c.Type.Kind == schema.Char || c.Type.Kind == schema.VarChar
}
