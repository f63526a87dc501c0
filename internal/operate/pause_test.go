package operate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// TestPauseOfUndecided ends at the second look: nothing that it could wait for changes the verdict.
func TestPauseOfUndecided(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ string) {
		w.Put(ledger.TickKey(time.Unix(0, 0)), nil) // there are ticks
		w.Undecided = true
		began := time.Now()
		_, err := w.operator().Pause(t.Context(), false)
		if err == nil || !strings.Contains(err.Error(), "waiting does not change that") || time.Since(began) > 10*time.Second || w.Status != "RUNNING" {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

// TestPauseSaysThatNothingIsOnItsWay as long as the application is stopped, and only where it is so.
func TestPauseSaysThatNothingIsOnItsWay(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, _ string) {
				if lost {
					w.Status = "READY" // no row is given
					if _, _, err := w.Open().Produce(t.Context(), time.Now(), 1, 0); err != nil {
						t.Fatal(err)
					}
					w.Status = "RUNNING"
				}
				var looked time.Time
				w.Before = func(call string) bool {
					if call == "verify" {
						looked = time.Now()
					}
					return false
				}
				if _, err := w.operator().Pause(t.Context(), lost); err != nil {
					t.Fatal(err)
				}
				// A tick by hand while the application stops is claimed after the last look, and waits in the stream.
				if now := w.Current(); now.Drained.IsZero() != lost || !now.Drained.Before(looked.Truncate(time.Second)) {
					t.Errorf("paused: the ledger says %+v, and the last look was at %s", now, looked)
				}
				if _, err := w.resume(t); err != nil || !w.Current().Drained.IsZero() {
					t.Errorf("resumed: %v, the ledger says %+v", err, w.Current())
				}
			})
		})
	}
}

// TestPauseWhileTheJobRestarts: what never arrives is not waited for, and the schedule is left as it was.
func TestPauseWhileTheJobRestarts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		w.Status = "READY" // no row is given
		if _, _, err := w.Open().Produce(t.Context(), time.Now(), 1, 0); err != nil {
			t.Fatal(err)
		}
		w.Status, w.Restarts = "RUNNING", 2
		began := time.Now()
		_, err := w.operator().Pause(t.Context(), false)
		if err == nil || !strings.Contains(err.Error(), "keeps failing and restarting") || !strings.Contains(err.Error(), "pause --force") || time.Since(began) > 10*time.Second {
			t.Errorf("pause: got %v after %s", err, time.Since(began))
		}
		if w.Schedule != "ENABLED" || w.Status != "RUNNING" {
			t.Errorf("pause: the schedule is %s, the application %s", w.Schedule, w.Status)
		}
		w.Restarts = 1 // which may have been the last
		if _, err = w.operator().Pause(t.Context(), false); err == nil || !strings.Contains(err.Error(), "after 2m0s") {
			t.Errorf("pause after one restart: got %v", err)
		}
		w.Schedule, w.Restarts = "ENABLED", 2
		began = time.Now()
		_, err = w.sqlRun(t.Context(), sql, 0)
		if err == nil || !strings.Contains(err.Error(), "keeps failing and restarting") || !strings.Contains(err.Error(), "with --force") {
			t.Errorf("sql run: got %v after %s", err, time.Since(began))
		}
		if w.Schedule != "ENABLED" || w.Current().Change != nil {
			t.Errorf("sql run: the schedule is %s, the ledger says %+v", w.Schedule, w.Current())
		}
	})
}

func TestInFlight(t *testing.T) {
	t.Parallel()
	counts := func(inFlight, missing, failed int64) proof.Counts {
		return proof.Counts{Owed: 9, InFlight: inFlight, Missing: missing, Failed: failed}
	}
	tests := []struct {
		name  string
		r     report.Report
		open  int
		force bool
		want  string
	}{
		{name: "all delivered", r: report.Report{Verdict: proof.Proven, Counts: counts(0, 0, 0)}},
		{name: "in flight", r: report.Report{Verdict: proof.Proven, Counts: counts(3, 0, 0)}, want: "3 rows are in flight"},
		{name: "in flight, forced", r: report.Report{Verdict: proof.Proven, Counts: counts(3, 0, 0)}, force: true, want: "3 rows are in flight"},
		{name: "being sent", r: report.Report{Verdict: proof.Proven}, open: 1, want: "1 ticks are being sent"},
		{name: "missing", r: report.Report{Verdict: proof.NotProven, Counts: counts(2, 1, 0)}, want: "2 rows are in flight, 1 rows are missing"},
		{name: "missing, forced", r: report.Report{Verdict: proof.NotProven, Counts: counts(0, 1, 0)}, force: true},
		{name: "missing, accepted", r: report.Report{Verdict: proof.Proven, Counts: counts(0, 1, 0)}},
		{name: "failed", r: report.Report{Verdict: proof.NotProven, Counts: counts(0, 0, 1)}},
		{name: "undecided", r: report.Report{Verdict: proof.Undecided, Reasons: []string{"no ledger"}}, force: true, want: "the verdict is UNDECIDED (no ledger)"},
	}
	for _, test := range tests {
		if got := inFlight(&test.r, test.open, test.force); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestExistingStream: a stack without a producer is paused, resumed and given another query without ticks, and without
// waiting for a stream that never ends.
func TestExistingStream(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		delete(w.Outputs, "ProducerFunction")
		delete(w.Outputs, "ProducerSchedule")
		w.Outputs["StartPosition"] = "TRIM_HORIZON"
		w.Undecided = true
		for _, step := range []struct {
			name, calls, did string
			do               func() ([]string, error)
		}{
			{"pause", "stop", "Stream s is somebody else's", func() ([]string, error) {
				r, err := w.operator().Pause(t.Context(), false)
				return r.Did, err
			}},
			{"resume", "start", "runs, from its latest snapshot", func() ([]string, error) {
				r, err := w.operator().Resume(t.Context())
				return r.Did, err
			}},
			{"sql run", "stop, update, start", "No tick is sent", func() ([]string, error) {
				r, err := w.sqlRun(t.Context(), sql, 200)
				return r.Did, err
			}},
		} {
			w.Calls = nil
			did, err := step.do()
			if got := strings.Join(w.Calls, ", "); err != nil || got != step.calls || !strings.Contains(strings.Join(did, "\n"), step.did) {
				t.Errorf("%s: %v, %s after %s", step.name, err, did, got)
			}
		}
		if w.SQL() != sql || w.Current().Paused || len(w.Current().Epochs) == 0 {
			t.Errorf("the ledger says %+v", w.Current())
		}
	})
}
