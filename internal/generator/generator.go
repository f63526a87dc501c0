package generator

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
)

// Version is the version of the generator. It goes up whenever the same seed, tick and index give other bytes.
const Version = 2

// Known reports whether this program can make the records of a version. Version 2 differs from 1 in ticks that poison
// aggregates.
func Known(version int) bool { return 1 <= version && version <= Version }

// A Tick is a batch of records owed at one time.
type Tick struct {
	// Time is in milliseconds; anything finer is ignored. Its year has at most four digits, and so have the times that
	// the schema derives from it by adding minutes.
	Time time.Time
	// Records is how many records the tick has, at least 1.
	Records int
	// Spread is the time over which they are planned to be sent, not negative.
	Spread time.Duration
	// Poison is how many of the records are malformed on purpose, 0 to Records. They are spread evenly: record i is
	// malformed if ⌊(i+1)·Poison/Records⌋ > ⌊i·Poison/Records⌋.
	Poison int
	// Aggregates adds malformed aggregates of the Kinesis Producer Library to the faults. Such a record is an aggregate
	// already, and must be sent unchanged. Ticks of version 2 have them if records are packed.
	Aggregates bool
}

// Planned returns how long after the start of the tick a record is planned to be sent: index·Spread/Records, rounded
// down.
func (t Tick) Planned(index int) time.Duration {
	// 128 bits between, because ten million records over ten minutes are close to overflowing 64.
	hi, lo := bits.Mul64(uint64(index), uint64(t.Spread))
	planned, _ := bits.Div64(hi, lo, uint64(t.Records))
	return time.Duration(planned)
}

// A Generator makes records. It holds no state between records and may be used from many goroutines at once.
type Generator struct {
	seed    uint64 // mixed
	columns []column
	schema  schema.Schema
	layout  layout
	// samples are the rows that records are copied from, if the schema has samples. There are no columns and no layout
	// then.
	samples []sample
	// spoilers make the faults of poisoned records. There are at least two; the last len(aggregates) make malformed
	// aggregates.
	spoilers []spoiler
}

// A column is a compiled fake spec. It depends only on the record's state and planned time.
type column struct {
	make func(c *column, dst []byte, state uint64, planned int64) []byte
	// isTime reports whether it depends on the planned time.
	isTime bool
	// text is the constant, or the prefix of the numbers.
	text string
	// draws are the numbers in a column of integers, the addends in a sum, the minutes in a time.
	draws []draw
	// width is how many digits a number is padded to, with zeros.
	width int
	// base is the constant part of a sum, in hundredths.
	base int64
	// pattern is how a time is written; nil stands for schema.TimestampLayout.
	pattern *schema.Pattern
}

// A draw is one number of a record.
type draw struct {
	counter uint64 // (k+1)·γ
	low     int64
	span    uint64 // how many values there are
	unit    int64  // what 1 is worth in a sum, in hundredths
}

// New compiles the schema's fake specs, or reads the pipeline's samples. The error names every fault in them.
func New(p *pipeline.Pipeline, seed uint64) (*Generator, error) {
	g := &Generator{seed: mix(seed + gamma), schema: p.Schema}
	var err error
	if p.Schema.Samples != "" {
		if g.samples, err = readSamples(p); err != nil {
			return nil, fmt.Errorf("samples %s: %w", p.Schema.Samples, err)
		}
	} else {
		g.columns, err = compile(p.Schema)
		layout, unwritten := layOut(p.Schema, g.columns)
		g.layout = layout
		if err = errors.Join(err, unwritten); err != nil {
			return nil, fmt.Errorf("fake values of the schema: %w", err)
		}
	}
	g.spoilers = g.listSpoilers()
	return g, nil
}

// Append appends the record with this index, 0 to tick.Records−1: one row in the schema's format, ended by a newline.
// A poisoned record is a malformed row with 0 to 2 good ones beside it, or nothing at all.
func (g *Generator) Append(dst []byte, tick Tick, index int) []byte {
	state, planned := g.at(tick, index)
	if tick.Poison > 0 {
		if s := g.spoilerOf(tick, index); s != nil {
			return g.appendPoisoned(dst, s, state, planned)
		}
	}
	return g.appendRow(dst, state, planned)
}

func (g *Generator) appendRow(dst []byte, state uint64, planned int64) []byte {
	if g.samples != nil {
		return append(dst, g.sample(state).row...)
	}
	if !g.layout.plain {
		dst, _, _ = g.layout.append(dst, -1, state, planned)
		return dst
	}
	for i := range g.columns {
		c := &g.columns[i]
		dst = append(c.make(c, dst, state, planned), g.layout.delimiter)
	}
	dst[len(dst)-1] = '\n'
	return dst
}

// AppendColumn appends the value of one column of a record, as text in SQL's form, or nothing if it is NULL. It makes
// only that column. The value of a poisoned record is the one before it was spoiled.
func (g *Generator) AppendColumn(dst []byte, tick Tick, index, column int) []byte {
	state, planned := g.at(tick, index)
	if g.samples != nil {
		return append(dst, g.sample(state).values[column].text...)
	}
	c := &g.columns[column]
	return c.make(c, dst, state, planned)
}

// A Key says what the partition key of a record is.
type Key struct {
	column int // −1: uniform
}

// Uniform is the name of the partition key that spreads records evenly over the shards.
const Uniform = "uniform"

// KeyOf reads the name of a partition key: Uniform, or the name or alias of a column, whose value is then the key.
func (g *Generator) KeyOf(name string) (Key, error) {
	if name == Uniform {
		return Key{column: -1}, nil
	}
	if i := g.schema.Index(name); i >= 0 {
		return Key{column: i}, nil
	}
	names := make([]string, 0, len(g.schema.Columns))
	for _, c := range g.schema.Columns {
		names = append(names, c.Name)
	}
	return Key{}, fmt.Errorf("partition key %q is neither %q nor a column (%s)", name, Uniform, strings.Join(names, ", "))
}

// NameOf is the name of the partition key as the ledger keeps it: Uniform or the column's name.
func (g *Generator) NameOf(key Key) string {
	if key.column < 0 {
		return Uniform
	}
	return g.schema.Columns[key.column].Name
}

// maxKey is how many characters a partition key may have.
const maxKey = 256

// AppendKey appends the partition key of a record. Poison does not change it, and the record's bytes do not depend on
// which key is used. A value that is too long is cut. If the value is NULL or empty, which Kinesis refuses, the key is
// the uniform one.
func (g *Generator) AppendKey(dst []byte, tick Tick, index int, key Key) []byte {
	if key.column >= 0 {
		start := len(dst)
		dst = g.AppendColumn(dst, tick, index, key.column)
		if value := dst[start:]; len(value) > maxKey {
			characters := 0
			for at := range string(value) {
				if characters++; characters > maxKey {
					return dst[:start+at]
				}
			}
		}
		if len(dst) > start {
			return dst
		}
	}
	return g.appendUniform(dst, tick, index)
}

func (g *Generator) appendUniform(dst []byte, tick Tick, index int) []byte {
	const hexDigits = "0123456789abcdef"
	state, _ := g.at(tick, index)
	random := mix(state)
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[random>>shift&15])
	}
	return dst
}

// at returns the record's random state, and its planned time.
func (g *Generator) at(tick Tick, index int) (state uint64, planned int64) {
	return g.tickState(tick).record(index), tick.plannedAt(index)
}

// A tickState is what the states of a tick's records are made of.
type tickState uint64

func (g *Generator) tickState(tick Tick) tickState {
	return tickState(mix(g.seed + gamma + uint64(tick.Time.UnixMilli())))
}

// record returns a record's random state.
func (s tickState) record(index int) uint64 { return mix(uint64(s) + gamma + uint64(index)) }

// plannedAt returns the planned time of a record in whole seconds since 1970, rounded down.
func (t Tick) plannedAt(index int) int64 {
	ms := t.Time.UnixMilli()
	seconds := ms / 1000
	fraction := ms % 1000
	if fraction < 0 {
		seconds, fraction = seconds-1, fraction+1000
	}
	offset := time.Duration(fraction)*time.Millisecond + t.Planned(index)
	return seconds + int64(offset/time.Second)
}

const gamma = 0x9e3779b97f4a7c15

func mix(z uint64) uint64 {
	z ^= z >> 30
	z *= 0xbf58476d1ce4e5b9
	z ^= z >> 27
	z *= 0x94d049bb133111eb
	return z ^ z>>31
}

func (d *draw) number(state uint64) int64 {
	hi, _ := bits.Mul64(mix(state+d.counter), d.span)
	return d.low + int64(hi)
}

func makeText(c *column, dst []byte, _ uint64, _ int64) []byte { return append(dst, c.text...) }

func makeIntegers(c *column, dst []byte, state uint64, _ int64) []byte {
	dst = append(dst, c.text...)
	for i := range c.draws {
		n := c.draws[i].number(state)
		if c.width == 0 {
			dst = strconv.AppendInt(dst, n, 10)
		} else {
			dst = appendPadded(dst, uint64(n), c.width)
		}
	}
	return dst
}

func makeSum(c *column, dst []byte, state uint64, _ int64) []byte {
	sum := c.base
	for i := range c.draws {
		sum += c.draws[i].number(state) * c.draws[i].unit
	}
	if sum < 0 {
		dst, sum = append(dst, '-'), -sum
	}
	dst = strconv.AppendInt(dst, sum/100, 10)
	return append(dst, '.', byte('0'+sum/10%10), byte('0'+sum%10))
}

// seconds is the time of a column, in seconds since 1970.
func (c *column) seconds(state uint64, planned int64) int64 {
	for i := range c.draws {
		planned += 60 * c.draws[i].number(state)
	}
	return planned
}

func makeTime(c *column, dst []byte, state uint64, planned int64) []byte {
	planned = c.seconds(state, planned)
	// schema.TimestampLayout by hand: time.AppendFormat takes as long as the rest of the record.
	t := time.Unix(planned, 0).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return append(appendPadded(dst, uint64(year), 4), '-',
		tens(int(month)), ones(int(month)), '-', tens(day), ones(day), ' ',
		tens(hour), ones(hour), ':', tens(minute), ones(minute), ':', tens(second), ones(second))
}

// makeMinutes is makeTime for a pattern without seconds.
func makeMinutes(c *column, dst []byte, state uint64, planned int64) []byte {
	planned -= (planned%60 + 60) % 60
	return makeTime(c, dst, state, planned)
}

func makeDate(c *column, dst []byte, state uint64, planned int64) []byte {
	year, month, day := time.Unix(c.seconds(state, planned), 0).UTC().Date()
	return append(appendPadded(dst, uint64(year), 4), '-', tens(int(month)), ones(int(month)), '-', tens(day), ones(day))
}

// makePattern writes a time, or the day of one, as its column's pattern says.
func makePattern(c *column, dst []byte, state uint64, planned int64) []byte {
	return c.pattern.Append(dst, time.Unix(c.seconds(state, planned), 0))
}

func tens(n int) byte { return byte('0' + n/10) }
func ones(n int) byte { return byte('0' + n%10) }

// appendPadded appends n, which has at most width digits, with exactly width digits.
func appendPadded(dst []byte, n uint64, width int) []byte {
	dst = append(dst, "000000000000000000"[:width]...)
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
