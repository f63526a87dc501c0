package ledger_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"streamproof/internal/ledger"
	"streamproof/internal/ledger/s3test"
)

func TestSetCurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := s3test.New()
		store := ledger.NewStore(s.Client(), "bucket")
		if c, err := store.Current(t.Context()); c != nil || err != nil {
			t.Fatalf("got %+v, %v of an empty bucket, want nothing", c, err)
		}
		first := &ledger.Current{Pipeline: "a", Since: time.Now().UTC(), By: ledger.ByDeploy, Deployed: "a"}
		at, err := store.SetCurrent(t.Context(), first, nil)
		if err != nil || at.IsZero() {
			t.Fatal(at, err)
		}
		seen, err := store.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, seen, cmpopts.IgnoreUnexported(ledger.Current{})); diff != "" {
			t.Errorf("(-written +read)\n%s", diff)
		}
		second := &ledger.Current{Pipeline: "b", Since: time.Now().UTC(), By: ledger.BySQLRun, Deployed: "a"}
		if _, err := store.SetCurrent(t.Context(), second, first); err != nil {
			t.Fatal(err)
		}
		late := &ledger.Current{Pipeline: "c", Since: time.Now().UTC(), By: ledger.BySQLRun, Deployed: "a"}
		for _, over := range []*ledger.Current{nil, seen} {
			if _, err := store.SetCurrent(t.Context(), late, over); err == nil || !strings.Contains(err.Error(), "somebody else has changed it") {
				t.Errorf("got error %v, want that somebody else has changed it", err)
			}
		}
		if seen, err = store.Current(t.Context()); err != nil || seen.Pipeline != "b" {
			t.Errorf("got %+v, %v, want what was written in time", seen, err)
		}
	})
}

// TestSetCurrentLosesAnAnswer checks that the object is written once, whatever happens to the answer.
func TestSetCurrentLosesAnAnswer(t *testing.T) {
	t.Parallel()
	for _, fault := range []s3test.Fault{s3test.DoneThenLost, s3test.DoneThenFailure, s3test.Lost, s3test.Conflict} {
		synctest.Test(t, func(t *testing.T) {
			s := s3test.New()
			s.Fault = func(request int, _ string) s3test.Fault {
				if request == 0 {
					return fault
				}
				return s3test.None
			}
			store := ledger.NewStore(s.Client(), "bucket")
			c := &ledger.Current{Pipeline: "a", Since: time.Now(), By: ledger.ByDeploy, Deployed: "a"}
			if _, err := store.SetCurrent(t.Context(), c, nil); err != nil || s.Writes() != 1 {
				t.Errorf("got %v after %d writes", err, s.Writes())
			}
			next := &ledger.Current{Pipeline: "b", Since: time.Now(), By: ledger.BySQLRun, Deployed: "a"}
			if _, err := store.SetCurrent(t.Context(), next, c); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}

func TestCurrentIsRefused(t *testing.T) {
	t.Parallel()
	const good = `{"version":2,"pipeline":"a","since":"2026-01-02T03:04:05Z","by":"deploy","deployed":"a"}`
	for change, want := range map[string]string{
		`"version":2>"version":3`:                "use a newer streamproof",
		`"by":"deploy">"by":"hand"`:              `by is "hand"`,
		`"deployed":"a">"deployed":"b"`:          "current by a deploy",
		`"pipeline":"a">"pipeline":""`:           "is missing",
		`"deployed":"a">"deployed":"a","more":1`: "unknown field",
		`"deployed":"a">"deployed":"a","epochs":[{"pipeline":"a","from":"2026-01-02T03:04:05Z"},{"pipeline":"b","from":"2026-01-02T03:04:04Z"}]`: "epochs[1]",
		`"deployed":"a">"deployed":"a","epochs":[{"pipeline":"a","from":"2026-01-02T03:04:05Z","drained":"2026-01-02T03:04:06Z"}]`:               "epochs[0]",
		`"deployed":"a">"deployed":"a","rollbacks":[{"failed":"x","from":"2026-01-02T03:04:05Z","until":"2026-01-02T03:04:04Z","judgedBy":"a"}]`: "rollbacks[0]",
		`"deployed":"a">"deployed":"a","rollbacks":[{"failed":"a","from":"2026-01-02T03:04:05Z","until":"2026-01-02T03:04:05Z","judgedBy":"a"}]`: "rollbacks[0]",
	} {
		from, to, _ := strings.Cut(change, ">")
		if _, err := ledger.DecodeCurrent([]byte(strings.Replace(good, from, to, 1))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", change, err, want)
		}
	}
	if c, err := ledger.DecodeCurrent([]byte(good)); err != nil || !json.Valid([]byte(good)) {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestRolledBack(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return time.Date(2026, 1, 2, 3, 4, seconds, 0, time.UTC) }
	c := &ledger.Current{Rollbacks: []ledger.Rollback{
		{Failed: "x", From: at(10), Until: at(20), JudgedBy: "a"},
		{Failed: "x", From: at(30), Until: at(40), JudgedBy: "b"},
	}}
	for _, test := range []struct {
		hash    string
		claimed int
		want    string
	}{{"x", 9, ""}, {"x", 10, "a"}, {"x", 20, "a"}, {"x", 21, ""}, {"x", 35, "b"}, {"a", 15, ""}} {
		got, ok := c.RolledBack(test.hash, at(test.claimed))
		if got != test.want || ok != (test.want != "") {
			t.Errorf("%s claimed at %d: got %q, %t, want %q", test.hash, test.claimed, got, ok, test.want)
		}
	}
	if _, ok := (*ledger.Current)(nil).RolledBack("x", at(10)); ok {
		t.Error("a rollback was reported, and there is none")
	}
}
