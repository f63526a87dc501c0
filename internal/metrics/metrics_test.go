package metrics_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/golden"
	"streamproof/internal/metrics"
	"streamproof/internal/metrics/metricstest"
)

var at = time.Date(2026, 11, 23, 20, 0, 0, 123_000_000, time.UTC)

// TestLine pins the bytes of a line, and what CloudWatch reads in them.
func TestLine(t *testing.T) {
	t.Parallel()
	dimensions := []metrics.Dimension{{Name: metrics.Stack, Value: "streamproof"}, {Name: metrics.Shard, Value: "shardId-000000000001"}}
	line, err := metrics.Line(at, dimensions, []metrics.Metric{
		metrics.Of("RecordsAcknowledged", metrics.Count, 1000), metrics.Of("Delay", metrics.Seconds, 0), metrics.Of("Largest", metrics.Count, 1<<63-1),
	}, map[string]any{"Tick": "2026-11-23T20:00:00Z", "Why": "a <b> & \"c\"\n"})
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/line.json"
	golden.Check(t, file, line)
	data, about, err := metricstest.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	datum := func(name, unit string, value float64) metricstest.Datum {
		return metricstest.Datum{
			Namespace: "Streamproof", Dimensions: map[string]string{"Stack": "streamproof", "Shard": "shardId-000000000001"},
			Name: name, Unit: unit, Value: value, At: at,
		}
	}
	if diff := cmp.Diff([]metricstest.Datum{datum("RecordsAcknowledged", "Count", 1000), datum("Delay", "Seconds", 0), datum("Largest", "Count", 1<<63)}, data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"Tick": "2026-11-23T20:00:00Z", "Why": "a <b> & \"c\"\n"}, about); diff != "" {
		t.Errorf("about (-want +got):\n%s", diff)
	}
}

func dimensionsOf(n int) (dimensions []metrics.Dimension) {
	for i := range n {
		dimensions = append(dimensions, metrics.Dimension{Name: fmt.Sprintf("D%d", i), Value: "v"})
	}
	return dimensions
}

func metricsOf(n int) (all []metrics.Metric) {
	for i := range n {
		all = append(all, metrics.Metric{Name: fmt.Sprintf("M%d", i), Unit: metrics.Count})
	}
	return all
}

// TestLimits: what is at a limit is a line that CloudWatch takes, and what is beyond one is an error.
func TestLimits(t *testing.T) {
	t.Parallel()
	one := metricsOf(1)
	for _, tc := range []struct {
		name       string
		dimensions []metrics.Dimension
		metrics    []metrics.Metric
		about      map[string]any
		want       string // the error
	}{
		{"the most of all", dimensionsOf(30), metricsOf(100), nil, ""},
		{"no dimension", nil, one, nil, ""},
		{"a long value", []metrics.Dimension{{Name: "D", Value: strings.Repeat("é", 1024)}}, one, nil, ""},
		{"31 dimensions", dimensionsOf(31), one, nil, "31 dimensions, and 30 are the most"},
		{"101 metrics", nil, metricsOf(101), nil, "101 metrics, want 1 to 100"},
		{"no metric", dimensionsOf(1), nil, nil, "0 metrics"},
		{"an empty value", []metrics.Dimension{{Name: "Stack", Value: ""}}, one, nil, "the dimension Stack has 0 characters, want 1 to 1024"},
		{"a value that is too long", []metrics.Dimension{{Name: "D", Value: strings.Repeat("d", 1025)}}, one, nil, "D has 1025 characters"},
		{"a metric twice", nil, append(metricsOf(1), one...), nil, `the name "M0" is taken`},
		{"a metric named as a dimension", []metrics.Dimension{{Name: "M0", Value: "v"}}, one, nil, `the name "M0" is taken`},
		{"something else named as a metric", nil, one, map[string]any{"M0": 1}, `the name "M0" is taken`},
		{"the metadata's name", nil, one, map[string]any{"_aws": 1}, `the name "_aws" is taken`},
		{"no name", nil, []metrics.Metric{{Unit: metrics.Count}}, nil, `the name "" is taken or empty`},
		{"what JSON cannot say", nil, one, map[string]any{"x": make(chan int)}, "unsupported type"},
		{"several", dimensionsOf(31), nil, nil, "31 dimensions, and 30 are the most\n0 metrics"},
	} {
		line, err := metrics.Line(at, tc.dimensions, tc.metrics, tc.about)
		if tc.want != "" {
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %s and error %v, want %q", tc.name, line, err, tc.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if data, _, err := metricstest.Read(line); err != nil || len(data) != len(tc.metrics) {
			t.Errorf("%s: got %d values and error %v, want %d values", tc.name, len(data), err, len(tc.metrics))
		}
	}
}

// BenchmarkLine makes a line of two metrics, as the transform does for each of its events.
func BenchmarkLine(b *testing.B) {
	dimensions, two := []metrics.Dimension{{Name: metrics.Stack, Value: "streamproof"}}, metricsOf(2)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := metrics.Line(at, dimensions, two, nil); err != nil {
			b.Fatal(err)
		}
	}
}
