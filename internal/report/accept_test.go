package report_test

import (
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
	// Five of the seven duplicates were accepted before, as the report of then had them.
	r.Samples[proof.Duplicated] = append(r.Samples[proof.Duplicated], proof.Sample{Row: "5,5,5,5", Count: 1, Object: "o", Line: 3})
	r.Accepted[0].Rows = []ledger.AcceptedRow{{Row: "5,5,5,5", Count: 1, Object: "o", Line: 3}}
	if _, err := r.Accept(proof.Duplicated, 3, "why", "ada", now); err == nil || err.Error() != "cannot accept 3 duplicated rows: there are 2 that are not accepted yet" {
		t.Errorf("got error %v", err)
	}
	got, err := r.Accept(proof.Duplicated, 2, "why", "ada", now)
	if err != nil {
		t.Fatal(err)
	}
	first := r.Samples[proof.Duplicated][0]
	want := &ledger.Acceptance{
		Class: "duplicated", Count: 2, Until: judged, Reason: "why", Who: "ada", At: now,
		Rows: []ledger.AcceptedRow{{Row: first.Row, Count: 7, Object: first.Object, Line: 99}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := got.Encode(); err != nil {
		t.Error(err)
	}

	// What is in flight may be lost later, and nobody has accepted that: missing are rows that were owed a deadline ago.
	got, err = r.Accept(proof.Missing, 3, "why", "ada", now)
	if err != nil {
		t.Fatal(err)
	}
	lost := r.Samples[proof.Missing][0]
	if !got.Until.Equal(judged.Add(-600*time.Second)) || len(got.Rows) != 1 || got.Rows[0].Row != lost.Row || !got.Rows[0].Tick.Equal(*lost.Tick) {
		t.Errorf("got %+v", got)
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
