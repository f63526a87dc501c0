package proof

import (
	"fmt"
	"iter"
	"slices"
	"time"
)

// A State is a judge between two verifications: what is open, and what has been counted so far. Its size goes by what
// is open, and not by what was ever owed.
type State struct {
	// Ticks are those of which something is open or failed, and the last ones; dues refer to them by their index.
	Ticks []TickBalance `json:"ticks"`
	// Rows are those of which something is open, in the order of their keys.
	Rows   []RowState     `json:"rows"`
	Failed []FailureState `json:"failed,omitempty"`
	Counts Counts         `json:"counts"`
	// Delays maps seconds to rows.
	Delays   map[int]int64             `json:"delays,omitempty"`
	LateMax  time.Duration             `json:"lateMax,omitempty"`
	Samples  map[Class][]Sample        `json:"samples,omitempty"`
	Named    map[Class]FindingsState   `json:"named,omitempty"`
	Findings map[Class]map[int64]int64 `json:"findings,omitempty"` // by second, in states from before findings had names
}

// A RowState is what is open of one distinct row.
type RowState struct {
	Key   []byte     `json:"key"`
	Owed  []DueState `json:"owed,omitempty"`
	Spare []DueState `json:"spare,omitempty"`
}

// A DueState is what one tick has open of one row.
type DueState struct {
	Tick     int32 `json:"tick"`
	Open     int32 `json:"open"`
	Infinite bool  `json:"infinite,omitempty"`
}

// A FailureState is one owed row that a copy under an error prefix has paid.
type FailureState struct {
	Key     []byte    `json:"key"`
	Tick    int32     `json:"tick"`
	Object  string    `json:"object"`
	Line    int64     `json:"line"`
	Written time.Time `json:"written"`
	Reason  string    `json:"reason"`
}

// State returns what a later judge resumes from, with the last so many ticks whether they have anything open or not.
// Its only change to the judge is to sort unmatched copies into their classes. The state shares no memory with the
// judge.
func (j *Judge) State(lastTicks int) *State {
	j.explain()
	ticks := j.ticks()
	needed := make([]bool, len(ticks))
	for i := max(0, len(ticks)-lastTicks); i < len(needed); i++ {
		needed[i] = true
	}
	for _, b := range j.books {
		b.markTicks(needed)
	}
	s := &State{Delays: map[int]int64{}, Samples: j.samples(), Named: map[Class]FindingsState{}}
	at := make([]int32, len(ticks))
	for i, t := range ticks {
		if at[i] = int32(len(s.Ticks)); needed[i] {
			s.Ticks = append(s.Ticks, t)
		}
	}
	findings := map[Class]*Findings{}
	for _, b := range j.books {
		s.Counts.Add(b.counts)
		s.LateMax = max(s.LateMax, b.lateMax)
		s.addRows(b, at)
		for class, found := range b.findings {
			if findings[class] == nil {
				findings[class] = newFindings(class)
			}
			findings[class].Merge(found)
		}
	}
	slices.SortFunc(s.Rows, func(a, b RowState) int { return slices.Compare(a.Key, b.Key) })
	slices.SortStableFunc(s.Failed, func(a, b FailureState) int { return slices.Compare(a.Key, b.Key) })
	for seconds, n := range j.delays() {
		if n > 0 {
			s.Delays[seconds] = n
		}
	}
	for class, found := range findings {
		s.Named[class] = found.state()
	}
	return s
}

// markTicks marks the ticks of which something is open or failed.
func (b *book) markTicks(needed []bool) {
	for a := range b.table.all {
		for _, dues := range []iter.Seq[due]{a.owed, a.spare} {
			for d := range dues {
				if d.payable() {
					needed[d.tick] = true
				}
			}
		}
	}
	for _, failures := range b.failed {
		for _, f := range failures {
			needed[f.tick] = true
		}
	}
}

// addRows adds what is open or failed in a book, whose ticks are at these indexes of the state.
func (s *State) addRows(b *book, at []int32) {
	states := func(dues iter.Seq[due]) (open []DueState) {
		for d := range dues {
			if d.payable() {
				open = append(open, DueState{at[d.tick], d.open, d.infinite})
			}
		}
		return open
	}
	for a := range b.table.all {
		if a.isOpen() {
			s.Rows = append(s.Rows, RowState{slices.Clone(b.table.key(a)), states(a.owed), states(a.spare)})
		}
	}
	for key, failures := range b.failed {
		for _, f := range failures {
			s.Failed = append(s.Failed, FailureState{[]byte(key), at[f.tick], f.object, f.line, f.written, f.reason})
		}
	}
}

// Restore makes the judge that a state was taken of, with so many parts (see NewJudge), whatever number that one had.
// It refuses a state that contradicts itself.
func Restore(s *State, format func(key []byte) string, parts int) (*Judge, error) {
	j := NewJudge(format, parts)
	first := j.books[0] // takes what was counted of all parts
	first.counts, first.lateMax = s.Counts, s.LateMax
	first.ticks = slices.Clone(s.Ticks)
	for _, b := range j.books[1:] {
		for _, t := range s.Ticks {
			b.ticks = append(b.ticks, TickBalance{Tick: t.Tick})
		}
	}
	known := func(tick int32) bool { return tick >= 0 && int(tick) < len(s.Ticks) }
	for _, r := range s.Rows {
		b := j.bookOf(r.Key)
		if len(r.Key) == 0 || b.account(r.Key) != nil {
			return nil, fmt.Errorf("row %x is in the state twice, or has no key", r.Key)
		}
		a := b.table.at(b.table.add(r.Key, j.family.Of(keyKind, r.Key)))
		for lo, dues := range map[bool][]DueState{true: r.Owed, false: r.Spare} {
			last := int32(-1)
			for _, d := range dues {
				if !known(d.Tick) || d.Tick < last || d.Open < 0 || d.Open == 0 && !d.Infinite || lo && d.Infinite {
					return nil, fmt.Errorf("row %x has a due that cannot be (tick %d, open %d)", r.Key, d.Tick, d.Open)
				}
				last = d.Tick
				a.add(lo, due{d.Tick, d.Open, d.Infinite})
			}
		}
		if !a.isOpen() {
			return nil, fmt.Errorf("row %x has nothing open", r.Key)
		}
	}
	for _, f := range s.Failed {
		if !known(f.Tick) {
			return nil, fmt.Errorf("a failed row of tick %d, and there are %d", f.Tick, len(s.Ticks))
		}
		failed := j.bookOf(f.Key).failed
		failed[string(f.Key)] = append(failed[string(f.Key)], failure{f.Tick, f.Object, f.Line, f.Written, f.Reason})
	}
	for seconds, n := range s.Delays {
		if seconds < 0 || seconds > maxDelay {
			return nil, fmt.Errorf("a delay of %d seconds", seconds)
		}
		*first.delay(seconds) = n
	}
	for class, samples := range s.Samples {
		for i, one := range samples {
			first.keep(class, sample{Sample: one, at: i - len(samples)})
		}
	}
	for class, named := range s.Named {
		findings, err := restoreFindings(class, named)
		if err != nil {
			return nil, err
		}
		first.findings[class] = findings
	}
	return j, nil
}
