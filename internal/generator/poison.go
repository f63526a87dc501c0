package generator

import (
	"iter"
	"math/bits"
	"slices"
	"unicode/utf8"

	"streamproof/pipeline"
)

// A Fault is what is wrong with a record that is malformed on purpose.
type Fault string

// The faults, in the order in which a tick's poisoned records have them. A schema without a column for one of them does
// without it.
const (
	TooFewColumns   Fault = "too few columns"
	TooManyColumns  Fault = "too many columns"
	LetterInInteger Fault = "letter in an integer"
	LetterInNumber  Fault = "letter in a number"
	IntegerOverflow Fault = "integer overflow"
	FloatOverflow   Fault = "float overflow"
	NoSuchTime      Fault = "time that does not exist"
	TextTooLong     Fault = "text too long"
	NotABoolean     Fault = "letter in a boolean"
	UnclosedQuote   Fault = "unclosed quote"
	MisplacedQuote  Fault = "misplaced quote"
	CarriageReturn  Fault = "carriage return"
	InvalidUTF8     Fault = "invalid UTF-8"
	// BlankLine is a line of 0 bytes between two rows.
	BlankLine Fault = "blank line"
	// EmptyRecord is a record of 0 bytes: it has no newline either.
	EmptyRecord Fault = "empty record"
)

// Reason is why the analytics application rejects a line with this fault, in its own words.
func (f Fault) Reason() string {
	switch f {
	case TooFewColumns, TooManyColumns:
		return "wrong number of columns"
	case LetterInInteger:
		return "not an integer"
	case LetterInNumber:
		return "not a number"
	case IntegerOverflow, FloatOverflow:
		return "out of range"
	case NoSuchTime:
		return "not a timestamp"
	case TextTooLong:
		return "wrong length"
	case NotABoolean:
		return "not a boolean"
	default:
		return string(f)
	}
}

// Counters of what a poisoned record draws beyond its schema's ranges: they count down from 0, where those count up.
const (
	damage     = -gamma & (1<<64 - 1)     // which column is spoiled, and which of the lines beside it there are
	lineBefore = -2 * gamma & (1<<64 - 1) // the state of the good line before the bad one
	lineAfter  = -3 * gamma & (1<<64 - 1)
)

// maxSpoiledText is the longest text, in characters, that is made too long.
const maxSpoiledText = 1000

// A spoiler is how a record with a fault is made out of its own well-formed line.
type spoiler struct {
	fault Fault
	// columns are those of which one is spoiled; none: the bad line has 0 bytes.
	columns []int
	// spoil changes the value of the column, which is dst[start:].
	spoil func(dst []byte, start int, typ pipeline.Type) []byte
}

// spoilers are those of the faults that the schema has columns for.
func spoilers(schema pipeline.Schema) []spoiler {
	ofKind := func(kinds ...pipeline.Kind) (columns []int) {
		for i, c := range schema.Columns {
			if slices.Contains(kinds, c.Type.Kind) {
				columns = append(columns, i)
			}
		}
		return columns
	}
	all := make([]int, len(schema.Columns))
	var sized []int
	for i, c := range schema.Columns {
		all[i] = i
		if c.Type.Length > 0 && c.Type.Length <= maxSpoiledText {
			sized = append(sized, i)
		}
	}
	last := all[max(len(all)-1, 0):]
	var notTheOnly []int
	if len(all) > 1 {
		notTheOnly = last
	}
	add := func(suffix string) func([]byte, int, pipeline.Type) []byte {
		return func(dst []byte, _ int, _ pipeline.Type) []byte { return append(dst, suffix...) }
	}

	list := []spoiler{
		// With its comma.
		{TooFewColumns, notTheOnly, func(dst []byte, start int, _ pipeline.Type) []byte { return dst[:start-1] }},
		{TooManyColumns, last, add(",0")},
		{LetterInInteger, ofKind(pipeline.Integer, pipeline.BigInt), add("x")},
		{LetterInNumber, ofKind(pipeline.Real, pipeline.Double), add("x")},
		{IntegerOverflow, ofKind(pipeline.Integer, pipeline.BigInt), overflow},
		{FloatOverflow, ofKind(pipeline.Real, pipeline.Double), overflow},
		{NoSuchTime, ofKind(pipeline.Timestamp), func(dst []byte, start int, _ pipeline.Type) []byte {
			copy(dst[start+len("2006-"):], "02-30")
			return dst
		}},
		{TextTooLong, sized, func(dst []byte, start int, typ pipeline.Type) []byte {
			for missing := typ.Length + 1 - utf8.RuneCount(dst[start:]); missing > 0; missing-- {
				dst = append(dst, 'x')
			}
			return dst
		}},
		{NotABoolean, ofKind(pipeline.Boolean), add("x")},
		{UnclosedQuote, all, func(dst []byte, start int, _ pipeline.Type) []byte { return slices.Insert(dst, start, '"') }},
		{MisplacedQuote, all, add(`"`)},
		{CarriageReturn, last, add("\r")},
		{InvalidUTF8, all, add("\xff")},
	}
	list = slices.DeleteFunc(list, func(s spoiler) bool { return len(s.columns) == 0 })
	return append(list, spoiler{fault: BlankLine}, spoiler{fault: EmptyRecord})
}

// overflow writes the least positive integer, or power of ten, that the type cannot hold.
func overflow(dst []byte, start int, typ pipeline.Type) []byte {
	dst = dst[:start]
	switch typ.Kind {
	case pipeline.Integer:
		return append(dst, "2147483648"...)
	case pipeline.BigInt:
		return append(dst, "9223372036854775808"...)
	case pipeline.Real:
		return append(dst, "1e39"...)
	default:
		return append(dst, "1e309"...)
	}
}

// poisonedBefore is how many records before this index are poisoned: ⌊index·Poison/Records⌋.
func (t Tick) poisonedBefore(index int) int {
	hi, lo := bits.Mul64(uint64(index), uint64(t.Poison))
	n, _ := bits.Div64(hi, lo, uint64(t.Records))
	return int(n)
}

// poisoned is the index of the poisoned record with this ordinal, from 0, and Records where there is none: the least
// index with ⌊(index+1)·Poison/Records⌋ > ordinal, which is ⌈(ordinal+1)·Records/Poison⌉ − 1.
func (t Tick) poisoned(ordinal int) int {
	if ordinal >= t.Poison {
		return t.Records
	}
	hi, lo := bits.Mul64(uint64(ordinal)+1, uint64(t.Records))
	lo, borrow := bits.Sub64(lo, 1, 0)
	index, _ := bits.Div64(hi-borrow, lo, uint64(t.Poison))
	return int(index)
}

// Faults are the faults that records of this schema may have: the poisoned record k of a tick has number k mod their
// number, so that a tick with as many has each of them.
func (g *Generator) Faults() []Fault {
	faults := make([]Fault, len(g.spoilers))
	for i, s := range g.spoilers {
		faults[i] = s.fault
	}
	return faults
}

// FaultOf is the fault of a record, empty where the record is well-formed.
func (g *Generator) FaultOf(tick Tick, index int) Fault {
	if s := g.spoilerOf(tick, index); s != nil {
		return s.fault
	}
	return ""
}

// spoilerOf is that of a record, nil where the record is well-formed.
func (g *Generator) spoilerOf(tick Tick, index int) *spoiler {
	ordinal := tick.poisonedBefore(index)
	if tick.poisonedBefore(index+1) == ordinal {
		return nil
	}
	return &g.spoilers[ordinal%len(g.spoilers)]
}

// appendPoisoned appends a poisoned record whole: its bad line, with a good one before it, after it, both or neither.
func (g *Generator) appendPoisoned(dst []byte, s *spoiler, state uint64, planned int64) []byte {
	if s.fault == EmptyRecord {
		return dst
	}
	before, after := s.goodLines(state)
	if before {
		dst = g.appendLine(dst, mix(state+lineBefore), planned)
	}
	dst = append(g.appendBad(dst, s, state, planned), '\n')
	if after {
		dst = g.appendLine(dst, mix(state+lineAfter), planned)
	}
	return dst
}

// goodLines says which good lines stand beside the bad one. A blank line has both, or it would be no more than a newline
// too many at an end of the record.
func (s *spoiler) goodLines(state uint64) (before, after bool) {
	switch s.fault {
	case BlankLine:
		return true, true
	case EmptyRecord:
		return false, false
	}
	random := mix(state + damage)
	return random&1 != 0, random&2 != 0
}

// appendBad appends the bad line of a poisoned record, without a newline.
func (g *Generator) appendBad(dst []byte, s *spoiler, state uint64, planned int64) []byte {
	if len(s.columns) == 0 {
		return dst
	}
	// The high bits choose the column; goodLines has the two lowest ones.
	choice, _ := bits.Mul64(mix(state+damage), uint64(len(s.columns)))
	spoiled := s.columns[choice]
	for i := range g.columns {
		c := &g.columns[i]
		start := len(dst)
		dst = c.make(c, dst, state, planned)
		if i == spoiled {
			dst = s.spoil(dst, start, g.schema.Columns[i].Type)
		}
		dst = append(dst, ',')
	}
	return dst[:len(dst)-1]
}

// Rejects gives, of the records first to last (both included) of a tick, the bad line of each that is poisoned: its
// record's index and its bytes, without a newline, valid until the next one. Each is owed as one reject; a blank line
// and an empty record are one of 0 bytes. It costs the poisoned records alone.
func (g *Generator) Rejects(tick Tick, first, last int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		var line []byte
		for ordinal := tick.poisonedBefore(first); ; ordinal++ {
			index := tick.poisoned(ordinal)
			if index > last {
				return
			}
			state, planned := g.at(tick, index)
			line = g.appendBad(line[:0], &g.spoilers[ordinal%len(g.spoilers)], state, planned)
			if !yield(index, line) {
				return
			}
		}
	}
}
