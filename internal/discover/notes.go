package discover

import (
	"fmt"
	"slices"
	"strings"
)

// nullWords are texts that people write for a missing value. Except for those in nulls, only a person can say whether
// they mean NULL.
var nullWords = []string{"NULL", "null", "Null", `\N`, "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "None", "none", "nil", "(null)", "-", "--", "?", "."}

// textNotes explains why a column is text although its values look like another type. numbers and codes are their
// counts.
func (c *collector) textNotes(numbers, codes int) (notes []string) {
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	// With the numbers beside them, these are nearly all.
	are := func(n int) bool { return n > 0 && c.most(n+numbers) }
	has := func(is func(s string) bool) int { return c.count(func(v value) bool { return is(v.text) }) }
	if has(func(s string) bool { return s == "" }) == c.total {
		return []string{"empty in every row, so its type is unknown"}
	}
	if codes > 0 && c.most(codes+numbers) {
		note("%d of these numbers begin with a zero, which an INTEGER would drop", codes)
	}
	switch {
	case has(thousands.MatchString) > 0 && are(has(isNumberWithMarks)):
		note("numbers with thousands separators, which no numeric type reads")
	case are(has(plus.MatchString)):
		note("numbers with a plus sign, which a numeric type would drop")
	case are(has(unit.MatchString)):
		note("numbers with a unit, which no numeric type reads")
	case !c.comma && are(has(perhapsThousands.MatchString)):
		note("numbers with a comma or point that may separate thousands, which no numeric type reads; " +
			"if it precedes a fraction, set it as the format's `decimal`")
	case !c.comma && are(has(decimalComma.MatchString)):
		note("numbers with a comma, which a numeric type reads only if it is the format's `decimal`")
	}
	if are(has(func(s string) bool {
		trimmed := strings.TrimSpace(s)
		return trimmed != s && (shapeOf(trimmed) != isText || isTime(trimmed))
	})) {
		note("text because of the blanks around the values")
	}
	if c.most(has(func(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") })) {
		note("booleans, but not written as true and false (in JSON, without quotes)")
	}
	if words := c.wordNote(); words != "" {
		notes = append(notes, words)
	}
	if c.json {
		notes = append(notes, c.jsonNotes()...)
	} else if len(notes) == 0 && numbers > 0 && numbers < c.total {
		note("%d of %d are numbers", numbers, c.total)
	}
	return append(notes, c.controlNotes()...)
}

// isNumberWithMarks reports whether a text may be from a column of numbers with thousands separators.
func isNumberWithMarks(s string) bool {
	return thousands.MatchString(s) || grouped.MatchString(s) || decimalComma.MatchString(s)
}

// wordNote names the type that the column would have without words for NULL.
func (c *collector) wordNote() string {
	others := newCollector(c.json)
	others.comma = c.comma
	var words []string
	for _, v := range c.values {
		if v.kind == isString && slices.Contains(nullWords, v.text) {
			words = append(words, fmt.Sprintf("%q (%d)", v.text, v.count))
		} else {
			others.addMany(v.text, v.kind, v.count)
		}
	}
	if len(words) == 0 || others.total == 0 {
		return ""
	}
	without := others.infer()
	if without.isText() {
		return ""
	}
	text := fmt.Sprintf("without %s it would be %s", strings.Join(words, ", "), without.Type)
	if !c.json {
		text += ": if that means NULL, add it to the format's `nulls`, set that type and make the column `nullable`"
	}
	return text
}

// jsonNotes says which kinds of JSON the text comes from.
func (c *collector) jsonNotes() (notes []string) {
	of := func(kind kind) int { return c.count(func(v value) bool { return v.kind == kind }) }
	if n := of(isNested); n > 0 {
		notes = append(notes, fmt.Sprintf("%d values are arrays or objects, kept as JSON text", n))
	}
	if n := of(isJSONNumber); n > 0 {
		notes = append(notes, fmt.Sprintf("%d values are numbers, the others are not", n))
	}
	if n := c.count(func(v value) bool { return v.kind == isString && (v.shape == isInteger || v.shape == isNumber) }); c.most(n) {
		notes = append(notes, "numbers in quotes, which are text in JSON")
	}
	return notes
}

// controlNotes reports control characters, which are kept.
func (c *collector) controlNotes() []string {
	first := ""
	n := c.count(func(v value) bool {
		has := strings.ContainsFunc(v.text, isOddControl)
		if has && first == "" {
			first = v.text
		}
		return has
	})
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d values have control characters, such as %s", n, show(first))}
}
