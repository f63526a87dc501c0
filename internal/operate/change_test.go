package operate

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/local/flink"
	"streamproof/internal/pipeline"
	"streamproof/internal/stack/stacktest"
)

func TestChange(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		before := w.Current()
		r, err := w.sqlRun(t.Context(), sql, 200)
		if err != nil {
			t.Fatal(err)
		}
		now := w.Current()
		if w.SQL() != sql || now.Pipeline == before.Pipeline || now.By != ledger.BySQLRun || now.Deployed != before.Pipeline || r.Pipeline != now.Pipeline || !r.Judged {
			t.Errorf("the ledger says %+v, and the result %+v", now, r)
		}
		if got, want := strings.Join(w.Calls, ", "), "DISABLED, stop, update, start, tick, ENABLED"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if len(w.Groups) != 2 || strings.Contains(w.Restored[0], `"AllowNonRestoredState":true`) || !strings.Contains(w.Restored[0], "RESTORE_FROM_LATEST_SNAPSHOT") {
			t.Errorf("started from %s with %v", w.Restored[0], w.Groups)
		}
		if len(r.Rows) != 2 || *r.Rows[0][3] != "4.25" || r.Rows[1][1] != nil || !slices.Equal(r.Columns, []string{"COL0", "COL3", "COL4", "COL18"}) {
			t.Errorf("got %v of %v", r.Rows, r.Columns)
		}

		if e := now.Epochs; len(e) != 1 || e[0].Pipeline != now.Pipeline || e[0].Drained.IsZero() || e[0].From.IsZero() || !now.Drained.IsZero() {
			t.Errorf("the epochs are %+v, want a clean change", e)
		}

		if r, err = w.sqlRun(t.Context(), sql, 200); err != nil || len(w.Calls) > 0 || !strings.Contains(r.Did[0], "already runs") {
			t.Errorf("again: %v, %v after %v", r.Did, err, w.Calls)
		}
		if len(r.Warnings) > 0 {
			t.Errorf("got warnings %v", r.Warnings)
		}
		divides := strings.Replace(sql, "WHERE ", "WHERE COL3 / COL0 > 1 AND ", 1)
		line := strings.Count(divides[:strings.Index(divides, "WHERE")], "\n") + 1
		if r, err = w.sqlRun(t.Context(), divides, 0); err != nil || len(r.Warnings) != 1 || r.Warnings[0].Line != line || !strings.Contains(r.Warnings[0].Message, "NULLIF") {
			t.Errorf("a division: %v, warnings %v", err, r.Warnings)
		}
		// The deployed query is the JAR's own, so no query is set.
		p, err := pipeline.Embedded()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.sqlRun(t.Context(), string(p.SQL), 0); err != nil || w.SQL() != "" || w.Current().By != ledger.ByDeploy {
			t.Errorf("back: %v, the ledger says %+v", err, w.Current())
		}
	})
}

// TestChangeShowsRows of whatever shape, the first ten of them; that they cannot be read undoes nothing.
func TestChangeShowsRows(t *testing.T) {
	t.Parallel()
	zipped := func(text string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	names := `{"VendorID":1,"passenger_count":null,"trip_distance":3.5,"total_amount":4.25}` + "\n"
	for name, test := range map[string]struct {
		delivers []byte
		rows     int
		first    string
	}{
		"CSV":           {[]byte("1,,3.5,4.25\n"), 1, "1 NULL 3.5 4.25"},
		"semicolons":    {[]byte("1;2;3.5;4.25\n"), 1, "1 2 3.5 4.25"},
		"names, zipped": {zipped(strings.Repeat(names, 25)), 10, "1 NULL 3.5 4.25"},
		"broken":        {[]byte("what is this\n"), 0, ""},
		"after others":  {[]byte("1,2,3\n2,3\n1,,3.5,4.25\n"), 1, "1 NULL 3.5 4.25"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				w.Delivers = test.delivers
				r, err := w.sqlRun(t.Context(), sql, 200)
				if err != nil || len(r.Rows) != test.rows || w.SQL() != sql {
					t.Fatalf("got %d rows, %v, want %d", len(r.Rows), err, test.rows)
				}
				var first []string
				for _, row := range r.Rows[:min(1, test.rows)] {
					for _, v := range row {
						if v == nil {
							first = append(first, "NULL")
						} else {
							first = append(first, *v)
						}
					}
				}
				if got := strings.Join(first, " "); got != test.first {
					t.Errorf("got %s, want %s", got, test.first)
				}
				if said := strings.Contains(strings.Join(r.Did, " "), "The first rows cannot be shown: read s3://"); said != (test.rows == 0) {
					t.Errorf("got %q", r.Did)
				}
			})
		})
	}
}

func TestChangeWhilePaused(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		w.Schedule, w.Status = "DISABLED", "READY"
		r, err := w.sqlRun(t.Context(), sql, 200)
		if got, want := strings.Join(w.Calls, ", "), "update, start, tick"; err != nil || got != want || w.Schedule != "DISABLED" {
			t.Errorf("got %v after %s, want %s", err, got, want)
		}
		if !strings.Contains(strings.Join(r.Did, " "), "stays disabled, as it was") {
			t.Errorf("got %q", r.Did)
		}
	})
}

// TestChangeIsRolledBack: whatever fails after the pause, application, ledger and schedule are as they were.
func TestChangeIsRolledBack(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		world func(w *world)
		want  string // of the error
		told  bool
		trial bool // ticks were made for it
	}{
		"it does not start": {func(w *world) { w.Refuses = "COL0 < 2" }, "application app did not start, it is READY again: no such function", true, false},
		"it gives no row":   {func(w *world) { w.Silences = "COL0 < 2" }, "of 2 rows owed, 2 are not delivered", true, true},
		"it stops by itself": {func(w *world) {
			w.Silences, w.Before = "COL0 < 2", func(call string) bool {
				if call == "verify" && len(w.Rows) == 0 && slices.Contains(w.Calls, "tick") && !slices.Contains(w.Calls, "force stop") {
					w.Status = "READY"
				}
				return false
			}
		}, "application app has stopped", true, true},
		"the tick is not sent": {func(w *world) { w.Before = denies("produce") }, "invoke producer", true, true},
		"it cannot be told":    {func(w *world) { w.Before = denies("update") }, "set the query of application app", true, false},
		"it cannot be stopped": {func(w *world) { w.Before = denies("stop") }, "stop application app: ", false, false},
		"there is no snapshot": {func(w *world) { w.Before = denies("ListApplicationSnapshots") }, "list the snapshots", false, false},
		"it cannot be started": {func(w *world) { w.Before = denies("start") }, "start application app: ", true, false},
		"it was set before":    {func(w *world) { w.Refuses = "COL0 < 2" }, "is READY again", true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				if name == "it was set before" {
					if _, err := w.sqlRun(t.Context(), strings.Replace(sql, "COL0 < 2", "COL0 < 4", 1), 0); err != nil {
						t.Fatal(err)
					}
				}
				before, told := w.Current(), w.SQL()
				test.world(w)
				r, err := w.sqlRun(t.Context(), sql, 200)
				w.Before = nil
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), before.Pipeline[:12]) {
					t.Fatalf("got error %v, want one with %q", err, test.want)
				}
				now := w.Current()
				if now.Pipeline != before.Pipeline || now.By != before.By || w.SQL() != told || w.Schedule != "ENABLED" || w.Status != "RUNNING" || r.Pipeline != before.Pipeline || r.RolledBack != test.told {
					t.Errorf("after %v: the ledger says %+v, the schedule is %s, the application %s, the result %+v", w.Calls, now, w.Schedule, w.Status, r)
				}
				if all := strings.Join(r.Did, " "); !strings.HasSuffix(all, "Schedule ticks is enabled again.") || test.told != strings.Contains(all, "again, from the snapshot of the pause") {
					t.Errorf("said %q", r.Did)
				}
				if !now.Drained.IsZero() || len(now.Epochs) != len(before.Epochs) {
					t.Errorf("drained %s, with the epochs %+v", now.Drained, now.Epochs)
				}
				if (len(now.Rollbacks) == 1) != test.trial {
					t.Fatalf("rollbacks are %+v", now.Rollbacks)
				}
				if last := w.Restored; test.told && len(last) > 0 && (!strings.Contains(last[len(last)-1], `"SnapshotName":"`+stacktest.Snapshot+`"`) || strings.Contains(last[len(last)-1], "true")) {
					t.Errorf("the old query was started from %s, want the snapshot of the pause", last[len(last)-1])
				}
				for key, o := range w.Objects {
					if !strings.HasPrefix(key, ledger.TicksPrefix) {
						continue
					}
					tick, err := ledger.DecodeTick(o.Body)
					if err != nil {
						t.Fatal(err)
					}
					if by, ok := now.RolledBack(tick.Pipeline, tick.ClaimedAt); !ok || by != before.Pipeline {
						t.Errorf("the tick of %s, claimed for %s, is judged by %q: %+v", tick.Time, tick.Pipeline, by, now.Rollbacks)
					}
				}
				// Then all can be done again.
				w.Refuses, w.Silences = "", ""
				time.Sleep(10 * time.Second)
				if _, err := w.sqlRun(t.Context(), sql, 200); err != nil || w.SQL() != sql || w.Schedule != "ENABLED" {
					t.Errorf("again: %v", err)
				}
			})
		})
	}
}

// denies refuses a call once.
func denies(call string) func(string) bool {
	denied := false
	return func(name string) bool {
		if name != call || denied {
			return false
		}
		denied = true
		return true
	}
}

// TestChangeIsInterrupted: wherever it is, what runs is the old query or the new one, and it is said which.
func TestChangeIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"DISABLED", "verify", "stop", "ListApplicationSnapshots", "update", "start", "produce"} {
		t.Run(at, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				before := w.Current()
				ctx, cancel := context.WithCancel(t.Context())
				w.Before = func(call string) bool {
					if call == at {
						cancel()
					}
					return false
				}
				_, err := w.sqlRun(ctx, sql, 200)
				w.Before = nil
				if err == nil || !strings.HasPrefix(err.Error(), "interrupted: ") || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), before.Pipeline[:12]) {
					t.Fatalf("got error %v", err)
				}
				if now := w.Current(); now.Pipeline != before.Pipeline || w.SQL() != "" || w.Schedule != "ENABLED" || w.Status != "RUNNING" {
					t.Errorf("after %v: the ledger says %+v, the schedule is %s, the application %s", w.Calls, now, w.Schedule, w.Status)
				}
				time.Sleep(10 * time.Second)
				if _, err := w.sqlRun(t.Context(), sql, 200); err != nil || w.SQL() != sql {
					t.Errorf("again: %v", err)
				}
			})
		})
	}
}

// TestFaultyQuery changes nothing.
func TestFaultyQuery(t *testing.T) {
	t.Parallel()
	legacy := `CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (COL0 integer, COL3 integer, COL4 real, COL18 real);
CREATE OR REPLACE PUMP P AS INSERT INTO "DESTINATION_SQL_STREAM" SELECT STREAM COL0, COL3, COL4, COL18 FROM "SOURCE_SQL_STREAM_001";
`
	refused := flink.Fault{Line: 2, Column: 4, Message: "Flink says no"}
	for name, test := range map[string]struct {
		change func(sql string) string
		plan   []flink.Fault
		want   string
		faults string
	}{
		"a fault of the dialect": {func(string) string { return strings.Replace(legacy, "COL3, COL4", "COLX, COL4", 1) }, nil, "query.sql has 1 fault: nothing was changed", "2:"},
		"one that Flink finds":   {func(sql string) string { return sql }, []flink.Fault{refused}, "query.sql has 1 fault", `2:4: Flink says no ""`},
		"one in the translation": {func(string) string { return legacy }, []flink.Fault{refused}, "query.sql has 1 fault", `2:4: Flink says no "  `},
		"too long":               {func(sql string) string { return sql + strings.Repeat("-- é\n", 30_000) }, nil, "query.sql has 1 fault", "1:1: the SQL has 150438 characters as Flink runs it"},
		"no UTF-8":               {func(sql string) string { return sql + "-- \xff" }, nil, "query.sql is not UTF-8", ""},
		"nothing":                {func(string) string { return "" }, nil, "query.sql has 1 fault", "1:1: there is no statement"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				before := len(w.Objects)
				r, err := w.sqlRun(t.Context(), test.change(sql), 200, test.plan...)
				var input *InputError
				if !errors.As(err, &input) || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("got error %v, want an InputError with %q", err, test.want)
				}
				if len(w.Calls) > 0 || len(w.Objects) != before {
					t.Errorf("after %v, %d objects stand there", w.Calls, len(w.Objects))
				}
				var faults []string
				if r != nil {
					for _, f := range r.Faults {
						faults = append(faults, fmt.Sprintf("%d:%d: %s %q", f.Line, f.Column, f.Message, f.Translated))
					}
				}
				if !strings.HasPrefix(strings.Join(faults, "\n"), test.faults) || (test.faults == "") != (len(faults) == 0) {
					t.Errorf("got faults %q, want %q", faults, test.faults)
				}
			})
		})
	}
}

// TestChangeOfColumns: they may be any, unless a transform reads them.
func TestChangeOfColumns(t *testing.T) {
	t.Parallel()
	for _, transform := range []string{"none", "JSON"} {
		t.Run(transform, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				w.Transform = transform
				sql = strings.Replace(sql, "COL3  INTEGER", "COL3 BIGINT", 1)
				_, err := w.sqlRun(t.Context(), sql, 0)
				if transform == "none" {
					if err != nil || w.SQL() != sql {
						t.Errorf("got %v", err)
					}
					return
				}
				if input := (*InputError)(nil); !errors.As(err, &input) || !strings.Contains(err.Error(), "its rows have the columns (COL0 INTEGER, COL3 BIGINT") || len(w.Calls) > 0 {
					t.Errorf("got %v after %v", err, w.Calls)
				}
			})
		})
	}
}

// TestChangeFromAQueryThatIsNotJudged is clean once its ticks' deadline is over, and so is that of what Firehose held
// when the application stopped. Forced, it does not wait, and is not clean.
func TestChangeFromAQueryThatIsNotJudged(t *testing.T) {
	t.Parallel()
	for _, force := range []bool{false, true} {
		t.Run(fmt.Sprint(force), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world, sql string) {
				window := strings.Replace(sql, "WHERE COL0 < 2", "GROUP BY COL0, COL3, COL4, COL18", 1)
				w.NotJudged = "GROUP BY"
				r, err := w.sqlRun(t.Context(), window, 1)
				if err != nil || r.Judged {
					t.Fatalf("got %+v, %v", r, err)
				}
				began := time.Now()
				if _, err = w.operator().ChangeQuery(t.Context(), NewQuery{
					Name: "query.sql", SQL: []byte(sql), Force: force,
					Plan: func(context.Context, []byte, string) ([]flink.Fault, error) { return nil, nil },
				}); err != nil {
					t.Fatal(err)
				}
				e := w.Current().Epochs
				if len(e) != 2 || e[0].Drained.IsZero() || e[1].Drained.IsZero() != force || !e[1].From.After(e[0].From) {
					t.Errorf("the epochs are %+v", e)
				}
				if took := time.Since(began); !force && took < 2*time.Minute || took > 4*time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// TestChangeKeepsTheSchedule: the schedule stays as it was, however the change ends.
func TestChangeKeepsTheSchedule(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"ENABLED", "DISABLED"} {
		for _, ends := range []string{"resume", "sql run", "interrupted", "UNDECIDED"} {
			t.Run(before+", "+ends, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world, sql string) {
					w.Schedule = before
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					switch ends {
					case "interrupted":
						w.Before = func(call string) bool {
							if call == "update" {
								cancel()
							}
							return false
						}
					case "UNDECIDED":
						w.Put(ledger.TickKey(time.Unix(0, 0)), nil)
						w.Undecided = true
					default: // killed when the change is written down
						w.Before = func(call string) bool {
							if call == "update" {
								w.DiesAfter = 1
							}
							return false
						}
					}
					_, err := w.sqlRun(ctx, sql, 0)
					w.Before, w.DiesAfter = nil, 0
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
					if err != nil || w.Schedule != before || w.Current().Change != nil {
						t.Errorf("got %v, the schedule is %s and was %s, the ledger says %+v", err, w.Schedule, before, w.Current())
					}
				})
			})
		}
	}
}
