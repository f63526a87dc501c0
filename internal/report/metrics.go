package report

import (
	"encoding/json"
	"errors"
	"time"

	"streamproof/internal/proof"
)

// Namespace is where CloudWatch keeps the metrics, each with the dimension Stack.
const Namespace = "Streamproof"

// A metric is one of those that a line holds.
type metric struct {
	Name  string
	Unit  string
	value int64
}

// metrics are the report's, in the order of the report. Of Proven, NotProven and Undecided one is 1. There is no DelayP95
// where no row was delivered.
func (r *Report) metrics() []metric {
	is := func(v proof.Verdict) int64 {
		if r.Verdict == v {
			return 1
		}
		return 0
	}
	c := r.Counts
	all := []metric{
		{"Proven", "Count", is(proof.Proven)},
		{"NotProven", "Count", is(proof.NotProven)},
		{"Undecided", "Count", 1 - is(proof.Proven) - is(proof.NotProven)},
		{"Owed", "Count", c.Owed},
		{"Delivered", "Count", c.Delivered},
		{"Rejects", "Count", c.Rejects},
		{"Missing", "Count", c.Missing},
		{"Failed", "Count", c.Failed},
		{"Duplicated", "Count", c.Duplicated},
		{"Corrupt", "Count", c.Corrupt},
		{"Leaked", "Count", c.Leaked},
		{"Unexpected", "Count", c.Unexpected},
		{"InFlight", "Count", c.InFlight},
		{"Unknown", "Count", c.Unknown},
		{"Late", "Count", c.Late},
		{"Foreign", "Count", c.Foreign},
	}
	if r.Delay.Rows > 0 {
		all = append(all, metric{"DelayP95", "Seconds", r.Delay.P95})
	}
	return all
}

// Metrics is the report as one line, ended by a newline, of CloudWatch's embedded metric format. A function that writes it
// to its log as a line of its own has the metrics made of it, without a call and without a permission.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func Metrics(r *Report, stack string, now time.Time) ([]byte, error) {
	if stack == "" {
		return nil, errors.New("metrics: the stack has no name, and a dimension cannot be empty")
	}
	type definition struct {
		Name string
		Unit string
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []definition
	}
	type metadata struct {
		Timestamp         int64
		CloudWatchMetrics []directive
	}
	d := directive{Namespace: Namespace, Dimensions: [][]string{{"Stack"}}}
	members := map[string]any{"Stack": stack, "Verdict": r.Verdict}
	for _, m := range r.metrics() {
		d.Metrics = append(d.Metrics, definition{m.Name, m.Unit})
		members[m.Name] = m.value
	}
	members["_aws"] = metadata{now.UnixMilli(), []directive{d}}
	line, err := json.Marshal(members)
	return append(line, '\n'), err
}
