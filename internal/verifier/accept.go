package verifier

import (
	"context"
	"fmt"
	"slices"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// acceptances reads what people have accepted.
func (v *verification) acceptances(ctx context.Context) ([]*ledger.Acceptance, error) {
	entries, _, err := v.bucket.List(ctx, ledger.AcceptancesPrefix)
	if err != nil {
		return nil, err
	}
	var all []*ledger.Acceptance
	for entry, read := range download(ctx, v.bucket, entries) {
		data, err := read.whole()
		if err != nil {
			return nil, err
		}
		one, err := ledger.DecodeAcceptance(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Key, err)
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b *ledger.Acceptance) int { return a.Until.Compare(b.Until) })
	return all, nil
}

// accept adds to what is excused the findings that the acceptances cover, each finding once.
func accept(acceptances []*ledger.Acceptance, result *proof.Result, excused map[proof.Class]int64) (accepted []report.Accepted) {
	covered := map[proof.Class]int64{}
	for _, a := range acceptances {
		class := proof.Class(a.Class)
		used := max(0, min(a.Count, result.Until(class, a.Until)-covered[class]))
		covered[class] += used
		excused[class] += used
		accepted = append(accepted, report.Accepted{
			Class: class, Count: a.Count, Until: a.Until, Reason: a.Reason, Who: a.Who, At: a.At, Rows: a.Rows, Used: used,
		})
	}
	return accepted
}

// delayBuckets are where the buckets of a report's histogram end, in seconds.
var delayBuckets = []int64{1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400, 7 * 86400}

// delayOf sums up how long rows took.
func delayOf(result *proof.Result) report.Delay {
	d := report.Delay{LateMax: int64(result.LateMax / time.Second)}
	for seconds, n := range result.Delays {
		if n > 0 {
			d.Rows += n
			d.Max = int64(seconds)
		}
	}
	quantile := func(q float64) int64 {
		var sum int64
		for seconds, n := range result.Delays {
			if sum += n; float64(sum) >= q*float64(d.Rows) {
				return int64(seconds)
			}
		}
		return 0
	}
	d.P50, d.P95 = quantile(0.5), quantile(0.95)
	var next int
	for _, end := range delayBuckets {
		bucket := report.Bucket{Seconds: end}
		for ; next < len(result.Delays) && int64(next) <= end; next++ {
			bucket.Rows += result.Delays[next]
		}
		d.Histogram = append(d.Histogram, bucket)
		if end >= d.Max {
			break
		}
	}
	return d
}
