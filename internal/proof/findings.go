package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"
)

// The limits up to which the findings of a class are told apart. Beyond maxNames distinct findings each place is known
// only by its sum, and beyond maxPlaces nothing but the number of findings is known. Neither depends on the order of
// findings.
const (
	maxNames  = 100_000
	maxPlaces = 50_000
)

// A Name identifies a row or line among the findings of a place: the start of the SHA-256 of what a Sample shows of it.
type Name [16]byte

// NameOf names a row, or the start of a corrupt line, by its Sample's Row.
func NameOf(row string) (n Name) {
	sum := sha256.Sum256([]byte(row))
	copy(n[:], sum[:])
	return n
}

// MarshalText encodes the name in base64.
func (n Name) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, n[:]), nil
}

// UnmarshalText decodes what MarshalText encoded.
func (n *Name) UnmarshalText(text []byte) error {
	var out [18]byte
	if len(text) != base64.RawURLEncoding.EncodedLen(len(n)) {
		return fmt.Errorf("name %q does not have %d bytes", text, len(n))
	}
	_, err := base64.RawURLEncoding.Strict().Decode(out[:], text)
	copy(n[:], out[:])
	return err
}

// plus adds another name so many times, modulo 2^128; a negative number subtracts it.
func (n Name) plus(other Name, times int64) (sum Name) {
	abs := uint64(max(times, -times))
	high, low := bits.Mul64(binary.BigEndian.Uint64(other[8:]), abs)
	high += binary.BigEndian.Uint64(other[:8]) * abs
	var carry uint64
	if times >= 0 {
		low, carry = bits.Add64(binary.BigEndian.Uint64(n[8:]), low, 0)
		high, _ = bits.Add64(binary.BigEndian.Uint64(n[:8]), high, carry)
	} else {
		low, carry = bits.Sub64(binary.BigEndian.Uint64(n[8:]), low, 0)
		high, _ = bits.Sub64(binary.BigEndian.Uint64(n[:8]), high, carry)
	}
	binary.BigEndian.PutUint64(sum[:8], high)
	binary.BigEndian.PutUint64(sum[8:], low)
	return sum
}

// A Place is where findings are: the tick that owes missing and failed rows, the object that holds all others.
type Place struct {
	Tick   time.Time `json:"tick,omitzero"`
	Object string    `json:"object,omitempty"`
}

// A Group is the findings of one class in one place.
type Group struct {
	Class Class `json:"class"`
	Place
	// ETag is the version of the object, empty where the bucket has none.
	ETag  string `json:"etag,omitempty"`
	Count int64  `json:"count"`
	// Sum adds up the names of the findings, so that equal findings have equal sums.
	Sum Name `json:"sum"`
	// Rows counts the findings by name. It is nil where the class has too many to tell them apart.
	Rows map[Name]int64 `json:"rows,omitempty"`
}

// Add takes n more findings of this name into the group; a negative n takes them out.
func (g *Group) Add(name Name, n int64) {
	g.Count += n
	g.Sum = g.Sum.plus(name, n)
	if g.Rows == nil {
		return
	}
	if g.Rows[name] += n; g.Rows[name] == 0 {
		delete(g.Rows, name)
	}
}

// Clone shares no memory with the group.
func (g *Group) Clone() *Group {
	c := *g
	c.Rows = maps.Clone(g.Rows)
	return &c
}

// Check refuses a group that contradicts itself.
func (g *Group) Check() error {
	if !slices.Contains(Classes, g.Class) {
		return fmt.Errorf("findings of the class %q, which fails no verdict", g.Class)
	}
	byTick := g.Class == Missing || g.Class == Failed
	if g.Count < 1 || byTick == g.Tick.IsZero() || byTick == (g.Object != "") {
		return fmt.Errorf("%d %s findings of tick %s and object %q", g.Count, g.Class, g.Tick.Format(time.RFC3339), g.Object)
	}
	if g.Rows == nil {
		return nil
	}
	all := Group{Rows: map[Name]int64{}}
	for name, n := range g.Rows {
		if n < 1 {
			return fmt.Errorf("a finding that was made %d times", n)
		}
		all.Add(name, n)
	}
	if all.Count != g.Count || all.Sum != g.Sum {
		return errors.New("the findings of a group do not add up")
	}
	return nil
}

// Findings are all findings of one class, by place.
type Findings struct {
	Groups map[Place]*Group
	// Unnamed reports whether there are too many places for Groups, which is then empty.
	Unnamed bool

	class Class
	names int // in the Rows of all Groups; above maxNames there are no Rows any more
}

func newFindings(class Class) *Findings {
	return &Findings{Groups: map[Place]*Group{}, class: class}
}

func (f *Findings) add(place Place, etag string, name Name, n int64) {
	if f.Unnamed {
		return
	}
	g := f.Groups[place]
	if g == nil {
		if len(f.Groups) >= maxPlaces {
			f.Groups, f.Unnamed = nil, true
			return
		}
		g = &Group{Class: f.class, Place: place, ETag: etag}
		if f.names <= maxNames {
			g.Rows = map[Name]int64{}
		}
		f.Groups[place] = g
	}
	before := len(g.Rows)
	g.Add(name, n)
	if f.names += len(g.Rows) - before; f.names > maxNames {
		f.dropRows()
	}
}

// Merge takes in the findings of another judge.
func (f *Findings) Merge(o *Findings) {
	if f.Unnamed || o.Unnamed {
		f.Groups, f.Unnamed = nil, true
		return
	}
	for place, g := range o.Groups {
		own := f.Groups[place]
		if own == nil {
			f.Groups[place] = g.Clone()
			f.names += len(g.Rows)
			continue
		}
		f.names -= len(own.Rows)
		own.Count += g.Count
		own.Sum = own.Sum.plus(g.Sum, 1)
		for name, n := range g.Rows {
			if own.Rows != nil {
				own.Rows[name] += n
			}
		}
		f.names += len(own.Rows)
	}
	if len(f.Groups) > maxPlaces {
		f.Groups, f.Unnamed = nil, true
	} else if f.names > maxNames || o.names > maxNames {
		f.dropRows()
	}
}

func (f *Findings) dropRows() {
	f.names = maxNames + 1
	for _, g := range f.Groups {
		g.Rows = nil
	}
}

// Sorted gives copies of the groups, in the order of their places.
func (f *Findings) Sorted() (groups []Group) {
	for _, g := range f.Groups {
		groups = append(groups, *g.Clone())
	}
	slices.SortFunc(groups, func(a, b Group) int {
		if c := a.Tick.Compare(b.Tick); c != 0 {
			return c
		}
		return strings.Compare(a.Object, b.Object)
	})
	return groups
}

// FindingsState is the Findings of a class in a State.
type FindingsState struct {
	Unnamed bool    `json:"unnamed,omitempty"`
	NoRows  bool    `json:"noRows,omitempty"` // whether there are too many names
	Groups  []Group `json:"groups,omitempty"`
}

func (f *Findings) state() FindingsState {
	return FindingsState{Unnamed: f.Unnamed, NoRows: f.names > maxNames, Groups: f.Sorted()}
}

func restoreFindings(class Class, s FindingsState) (*Findings, error) {
	f := newFindings(class)
	if f.Unnamed = s.Unnamed; s.NoRows {
		f.names = maxNames + 1
	}
	for _, g := range s.Groups {
		if err := g.Check(); err != nil {
			return nil, err
		}
		if g.Class != class || f.Groups[g.Place] != nil || s.Unnamed || s.NoRows != (g.Rows == nil) {
			return nil, fmt.Errorf("%s findings of %q contradict the others", g.Class, g.Object)
		}
		f.Groups[g.Place] = g.Clone()
		f.names += len(g.Rows)
	}
	return f, nil
}

// NameFindings names the findings of a state that was written before findings had names: each sample by its object, and
// all others as one group, which stands at a place of that name. What a state has counted never changes.
func (s *State) NameFindings(place string) {
	s.Findings, s.Named = nil, map[Class]FindingsState{}
	for _, class := range Classes {
		if class == Missing || class == Failed {
			continue // which are open, and so have names
		}
		f, left := newFindings(class), s.Counts.Of(class)
		for _, sample := range s.Samples[class] {
			f.add(Place{Object: sample.Object}, "", NameOf(sample.Row), sample.Count)
			left -= sample.Count
		}
		if left > 0 {
			f.add(Place{Object: place}, "", NameOf(place), left)
		}
		s.Named[class] = f.state()
	}
}

// note takes findings in an object, and keeps a sample of them: of a row with this key, or of a line if it is nil.
func (b *book) note(class Class, key []byte, row string, f found, reason string) {
	if b.findings[class] == nil {
		b.findings[class] = newFindings(class)
	}
	name := NameOf(row)
	b.findings[class].add(Place{Object: f.object}, f.etag, name, f.count)
	b.keep(class, sample{Sample{Row: row, Count: f.count, Object: f.object, Line: f.line, Reason: reason}, f.number, string(key)})
	if b.judge.watch == nil {
		return
	}
	for _, line := range append([]int64{f.line}, f.more...) {
		b.judge.watch(class, Spot{Object: f.object, ETag: f.etag, Written: f.written, Line: line, Name: name})
	}
}

// A Spot is where one finding stands in an object.
type Spot struct {
	Object  string
	ETag    string
	Written time.Time
	Line    int64 // from 1
	Name    Name
}

// Watch has the judge tell of every finding in an object that it makes from now on, however many there are: the class
// is that of a surplus copy, or Corrupt. Some are told as late as Close or State, and in
// no order if there are several parts. What a state has counted is not told.
func (j *Judge) Watch(tell func(Class, Spot)) {
	j.settle()
	var telling sync.Mutex // by one book at a time
	j.watch = func(class Class, s Spot) {
		telling.Lock()
		defer telling.Unlock()
		tell(class, s)
	}
}

// Findings are those of a class that fails the verdict; of missing and failed rows, those that these ticks owe. Of
// InFlight, they are the rows that are open and not missing yet. The caller may change them.
func (r *Result) Findings(class Class, ticks func(time.Time) bool) *Findings {
	all := newFindings(class)
	for _, b := range r.judge.books {
		switch class {
		case Missing, InFlight, Failed:
			b.addOwed(all, r.at, ticks)
		default:
			if found := b.findings[class]; found != nil {
				all.Merge(found)
			}
		}
	}
	return all
}

// addOwed adds the rows that are missing, in flight or failed, whichever the class is, and that these ticks owe.
func (b *book) addOwed(f *Findings, now time.Time, ticks func(time.Time) bool) {
	add := func(tick int32, key []byte, n int64) {
		if t := b.ticks[tick].Time; ticks(t) {
			f.add(Place{Tick: t.UTC()}, "", NameOf(b.judge.format(key)), n)
		}
	}
	if f.class == Failed {
		for key, failures := range b.failed {
			for _, one := range failures {
				add(one.tick, []byte(key), 1)
			}
		}
		return
	}
	for a := range b.table.all {
		for d := range a.owed {
			if d.open > 0 && b.settled(d.tick, now) == (f.class == Missing) {
				add(d.tick, b.table.key(a), int64(d.open))
			}
		}
	}
}

// Missing is how many rows of a key are missing that ticks of this time owe.
func (r *Result) Missing(key []byte, tick time.Time) (n int64) {
	b := r.judge.bookOf(key)
	a := b.account(key)
	if a == nil {
		return 0
	}
	for d := range a.owed {
		if d.open > 0 && b.settled(d.tick, r.at) && r.Ticks[d.tick].Time.Equal(tick) {
			n += int64(d.open)
		}
	}
	return n
}
