package generator

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"streamproof/internal/schema"
)

// maxSpoiledText is the longest length of a column, in characters, whose text is made too long.
const maxSpoiledText = 1000

// A spoiler makes a record with a fault from its own well-formed row.
type spoiler struct {
	fault Fault
	// columns are the columns of which one is spoiled. If there are none, the bad row has 0 bytes.
	columns []int
	// spoil returns dst with the row spoiled.
	spoil func(badRow) []byte
	// pack makes a malformed aggregate of a well-formed row. It is nil for all other faults.
	pack func(row []byte) []byte
	// toEnd reports that the bad row would swallow a good row after it.
	toEnd bool
}

// A badRow is a row that is being spoiled: dst[row:], without its newline. The column's value is dst[from:to], with its
// quotes.
type badRow struct {
	dst           []byte
	row, from, to int
	column        *schema.Column
	planned       int64
	random        uint64
}

// replace replaces the value.
func (b badRow) replace(value string) []byte { return splice(b.dst, b.from, b.to, value) }

// splice is slices.Replace for text, without allocation.
func splice(dst []byte, from, to int, text string) []byte {
	tail := len(dst) - to
	dst = append(dst, text...)
	copy(dst[from+len(text):], dst[to:to+tail])
	copy(dst[from:], text)
	return dst[:from+len(text)+tail]
}

// begins reports whether the value is in these quotes.
func (b badRow) begins(quote string) bool {
	return quote != "" && b.from < b.to && b.dst[b.from] == quote[0]
}

// listSpoilers returns the spoilers for which the schema has columns.
func (g *Generator) listSpoilers() []spoiler {
	var list []spoiler
	format := g.schema.Format.OrDefault()
	if format.Type == schema.JSON {
		list = g.spoilersOfJSON()
	} else {
		list = g.spoilersOfCSV(format)
	}
	list = slices.DeleteFunc(list, func(s spoiler) bool { return len(s.columns) == 0 })
	if format.Type != schema.JSON {
		list = append(list, spoiler{fault: BlankLine})
	}
	return append(append(list, spoiler{fault: EmptyRecord}), aggregates...)
}

// where returns the columns that satisfy a predicate.
func (g *Generator) where(is func(c schema.Column) bool) (columns []int) {
	for i, c := range g.schema.Columns {
		if is(c) {
			columns = append(columns, i)
		}
	}
	return columns
}

func ofKind(kinds ...schema.Kind) func(schema.Column) bool {
	return func(c schema.Column) bool { return slices.Contains(kinds, c.Type.Kind) }
}

// isSized reports whether a text can be too long for the column.
func isSized(c schema.Column) bool {
	return (c.Type.Kind == schema.Char || c.Type.Kind == schema.VarChar) && c.Type.Length > 0 && c.Type.Length <= maxSpoiledText
}

func every(schema.Column) bool { return true }

func (g *Generator) spoilersOfCSV(format schema.Format) []spoiler {
	letter := noNull(format.Nulls)
	all := g.where(every)
	last := all[max(len(all)-1, 0):]
	var notTheOnly []int
	if len(all) > 1 {
		notTheOnly = last
	}
	// With this letter, no value means NULL.
	lettered := func(is func(schema.Column) bool) []int {
		if letter == "" {
			return nil
		}
		return g.where(is)
	}
	overflowing := func(kinds ...schema.Kind) []int {
		is := ofKind(kinds...)
		return g.where(func(c schema.Column) bool {
			return is(c) && !slices.Contains(format.Nulls, overflow(c.Type))
		})
	}
	// A quote that is not closed reaches to the next quote.
	unclosed := last
	if g.layout.plain {
		unclosed = all
	}
	if format.Quote == "" {
		unclosed = nil
	}
	// After a fault of quotes, a newline must end the row whether or not it is in quotes.
	behind := all
	if format.Multiline {
		behind = last
	}
	misplaced := behind
	if format.Quote == "" || letter == "" {
		misplaced = nil
	}
	// Before "\n", a carriage return may be part of the newline.
	var returned []int
	if format.Newline == "\n" {
		returned = last
	}
	addLetter := func(b badRow) []byte {
		if b.begins(format.Quote) {
			return splice(b.dst, b.to-1, b.to-1, letter)
		}
		return splice(b.dst, b.to, b.to, letter)
	}
	letters := strings.Repeat(letter, maxSpoiledText+1)
	replace := func(b badRow) []byte { return b.replace(overflow(b.column.Type)) }
	noSuchDay := func(b badRow) []byte {
		if !b.begins(format.Quote) && b.to-b.from == len(schema.TimestampLayout) && b.column.TimePattern().String() == schema.TimestampPattern {
			copy(b.dst[b.from+len("2006-"):], "02-30")
			return b.dst
		}
		text := noSuchDayOf(b)
		if strings.ContainsAny(text, format.Delimiter+format.Quote) {
			text = format.Quote + text + format.Quote
		}
		return b.replace(text)
	}
	return []spoiler{
		// The last value goes with its delimiter.
		{fault: TooFewColumns, columns: notTheOnly, spoil: func(b badRow) []byte { return b.dst[:b.from-1] }},
		{fault: TooManyColumns, columns: last, spoil: func(b badRow) []byte { return append(b.dst, format.Delimiter[0], '0') }},
		{fault: LetterInInteger, columns: lettered(ofKind(schema.Integer, schema.BigInt)), spoil: addLetter},
		{fault: LetterInNumber, columns: lettered(ofKind(schema.Real, schema.Double, schema.Decimal)), spoil: addLetter},
		{fault: IntegerOverflow, columns: overflowing(schema.Integer, schema.BigInt), spoil: replace},
		{fault: FloatOverflow, columns: overflowing(schema.Real, schema.Double), spoil: replace},
		{fault: DecimalOverflow, columns: overflowing(schema.Decimal), spoil: replace},
		{fault: NoSuchTime, columns: g.where(ofKind(schema.Timestamp)), spoil: noSuchDay},
		{fault: NoSuchDay, columns: g.where(ofKind(schema.Date)), spoil: noSuchDay},
		{fault: TextTooLong, columns: lettered(isSized), spoil: func(b badRow) []byte {
			if b.begins(format.Quote) {
				return b.replace(letters[:b.column.Type.Length+1])
			}
			missing := b.column.Type.Length + 1 - utf8.RuneCount(b.dst[b.from:b.to])
			return splice(b.dst, b.to, b.to, letters[:max(missing, 0)])
		}},
		{fault: NotABoolean, columns: lettered(ofKind(schema.Boolean)), spoil: addLetter},
		{fault: UnclosedQuote, columns: unclosed, toEnd: format.Multiline, spoil: func(b badRow) []byte {
			if b.begins(format.Quote) {
				return b.dst[:b.to-1] // it is the last column
			}
			return splice(b.dst, b.from, b.from, format.Quote)
		}},
		{fault: MisplacedQuote, columns: misplaced, spoil: func(b badRow) []byte {
			if b.begins(format.Quote) {
				return splice(b.dst, b.to, b.to, letter)
			}
			if b.from == b.to {
				return b.replace(letter + format.Quote)
			}
			return splice(b.dst, b.to, b.to, format.Quote)
		}},
		{fault: CarriageReturn, columns: returned, spoil: func(b badRow) []byte { return append(b.dst, '\r') }},
		{fault: InvalidUTF8, columns: behind, spoil: func(b badRow) []byte { return splice(b.dst, b.to, b.to, "\xff") }},
	}
}

// noNull returns a letter with which no text that means NULL ends, or nothing if there is none.
func noNull(nulls []string) string {
	for _, letter := range []string{"x", "y", "z", "w", "q", "v"} {
		if !slices.ContainsFunc(nulls, func(null string) bool { return strings.HasSuffix(null, letter) }) {
			return letter
		}
	}
	return ""
}

// noSuchDayOf returns a day that does not exist, at the record's time, in the column's pattern.
func noSuchDayOf(b badRow) string {
	return string(b.column.TimePattern().AppendNoSuchDay(nil, time.Unix(b.planned, 0)))
}

// overflow returns the least positive integer, or power of ten, that the type cannot hold.
func overflow(typ schema.Type) string {
	switch typ.Kind {
	case schema.Integer:
		return "2147483648"
	case schema.BigInt:
		return "9223372036854775808"
	case schema.Real:
		return "1e39"
	case schema.Decimal:
		return "1" + strings.Repeat("0", typ.Length-typ.Scale)
	default:
		return "1e309"
	}
}

func (g *Generator) spoilersOfJSON() []spoiler {
	// Only a value that every sample has can be spoiled in each.
	there := func(is func(schema.Column) bool) []int {
		return slices.DeleteFunc(g.where(is), func(i int) bool {
			return slices.ContainsFunc(g.samples, func(s sample) bool { return s.spans[i].to == 0 })
		})
	}
	text := func(value string) func(b badRow) []byte {
		return func(b badRow) []byte { return b.replace(value) }
	}
	// first puts faulty members in front of the others.
	first := func(members string) func(b badRow) []byte {
		return func(b badRow) []byte {
			if b.dst[b.row+1] != '}' {
				return splice(b.dst, b.row+1, b.row+1, members+",")
			}
			return splice(b.dst, b.row+1, b.row+1, members)
		}
	}
	replace := func(b badRow) []byte { return b.replace(overflow(b.column.Type)) }
	noSuchDay := func(b badRow) []byte { return b.replace(string(jsonString(noSuchDayOf(b)))) }
	whole := []int{0} // which column does not matter
	return []spoiler{
		{fault: LetterInInteger, columns: there(ofKind(schema.Integer, schema.BigInt)), spoil: text(`"1x"`)},
		{fault: LetterInNumber, columns: there(ofKind(schema.Real, schema.Double, schema.Decimal)), spoil: text(`"1x"`)},
		{fault: IntegerOverflow, columns: there(ofKind(schema.Integer, schema.BigInt)), spoil: replace},
		{fault: FloatOverflow, columns: there(ofKind(schema.Real, schema.Double)), spoil: replace},
		{fault: DecimalOverflow, columns: there(ofKind(schema.Decimal)), spoil: replace},
		{fault: NoSuchTime, columns: there(ofKind(schema.Timestamp)), spoil: noSuchDay},
		{fault: NoSuchDay, columns: there(ofKind(schema.Date)), spoil: noSuchDay},
		{fault: TextTooLong, columns: there(isSized), spoil: func(b badRow) []byte {
			return b.replace(`"` + strings.Repeat("x", b.column.Type.Length+1) + `"`)
		}},
		{fault: NotABoolean, columns: there(ofKind(schema.Boolean)), spoil: text(`"true"`)},
		{fault: MissingValue, columns: there(func(c schema.Column) bool { return !c.Nullable }), spoil: text("null")},
		{fault: DuplicateName, columns: whole, spoil: first(`"x":0,"x":0`)},
		{fault: InvalidUTF8, columns: whole, spoil: first("\"x\":\"\xff\"")},
		{fault: HalfSurrogate, columns: whole, spoil: first(`"x":"\ud800"`)},
		{fault: NotAnObject, columns: whole, spoil: func(b badRow) []byte {
			return strconv.AppendUint(b.dst[:b.row], b.random>>40, 10)
		}},
		{fault: NotJSON, columns: whole, spoil: func(b badRow) []byte { return splice(b.dst, len(b.dst)-1, len(b.dst)-1, "x") }},
	}
}
