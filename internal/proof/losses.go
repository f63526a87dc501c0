package proof

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
)

// A Loss is rows of one key that one tick owes, and that are missing or failed.
type Loss struct {
	Class Class // Missing or Failed
	Tick  Tick
	Key   []byte // valid until the next loss
	Count int64
}

// Losses yields all missing and failed rows, in the order of their ticks and then of their keys, so that equal balances
// yield the same. Failed rows of ticks that are not settled are among them.
func (r *Result) Losses() iter.Seq[Loss] {
	type loss struct {
		key    []byte
		failed bool
		tick   int32
		count  int64
	}
	return func(yield func(Loss) bool) {
		var all []loss
		for _, b := range r.judge.books {
			for a := range b.table.all {
				for d := range a.owed {
					if d.open > 0 && b.settled(d.tick, r.at) {
						all = append(all, loss{b.table.key(a), false, d.tick, int64(d.open)})
					}
				}
			}
			for key, failures := range b.failed {
				for _, f := range failures {
					all = append(all, loss{[]byte(key), true, f.tick, 1})
				}
			}
		}
		slices.SortStableFunc(all, func(a, b loss) int { // what is missing before what failed
			return cmp.Or(cmp.Compare(a.tick, b.tick), bytes.Compare(a.key, b.key))
		})
		for _, l := range all {
			class := Missing
			if l.failed {
				class = Failed
			}
			if !yield(Loss{class, r.Ticks[l.tick].Tick, l.key, l.count}) {
				return
			}
		}
	}
}
