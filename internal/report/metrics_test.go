package report_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/golden"
	"streamproof/internal/metrics/metricstest"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// read reads a line as CloudWatch does, and returns its values by name, with its other members.
func read(t *testing.T, line []byte) map[string]any {
	t.Helper()
	data, members, err := metricstest.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range data {
		if d.Namespace != "Streamproof" || len(d.Dimensions) != 1 || !d.At.Equal(judged) {
			t.Errorf("%s: got namespace %s, dimensions %v and time %s", d.Name, d.Namespace, d.Dimensions, d.At)
		}
		if want := map[bool]string{false: "Count", true: "Seconds"}[d.Name == "DelayP95"]; d.Unit != want {
			t.Errorf("%s: got unit %s, want %s", d.Name, d.Unit, want)
		}
		members[d.Name], members["Stack"] = d.Value, d.Dimensions["Stack"]
	}
	return members
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	line, err := report.Metrics(broken(), "streamproof", judged)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/metrics.json", string(line))
	got := read(t, line)
	want := map[string]any{
		"Stack": "streamproof", "Verdict": "NOT PROVEN", "Proven": 0., "NotProven": 1., "Undecided": 0.,
		"Owed": 15261., "Delivered": 15217., "Rejects": 30., "Missing": 3., "Failed": 2., "Duplicated": 7., "Corrupt": 2., "Leaked": 1.,
		"Unexpected": 1., "InFlight": 10., "Unknown": 4., "Late": 12., "Foreign": 1., "DelayP95": 74.,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestMetricsOfVerdicts: exactly one of the three verdicts is 1, and what was not measured is left out. NoVerdictAlarm
// needs Undecided of every verdict, and NotProvenAlarm takes a missing NotProven for none.
func TestMetricsOfVerdicts(t *testing.T) {
	t.Parallel()
	for _, verdict := range []proof.Verdict{proof.Proven, proof.NotProven, proof.Undecided, ""} {
		line, err := report.Metrics(&report.Report{Verdict: verdict}, "s", judged)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, line)
		if sum := got["Proven"].(float64) + got["NotProven"].(float64) + got["Undecided"].(float64); sum != 1 {
			t.Errorf("%q: got %v verdicts, want 1", verdict, sum)
		}
		if (got["Proven"] == 1.) != (verdict == proof.Proven) || (got["NotProven"] == 1.) != (verdict == proof.NotProven) {
			t.Errorf("%q: got %v", verdict, got)
		}
		if _, ok := got["DelayP95"]; ok {
			t.Errorf("%q: got a delay of no rows", verdict)
		}
		judged := verdict == proof.Proven || verdict == proof.NotProven
		for _, count := range []string{"Owed", "Delivered", "Missing", "InFlight", "Foreign"} {
			if _, ok := got[count]; ok != judged {
				t.Errorf("%q: got %s %v, want counts of a verdict that was reached and of no other", verdict, count, got[count])
			}
		}
	}
	if line, err := report.Metrics(&report.Report{}, "", judged); err == nil {
		t.Errorf("got %s, want an error: a dimension cannot be empty", line)
	}
}
