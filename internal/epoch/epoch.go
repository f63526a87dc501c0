package epoch

import (
	"slices"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/row"
)

// A Query is what an epoch needs to know of a pipeline.
type Query struct {
	Hash   string
	Output row.Schema // nil if its columns cannot be told
	// Refused is why the verifier does not judge it, empty if it does.
	Refused string
}

// An Epoch is a period of one query, or of several whose rows nothing tells apart.
type Epoch struct {
	Pipelines []string // their hashes, in the order in which they came
	Output    row.Schema
	Refused   string
	// From is when it began, zero for a stack's first. Clean reports whether nothing of the epochs before was on its way
	// then.
	From  time.Time
	Clean bool
	// Until is the clean change that ended it, zero if none has: rows written later are not of this epoch, unless their
	// form says so.
	Until time.Time
	// RolledBack reports whether its query failed and was rolled back. It has no ticks then.
	RolledBack bool

	// Claimed and Settled are when the last tick that was counted was claimed, and when its deadline is over.
	Claimed, Settled time.Time
}

// Judged reports whether the verifier computes what the epoch owes.
func (e *Epoch) Judged() bool { return e.Refused == "" && !e.RolledBack }

// Count takes note of a tick.
func (e *Epoch) Count(claimed, settled time.Time) {
	e.Claimed, e.Settled = latest(e.Claimed, claimed), latest(e.Settled, settled)
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// joins reports whether the rows of a query cannot be told from those of the epoch, at a moment.
func (e *Epoch) joins(q Query, at time.Time) bool {
	return e.overlaps(at) && (slices.Contains(e.Pipelines, q.Hash) || e.Judged() && q.Refused == "" && slices.Equal(e.Output, q.Output))
}

// overlaps reports whether no clean change lies between the epoch and a moment.
func (e *Epoch) overlaps(at time.Time) bool {
	return !e.From.After(at) && (e.Until.IsZero() || !at.After(e.Until))
}

// A Change is the beginning of an epoch, or of another query in it.
type Change struct {
	From     time.Time
	Pipeline string
	Epoch    *Epoch
	Clean    bool
	// Recorded reports whether the ledger has it. Otherwise a tick was the first of its query.
	Recorded bool
}

// A Timeline is all changes, the oldest first. The zero Timeline has none.
type Timeline struct {
	Changes []Change
	// Epochs are those of Changes, in the order in which they began.
	Epochs []*Epoch
}

// A Tick is what decides to which epoch a tick belongs.
type Tick struct {
	Pipeline string // the hash that it is judged by
	Claimed  time.Time
}

// Extend adds the changes that the ledger has recorded since, and the ticks that were claimed since, the oldest first.
// It reports false if a tick shows that a change which counts as clean was not: then the Timeline has to be made again.
func (t *Timeline) Extend(recorded []ledger.Epoch, ticks []Tick, query func(hash string) (Query, error)) (sound bool, err error) {
	for _, c := range t.Changes {
		if c.Recorded && c.Clean && !clean(c.From, c.Pipeline, t.nextRecorded(c.From, recorded), ticks) {
			return false, nil
		}
	}
	if len(t.Changes) == 0 && (len(recorded) == 0 || !recorded[0].From.IsZero()) && len(ticks) > 0 {
		if err := t.begin(time.Time{}, ticks[0].Pipeline, false, false, query); err != nil {
			return false, err
		}
	}
	next := func(i int) time.Time {
		if i+1 < len(recorded) {
			return recorded[i+1].From
		}
		return time.Time{}
	}
	var counted time.Time // the last tick before
	for _, e := range t.Epochs {
		counted = latest(counted, e.Claimed)
	}
	left := ticks
	for i, r := range recorded {
		for len(left) > 0 && (left[0].Claimed.Before(r.From) || left[0].Claimed.Equal(r.From) && left[0].Pipeline != r.Pipeline) {
			if err := t.claim(left[0], query); err != nil {
				return false, err
			}
			left = left[1:]
		}
		clean := !r.Drained.IsZero() && !counted.After(r.Drained) && clean(r.Drained, r.Pipeline, next(i), ticks)
		if err := t.begin(r.From, r.Pipeline, clean, true, query); err != nil {
			return false, err
		}
	}
	for _, tick := range left {
		if err := t.claim(tick, query); err != nil {
			return false, err
		}
	}
	return true, nil
}

// clean reports whether no tick of another query was claimed after a moment and before the next change.
func clean(drained time.Time, hash string, until time.Time, ticks []Tick) bool {
	return !slices.ContainsFunc(ticks, func(tick Tick) bool {
		return tick.Pipeline != hash && tick.Claimed.After(drained) && (until.IsZero() || !tick.Claimed.After(until))
	})
}

// nextRecorded is when the recorded change after a moment was, zero if there is none.
func (t *Timeline) nextRecorded(from time.Time, more []ledger.Epoch) time.Time {
	for _, c := range t.Changes {
		if c.Recorded && c.From.After(from) {
			return c.From
		}
	}
	if len(more) > 0 {
		return more[0].From
	}
	return time.Time{}
}

// claim makes sure that a tick has an epoch.
func (t *Timeline) claim(tick Tick, query func(hash string) (Query, error)) error {
	e := t.Of(tick)
	current := t.at(tick.Claimed)
	if e != nil && (current.Recorded || current.Epoch == e) {
		return nil // the ledger says what the current is, whatever a late tick names
	}
	return t.begin(tick.Claimed, tick.Pipeline, false, false, query)
}

func (t *Timeline) begin(from time.Time, hash string, clean, recorded bool, query func(hash string) (Query, error)) error {
	q, err := query(hash)
	if err != nil {
		return err
	}
	if clean {
		for _, e := range t.Epochs {
			if e.overlaps(from) {
				e.Until = from
			}
		}
	}
	c := Change{From: from, Pipeline: hash, Clean: clean, Recorded: recorded}
	for _, e := range slices.Backward(t.Epochs) {
		if !clean && e.joins(q, from) {
			c.Epoch = e
			if !slices.Contains(e.Pipelines, hash) {
				e.Pipelines = append(e.Pipelines, hash)
			}
			break
		}
	}
	if c.Epoch == nil {
		c.Epoch = &Epoch{Pipelines: []string{hash}, Output: q.Output, Refused: q.Refused, From: from, Clean: clean}
		t.Epochs = append(t.Epochs, c.Epoch)
	}
	t.Changes = append(t.Changes, c)
	slices.SortStableFunc(t.Changes, func(a, b Change) int { return a.From.Compare(b.From) })
	slices.SortStableFunc(t.Epochs, func(a, b *Epoch) int { return a.From.Compare(b.From) })
	return nil
}

// Of returns a tick's epoch: the last one of its pipeline that had begun by its claim, or else the first one. It is nil
// if there is none.
func (t *Timeline) Of(tick Tick) *Epoch {
	var first *Epoch
	for _, c := range slices.Backward(t.Changes) {
		if slices.Contains(c.Epoch.Pipelines, tick.Pipeline) {
			if first = c.Epoch; !c.From.After(tick.Claimed) {
				return c.Epoch
			}
		}
	}
	return first
}

// at is the last change by a moment.
func (t *Timeline) at(moment time.Time) Change {
	last := t.Changes[0]
	for _, c := range t.Changes {
		if !c.From.After(moment) {
			last = c
		}
	}
	return last
}

// Current is the epoch of the last change.
func (t *Timeline) Current() *Epoch { return t.Changes[len(t.Changes)-1].Epoch }

// At returns the epochs of which rows may stand in an object that was written then, the one of that time first. Nothing
// is written in the second of a change by the query that begins.
func (t *Timeline) At(written time.Time) []*Epoch {
	own := t.at(written.Add(-time.Nanosecond)).Epoch
	live := []*Epoch{own}
	for _, e := range t.Epochs {
		if e != own && e.overlaps(written) && e.From.Before(written) && !e.Settled.Before(written) {
			live = append(live, e)
		}
	}
	return live
}

// ByForm returns the other epochs that a row may be of which is no row of those of At: all from before, the last one
// first, and one that a forced change began soon after. A deploy changes the application before it records that.
func (t *Timeline) ByForm(written time.Time, soon time.Duration) (others []*Epoch) {
	live := t.At(written)
	for _, e := range slices.Backward(t.Epochs) {
		if e.From.Before(written) && !slices.Contains(live, e) {
			others = append(others, e)
		}
	}
	for c := range t.Forced {
		if !c.From.Before(written) && !c.From.After(written.Add(soon)) && !slices.Contains(live, c.Epoch) {
			others = append(others, c.Epoch)
		}
	}
	return others
}

// Forced returns the changes that were recorded and not clean, each with the epoch before it, if that is another.
func (t *Timeline) Forced(yield func(c Change, before *Epoch) bool) {
	for i, c := range t.Changes {
		if i > 0 && c.Recorded && !c.Clean && t.Changes[i-1].Epoch != c.Epoch && !yield(c, t.Changes[i-1].Epoch) {
			return
		}
	}
}

// UpTo leaves out what a later tick has begun.
func (t *Timeline) UpTo(moment time.Time) *Timeline {
	kept := &Timeline{}
	for _, c := range t.Changes {
		if c.Recorded || !c.From.After(moment) {
			kept.Changes = append(kept.Changes, c)
		}
	}
	for _, e := range t.Epochs {
		if slices.ContainsFunc(kept.Changes, func(c Change) bool { return c.Epoch == e }) {
			kept.Epochs = append(kept.Epochs, e)
		}
	}
	return kept
}
