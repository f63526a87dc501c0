package operate

import (
	"strings"
	"testing"
)

// TestMend: resume restores the ledger's query if somebody else set another, or if an older version, which recorded no
// change, left one.
func TestMend(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, sql string) {
		if err := w.Open().SetQuery(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		w.Schedule = "DISABLED"
		status, err := w.Open().Status(t.Context())
		if err != nil || status.Query.Agrees || !strings.Contains(status.Query.Problem, "`streamproof resume`") {
			t.Fatalf("got %+v, %v, want a status that says so", status, err)
		}
		q, err := w.Open().Query(t.Context())
		if err != nil || q.Agrees() || !strings.Contains(q.Problem(), "`streamproof resume`") {
			t.Fatalf("got %v, %v, want that the application is set to another query", q.Problem(), err)
		}
		w.Calls = nil
		if _, err := w.operator().Pause(t.Context(), false); err == nil ||
			!strings.Contains(err.Error(), "the application is set to another query") || len(w.Calls) > 0 {
			t.Errorf("pause: %v after %v", err, w.Calls)
		}
		o, err := w.resume(t)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(w.Calls, ", "), "stop, update, start, ENABLED"; got != want || !strings.Contains(o.Did[0], "was set to another query") {
			t.Errorf("got %s, %q, want %s", got, o.Did, want)
		}
		w.checkResumed(t, "resumed", "ENABLED")
		w.Calls = nil
		if _, err := w.resume(t); err != nil || len(w.Calls) > 0 {
			t.Errorf("again: %v after %v", err, w.Calls)
		}
	})
}
