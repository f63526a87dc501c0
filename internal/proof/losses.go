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
		row    *account // nil if the row failed
		failed string
		tick   int32
		count  int64
	}
	return func(yield func(Loss) bool) {
		var all []loss
		for a := range r.judge.table.all {
			for d := range a.owed {
				if d.open > 0 && r.judge.settled(d.tick, r.at) {
					all = append(all, loss{row: a, tick: d.tick, count: int64(d.open)})
				}
			}
		}
		for key, failures := range r.judge.failed {
			for _, f := range failures {
				all = append(all, loss{failed: key, tick: f.tick, count: 1})
			}
		}
		key := func(l loss) []byte {
			if l.row == nil {
				return []byte(l.failed)
			}
			return r.judge.table.key(l.row)
		}
		slices.SortFunc(all, func(a, b loss) int {
			return cmp.Or(cmp.Compare(a.tick, b.tick), bytes.Compare(key(a), key(b)), cmp.Compare(a.failed, b.failed))
		})
		for _, l := range all {
			class := Missing
			if l.row == nil {
				class = Failed
			}
			if !yield(Loss{class, r.Ticks[l.tick].Tick, key(l), l.count}) {
				return
			}
		}
	}
}
