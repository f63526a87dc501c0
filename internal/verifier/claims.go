package verifier

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/replay"
)

// readLedger reads every tick that the baseline has not counted.
func (v *verification) readLedger(ctx context.Context) {
	for _, key := range v.ledger.Strays {
		v.stray(ledger.PipelinesPrefix, key)
	}
	entries, _, ok := v.list(ctx, "the ledger", ledger.TicksPrefix)
	if !ok {
		return
	}
	if s := v.stretch; s != nil {
		if s.listed(v) != s.run.Listed {
			v.undecided("what was written until %s is not what the run began with: start another run", s.run.Until.UTC().Format(time.RFC3339))
			return
		}
		var counted time.Time
		if v.base != nil {
			counted = v.base.Watermark
		}
		entries = s.first(entries, v.opts.ticks, counted)
	}
	v.claims = v.readTicks(ctx, entries)
	v.open = v.claims
	if v.base == nil || len(v.claims) == 0 || v.claims[0].Claimed.After(v.base.Watermark) {
		return
	}
	if v.belated = !v.base.archived; !v.belated {
		v.undecided("%s was claimed by %s and is not counted in %s, which goes until %s: %s", v.claims[0].Entry.Key,
			v.claims[0].Claimed.UTC().Format(time.RFC3339), ArchiveKey, v.base.Watermark.UTC().Format(time.RFC3339), moveAway(ledger.TicksPrefix, ""))
	}
}

// readTicks returns the ticks' claims in the order of time.
func (v *verification) readTicks(ctx context.Context, entries []bucket.Object) (claims []*replay.Claim) {
	for entry, content := range bucket.ReadAhead(ctx, v.bucket, entries) {
		entry, data, err := v.readTick(ctx, entry, content)
		if err != nil {
			v.undecided("the ledger cannot be read: %s: %v", entry.Key, err)
			continue
		}
		claim, err := v.ledger.Claim(ctx, entry, data)
		if err != nil {
			v.undecided("%v", err)
			continue
		}
		claims = append(claims, claim)
	}
	slices.SortStableFunc(claims, func(a, b *replay.Claim) int {
		return cmp.Or(a.Claimed.Compare(b.Claimed), a.Time.Compare(b.Time))
	})
	return claims
}

// readTick reads a tick, again if its producer has rewritten it since it was listed. It is the same claim, and
// everything that is counted was listed before.
func (v *verification) readTick(ctx context.Context, entry bucket.Object, content io.Reader) (bucket.Object, []byte, error) {
	data, err := io.ReadAll(content)
	if errors.Is(err, bucket.ErrRewritten) {
		now, again, againErr := bucket.Get(ctx, v.bucket, entry.Key)
		if now != nil {
			return *now, again, againErr
		}
	}
	return entry, data, err
}

// openUntil opens the claims up to a moment, or all if it is zero. Their rows are computed ahead. It stops early where
// the stretch of a part pauses.
func (v *verification) openUntil(ctx context.Context, until time.Time, owed *ahead) {
	for len(v.open) > 0 && (until.IsZero() || !v.open[0].Claimed.After(until)) && !v.stretch.pauses(v.open[0].Claimed) {
		v.owe(ctx, v.open[0], owed)
		v.open = v.open[1:]
	}
}

// owe opens the rows and rejects of a claim.
func (v *verification) owe(ctx context.Context, c *replay.Claim, owed *ahead) {
	t, tick := v.claimed(c), proof.Tick{Time: c.Time, Claimed: c.Claimed, Settled: c.Settled(v.opts.DeliveryDeadline)}
	t.Count(tick.Claimed, tick.Settled)
	v.allow(ctx, t, c, tick)
	if t.judge == nil {
		t.due = append(t.due, tick.Settled)
		v.addCoverage(t, c)
		return
	}
	t.judge.Claim(tick)
	if err := owed.owe(ctx, c, t.judge); !v.failed(ctx, c, err) {
		v.addCoverage(t, c)
	}
}

// allow opens, in the epoch after a forced change, the rows that its query may have given: the records of a tick that
// was not settled may have been in the stream still. Each may be there any number of times.
func (v *verification) allow(ctx context.Context, t *tally, c *replay.Claim, tick proof.Tick) {
	for change, before := range v.timeline.Forced {
		next := v.tallyOf(change.Epoch)
		if before != t.Epoch || next.judge == nil || !tick.Claimed.Before(change.From) || !tick.Settled.After(change.From) {
			continue
		}
		next.judge.Claim(tick)
		err := c.ReadBy(ctx, v.ledger, change.Pipeline, func(key []byte) { next.judge.Owe(key, 0, proof.Infinite) })
		v.failed(ctx, c, err)
	}
}

// failed reports whether the rows of a claim cannot be determined, and notes why. That ctx has ended is noted when the
// verification stops.
func (v *verification) failed(ctx context.Context, c *replay.Claim, err error) bool {
	if err != nil && ctx.Err() == nil {
		v.undecided("tick %s cannot be judged: %v", c.Time.Format(time.RFC3339), err)
	}
	return err != nil
}

// addCoverage adds the claim to what the report covers.
func (v *verification) addCoverage(t *tally, c *replay.Claim) {
	v.counted[c.Entry.Key] = countedAs(c.Entry)
	t.ticks[tickName(c.Time)] = tickState{c.State, c.Records}
	for id, shard := range c.Shards {
		v.report.Shards[id] += int64(shard.Records)
	}
	crashed := c.State != ledger.Complete && v.report.JudgedAt.After(c.LeaseEnd)
	t.said.Add(c.Time, c.Records, c.Outcomes, crashed)
	if t.judge == nil {
		return
	}
	covers := &v.report.Covers
	covers.Ticks++
	covers.Records += int64(c.Records)
	if crashed {
		covers.TicksCrashed++
	}
	if covers.From.IsZero() || c.Time.Before(covers.From) {
		covers.From = c.Time
	}
	if c.Time.After(covers.To) {
		covers.To = c.Time
	}
	if at, found := slices.BinarySearch(covers.Pipelines, c.JudgedBy); !found {
		covers.Pipelines = slices.Insert(covers.Pipelines, at, c.JudgedBy)
	}
}

// classify searches the claims for the rows of the copies that matched no account of an epoch: which are duplicates, of
// an earlier epoch with the same columns too, and which the query would give without its WHERE.
func (v *verification) classify(ctx context.Context, t *tally) {
	search := func(filtered bool, found func(key []byte, claimed time.Time)) {
		if v.stopped(ctx) || !t.judge.Unresolved() {
			return
		}
		for c := range v.newestFirst(ctx) {
			if c.Refused() != nil || !slices.Equal(c.Output(), t.Output) {
				continue
			}
			err := c.Rows(ctx, filtered, func(key []byte) { found(key, c.Claimed) })
			if v.failed(ctx, c, err) || !t.judge.Unresolved() {
				return
			}
		}
	}
	search(true, t.judge.Owned)
	search(false, t.judge.Leaked)
}

// newestFirst yields all claims of the ledger: those of this verification and then, if the caller continues, those that
// the baseline has counted.
func (v *verification) newestFirst(ctx context.Context) iter.Seq[*replay.Claim] {
	return func(yield func(*replay.Claim) bool) {
		for _, c := range slices.Backward(v.claims) {
			if !yield(c) {
				return
			}
		}
		if v.base == nil {
			return
		}
		if !v.olderRead {
			v.olderRead = true
			entries, _, err := v.bucket.List(ctx, ledger.TicksPrefix)
			if err != nil {
				v.undecided("the ledger cannot be listed: %v", err)
				return
			}
			read := map[string]bool{}
			for _, c := range v.claims {
				read[c.Entry.Key] = true
			}
			v.older = v.readTicks(ctx, slices.DeleteFunc(v.withoutStrays(ledger.TicksPrefix, entries, v.base), func(o bucket.Object) bool { return read[o.Key] }))
		}
		for _, c := range slices.Backward(v.older) {
			if !yield(c) {
				return
			}
		}
	}
}
