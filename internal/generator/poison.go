package generator

import (
	"cmp"
	"iter"
	"math/bits"
	"strings"

	"streamproof/internal/stream/kpl"
)

// A Fault is what is wrong with a record that is malformed on purpose.
type Fault string

// The faults, in the order in which the poisoned records of a tick have them. A fault that the schema has no column for
// is left out.
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
	// EmptyRecord is a record of 0 bytes, without a newline.
	EmptyRecord Fault = "empty record"

	// Faults of JSON only. In JSON, a letter in an integer is a string.
	MissingValue  Fault = "null that may not be"
	DuplicateName Fault = "duplicate name"
	HalfSurrogate Fault = "half a surrogate pair"
	NotAnObject   Fault = "not an object"
	NotJSON       Fault = "not JSON"

	// Faults of aggregates.
	MalformedAggregate = Fault(kpl.ErrMalformed)
	EmptyAggregate     = Fault(kpl.ErrEmpty)
	NoSuchKey          = Fault(kpl.ErrNoSuchKey)
	NotHashKey         = Fault(kpl.ErrNotHashKey)
)

// OfAggregate reports whether a record with this fault is itself an aggregate.
func (f Fault) OfAggregate() bool {
	return f == MalformedAggregate || f == EmptyAggregate || f == NoSuchKey || f == NotHashKey
}

// reasons are why the analytics application rejects a row, in its own words, if they are not the fault's.
var reasons = map[Fault]string{
	TooFewColumns: "wrong number of columns", TooManyColumns: "wrong number of columns",
	LetterInInteger: "not an integer", LetterInNumber: "not a number", NotABoolean: "not a boolean",
	IntegerOverflow: "out of range", FloatOverflow: "out of range", DecimalOverflow: "out of range",
	NoSuchTime: "not a timestamp", NoSuchDay: "not a date", TextTooLong: "wrong length",
	MissingValue: "missing value", HalfSurrogate: "invalid UTF-8",
}

// Reason returns why the analytics application rejects a row with this fault, in its own words.
func (f Fault) Reason() string { return cmp.Or(reasons[f], string(f)) }

// Counters of a poisoned record's own draws. They count down from 0; the counters of the schema's ranges count up.
const (
	damage     = -gamma & (1<<64 - 1)     // chooses the spoiled column and the good lines beside it
	lineBefore = -2 * gamma & (1<<64 - 1) // the state of the good line before the bad one
	lineAfter  = -3 * gamma & (1<<64 - 1)
)

// poisonedBefore returns how many records before this index are poisoned: ⌊index·Poison/Records⌋.
func (t Tick) poisonedBefore(index int) int {
	hi, lo := bits.Mul64(uint64(index), uint64(t.Poison))
	n, _ := bits.Div64(hi, lo, uint64(t.Records))
	return int(n)
}

// poisoned returns the index of the poisoned record with this ordinal, from 0, or Records if there is none. It is the
// least index with ⌊(index+1)·Poison/Records⌋ > ordinal, which is ⌈(ordinal+1)·Records/Poison⌉ − 1.
func (t Tick) poisoned(ordinal int) int {
	if ordinal >= t.Poison {
		return t.Records
	}
	hi, lo := bits.Mul64(uint64(ordinal)+1, uint64(t.Records))
	lo, borrow := bits.Sub64(lo, 1, 0)
	index, _ := bits.Div64(hi-borrow, lo, uint64(t.Poison))
	return int(index)
}

// Faults returns the faults that records of a tick may have. Poisoned record k has fault k modulo their number, so a
// tick with as many poisoned records has each fault.
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

// FaultOf returns the fault of a record, or the empty text if it is well-formed.
func (g *Generator) FaultOf(tick Tick, index int) Fault {
	if s := g.spoilerOf(tick, index); s != nil {
		return s.fault
	}
	return ""
}

// spoilerOf returns the spoiler of a record, or nil if it is well-formed.
func (g *Generator) spoilerOf(tick Tick, index int) *spoiler {
	ordinal := tick.poisonedBefore(index)
	if tick.poisonedBefore(index+1) == ordinal {
		return nil
	}
	spoilers := g.spoilersOf(tick)
	return &spoilers[ordinal%len(spoilers)]
}

// appendPoisoned appends a poisoned record: its bad row, and perhaps a good row before or after it.
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
		dst = append(dst, '\r') // the row may end with one of its own
	}
	dst = append(dst, '\n')
	if after {
		dst = g.appendRow(dst, mix(state+lineAfter), planned)
	}
	return dst
}

// goodRows reports whether good rows stand before and after the bad one. A blank line needs both: at an end of the
// record it would be just another newline.
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

// Rejects returns the bad rows of the poisoned records among first to last, both included: the record's index, and the
// bytes without a newline, which are valid until the next one. Each is owed as one reject. A blank line or an empty
// record is a reject of 0 bytes, and a malformed aggregate is one reject. The cost depends only on the number of
// poisoned records.
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
