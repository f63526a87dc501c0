package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/stack"
)

// agrees reports whether the application has been told what the ledger names.
func (w *world) agrees() bool {
	current := w.current()
	if current.Pipeline == current.Deployed {
		return w.sql() == ""
	}
	p, err := w.open().Book().Pipeline(w.t.Context(), current.Pipeline)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.sql() == string(p.SQL) // it is Flink SQL already
}

func (w *world) resume(t *testing.T) (*operation, error) {
	t.Helper()
	return (&resumeCmd{}).run(t.Context(), newProgress(newEnv(io.Discard, io.Discard)), w.open(), nil)
}

// checkSound fails where ticks could be made that another query reads than the one that they name.
func (w *world) checkSound(t *testing.T, when string) {
	t.Helper()
	if w.current().Change == nil && !w.agrees() {
		t.Errorf("%s: ticks are made for pipeline %.12s, and the application runs %q", when, w.current().Pipeline, w.sql())
	}
}

// checkResumed fails where a stack does not run as it should after a resume.
func (w *world) checkResumed(t *testing.T, when string) {
	t.Helper()
	now := w.current()
	if !w.agrees() || now.Change != nil || w.status != "RUNNING" || w.schedule != "ENABLED" {
		t.Errorf("%s: after %v, the ledger says %+v, the application is %s with %q, the schedule %s", when, w.calls, now, w.status, w.sql(), w.schedule)
	}
	status, err := w.open().Query(t.Context())
	if err != nil || status.Problem() != "" {
		t.Errorf("%s: %v, %v", when, status.Problem(), err)
	}
}

var killScenarios = map[string]func(w *world){
	"it succeeds":       func(*world) {},
	"it does not start": func(w *world) { w.refuses = "COL0 < 2" },
	"it gives no row":   func(w *world) { w.silences = "COL0 < 2" },
}

// TestSQLRunIsKilled after each change that it makes, a roll back's too: no tick is made for a query that does not run, and resume,
// killed itself or not, brings the stack back to work.
func TestSQLRunIsKilled(t *testing.T) {
	t.Parallel()
	for name, scenario := range killScenarios {
		for _, before := range []string{"deployed", "set by hand"} {
			t.Run(name+", "+before, func(t *testing.T) {
				t.Parallel()
				pending := 0
				for after, over := 1, false; !over; after++ {
					synctest.Test(t, func(t *testing.T) {
						w, sql := killedWorld(t, before, scenario)
						w.changes, w.diesAfter = 0, after
						_, _ = w.sqlRun(t.Context(), sql, 200)
						over = w.changes < after
						w.diesAfter = 0
						w.checkSound(t, fmt.Sprintf("killed after %d changes", after))
						if w.current().Change != nil {
							pending++
							checkKilledResume(t, after, before, scenario)
						}
						if _, err := w.resume(t); err != nil {
							t.Fatalf("killed after %d changes: resume: %v", after, err)
						}
						w.checkResumed(t, fmt.Sprintf("killed after %d changes, and resumed", after))
						// And it may be changed again.
						w.refuses, w.silences = "", ""
						time.Sleep(10 * time.Second)
						if _, err := w.sqlRun(t.Context(), sql, 200); err != nil || w.sql() != sql {
							t.Errorf("killed after %d changes: again: %v", after, err)
						}
						w.checkResumed(t, fmt.Sprintf("killed after %d changes, and changed again", after))
					})
				}
				if pending < 3 {
					t.Errorf("only %d of the kills came between telling the application and the ledger", pending)
				}
			})
		}
	}
}

func killedWorld(t *testing.T, before string, scenario func(*world)) (w *world, sql string) {
	t.Helper()
	w, p := newWorld(t)
	sql = strings.Replace(string(p.SQL), "COL0 < 3", "COL0 < 2", 1)
	if before == "set by hand" {
		if _, err := w.sqlRun(t.Context(), strings.Replace(string(p.SQL), "COL0 < 3", "COL0 < 4", 1), 0); err != nil {
			t.Fatal(err)
		}
	}
	scenario(w)
	return w, sql
}

// checkKilledResume kills the change and then the resume, after each of its changes.
func checkKilledResume(t *testing.T, after int, before string, scenario func(*world)) {
	t.Helper()
	for again := 1; ; again++ {
		w, sql := killedWorld(t, before, scenario)
		w.changes, w.diesAfter = 0, after
		_, _ = w.sqlRun(t.Context(), sql, 200)
		w.changes, w.diesAfter = 0, again
		_, _ = w.resume(t)
		over := w.changes < again
		w.diesAfter = 0
		when := fmt.Sprintf("killed after %d changes, and the resume after %d", after, again)
		w.checkSound(t, when)
		if _, err := w.resume(t); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		w.checkResumed(t, when)
		if over {
			return
		}
	}
}

// TestMend: what other hands have told the application is put right, and so is what an older version has left, which wrote no
// change down.
func TestMend(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		if err := w.open().SetQuery(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		w.schedule = "DISABLED"
		status, err := w.open().Status(t.Context())
		if err == nil {
			t.Fatalf("got %+v of a world without Kinesis", status)
		}
		q, err := w.open().Query(t.Context())
		if err != nil || q.Agrees() || !strings.Contains(q.Problem(), "`streamproof resume`") {
			t.Fatalf("got %v, %v, want that the application has been told another query", q.Problem(), err)
		}
		w.calls = nil
		if _, err := (&pauseCmd{}).run(t.Context(), newProgress(newEnv(io.Discard, io.Discard)), w.open(), nil); err == nil ||
			!strings.Contains(err.Error(), "nothing was touched: the application has been told another query") || len(w.calls) > 0 {
			t.Errorf("pause: %v after %v", err, w.calls)
		}
		o, err := w.resume(t)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(w.calls, ", "), "stop, update, start, ENABLED"; got != want || !strings.Contains(o.Did[0], "had been told another query") {
			t.Errorf("got %s, %q, want %s", got, o.Did, want)
		}
		w.checkResumed(t, "resumed")
		w.calls = nil
		if _, err := w.resume(t); err != nil || len(w.calls) > 0 {
			t.Errorf("again: %v after %v", err, w.calls)
		}
	})
}

// TestChangeIsSaid wherever one looks while a change is under way.
func TestChangeIsSaid(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		current, err := w.open().Book().Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next := *current
		next.Change = &ledger.Change{To: strings.Repeat("b", 64), Begun: time.Now(), Snapshot: stopped}
		if _, err := w.open().Book().SetCurrent(t.Context(), &next, current); err != nil {
			t.Fatal(err)
		}
		const want = "to bbbbbbbbbbbb began at"
		shown, err := showQuery(t.Context(), w.open())
		if err != nil || !shown.Agrees || !strings.Contains(showText(shown, false).String(), want) {
			t.Errorf("sql show: %v, %v", shown, err)
		}
		if _, _, err := w.open().Produce(t.Context(), time.Now(), 1, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("produce: %v", err)
		}
		s := status{Status: filled[stack.Status]("x")}
		s.Query.Problem = next.Pending()
		if text := statusText(&s).String(); !strings.Contains(text, want) {
			t.Errorf("status: %s", text)
		}
	})
}

// TestPauseOfUndecided ends at the second look: nothing that it could wait for changes the verdict.
func TestPauseOfUndecided(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ string) {
		w.put(ledger.TickKey(time.Unix(0, 0)), nil) // there are ticks
		w.undecided = true
		began := time.Now()
		_, err := (&pauseCmd{}).run(t.Context(), newProgress(newEnv(io.Discard, io.Discard)), w.open(), nil)
		if err == nil || !strings.Contains(err.Error(), "no wait changes") || time.Since(began) > 10*time.Second || w.status != "RUNNING" {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

// TestPauseWhileTheJobRestarts: what never arrives is not waited for, and the schedule is left as it was.
func TestPauseWhileTheJobRestarts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		p := newProgress(newEnv(io.Discard, io.Discard))
		w.status = "READY" // no row is given
		if _, _, err := w.open().Produce(t.Context(), time.Now(), 1, 0); err != nil {
			t.Fatal(err)
		}
		w.status, w.restarts = "RUNNING", 2
		began := time.Now()
		_, err := (&pauseCmd{}).run(t.Context(), p, w.open(), nil)
		if err == nil || !strings.Contains(err.Error(), "fails and restarts") || !strings.Contains(err.Error(), "pause --force") || time.Since(began) > 10*time.Second {
			t.Errorf("pause: got %v after %s", err, time.Since(began))
		}
		if w.schedule != "ENABLED" || w.status != "RUNNING" {
			t.Errorf("pause: the schedule is %s, the application %s", w.schedule, w.status)
		}
		w.restarts = 1 // which may have been the last
		if _, err = (&pauseCmd{}).run(t.Context(), p, w.open(), nil); err == nil || !strings.Contains(err.Error(), "after 11m0s") {
			t.Errorf("pause after one restart: got %v", err)
		}
		w.schedule, w.restarts = "ENABLED", 2
		began = time.Now()
		_, err = w.sqlRun(t.Context(), sql, 0)
		if err == nil || !strings.Contains(err.Error(), "fails and restarts") || !strings.Contains(err.Error(), "with --force") {
			t.Errorf("sql run: got %v after %s", err, time.Since(began))
		}
		if w.schedule != "ENABLED" || w.current().Change != nil {
			t.Errorf("sql run: the schedule is %s, the ledger says %+v", w.schedule, w.current())
		}
	})
}

// TestChangeKeepsTheSchedule as it was, however the change ends and whoever ends it.
func TestChangeKeepsTheSchedule(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"ENABLED", "DISABLED"} {
		for _, ends := range []string{"resume", "sql run", "interrupted", "UNDECIDED"} {
			t.Run(before+", "+ends, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world, sql string) {
					w.schedule = before
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					switch ends {
					case "interrupted":
						w.before = func(call string) bool {
							if call == "update" {
								cancel()
							}
							return false
						}
					case "UNDECIDED":
						w.put(ledger.TickKey(time.Unix(0, 0)), nil)
						w.undecided = true
					default: // killed when the change is written down
						w.before = func(call string) bool {
							if call == "update" {
								w.diesAfter = 1
							}
							return false
						}
					}
					_, err := w.sqlRun(ctx, sql, 0)
					w.before, w.diesAfter = nil, 0
					if err == nil {
						t.Fatal("it was not broken off")
					}
					switch ends {
					case "resume":
						_, err = w.resume(t)
					case "sql run":
						_, err = w.sqlRun(t.Context(), sql, 0)
					default:
						err = nil
					}
					if err != nil || w.schedule != before || w.current().Change != nil {
						t.Errorf("got %v, the schedule is %s and was %s, the ledger says %+v", err, w.schedule, before, w.current())
					}
				})
			})
		}
	}
}
