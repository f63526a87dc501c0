package operate

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var killScenarios = map[string]func(w *world){
	"it succeeds":       func(*world) {},
	"it does not start": func(w *world) { w.Refuses = "COL0 < 2" },
	"it gives no row":   func(w *world) { w.Silences = "COL0 < 2" },
}

// TestChangeIsKilled kills a change of the query after each request that changes something, and its rollback likewise.
// No tick is produced for a query that does not run. Resume, even if it is killed once, brings the stack back to work.
// A schedule that was disabled stays disabled until somebody resumes a stack whose change has ended.
func TestChangeIsKilled(t *testing.T) {
	t.Parallel()
	for name, scenario := range killScenarios {
		for _, before := range []string{"deployed", "set by hand", "not scheduled"} {
			t.Run(name+", "+before, func(t *testing.T) {
				t.Parallel()
				var start moment
				var sql string
				var all int // changes of a change that is not killed
				synctest.Test(t, func(t *testing.T) {
					var w *world
					w, sql = killedWorld(t, before, scenario)
					start = keep(w)
					w.Changes = 0
					_, _ = w.sqlRun(t.Context(), sql, 200)
					all = w.Changes
				})
				pending := 0
				for after := 1; after <= all; after++ {
					when := fmt.Sprintf("killed after %d of %d changes", after, all)
					schedule := "ENABLED"
					if before == "not scheduled" && after < all {
						schedule = "DISABLED"
					}
					var killed moment
					synctest.Test(t, func(t *testing.T) {
						w := start.again(t)
						w.Changes, w.DiesAfter = 0, after
						_, _ = w.sqlRun(t.Context(), sql, 200)
						w.Changes, w.DiesAfter = 0, 0
						killed = keep(w)
						w.checkSound(t, when)
						time.Sleep(time.Hour) // until somebody sees it
						if _, err := w.resume(t); err != nil {
							t.Fatalf("%s: resume: %v", when, err)
						}
						w.checkResumed(t, when+", and resumed", schedule)
						// And it may be changed again.
						w.Refuses, w.Silences = "", ""
						time.Sleep(10 * time.Second)
						_, sql := newWorld(t)
						if _, err := w.sqlRun(t.Context(), sql, 200); err != nil || w.SQL() != sql {
							t.Errorf("%s: again: %v", when, err)
						}
						w.checkResumed(t, when+", and changed again", schedule)
					})
					if killed.Current().Change != nil {
						pending++
					}
					if killed.Current().Change != nil || killed.Current().Paused {
						checkKilledResume(t, killed, when, before)
					}
				}
				if pending < 3 {
					t.Errorf("only %d of the kills came while a change was announced", pending)
				}
			})
		}
	}
}

// A moment is a world as it was then. Each test that goes on from there has a copy, in a bubble of its own.
type moment struct {
	*world
	at time.Time
}

func keep(w *world) moment { return moment{w.clone(w.t), time.Now()} }

func (m moment) again(t *testing.T) *world {
	time.Sleep(time.Until(m.at))
	return m.clone(t)
}

func killedWorld(t *testing.T, before string, scenario func(*world)) (w *world, sql string) {
	t.Helper()
	w, sql = newWorld(t)
	switch before {
	case "set by hand":
		if _, err := w.sqlRun(t.Context(), strings.Replace(sql, "COL0 < 2", "COL0 < 4", 1), 0); err != nil {
			t.Fatal(err)
		}
	case "not scheduled":
		w.Schedule = "DISABLED"
	}
	scenario(w)
	return w, sql
}

// checkKilledResume kills the resume of a killed change, after each of its own changes.
func checkKilledResume(t *testing.T, killed moment, when, before string) {
	t.Helper()
	var all int
	synctest.Test(t, func(t *testing.T) {
		w := killed.again(t)
		if _, err := w.resume(t); err != nil {
			t.Fatal(err)
		}
		all = w.Changes
	})
	for again := 1; again <= all; again++ {
		synctest.Test(t, func(t *testing.T) {
			w := killed.again(t)
			w.DiesAfter = again
			_, _ = w.resume(t)
			w.DiesAfter = 0
			when := fmt.Sprintf("%s, and the resume after %d of %d", when, again, all)
			w.checkSound(t, when)
			if _, err := w.resume(t); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			schedule := "ENABLED"
			if before == "not scheduled" && again < all {
				schedule = "DISABLED"
			}
			w.checkResumed(t, when, schedule)
		})
	}
}
