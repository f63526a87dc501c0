package verifier

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// conclude draws up the balance and the verdict.
func (v *verification) conclude(ctx context.Context, now time.Time) {
	acceptances, err := v.acceptances(ctx)
	if err != nil {
		v.undecided("the acceptances cannot be read: %v", err)
		return
	}
	r := v.report
	v.reportRejects()
	result := v.close(now)
	v.findTwice(ctx)
	if r.Covers.Objects == 0 {
		v.note("nothing stands under %s", v.opts.DataPrefix)
	}
	if r.Counts.Missing > 0 && r.Covers.ErrorObjects == 0 {
		v.note("nothing stands under the error prefixes %s and %s, where failed rows would be", v.opts.ErrorsPrefix, v.opts.FailedPrefix())
	}
	for i := range r.Samples[proof.Missing] {
		r.Samples[proof.Missing][i].Reason = v.whereMissing()
	}
	excused := map[proof.Class]int64{proof.Duplicated: v.opts.DuplicatesAllowed}
	covered := cover(acceptances, result, now, v.opts.Open != nil || v.opts.Losses != nil)
	for class, n := range covered.excused {
		excused[class] += n
	}
	r.Accepted, v.left = covered.accepted, covered.left
	if v.opts.Open != nil {
		v.opts.Open(covered.open)
	}
	if v.opts.Losses != nil {
		v.opts.Losses(now, v.losses(&covered))
	}
	r.Verdict = r.Counts.Verdict(excused)
	r.Reasons = reasonsOf(r, excused)
	if current := v.tallyOf(v.timeline.Current()); current.judge == nil {
		reason := fmt.Sprintf("the current query, pipeline %.12s, is not judged: %s", current.Pipelines[0], current.Refused)
		if r.Verdict == proof.Undecided {
			r.Reasons = nil // that nothing else is owed is no wonder
		}
		r.Verdict, r.Reasons = proof.Undecided, append([]string{reason}, r.Reasons...)
	}
	v.concluded = true
}

// close draws up the balance of every epoch, and adds them up.
func (v *verification) close(now time.Time) (all results) {
	r := v.report
	type tick struct {
		report.Tick
		claimed time.Time
	}
	var ticks []tick
	var delays []int64
	var lateMax time.Duration
	r.Samples = map[proof.Class][]proof.Sample{}
	several := len(v.tallies) > 1
	for _, t := range v.tallies {
		if t.judge == nil {
			several = true
			for _, due := range t.due {
				if !now.After(due) {
					t.said.TicksUnsettled++
				}
			}
			continue
		}
		result := t.judge.Close(now)
		t.result = result
		all = append(all, result)
		t.said.Counts = &result.Counts
		r.Counts.Add(result.Counts)
		for class, samples := range result.Samples {
			r.Samples[class] = append(r.Samples[class], samples[:min(len(samples), proof.MaxSamples-len(r.Samples[class]))]...)
		}
		delays = append(delays, make([]int64, max(0, len(result.Delays)-len(delays)))...)
		for seconds, n := range result.Delays {
			delays[seconds] += n
		}
		lateMax = max(lateMax, result.LateMax)
		for _, b := range result.Ticks {
			info, own := t.ticks[tickName(b.Time)]
			if !own {
				continue // of the epoch before
			}
			ticks = append(ticks, tick{report.Tick{
				Tick: b.Time, State: info.State, Records: info.Records, Owed: b.Owed, Delivered: b.Delivered, Rejects: b.Rejects,
				Failed: b.Failed, Missing: b.Missing, InFlight: b.InFlight, Late: b.Late, Undecided: b.Undecided,
			}, b.Claimed})
			if !now.After(b.Settled) {
				t.said.TicksUnsettled++
				r.Covers.TicksUnsettled++
			}
		}
	}
	r.Delay = report.DelayOf(delays, lateMax)
	slices.SortStableFunc(ticks, func(a, b tick) int { return cmp.Or(a.claimed.Compare(b.claimed), a.Tick.Tick.Compare(b.Tick.Tick)) })
	for _, t := range ticks[max(0, len(ticks)-report.MaxTicks):] {
		r.Ticks = append(r.Ticks, t.Tick)
	}
	if several {
		for _, t := range v.tallies {
			e := t.describe()
			e.Current = t.Epoch == v.timeline.Current()
			r.Epochs = append(r.Epochs, e)
		}
	}
	return all
}

// describe is what a report says of the epoch.
func (t *tally) describe() report.Epoch {
	e := t.said
	e.Pipelines, e.From, e.Until, e.Clean, e.RolledBack, e.NotJudged = t.Pipelines, t.From, t.Until, t.Clean, t.RolledBack, t.Refused
	if t.RolledBack {
		e.NotJudged = "it failed and was rolled back"
	}
	return e
}

// finish records what the verdict has used up and returns the next checkpoint, nil if there is none.
func (v *verification) finish(ctx context.Context) *checkpoint {
	if pending := v.ledger.Current.Pending(); pending != "" {
		v.report.Reasons = append(v.report.Reasons, pending) // it accuses no row, so the verdict stays
	}
	if !v.concluded {
		return nil
	}
	if v.opts.useUp != nil && len(v.left) > 0 {
		if err := v.opts.useUp(ctx, v.left); err != nil {
			v.undecided("record that accepted findings are gone: %v", err)
			return nil
		}
	}
	return v.next
}

// whereMissing is what a verification can say of a missing row. Beside a stack, package explain can read the stream
// back.
func (v *verification) whereMissing() string {
	const where = "the stream took it, and it is neither in the data, nor among the rejects, nor under processing-failed"
	if isCopy(v.bucket) {
		return where
	}
	return where + ": see streamproof explain"
}

// isCopy reports whether a bucket is a copy of one, beside which there is no stack.
func isCopy(b bucket.Bucket) bool {
	_, copied := b.(bucket.Dir)
	return copied
}

// reasonsOf says in sentences what keeps a verdict from PROVEN.
func reasonsOf(r *report.Report, excused map[proof.Class]int64) []string {
	if r.Verdict == proof.Undecided {
		return []string{"nothing is owed: the ledger's ticks acknowledge no record that gives a row"}
	}
	sentences := map[proof.Class]string{
		proof.Missing:    "rows owed by settled ticks are in no object",
		proof.Failed:     "rows are only under an error prefix, from where they can be brought back",
		proof.Duplicated: "rows occur more often than they are owed",
		proof.Corrupt:    "lines are not what should be there",
		proof.Leaked:     "rows should have been filtered out by the query",
		proof.Unexpected: "rows come from no record that was produced before them",
	}
	var reasons []string
	for _, class := range proof.Classes {
		if n := r.Counts.Of(class); n > excused[class] {
			reason := fmt.Sprintf("%s: %d %s", class, n, sentences[class])
			if class == proof.Duplicated {
				reason += report.TwiceText(r.RepairedTwice)
			}
			if excused[class] > 0 {
				reason += fmt.Sprintf(", of which %d are accepted or allowed", excused[class])
			}
			reasons = append(reasons, reason)
		}
	}
	return reasons
}
