package audit

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// A Resumable is a Stream that can be read from where an earlier audit has stopped.
type Resumable interface {
	Stream
	// RecordsAfter is Records, but of the shards that have a position it gives all records behind that.
	RecordsAfter(ctx context.Context, positions map[string]Position, from, until time.Time) iter.Seq2[Record, error]
}

// Resume judges what has come since a state was taken, and gives the report on everything since the audit began, and
// the state for the next time: nil if nothing more can be counted for good. Without a state the audit begins, at
// Options.From or, if that is zero, now. Options.To is not used.
//
// What the stream no longer holds when it should be read is a gap of the report, and nothing is PROVEN from then on.
func Resume(ctx context.Context, stream Resumable, b bucket.Bucket, opts Options, base *State) (*report.Report, *State) {
	a := newAudit(stream, b, opts)
	i := &increments{stream: stream, base: base, counted: map[string]int64{}, positions: map[string]Position{}}
	a.increments = i
	if base != nil && base.Start != opts.Start {
		base, i.base = nil, nil // another audit
	}
	if base != nil {
		if contradiction := a.contradiction(base); contradiction != "" {
			a.undecided("this is not what was audited until now: %s: put it back, or name another start, from which a new audit begins", contradiction)
			return a.report, nil
		}
		a.from = base.From
	}
	if base == nil || base.Watermark.IsZero() {
		i.base = nil
	} else {
		maps.Copy(i.counted, base.Objects)
		maps.Copy(i.positions, base.Shards)
		a.report.Covers, *a.report.Audit = base.Covers, base.Audit
		a.report.Covers.DeliveryDeadlineSeconds = int(a.pipeline.Deadline / time.Second)
		a.report.Audit.Gaps = slices.Clone(base.Audit.Gaps)
	}
	a.run(ctx)
	if i.next != nil {
		if i.next.Located = a.report.LastSeen; !i.balanced && i.base != nil {
			i.next.Located = i.base.Located
		}
	} else if base == nil && !a.from.IsZero() {
		i.next = &State{} // from when on records are owed
		*i.next = a.identity()
		i.next.From = a.from
	}
	return a.report, i.next
}

// increments is what an audit has beyond that of a window if it is resumed again and again. Its methods may be called
// without it.
type increments struct {
	stream    Resumable
	base      *State              // nil where nothing is counted yet
	positions map[string]Position // of what was claimed
	counted   map[string]int64    // objects that were counted, by key
	held      time.Time           // since when the stream holds everything
	gap       bool                // whether this audit begins behind a gap
	since     time.Time           // the watermark of the last state
	limit     time.Time           // the last moment that a state may have as its watermark
	saved     time.Time           // when the last state was taken, by this machine's clock
	balanced  bool                // whether the balance was drawn up
	next      *State
}

// counts reports whether an object was counted before. One that was written before the watermark and is not among those
// that are remembered was listed late.
func (i *increments) counts(o bucket.Object) bool {
	if i == nil || i.base == nil || o.LastModified.After(i.base.Watermark) {
		return false
	}
	written, known := i.base.Objects[o.Key]
	return known && written == o.LastModified.Unix() || i.base.Watermark.Sub(o.LastModified) > relisted
}

// after is the key after which objects are listed below a prefix, empty for all.
func (a *audit) after(prefix string) string {
	since := a.from
	switch {
	case !a.pipeline.Hourly, a.increments != nil && a.increments.base == nil:
		return ""
	case a.increments != nil:
		since = a.increments.base.Watermark
	}
	return prefix + since.UTC().Add(-hourlyWindow).Format("2006/01/02/15")
}

// window finds out from when on records are read, and whether something is lost in between.
func (i *increments) window(a *audit, held time.Time) bool {
	i.held = held
	if a.to = a.now; a.from.IsZero() {
		a.from = a.now
	}
	r := a.report.Audit
	switch {
	case i.base == nil:
		if earliest := held.Add(a.edge()); earliest.After(a.from) {
			a.note("records are owed since %s: the stream holds none from before that can be judged", earliest.UTC().Format(time.RFC3339))
			a.from = earliest
		}
	case held.After(i.base.Watermark.Add(-2 * overlap)):
		// What arrived in the edge behind the gap may be in objects, too, and is not owed.
		i.gap = true
		r.Gaps = append(r.Gaps, report.Gap{From: i.base.Watermark, To: held.Add(a.edge())})
		clear(i.positions)
	}
	r.From, r.To = a.from.UTC(), a.to.UTC()
	for _, e := range a.opts.Epochs {
		if e.From.After(a.from) {
			a.note("the query was changed at %s: records that arrived in the %s before may have been read by either query, and owe nothing for certain",
				e.From.UTC().Format(time.RFC3339), a.edge())
		}
	}
	return true
}

// prepare makes the judge and the census, restored if there is a state.
func (a *audit) prepare() bool {
	i := a.increments
	a.seen = newCensus()
	a.judge = proof.NewJudge(a.opts.Form.Format, 1)
	if i != nil && i.base != nil {
		var err error
		if a.judge, err = proof.Restore(i.base.Judge, a.opts.Form.Format, 1); err != nil {
			a.undecided("the state of the audit contradicts itself: %v: restore its former version", err)
			return false
		}
		a.seen.restore(i.base)
		a.report.Audit.Shards, a.report.Audit.HotKeys = nil, nil // of the census
	}
	excused := a.from.Add(a.edge())
	if i != nil && i.gap {
		excused = i.held.Add(2 * a.edge())
	}
	a.judge.JudgeFrom(excused)
	return true
}

// records gives what is not counted yet, and what may be in objects without being owed.
func (i *increments) records(ctx context.Context, a *audit, end time.Time) iter.Seq2[Record, error] {
	switch {
	case i.base == nil:
		return i.stream.Records(ctx, a.from.Add(-a.edge()), end)
	case i.gap:
		return i.stream.Records(ctx, i.held, end)
	}
	return i.stream.RecordsAfter(ctx, i.base.Shards, i.base.Watermark.Add(-overlap), end)
}

// older gives what was counted before and the stream still holds.
func (i *increments) older(ctx context.Context, a *audit) iter.Seq2[Record, error] {
	if i == nil || i.base == nil || i.gap {
		return func(func(Record, error) bool) {}
	}
	from := a.from.Add(-a.edge())
	if first := i.held.Add(overlap); first.After(from) { // the oldest go while they are read
		from = first
	}
	return i.stream.Records(ctx, from, i.base.Watermark.Add(a.opts.Skew+time.Second))
}

// passed takes note of how far the shards are counted.
func (i *increments) passed(c claim) {
	if i == nil {
		return
	}
	for n := range c.records {
		r := &c.records[n]
		if n+1 == len(c.records) || c.records[n+1].Shard != r.Shard {
			i.positions[r.Shard] = Position{r.SequenceNumber, r.Arrival}
		}
	}
}

// found takes note of an object that is counted.
func (i *increments) found(o bucket.Object) {
	if i != nil {
		i.counted[o.Key] = o.LastModified.Unix()
	}
}

// watermark is the moment up to which everything can be counted for good: all of it is there. It is zero if there is
// nothing new to count.
func (i *increments) watermark(a *audit) (watermark time.Time) {
	if i == nil {
		return time.Time{}
	}
	i.limit, i.since, i.saved = a.now.Add(-margin), a.from, time.Now()
	if i.base != nil {
		i.since = i.base.Watermark
	}
	if i.gap {
		i.since = i.held.Add(2 * a.edge()) // so that what is excused behind the gap is counted at once
	}
	if !i.limit.After(i.since) {
		return time.Time{}
	}
	return i.limit
}

// due reports whether it is time for a state with this watermark.
func (i *increments) due(watermark time.Time, every time.Duration) bool {
	return i != nil && watermark.After(i.since) && watermark.Before(i.limit) && time.Since(i.saved) >= cmp.Or(every, time.Minute)
}

// recall takes from the missing rows those that were found in the stream before, and reports them.
func (i *increments) recall(a *audit, missing *proof.Findings) {
	if i == nil {
		return
	}
	if i.balanced = true; i.base == nil {
		return
	}
	for _, f := range i.base.Located {
		place := proof.Place{Tick: f.Tick}
		g, name := missing.Groups[place], proof.NameOf(f.Row)
		if g == nil || g.Rows == nil || g.Rows[name] == 0 {
			continue // it was delivered since
		}
		f.Count = g.Rows[name]
		a.report.LastSeen = append(a.report.LastSeen, f)
		if g.Add(name, -f.Count); g.Count == 0 {
			delete(missing.Groups, place)
		}
	}
}

// String is for the log.
func (s *State) String() string {
	if s == nil || s.Watermark.IsZero() {
		return "nothing"
	}
	return fmt.Sprintf("%s, %d shards", s.Watermark.UTC().Format(time.RFC3339), len(s.Shards))
}
