package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// An emf is what the specification of the embedded metric format knows of a line.
type emf struct {
	AWS struct {
		Timestamp         int64
		CloudWatchMetrics []struct {
			Namespace  string
			Dimensions [][]string
			Metrics    []struct{ Name, Unit string }
		}
	} `json:"_aws"`
}

// checkEMF checks a line against the rules of the specification, and returns its members.
func checkEMF(t *testing.T, line []byte) map[string]any {
	t.Helper()
	if n := bytes.IndexByte(line, '\n'); n != len(line)-1 || n > 256<<10 {
		t.Errorf("got %d bytes with a newline at %d, want one line of at most 256 KiB", len(line), n)
	}
	var members map[string]any
	if err := json.Unmarshal(line, &members); err != nil {
		t.Fatal(err)
	}
	var e emf
	metadata, err := json.Marshal(map[string]any{"_aws": members["_aws"]})
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(metadata))
	decoder.DisallowUnknownFields() // no other member belongs in there
	if err := decoder.Decode(&e); err != nil {
		t.Fatal(err)
	}
	if got, want := e.AWS.Timestamp, judged.UnixMilli(); got != want {
		t.Errorf("timestamp: got %d, want %d, in milliseconds", got, want)
	}
	if len(e.AWS.CloudWatchMetrics) != 1 {
		t.Fatalf("got %d directives, want 1", len(e.AWS.CloudWatchMetrics))
	}
	d := e.AWS.CloudWatchMetrics[0]
	if d.Namespace != "Streamproof" {
		t.Errorf("namespace: got %q", d.Namespace)
	}
	if diff := cmp.Diff([][]string{{"Stack"}}, d.Dimensions); diff != "" {
		t.Errorf("dimensions: (-want +got)\n%s", diff)
	}
	for _, set := range d.Dimensions {
		for _, name := range set {
			if value, ok := members[name].(string); !ok || value == "" || len(value) > 1024 {
				t.Errorf("dimension %s: got %v, want a string of 1 to 1,024 characters", name, members[name])
			}
		}
	}
	if n := len(d.Metrics); n == 0 || n > 100 {
		t.Errorf("got %d metrics, want 1 to 100", n)
	}
	var names []string
	for _, m := range d.Metrics {
		if _, ok := members[m.Name].(float64); !ok {
			t.Errorf("%s: got %v, want a number at the top", m.Name, members[m.Name])
		}
		if m.Unit != "Count" && m.Unit != "Seconds" {
			t.Errorf("%s: got unit %q", m.Name, m.Unit)
		}
		if slices.Contains(names, m.Name) {
			t.Errorf("%s: defined twice", m.Name)
		}
		names = append(names, m.Name)
	}
	for name := range members {
		if !slices.Contains(append(names, "_aws", "Stack", "Verdict"), name) {
			t.Errorf("%s: is no metric, and says nothing else", name)
		}
	}
	return members
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	line, err := report.Metrics(broken(), "streamproof", judged)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "metrics.json", string(line))
	got := checkEMF(t, line)
	want := map[string]any{
		"Stack": "streamproof", "Verdict": "NOT PROVEN", "Proven": 0., "NotProven": 1., "Undecided": 0.,
		"Owed": 15261., "Delivered": 15217., "Rejects": 30., "Missing": 3., "Failed": 2., "Duplicated": 7., "Corrupt": 2., "Leaked": 1.,
		"Unexpected": 1., "InFlight": 10., "Unknown": 4., "Late": 12., "Foreign": 1., "DelayP95": 74.,
	}
	delete(got, "_aws")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestMetricsOfVerdicts: exactly one of the three verdicts is 1, and what was not measured is left out.
func TestMetricsOfVerdicts(t *testing.T) {
	t.Parallel()
	for _, verdict := range []proof.Verdict{proof.Proven, proof.NotProven, proof.Undecided, ""} {
		line, err := report.Metrics(&report.Report{Verdict: verdict}, "s", judged)
		if err != nil {
			t.Fatal(err)
		}
		got := checkEMF(t, line)
		if sum := got["Proven"].(float64) + got["NotProven"].(float64) + got["Undecided"].(float64); sum != 1 {
			t.Errorf("%q: got %v verdicts, want 1", verdict, sum)
		}
		if (got["Proven"] == 1.) != (verdict == proof.Proven) || (got["NotProven"] == 1.) != (verdict == proof.NotProven) {
			t.Errorf("%q: got %v", verdict, got)
		}
		if _, ok := got["DelayP95"]; ok {
			t.Errorf("%q: got a delay of no rows", verdict)
		}
	}
	if line, err := report.Metrics(&report.Report{}, "", judged); err == nil {
		t.Errorf("got %s, want an error: a dimension cannot be empty", line)
	}
}
