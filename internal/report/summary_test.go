package report_test

import (
	"testing"

	"streamproof/internal/proof"
	"streamproof/internal/report"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	r := &report.Report{Verdict: proof.NotProven, Counts: proof.Counts{Owed: 10, Delivered: 7, Missing: 3}}
	s := r.Summary()
	if want := "3 rows of 10 are missing."; s.Tone != "wrong" || s.Sentence != want {
		t.Errorf("got %s, %q, want wrong, %q", s.Tone, s.Sentence, want)
	}
	if len(s.Next) != 1 || s.Next[0].Class != "missing" || s.Next[0].Count != 3 {
		t.Errorf("got the steps %+v, want one about 3 missing rows", s.Next)
	}
	if len(s.Balance) == 0 || s.Balance[0] != (report.Line{Name: "owed", Count: 10, Meaning: "copies that must arrive"}) {
		t.Errorf("got the balance %+v, want 10 owed first", s.Balance)
	}
}
