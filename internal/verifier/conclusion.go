package verifier

import (
	"context"
	"fmt"
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
	result := v.judge.Close(now)
	r := v.report
	v.reportRejects()
	r.Counts, r.Samples = result.Counts, result.Samples
	if r.Covers.Objects == 0 {
		v.note("nothing stands under %s", v.opts.DataPrefix)
	}
	if r.Counts.Missing > 0 && r.Covers.ErrorObjects == 0 {
		v.note("nothing stands under the error prefixes %s and %s, where failed rows would be", v.opts.ErrorsPrefix, v.opts.FailedPrefix())
	}
	for i := range r.Samples[proof.Missing] {
		r.Samples[proof.Missing][i].Reason = v.whereMissing()
	}
	r.Delay = report.DelayOf(result.Delays, result.LateMax)
	for _, t := range result.Ticks[max(0, len(result.Ticks)-report.MaxTicks):] {
		info := v.ticks[tickName(t.Time)]
		r.Ticks = append(r.Ticks, report.Tick{
			Tick: t.Time, State: info.State, Records: info.Records, Owed: t.Owed, Delivered: t.Delivered, Rejects: t.Rejects,
			Failed: t.Failed, Missing: t.Missing, InFlight: t.InFlight, Late: t.Late,
		})
	}
	for _, t := range result.Ticks {
		if !now.After(t.Settled) {
			r.Covers.TicksUnsettled++
		}
	}
	excused := map[proof.Class]int64{proof.Duplicated: v.opts.DuplicatesAllowed}
	covered := cover(acceptances, result, now, v.opts.open != nil)
	for class, n := range covered.excused {
		excused[class] += n
	}
	r.Accepted, v.left = covered.accepted, covered.left
	if v.opts.open != nil {
		v.opts.open(covered.open)
	}
	r.Verdict = r.Counts.Verdict(excused)
	r.Reasons = reasonsOf(r, excused)
	v.concluded = true
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
		proof.Missing:    "rows are owed by settled ticks and stand in no object",
		proof.Failed:     "rows stand under an error prefix only, from where they can be brought back",
		proof.Duplicated: "rows stand more often than they are owed",
		proof.Corrupt:    "lines are not what should stand there",
		proof.Leaked:     "rows should have been filtered out by the query",
		proof.Unexpected: "rows come from no record that was produced before them",
	}
	var reasons []string
	for _, class := range proof.Classes {
		if n := r.Counts.Of(class); n > excused[class] {
			reason := fmt.Sprintf("%s: %d %s", class, n, sentences[class])
			if excused[class] > 0 {
				reason += fmt.Sprintf(", of which %d are accepted or allowed", excused[class])
			}
			reasons = append(reasons, reason)
		}
	}
	return reasons
}
