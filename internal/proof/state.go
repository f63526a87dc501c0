package proof

import (
	"fmt"
	"iter"
	"maps"
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
	j.settle()
	j.explain()
	needed := make([]bool, len(j.ticks))
	for i := max(0, len(j.ticks)-lastTicks); i < len(needed); i++ {
		needed[i] = true
	}
	for a := range j.table.all {
		for _, dues := range []iter.Seq[due]{a.owed, a.spare} {
			for d := range dues {
				if d.payable() {
					needed[d.tick] = true
				}
			}
		}
	}
	for _, failures := range j.failed {
		for _, f := range failures {
			needed[f.tick] = true
		}
	}

	s := &State{Counts: j.counts, LateMax: j.lateMax, Delays: map[int]int64{}, Samples: map[Class][]Sample{}, Named: map[Class]FindingsState{}}
	place := make([]int32, len(j.ticks))
	for i, t := range j.ticks {
		if place[i] = int32(len(s.Ticks)); needed[i] {
			s.Ticks = append(s.Ticks, t)
		}
	}
	states := func(dues iter.Seq[due]) (open []DueState) {
		for d := range dues {
			if d.payable() {
				open = append(open, DueState{place[d.tick], d.open, d.infinite})
			}
		}
		return open
	}
	for a := range j.table.all {
		if a.open() {
			s.Rows = append(s.Rows, RowState{slices.Clone(j.table.key(a)), states(a.owed), states(a.spare)})
		}
	}
	slices.SortFunc(s.Rows, func(a, b RowState) int { return slices.Compare(a.Key, b.Key) })
	for _, key := range slices.Sorted(maps.Keys(j.failed)) {
		for _, f := range j.failed[key] {
			s.Failed = append(s.Failed, FailureState{[]byte(key), place[f.tick], f.object, f.line, f.written, f.reason})
		}
	}
	for seconds, n := range j.delays {
		if n > 0 {
			s.Delays[seconds] = n
		}
	}
	for class, samples := range j.samples {
		s.Samples[class] = slices.Clone(samples)
	}
	for class, findings := range j.findings {
		s.Named[class] = findings.state()
	}
	return s
}

// Restore makes the judge that a state was taken of. It refuses a state that contradicts itself.
func Restore(s *State, format func(key []byte) string) (*Judge, error) {
	j := NewJudge(format)
	j.counts, j.lateMax = s.Counts, s.LateMax
	j.ticks = slices.Clone(s.Ticks)
	known := func(tick int32) bool { return tick >= 0 && int(tick) < len(j.ticks) }
	for _, r := range s.Rows {
		if len(r.Key) == 0 || j.account(r.Key) != nil {
			return nil, fmt.Errorf("row %x is in the state twice, or has no key", r.Key)
		}
		a := j.table.at(j.table.add(r.Key, j.family.Of(keyKind, r.Key)))
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
		if !a.open() {
			return nil, fmt.Errorf("row %x has nothing open", r.Key)
		}
	}
	for _, f := range s.Failed {
		if !known(f.Tick) {
			return nil, fmt.Errorf("a failed row of tick %d, and there are %d", f.Tick, len(j.ticks))
		}
		j.failed[string(f.Key)] = append(j.failed[string(f.Key)], failure{f.Tick, f.Object, f.Line, f.Written, f.Reason})
	}
	for seconds, n := range s.Delays {
		if seconds < 0 || seconds > maxDelay {
			return nil, fmt.Errorf("a delay of %d seconds", seconds)
		}
		for len(j.delays) <= seconds {
			j.delays = append(j.delays, 0)
		}
		j.delays[seconds] = n
	}
	for class, samples := range s.Samples {
		j.samples[class] = slices.Clone(samples)
	}
	for class, named := range s.Named {
		findings, err := restoreFindings(class, named)
		if err != nil {
			return nil, err
		}
		j.findings[class] = findings
	}
	return j, nil
}
