package flow_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"streamproof/internal/flow"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack/stacktest"
)

// TestLook: the picture says what is wrong first, and what to do about it.
func TestLook(t *testing.T) {
	t.Parallel()
	lost := &report.Report{Version: 1, Verdict: proof.NotProven, JudgedAt: time.Now(), Counts: proof.Counts{Owed: 10, Delivered: 7, Missing: 3}}
	proven := &report.Report{Version: 1, Verdict: proof.Proven, JudgedAt: time.Now(), Counts: proof.Counts{Owed: 10, Delivered: 10},
		Shards: map[string]int64{"shardId-000000000001": 5000}}
	tests := map[string]struct {
		change   func(*stacktest.World)
		last     *report.Report
		tone     string
		problems []string // by ID
		command  string   // of the first
	}{
		"all is well":      {func(*stacktest.World) {}, &report.Report{Version: 1, Verdict: proof.Proven, Counts: proof.Counts{Owed: 1, Delivered: 1}}, flow.Good, nil, ""},
		"never judged":     {func(*stacktest.World) {}, nil, flow.Open, []string{"not-judged"}, "streamproof verify"},
		"rows are missing": {func(*stacktest.World) {}, lost, flow.Wrong, []string{"verdict-missing"}, "streamproof explain"},
		"the application is stopped": {func(w *stacktest.World) { w.Status = "READY" }, proven, flow.Wrong,
			[]string{"application-stopped", "shard-empty"}, "streamproof resume"},
		"paused": {func(w *stacktest.World) { w.Status, w.Schedule = "READY", "DISABLED" }, proven, flow.Good,
			[]string{"shard-empty", "paused"}, ""},
		"the job keeps failing": {func(w *stacktest.World) { w.Restarts = 3 }, proven, flow.Wrong,
			[]string{"job-failing", "shard-empty"}, "streamproof sql show"},
		"a change of the query was broken off": {func(w *stacktest.World) {
			book := w.Open().Book()
			current, err := book.Current(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			broken := *current
			broken.Change = &ledger.Change{To: broken.Pipeline, Begun: time.Now()}
			if _, err := book.SetCurrent(t.Context(), &broken, current); err != nil {
				t.Error(err)
			}
		}, proven, flow.Wrong, []string{"query-problem", "shard-empty"}, "streamproof resume"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := stacktest.New(t)
			if test.last != nil {
				w.PutReport(test.last)
			}
			test.change(w)
			got, err := flow.NewWatcher(w.Open(), nil).Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, p := range got.Problems {
				ids = append(ids, p.ID)
			}
			if got.Tone != test.tone || strings.Join(ids, " ") != strings.Join(test.problems, " ") {
				t.Errorf("got %s and the problems %v, want %s and %v", got.Tone, ids, test.tone, test.problems)
			}
			if test.command != "" && (len(got.Problems[0].Commands) == 0 || got.Problems[0].Commands[0] != test.command) {
				t.Errorf("got the commands %v, want %s", got.Problems[0].Commands, test.command)
			}
			if len(got.Arrows) != 4 {
				t.Errorf("got %d arrows, want 4", len(got.Arrows))
			}
		})
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	known := &flow.Flow{Stack: "s", Connected: true, Tone: flow.Good, Stream: flow.Stream{Name: "stream"}}
	got := known.Gone(errors.New("connection refused"), time.Now())
	if got.Connected || got.Tone != flow.Open || got.Error != "connection refused" || got.Stream.Name != "stream" || !known.Connected {
		t.Errorf("got %+v, want the stack as it was known, and that it has gone", got)
	}
	if got := (*flow.Flow)(nil).Gone(errors.New("x"), time.Now()); got.Connected || got.Problems == nil {
		t.Errorf("got %+v of a stack that was never seen, want that it has gone", got)
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	now := time.Now()
	m := flow.NewMeter(now)
	m.Add("a", now, 5, 50)
	if records, _ := m.Rate("a", now.Add(time.Second/2)); records != nil {
		t.Errorf("got %f after half a second, want that it is not known", *records)
	}
	for _, test := range []struct {
		after          time.Duration
		records, bytes float64
	}{{time.Second, 5, 50}, {5 * time.Second, 1, 10}, {10 * time.Second, 0.5, 5}, {11 * time.Second, 0, 0}} {
		if records, bytes := m.Rate("a", now.Add(test.after)); *records != test.records || *bytes != test.bytes {
			t.Errorf("after %s: got %f records and %f bytes, want %f and %f", test.after, *records, *bytes, test.records, test.bytes)
		}
	}
}
