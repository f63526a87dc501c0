package report

import (
	"time"

	"streamproof/internal/metrics"
	"streamproof/internal/proof"
)

// metrics are the report's, in the order of the report. Of Proven, NotProven and Undecided one is 1. There is no DelayP95
// where no row was delivered.
func (r *Report) metrics() []metrics.Metric {
	is := func(v proof.Verdict) int64 {
		if r.Verdict == v {
			return 1
		}
		return 0
	}
	c := r.Counts
	all := []metrics.Metric{
		metrics.Of("Proven", metrics.Count, is(proof.Proven)),
		metrics.Of("NotProven", metrics.Count, is(proof.NotProven)),
		metrics.Of("Undecided", metrics.Count, 1-is(proof.Proven)-is(proof.NotProven)),
		metrics.Of("Owed", metrics.Count, c.Owed),
		metrics.Of("Delivered", metrics.Count, c.Delivered),
		metrics.Of("Rejects", metrics.Count, c.Rejects),
		metrics.Of("Missing", metrics.Count, c.Missing),
		metrics.Of("Failed", metrics.Count, c.Failed),
		metrics.Of("Duplicated", metrics.Count, c.Duplicated),
		metrics.Of("Corrupt", metrics.Count, c.Corrupt),
		metrics.Of("Leaked", metrics.Count, c.Leaked),
		metrics.Of("Unexpected", metrics.Count, c.Unexpected),
		metrics.Of("InFlight", metrics.Count, c.InFlight),
		metrics.Of("Unknown", metrics.Count, c.Unknown),
		metrics.Of("Late", metrics.Count, c.Late),
		metrics.Of("Foreign", metrics.Count, c.Foreign),
	}
	if r.Delay.Rows > 0 {
		all = append(all, metrics.Of("DelayP95", metrics.Seconds, r.Delay.P95))
	}
	return all
}

// Metrics is the report as a line of metrics of the stack: seventeen, each of which is one custom metric.
func Metrics(r *Report, stack string, now time.Time) ([]byte, error) {
	return metrics.Line(now, []metrics.Dimension{{Name: metrics.Stack, Value: stack}}, r.metrics(), map[string]any{"Verdict": r.Verdict})
}
