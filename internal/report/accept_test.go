package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	r, now := broken(), judged.Add(time.Minute)
	first := r.Samples[proof.Duplicated][0]
	r.Samples[proof.Duplicated] = append(r.Samples[proof.Duplicated], proof.Sample{Row: "5,5,5,5", Count: 1, Object: "o", Line: 3}) // accepted before
	double := proof.Group{Class: proof.Duplicated, Place: proof.Place{Object: first.Object}, ETag: "e", Rows: map[proof.Name]int64{}}
	double.Add(proof.NameOf(first.Row), 2)
	found := []proof.Group{double}
	for _, n := range []int64{1, 3} {
		want := fmt.Sprintf("cannot accept %d duplicated rows: there are 2 that are not accepted yet", n)
		if _, _, err := r.Accept(proof.Duplicated, n, found, "why", "ada", now); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	got, object, err := r.Accept(proof.Duplicated, 2, found, "why", "ada", now)
	if err != nil || object != nil {
		t.Fatalf("got an object of %d bytes, %v", len(object), err)
	}
	want := &ledger.Acceptance{
		Class: "duplicated", Count: 2, Until: judged, Findings: found, Reason: "why", Who: "ada", At: now,
		Rows: []ledger.AcceptedRow{{Row: first.Row, Count: first.Count, Object: first.Object, Line: first.Line}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := got.Encode(); err != nil {
		t.Error(err)
	}
	undecided := &report.Report{Verdict: proof.Undecided, Reasons: []string{"no ledger"}}
	if _, _, err := undecided.Accept(proof.Missing, 1, nil, "why", "ada", now); err == nil || !strings.Contains(err.Error(), "UNDECIDED, so there is nothing to accept: no ledger") {
		t.Errorf("got error %v", err)
	}
}

func TestSeen(t *testing.T) {
	t.Parallel()
	var a report.Accepted
	for i, want := range []string{"", "a", "a; a", "a; a; a", "a; a; a; and 1 other", "a; a; a; and 2 others"} {
		if got := a.Seen(); got != want {
			t.Errorf("%d rows: got %q, want %q", i, got, want)
		}
		a.Rows = append(a.Rows, ledger.AcceptedRow{Row: "a", Count: 1})
	}
}
