package report_test

import (
	"strings"
	"testing"
	"time"

	"streamproof/internal/golden"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// epochs is a report of a query, of a window, of one that was rolled back, and of a query of other columns.
func epochs() *report.Report {
	r := proven(30)
	at := func(minutes int) time.Time { return judged.Add(time.Duration(minutes) * time.Minute) }
	hash := func(digit string) []string { return []string{strings.Repeat(digit, 64)} }
	r.Epochs = []report.Epoch{
		{Pipelines: hash("1"), Until: at(-20), First: at(-30), Last: at(-21), Ticks: 10, Records: 10000, Acknowledged: 10000, Counts: &proof.Counts{Owed: 5060, Delivered: 5060}},
		{
			Pipelines: hash("3"), From: at(-20), Until: at(-10), Clean: true, First: at(-19), Last: at(-11), Ticks: 12, Records: 12000, Acknowledged: 11999,
			NotJudged: "the verifier cannot reproduce Flink's result: pipeline.sql:3:32: a window (TUMBLE), which is computed over several rows",
			Seen:      &report.Seen{Rows: 40, Broken: 1, Rejects: 2, First: at(-18), InTime: true},
		},
		{Pipelines: hash("4"), From: at(-10), Until: at(-9), NotJudged: "it failed and was rolled back", RolledBack: true, Seen: &report.Seen{Rows: 7}},
		{Pipelines: []string{"<script>\x1b[31m"}, From: at(-10), Current: true, First: at(-8), Last: at(-1), Ticks: 8, Records: 8000, Acknowledged: 8000, Counts: &proof.Counts{Owed: 8000, Delivered: 7998, Missing: 1, InFlight: 1}},
	}
	r.Verdict, r.Reasons = proof.NotProven, []string{"missing: 1 rows owed by settled ticks are in no object"}
	r.Counts = proof.Counts{Owed: 13060, Delivered: 13058, Missing: 1, InFlight: 1}
	return r
}

func TestLastLineSaysWhatIsNotJudged(t *testing.T) {
	t.Parallel()
	r := epochs()
	const not = "; not judged: 12 ticks of pipeline 333333333333 (a window (TUMBLE)), 7 rows of pipeline 444444444444 (rolled back)"
	if got := r.LastLine(); !strings.HasPrefix(got, "NOT PROVEN: owed 13060, ") || !strings.HasSuffix(got, ", foreign 0"+not) {
		t.Errorf("got %s", got)
	}
	r.Partial, r.Verdict = true, proof.Undecided
	if got, want := r.LastLine(), "UNDECIDED: counted so far: owed 13060, delivered 13058, rejects 0, failed 0, duplicated 0, corrupt 0, leaked 0, unexpected 0"+not; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if page := html(t, r); strings.Contains(page, `id="rows"`) {
		t.Error("the page has a table of counts that were not finished")
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	const window = "not judged (a window (TUMBLE)): "
	tests := []struct {
		change func(e *report.Epoch)
		want   string
	}{
		{func(*report.Epoch) {}, window + "11,999 records of 12 ticks acknowledged; 40 rows found, 1 broken line, 2 rejects; some came within the deadline"},
		{func(e *report.Epoch) { e.Seen = &report.Seen{Rows: 1} }, window + "11,999 records of 12 ticks acknowledged; 1 row found; none came within the deadline"},
		{func(e *report.Epoch) { e.Seen = &report.Seen{Failures: 2} }, window + "11,999 records of 12 ticks acknowledged; 0 rows found, 2 failed rows; nothing came within the deadline"},
		{func(e *report.Epoch) { e.Seen, e.TicksUnsettled = &report.Seen{}, 1 }, window + "11,999 records of 12 ticks acknowledged; 0 rows found; the deadline is not over"},
		{func(e *report.Epoch) { e.Seen, e.Counts = nil, &proof.Counts{Owed: 2, Delivered: 2} }, "2 rows owed: all as owed"},
		{func(e *report.Epoch) {
			e.Seen, e.Counts = nil, &proof.Counts{Owed: 9, Delivered: 5, Missing: 1, Undecided: 2, InFlight: 1}
		}, "9 rows owed: 1 missing, 2 undecided, 1 in flight"},
	}
	for _, test := range tests {
		e := epochs().Epochs[1]
		test.change(&e)
		if got := e.Outcome(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestHTMLOfEpochs(t *testing.T) {
	t.Parallel()
	page := html(t, epochs())
	golden.Check(t, "testdata/epochs.html", page)
	elements(t, page)
	if strings.Contains(page, "<script>") || strings.Contains(page+epochs().Epochs[3].Name(), "\x1b") {
		t.Error("the hash of a pipeline is written as it is")
	}
	r := epochs()
	r.Verdict, r.Epochs = proof.Undecided, r.Epochs[:2]
	r.Epochs[1].Current = true
	if page := html(t, r); !strings.Contains(page, "The current query is not judged.") || !strings.Contains(page, "sql run pipeline/pipeline.sql") || !strings.Contains(page, `id="rows"`) {
		t.Error("the page does not say why there is no verdict, or not what is known")
	}
}

func TestAddToEpoch(t *testing.T) {
	t.Parallel()
	var e report.Epoch
	e.Add(judged, 10, []ledger.Range{{First: 0, Last: 6, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}, {First: 7, Last: 9, Outcome: ledger.Unknown, Hi: 1}}, false)
	e.Add(judged.Add(-time.Minute), 5, nil, true)
	if e.Ticks != 2 || e.TicksCrashed != 1 || e.Records != 15 || e.Acknowledged != 7 || !e.Last.Equal(judged) || !e.First.Before(judged) {
		t.Errorf("got %+v", e)
	}
}
