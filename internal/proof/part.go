package proof

import (
	"bytes"
	"errors"
	"hash/fnv"
	"slices"
)

// A Part is one of several parts of all rows. Judges that are given the same claims and objects, in one process or on
// several machines, may each judge one; Merge then makes their states that of a judge of all rows.
type Part struct{ Index, Of int }

// has reports whether a row is in the part. Every machine must say the same.
func (p Part) has(key []byte) bool {
	if p.Of < 2 {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write(key)
	sum := h.Sum64()
	return int((sum^sum>>32)%uint64(p.Of)) == p.Index
}

// Only has the judge leave out all rows that are not in a part. What is no row, as a corrupt line, is in part 0. It is
// for a judge that was given nothing yet, or has been restored from a state of that part.
func (j *Judge) Only(p Part) { j.only = p }

// Part is what one part of all rows has of the state. What was counted, and what was found, is that of part 0. Merge of
// all parts is the state again. It shares memory with the state.
func (s *State) Part(p Part) *State {
	part := &State{}
	if p.Index == 0 {
		*part = *s
	} else {
		for _, t := range s.Ticks {
			part.Ticks = append(part.Ticks, TickBalance{Tick: t.Tick})
		}
	}
	part.Rows = slices.DeleteFunc(slices.Clone(s.Rows), func(r RowState) bool { return !p.has(r.Key) })
	part.Failed = slices.DeleteFunc(slices.Clone(s.Failed), func(f FailureState) bool { return !p.has(f.Key) })
	return part
}

// Merge makes one state of those of all parts. Each must have all ticks. The state is that of a judge of all rows,
// except for samples: they are in the order of the parts, and of a class with more than MaxSamples those of the first.
func Merge(parts []*State) (*State, error) {
	all := &State{Delays: map[int]int64{}, Samples: map[Class][]Sample{}, Named: map[Class]FindingsState{}}
	found := map[Class]*Findings{}
	for i, s := range parts {
		if i == 0 {
			all.Ticks = slices.Clone(s.Ticks)
		} else if err := all.addTicks(s.Ticks); err != nil {
			return nil, err
		}
		all.Rows = append(all.Rows, s.Rows...)
		all.Failed = append(all.Failed, s.Failed...)
		all.Counts.Add(s.Counts)
		all.LateMax = max(all.LateMax, s.LateMax)
		for seconds, n := range s.Delays {
			all.Delays[seconds] += n
		}
		for class, samples := range s.Samples {
			both := append(all.Samples[class], samples...)
			all.Samples[class] = both[:min(len(both), MaxSamples)]
		}
		for class, named := range s.Named {
			findings, err := restoreFindings(class, named)
			if err != nil {
				return nil, err
			}
			if found[class] == nil {
				found[class] = newFindings(class)
			}
			found[class].Merge(findings)
		}
	}
	for class, findings := range found {
		all.Named[class] = findings.state()
	}
	slices.SortFunc(all.Rows, func(a, b RowState) int { return bytes.Compare(a.Key, b.Key) })
	slices.SortStableFunc(all.Failed, func(a, b FailureState) int { return bytes.Compare(a.Key, b.Key) })
	return all, nil
}

var errOtherTicks = errors.New("the parts are not of the same ticks")

// addTicks adds what became of the same ticks' rows in another part.
func (s *State) addTicks(other []TickBalance) error {
	if len(other) != len(s.Ticks) {
		return errOtherTicks
	}
	for i, o := range other {
		if s.Ticks[i].Tick != o.Tick {
			return errOtherTicks
		}
		s.Ticks[i].add(&o)
	}
	return nil
}
