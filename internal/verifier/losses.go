package verifier

import (
	"iter"
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/replay"
)

// losses yields the missing and failed rows that are not accepted, epoch by epoch.
func (v *verification) losses(covered *coverage) iter.Seq[replay.Loss] {
	return func(yield func(replay.Loss) bool) {
		for t := range v.judges {
			if t.result == nil {
				continue
			}
			for l := range t.result.Losses() {
				if l.Count = covered.openOf(l, t.format); l.Count == 0 {
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

// openOf is how many rows of a loss are not accepted. Of equal rows of a tick it counts each once.
func (c *coverage) openOf(l proof.Loss, format func(key []byte) string) int64 {
	if c.excused[l.Class] == 0 {
		return l.Count
	}
	if c.byPlace == nil {
		c.byPlace = map[proof.Class]map[time.Time]*proof.Group{}
		for i := range c.open {
			g := &c.open[i]
			if c.byPlace[g.Class] == nil {
				c.byPlace[g.Class] = map[time.Time]*proof.Group{}
			}
			c.byPlace[g.Class][g.Tick] = g
		}
	}
	g := c.byPlace[l.Class][l.Tick.Time.UTC()]
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
