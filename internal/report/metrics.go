package report

import (
	"time"

	"streamproof/internal/metrics"
	"streamproof/internal/proof"
)

// metrics are the report's, in its order. One of Proven, NotProven and Undecided is 1. A report without a
// balance has no counts: Missing at 0 would say that nothing is missing. There is no DelayP95 if no row was delivered.
func (r *Report) metrics() []metrics.Metric {
	var proven, notProven, undecided int64
	switch r.Verdict {
	case proof.Proven:
		proven = 1
	case proof.NotProven:
		notProven = 1
	default:
		undecided = 1
	}
	all := []metrics.Metric{
		metrics.Of("Proven", metrics.Count, proven),
		metrics.Of("NotProven", metrics.Count, notProven),
		metrics.Of("Undecided", metrics.Count, undecided),
	}
	if !r.Balanced() {
		return all
	}
	c := r.Counts
	for _, count := range []struct {
		name string
		rows int64
	}{
		{"Owed", c.Owed}, {"Delivered", c.Delivered}, {"Rejects", c.Rejects}, {"Missing", c.Missing}, {"Failed", c.Failed},
		{"Duplicated", c.Duplicated}, {"Corrupt", c.Corrupt}, {"Leaked", c.Leaked}, {"Unexpected", c.Unexpected},
		{"InFlight", c.InFlight}, {"Unknown", c.Unknown}, {"Late", c.Late}, {"Foreign", c.Foreign},
	} {
		all = append(all, metrics.Of(count.name, metrics.Count, count.rows))
	}
	if r.Delay.Rows > 0 {
		all = append(all, metrics.Of("DelayP95", metrics.Seconds, r.Delay.P95))
	}
	return all
}

// Metrics is the report as a line of metrics of the stack: at most seventeen, each of them a custom metric.
func Metrics(r *Report, stack string, now time.Time) ([]byte, error) {
	return metrics.Line(now, []metrics.Dimension{{Name: metrics.Stack, Value: stack}}, r.metrics(), map[string]any{"Verdict": r.Verdict})
}
