package verifier

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/epoch"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
)

// A tally is what is counted of one epoch.
type tally struct {
	*epoch.Epoch
	judge *proof.Judge // nil if the epoch is not judged
	said  report.Epoch // what a report says of it
	ticks map[string]tickState
	// result is the balance, once it is drawn up.
	result *proof.Result
	due    []time.Time // when the last ticks of an epoch that is not judged are settled

	rewrites rewrite.History
	object   string // the one that rows are being found in
}

// errUnknownColumns says why no line is a row of an epoch.
var errUnknownColumns = errors.New("the columns of the rows cannot be told")

// soon is how long before its record a forced change may have taken effect: a deploy updates the application first.
const soon = time.Hour

// divide makes the timeline of the epochs, and a tally for each.
func (v *verification) divide(ctx context.Context) {
	var recorded []ledger.Epoch
	var rollbacks []ledger.Rollback
	if current := v.ledger.Current; current != nil {
		recorded, rollbacks = current.Epochs, current.Rollbacks
	}
	v.recorded = recorded
	v.timeline = &epoch.Timeline{}
	if v.base != nil {
		if v.restore(); len(v.report.Reasons) > 0 {
			return
		}
		recorded = recorded[len(v.base.Recorded):]
	}
	query := func(hash string) (epoch.Query, error) {
		output, refused, err := v.ledger.Query(ctx, hash)
		q := epoch.Query{Hash: hash, Output: output}
		if refused != nil {
			q.Refused = refused.Error()
		}
		return q, err
	}
	ticks := make([]epoch.Tick, len(v.claims))
	for i, c := range v.claims {
		ticks[i] = tickOf(c)
	}
	sound, err := v.timeline.Extend(recorded, ticks, query)
	if err != nil {
		v.undecided("the changes of the query cannot be read: %v", err)
		return
	}
	if v.base != nil && !v.base.archived {
		for c := range v.timeline.Forced {
			known := slices.ContainsFunc(v.base.Changes, func(s change) bool { return s.Recorded && s.From.Equal(c.From) })
			sound = sound && (known || c.From.Add(-max(soon, v.opts.DeliveryDeadline)).After(v.base.Watermark))
		}
		v.belated = v.belated || !sound
	}
	for _, e := range v.timeline.Epochs {
		if v.tallyOf(e) == nil {
			v.tallies = append(v.tallies, v.newTally(e))
		}
	}
	for _, r := range rollbacks {
		until := r.Until.Add(v.opts.DeliveryDeadline)
		if v.base != nil && !until.After(v.base.Watermark) {
			continue // what it gave is counted
		}
		failed, err := query(r.Failed)
		if err != nil {
			v.undecided("a query that was rolled back cannot be read: %v", err)
			return
		}
		by, err := query(r.JudgedBy)
		if err != nil {
			v.undecided("a query that was rolled back cannot be read: %v", err)
			return
		}
		if failed.Output == nil || failed.Refused == "" && slices.Equal(failed.Output, by.Output) {
			continue // its rows cannot be told, or are among those that its ticks may give
		}
		known := slices.ContainsFunc(v.tallies, func(t *tally) bool {
			return t.RolledBack && t.Pipelines[0] == r.Failed && t.From.Equal(r.From)
		})
		if !known {
			v.tallies = append(v.tallies, v.newTally(&epoch.Epoch{
				Pipelines: []string{r.Failed}, Output: failed.Output, Refused: failed.Refused, RolledBack: true,
				From: r.From, Until: until,
			}))
		}
	}
	slices.SortStableFunc(v.tallies, func(a, b *tally) int { return a.From.Compare(b.From) })
	judged := 0
	for range v.judges {
		judged++
	}
	for t := range v.judges {
		t.rewrites = v.rewrites
		t.judge.Bound(v.opts.hold/judged, func() { v.classify(ctx, t) })
		if v.stretch != nil {
			t.judge.Only(v.stretch.part)
		}
	}
	if v.opts.Watch != nil {
		tell := v.opts.Watch()
		for t := range v.judges {
			t.judge.Watch(tell)
		}
	}
}

func tickOf(c *replay.Claim) epoch.Tick { return epoch.Tick{Pipeline: c.JudgedBy, Claimed: c.Claimed} }

func (v *verification) newTally(e *epoch.Epoch) *tally {
	t := &tally{Epoch: e, ticks: map[string]tickState{}}
	if e.Judged() {
		t.judge = proof.NewJudge(t.format, v.opts.parts)
	} else {
		t.said.Seen = &report.Seen{}
	}
	return t
}

// restore resumes from the tallies of the baseline.
func (v *verification) restore() {
	var err error
	base := v.base
	if v.stretch != nil && base.archived {
		base = base.of(v.stretch.part)
	}
	if v.timeline, v.tallies, err = base.restore(v.opts.parts); err != nil {
		v.undecided("%s contradicts itself: %v: %s", v.base.name(), err, v.base.remedy())
	}
}

// format writes a key for people.
func (t *tally) format(key []byte) string {
	if key[0] == malformed {
		return strconv.Quote(string(key[1:]))
	}
	return t.Output.Format(key)
}

// tallyOf returns the tally of an epoch, nil if there is none yet.
func (v *verification) tallyOf(e *epoch.Epoch) *tally {
	for _, t := range v.tallies {
		if t.Epoch == e {
			return t
		}
	}
	return nil
}

// claimed returns the tally of a claim's epoch. It is nil for a claim of before the ledger's changes were known.
func (v *verification) claimed(c *replay.Claim) *tally { return v.tallyOf(v.timeline.Of(tickOf(c))) }

// judges yields the tallies of the epochs that are judged.
func (v *verification) judges(yield func(*tally) bool) {
	for _, t := range v.tallies {
		if t.judge != nil && !yield(t) {
			return
		}
	}
}

// live returns the tallies of the epochs that an object may hold rows of, first the one of its time. Among the others
// are queries that were rolled back then.
//
// An object that a repair made has the rows of the epoch that the repair made it for, whenever that was.
func (v *verification) live(object bucket.Object) (live []*tally) {
	if made, ok := v.rewrites.Made[object.Key]; ok {
		for _, t := range v.tallies {
			if t.From.Equal(made.Epoch) && t.Pipelines[0] == made.Pipeline {
				return []*tally{t}
			}
		}
	}
	for _, e := range v.timeline.At(object.LastModified) {
		live = append(live, v.tallyOf(e))
	}
	for _, t := range v.tallies {
		if t.RolledBack && !object.LastModified.Before(t.From) && !object.LastModified.After(t.Until) {
			live = append(live, t)
		}
	}
	return live
}

// in says that the tally finds rows in an object from now on. What is found in one that a repair has rewritten is found
// in its original: it may have been accepted there.
func (t *tally) in(o bucket.Object) {
	if t.judge != nil && t.object != o.Key {
		t.judge.Object(o.Key, t.rewrites.Original(o), o.LastModified)
		if _, made := t.rewrites.Made[o.Key]; made {
			t.judge.ByRepair()
		}
	}
	t.object = o.Key
}

// find takes a row of the epoch.
func (t *tally) find(o bucket.Object, key []byte, line int64) {
	if t.in(o); t.judge != nil {
		t.judge.Find(key, line)
		return
	}
	s := t.said.Seen
	s.Rows++
	if s.First.IsZero() {
		s.First = o.LastModified
	}
	s.InTime = s.InTime || t.said.Ticks > 0 && !o.LastModified.After(t.Settled)
}

// corrupt takes a line that is no row of any epoch.
func (t *tally) corrupt(o bucket.Object, line []byte, number int64, reason string) {
	if t.in(o); t.judge != nil {
		t.judge.Corrupt(line, number, reason)
	} else {
		t.said.Seen.Broken++
	}
}

// fits appends the key of a line that is a row of the epoch. If the columns cannot be told, every line of the epoch's
// own time is one.
func (t *tally) fits(dst, line []byte, own bool) (key []byte, err error) {
	if t.Output == nil && own {
		return dst, nil
	}
	if t.Output == nil {
		return dst, errUnknownColumns
	}
	return t.Output.Append(dst, line)
}

// route takes a line of an object in which rows of several epochs may stand, or that is no row of the epoch of its
// time. It goes to the epoch that it is a row of; among several, to the one in which such a row is open.
func (v *verification) route(o bucket.Object, live []*tally, line []byte, number int64) error {
	type row struct {
		*tally
		key []byte
	}
	var rows, open []row
	var fault error
	var other *tally // one that is not judged
	for i, t := range live {
		key, err := t.fits(nil, line, i == 0)
		switch {
		case err != nil && i == 0:
			fault = err
			continue
		case err != nil:
			continue
		case t.judge == nil && other == nil:
			other = t
		case t.judge != nil && len(live) > 1 && t.judge.Open(key):
			open = append(open, row{t, key})
		}
		rows = append(rows, row{t, key})
	}
	switch {
	case len(rows) == 0:
		for _, e := range v.timeline.ByForm(o.LastModified, soon) {
			t := v.tallyOf(e)
			if key, err := t.fits(nil, line, false); err == nil {
				t.find(o, key, number)
				return nil
			}
		}
		return fault
	case len(rows) == 1:
		rows[0].find(o, rows[0].key, number)
	case len(open) == 0 && other != nil:
		other.find(o, nil, number)
	case len(open) == 0:
		rows[0].find(o, rows[0].key, number)
	case len(open) == 1 && (other == nil || other.RolledBack):
		open[0].find(o, open[0].key, number)
	default:
		for _, r := range open {
			r.in(o)
			r.judge.Doubt(r.key, number, "another query may have given it as well")
		}
	}
	return nil
}
