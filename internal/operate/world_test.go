package operate

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"streamproof/internal/local/flink"
	"streamproof/internal/stack/stacktest"
)

// A world is AWS with one stack, and what this package does to it.
type world struct {
	*stacktest.World
	t *testing.T
}

// inWorld runs a test in virtual time. It is given another query than the one that runs.
func inWorld(t *testing.T, test func(t *testing.T, w *world, sql string)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, sql := newWorld(t)
		test(t, w, sql)
	})
}

func newWorld(t *testing.T) (w *world, sql string) {
	t.Helper()
	aws, p := stacktest.New(t)
	return &world{aws, t}, strings.Replace(string(p.SQL), "COL0 < 3", "COL0 < 2", 1)
}

func (w *world) clone(t *testing.T) *world { return &world{w.Clone(t), t} }

func (w *world) operator() *Operator { return &Operator{Stack: w.Open()} }

// sqlRun changes the query, which Flink plans with these faults.
func (w *world) sqlRun(ctx context.Context, sql string, records int, faults ...flink.Fault) (*Change, error) {
	w.t.Helper()
	w.Calls, w.Restored = nil, nil
	return w.operator().ChangeQuery(ctx, NewQuery{
		Name: "query.sql", SQL: []byte(sql), Records: records,
		Plan: func(context.Context, []byte, string) ([]flink.Fault, error) { return faults, nil },
	})
}

func (w *world) resume(t *testing.T) (*Result, error) {
	t.Helper()
	return w.operator().Resume(t.Context())
}

// agrees reports whether the application is set to the query that the ledger names.
func (w *world) agrees() bool {
	current := w.Current()
	if current.Pipeline == current.Deployed {
		return w.SQL() == ""
	}
	p, err := w.Open().Book().Pipeline(w.t.Context(), current.Pipeline)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.SQL() == string(p.SQL) // it is Flink SQL already
}

// checkSound fails if a tick could be produced for another query than the one that would read it.
func (w *world) checkSound(t *testing.T, when string) {
	t.Helper()
	if w.Current().Change == nil && !w.agrees() {
		t.Errorf("%s: ticks are produced for pipeline %.12s, and the application runs %q", when, w.Current().Pipeline, w.SQL())
	}
}

// checkResumed fails if a stack does not run as it should after a resume.
func (w *world) checkResumed(t *testing.T, when, schedule string) {
	t.Helper()
	now := w.Current()
	if !w.agrees() || now.Change != nil || w.Status != "RUNNING" || w.Schedule != schedule {
		t.Errorf("%s: after %v, the ledger says %+v, the application is %s with %q, the schedule %s, want %s", when, w.Calls, now, w.Status, w.SQL(), w.Schedule, schedule)
	}
	status, err := w.Open().Query(t.Context())
	if err != nil || status.Problem() != "" {
		t.Errorf("%s: %v, %v", when, status.Problem(), err)
	}
}
