package verifier

import (
	"iter"
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/replay"
)

// losses yields the missing and failed rows that are not accepted, epoch by epoch.
func (v *verification) losses(covered *coverage) iter.Seq[replay.Loss] {
	open := NewOpen(covered.open)
	return func(yield func(replay.Loss) bool) {
		for t := range v.judges {
			if t.result == nil {
				continue
			}
			for l := range t.result.Losses() {
				if covered.excused[l.Class] > 0 {
					l.Count = open.Of(l, t.format)
				}
				if l.Count == 0 {
					continue
				}
				loss := replay.Loss{Loss: l, Pipeline: t.Pipelines[0], Epoch: t.From, Output: t.Output}
				if l.Key[0] == malformed {
					loss.Output, loss.Line, loss.Rejected = nil, l.Key[1:], true
				}
				if !yield(loss) {
					return
				}
			}
		}
	}
}

// Open are findings that are not accepted, to ask of single rows.
type Open struct {
	groups  []proof.Group
	byPlace map[proof.Class]map[time.Time]*proof.Group
}

// NewOpen takes the findings. It changes them.
func NewOpen(groups []proof.Group) *Open { return &Open{groups: groups} }

// Of is how many rows of a loss are among them. Of equal rows of a tick it counts each once.
func (o *Open) Of(l proof.Loss, format func(key []byte) string) int64 {
	if o.byPlace == nil {
		o.byPlace = map[proof.Class]map[time.Time]*proof.Group{}
		for i := range o.groups {
			g := &o.groups[i]
			if o.byPlace[g.Class] == nil {
				o.byPlace[g.Class] = map[time.Time]*proof.Group{}
			}
			o.byPlace[g.Class][g.Tick] = g
		}
	}
	g := o.byPlace[l.Class][l.Tick.Time.UTC()]
	switch {
	case g == nil:
		return 0
	case g.Rows == nil: // nothing of the tick is accepted, or all of it
		return l.Count
	}
	name := proof.NameOf(format(l.Key))
	n := min(l.Count, g.Rows[name])
	g.Add(name, -n)
	return n
}
