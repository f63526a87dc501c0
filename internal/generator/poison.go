package generator

import (
	"iter"
	"math/bits"
	"strings"

	"streamproof/internal/stream/kpl"
)

// A Fault is what is wrong with a record that is malformed on purpose.
type Fault string

// The faults, in the order in which a tick's poisoned records have them. A schema without a column for one of them
// does without it.
const (
	TooFewColumns   Fault = "too few columns"
	TooManyColumns  Fault = "too many columns"
	LetterInInteger Fault = "letter in an integer"
	LetterInNumber  Fault = "letter in a number"
	IntegerOverflow Fault = "integer overflow"
	FloatOverflow   Fault = "float overflow"
	DecimalOverflow Fault = "decimal overflow"
	NoSuchTime      Fault = "time that does not exist"
	NoSuchDay       Fault = "day that does not exist"
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

	// Those of JSON alone. A letter in an integer is a string there.
	MissingValue  Fault = "null that may not be"
	DuplicateName Fault = "duplicate name"
	HalfSurrogate Fault = "half a surrogate pair"
	NotAnObject   Fault = "not an object"
	NotJSON       Fault = "not JSON"

	// Those of aggregates.
	MalformedAggregate = Fault(kpl.ErrMalformed)
	EmptyAggregate     = Fault(kpl.ErrEmpty)
	NoSuchKey          = Fault(kpl.ErrNoSuchKey)
	NotHashKey         = Fault(kpl.ErrNotHashKey)
)

// OfAggregate reports whether the record with this fault is an aggregate by itself.
func (f Fault) OfAggregate() bool {
	return f == MalformedAggregate || f == EmptyAggregate || f == NoSuchKey || f == NotHashKey
}

// Reason is why the analytics application rejects a row with this fault, in its own words.
func (f Fault) Reason() string {
	switch f {
	case TooFewColumns, TooManyColumns:
		return "wrong number of columns"
	case LetterInInteger:
		return "not an integer"
	case LetterInNumber:
		return "not a number"
	case IntegerOverflow, FloatOverflow, DecimalOverflow:
		return "out of range"
	case NoSuchTime:
		return "not a timestamp"
	case NoSuchDay:
		return "not a date"
	case TextTooLong:
		return "wrong length"
	case NotABoolean:
		return "not a boolean"
	case MissingValue:
		return "missing value"
	case HalfSurrogate:
		return "invalid UTF-8"
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

// Faults are the faults that records of a tick may have: the poisoned record k has number k mod their number, so that
// a tick with as many has each of them.
func (g *Generator) Faults(tick Tick) []Fault {
	spoilers := g.spoilersOf(tick)
	faults := make([]Fault, len(spoilers))
	for i, s := range spoilers {
		faults[i] = s.fault
	}
	return faults
}

func (g *Generator) spoilersOf(tick Tick) []spoiler {
	if tick.Aggregates {
		return g.spoilers
	}
	return g.spoilers[:len(g.spoilers)-len(aggregates)]
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
	spoilers := g.spoilersOf(tick)
	return &spoilers[ordinal%len(spoilers)]
}

// appendPoisoned appends a poisoned record whole: its bad row, with a good one before it, after it, both or neither.
func (g *Generator) appendPoisoned(dst []byte, s *spoiler, state uint64, planned int64) []byte {
	if s.fault == EmptyRecord {
		return dst
	}
	if s.fault.OfAggregate() {
		return g.appendBad(dst, s, state, planned)
	}
	before, after := s.goodRows(state)
	if before {
		dst = g.appendRow(dst, mix(state+lineBefore), planned)
	}
	dst = g.appendBad(dst, s, state, planned)
	if g.schema.Format.Newline == "\r\n" {
		dst = append(dst, '\r') // a row may end with one of its own
	}
	dst = append(dst, '\n')
	if after {
		dst = g.appendRow(dst, mix(state+lineAfter), planned)
	}
	return dst
}

// goodRows says which good rows stand beside the bad one. A blank line has both, or it would be no more than a newline
// too many at an end of the record.
func (s *spoiler) goodRows(state uint64) (before, after bool) {
	switch s.fault {
	case BlankLine:
		return true, true
	case EmptyRecord, MalformedAggregate, EmptyAggregate, NoSuchKey, NotHashKey:
		return false, false
	}
	random := mix(state + damage)
	return random&1 != 0, random&2 != 0 && !s.toEnd
}

// appendBad appends the bad row of a poisoned record, without a newline, or the malformed aggregate.
func (g *Generator) appendBad(dst []byte, s *spoiler, state uint64, planned int64) []byte {
	if s.pack != nil {
		return append(dst, s.pack(g.appendRow(nil, state, planned))...)
	}
	if len(s.columns) == 0 {
		return dst
	}
	// The high bits choose the column; goodRows has the two lowest ones.
	random := mix(state + damage)
	choice, _ := bits.Mul64(random, uint64(len(s.columns)))
	column := s.columns[choice]
	b := badRow{row: len(dst), column: &g.schema.Columns[column], planned: planned, random: random}
	if g.samples != nil {
		b.dst, b.from, b.to = g.sample(state).appendBare(dst, column)
	} else {
		b.dst, b.from, b.to = g.layout.append(dst, column, state, planned)
		newline := len(g.layout.end) - len(strings.TrimRight(g.layout.end, "\r\n"))
		b.dst = b.dst[:len(b.dst)-newline]
	}
	return s.spoil(b)
}

// Rejects gives, of the records first to last (both included) of a tick, the bad row of each that is poisoned: its
// record's index and its bytes, without a newline, valid until the next one. Each is owed as one reject; a blank line
// and an empty record are one of 0 bytes, a malformed aggregate is one as a whole. It costs the poisoned records
// alone.
func (g *Generator) Rejects(tick Tick, first, last int) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		var line []byte
		spoilers := g.spoilersOf(tick)
		for ordinal := tick.poisonedBefore(first); ; ordinal++ {
			index := tick.poisoned(ordinal)
			if index > last {
				return
			}
			state, planned := g.at(tick, index)
			line = g.appendBad(line[:0], &spoilers[ordinal%len(spoilers)], state, planned)
			if !yield(index, line) {
				return
			}
		}
	}
}
