package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/golden"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

var judged = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// ticks makes n ticks, a minute apart. The last one is not settled.
func ticks(n int) []report.Tick {
	all := make([]report.Tick, n)
	for i := range all {
		t := report.Tick{Tick: judged.Add(time.Duration(i-n) * time.Minute), State: ledger.Complete, Records: 1000, Owed: 506 + int64(i%7), Rejects: 1}
		t.Delivered = t.Owed - t.Rejects
		all[i] = t
	}
	return all
}

// broken is a report with something in every class.
func broken() *report.Report {
	at := judged.Add(-20 * time.Minute)
	r := &report.Report{
		Version: report.Version, Verdict: proof.NotProven, JudgedAt: judged, Bucket: "s3://bucket", Prefix: "ingestion-kinesis/",
		Reasons: []string{"3 rows are missing.", "2 rows failed.", "7 rows arrived more often than owed."},
		Key:     "reports/2026/01/02/20260102T030405Z.json",
		Covers: report.Coverage{
			From: judged.Add(-30 * time.Minute), To: judged.Add(-time.Minute), Ticks: 30, TicksUnsettled: 1, TicksCrashed: 1, Records: 30000,
			Objects: 61, Rows: 15260, Bytes: 412345, ErrorObjects: 2, Pipelines: []string{"0123456789abcdef0123456789abcdef"}, DeliveryDeadlineSeconds: 600,
			ArchivedUntil: judged.Add(-9 * time.Hour),
		},
		Counts: proof.Counts{
			Owed: 15261, Delivered: 15217, Rejects: 30, Recovered: 1, Missing: 3, Failed: 2, Duplicated: 7, Corrupt: 2, Leaked: 1, Unexpected: 1,
			InFlight: 10, Unknown: 4, Late: 12, Foreign: 1,
		},
		Samples: map[proof.Class][]proof.Sample{
			proof.Missing:    {{Row: "1,2025-12-31 23:59:59,2026-01-01 00:09:01,3.0,4.5", Count: 3, Tick: &at}},
			proof.Failed:     {{Row: "2,2025-12-31 23:58:00,2026-01-01 00:01:00,1.0,7.2", Count: 2, Tick: &at, Object: "errors/ingestion-kinesis/processing-failed/2026/01/02/02/x", Line: 3, Reason: "ProcessingFailed"}},
			proof.Duplicated: {{Row: strings.Repeat("4,", 100), Count: 7, Object: "ingestion-kinesis/2026/01/02/02/y", Line: 99}},
			proof.Corrupt:    {{Row: "1,2,3.01,2,\x00\u202e3.0", Count: 1, Object: "ingestion-kinesis/2026/01/02/02/z", Line: 17, Reason: "5 columns, want 4"}},
			proof.Leaked:     {{Row: "1,2025-12-31 23:59:59,2026-01-01 00:09:01,0.0,0.0", Count: 1, Object: "ingestion-kinesis/2026/01/02/02/z", Line: 18}},
			proof.Unexpected: {{Row: "9,9,9,9", Count: 1, Object: "ingestion-kinesis/2026/01/02/02/z", Line: 19}},
			proof.Foreign:    {{Row: `"x"`, Count: 1, Object: "ingestion-kinesis-errors/2026/01/02/02/e", Line: 2, Reason: "wrong number of columns"}},
		},
		LastSeen: []report.Finding{
			{
				Class: proof.Missing, Row: "1,2025-12-31 23:59:59,2026-01-01 00:09:01,3.0,4.5", Count: 2, Tick: at, Hop: report.InStream, Candidates: 3,
				Text: "in the stream, not among the rejects, not under processing-failed, not in the data: the application has not read it yet, or it was lost there or after Firehose took it; 2 of these 3 records, which give equal rows",
				Records: []report.Record{
					{Index: 17, PartitionKey: "0123456789abcdef", Outcome: ledger.Acknowledged, Places: []report.Place{{Shard: "shardId-000000000001", SequenceNumber: "49650000000000000000000000000000000000000000000000000007"}}},
					{Index: 18, PartitionKey: "fedcba9876543210", Outcome: ledger.Acknowledged, Places: []report.Place{{
						Shard: "shardId-000000000000", SequenceNumber: "49650000000000000000000000000000000000000000000000000008",
						Aggregate: &report.Aggregate{PartitionKey: "5ca1ab1e00000000", Position: 3, Records: 120},
					}}},
				},
			},
			{
				Class: proof.Missing, Row: "1,2025-12-31 23:59:59,2026-01-01 00:09:01,3.0,4.5", Count: 1, Tick: at, Hop: report.NotInStream, Candidates: 1,
				Text: "not in the stream although acknowledged", Records: []report.Record{{Index: 40, PartitionKey: "89abcdef01234567", Outcome: ledger.Acknowledged}},
			},
		},
		Rejects: []report.Rejects{
			{Prefix: "ingestion-kinesis-errors/", Reason: "wrong number of columns", Count: 21},
			{Prefix: "ingestion-kinesis-errors/", Reason: "not an integer", Count: 10},
			{Prefix: "errors/ingestion-kinesis/processing-failed/", Reason: "ProcessingFailed", Count: 2},
		},
		Ticks: ticks(30),
		Delay: report.Delay{
			Rows: 15247, P50: 41, P95: 74, Max: 640, LateMax: 40,
			Histogram: []report.Bucket{{10, 12}, {20, 700}, {30, 2600}, {40, 4200}, {60, 5900}, {90, 1800}, {120, 20}, {300, 3}, {600, 0}, {900, 12}},
		},
		Shards:   map[string]int64{"shardId-000000000001": 14890, "shardId-000000000000": 15110},
		Accepted: []report.Accepted{{Class: proof.Duplicated, Count: 6, Named: 6, Used: 5, UsedUp: 1, Until: judged.Add(-time.Hour), At: judged.Add(-30 * time.Minute), Who: "ada", Reason: "restart for version 4", Rows: []ledger.AcceptedRow{{Row: "1,5,3,9.8", Count: 5}}}},

		DuplicatesAllowed: 1,
	}
	r.Ticks[9].Delivered, r.Ticks[9].Missing = r.Ticks[9].Delivered-3, 3
	r.Ticks[12].Delivered, r.Ticks[12].Failed = r.Ticks[12].Delivered-2, 2
	r.Ticks[29].Delivered, r.Ticks[29].InFlight = r.Ticks[29].Delivered-10, 10
	return r
}

func proven(n int) *report.Report {
	r := &report.Report{
		Version: report.Version, Verdict: proof.Proven, JudgedAt: judged, Bucket: "s3://bucket", Prefix: "ingestion-kinesis/",
		Covers: report.Coverage{Ticks: n, Records: int64(n) * 1000, Objects: n, DeliveryDeadlineSeconds: 600},
		Ticks:  ticks(n),
		Counts: proof.Counts{Owed: int64(n) * 506, Delivered: int64(n) * 506},
	}
	if n > 0 {
		r.Covers.From, r.Covers.To = r.Ticks[0].Tick, r.Ticks[n-1].Tick
	}
	return r
}

func html(t *testing.T, r *report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTML(t *testing.T) {
	t.Parallel()
	golden.Check(t, "testdata/not-proven.html", html(t, broken()))
}

func TestHTMLSentence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		verdict proof.Verdict
		counts  proof.Counts
		want    string
	}{
		{proof.Proven, proof.Counts{Owed: 1518, Delivered: 1518}, "1,518 rows owed, delivered exactly as often as owed."},
		{proof.Proven, proof.Counts{Owed: 1, Delivered: 1}, "1 row owed, delivered exactly as often as owed."},
		{proof.Proven, proof.Counts{Owed: 12, Delivered: 10, Rejects: 2}, "12 rows owed, delivered exactly as often as owed, or rejected if malformed on purpose."},
		{proof.Proven, proof.Counts{Owed: 1518, Delivered: 1509, Recovered: 1, InFlight: 10}, "1,518 rows owed: 1,508 delivered exactly as often as owed, 10 still in flight."},
		{proof.NotProven, proof.Counts{Owed: 1518, Delivered: 1515, Missing: 3}, "3 rows of 1,518 are missing."},
		{proof.NotProven, proof.Counts{Owed: 1518, Delivered: 1517, Missing: 1}, "1 row of 1,518 is missing."},
		{proof.NotProven, proof.Counts{Owed: 9, Delivered: 8, Failed: 1}, "1 row of 9 failed on the way and can be recovered."},
		{proof.NotProven, proof.Counts{Owed: 9, Delivered: 9, Duplicated: 2}, "2 rows arrived more often than owed."},
		{proof.NotProven, proof.Counts{Owed: 9, Delivered: 9, Corrupt: 1}, "1 line is broken."},
		{proof.NotProven, proof.Counts{Owed: 9, Delivered: 9, Leaked: 2}, "2 rows should have been filtered out."},
		{proof.NotProven, proof.Counts{Owed: 9, Delivered: 9, Unexpected: 1}, "1 row found that no sent record explains."},
		{proof.NotProven, proof.Counts{Owed: 9, Delivered: 7, Missing: 1, Failed: 1, Corrupt: 2}, "9 rows owed: 1 missing, 1 failed, 2 corrupt."},
		{proof.Undecided, proof.Counts{}, "Nothing is owed yet, so there is no verdict."},
	}
	for _, test := range tests {
		_, rest, _ := strings.Cut(html(t, &report.Report{Verdict: test.verdict, Counts: test.counts}), `<p class="sentence">`)
		if got, _, _ := strings.Cut(rest, "</p>"); got != test.want {
			t.Errorf("%s %+v: got %q, want %q", test.verdict, test.counts, got, test.want)
		}
	}
	accepted := &report.Report{
		Verdict: proof.Proven, Counts: proof.Counts{Owed: 10, Delivered: 9, Missing: 1, Duplicated: 2}, DuplicatesAllowed: 5,
		Accepted: []report.Accepted{{Class: proof.Missing, Count: 3, Used: 1}},
	}
	if got := html(t, accepted); !strings.Contains(got, "10 rows owed, and 3 findings accepted or allowed.") || strings.Contains(got, `id="next"`) || strings.Contains(got, `class="fails"`) {
		t.Errorf("got a page that holds against the verdict what was accepted: %s", got)
	}
	accepted.Verdict, accepted.Counts.Missing = proof.NotProven, 2
	if got := html(t, accepted); !strings.Contains(got, "1 row of 10 is missing. Also, 3 findings are accepted or allowed.") || !strings.Contains(got, `class="fails"`) {
		t.Errorf("got a page that does not tell what is accepted from what is not: %s", got)
	}
	undecided := html(t, &report.Report{Verdict: proof.Undecided, Reasons: []string{"the object x cannot be read"}})
	for _, want := range []string{"The data could not be judged", "the object x cannot be read", "streamproof produce"} {
		if !strings.Contains(undecided, want) {
			t.Errorf("got no %q", want)
		}
	}
	if strings.Contains(undecided, `id="rows"`) {
		t.Error("got a table of counts of what was not judged")
	}
}

// elements parses a page strictly, as XML, and returns its elements in their order, with what has to hold of every
// page.
func elements(t *testing.T, page string) []string {
	t.Helper()
	var all []string
	ids := map[string]bool{}
	var labelled []string
	for d := xml.NewDecoder(strings.NewReader(page)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page does not parse: %v", err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		all = append(all, e.Name.Local)
		switch e.Name.Local {
		case "script", "link", "img", "iframe", "object", "embed", "base", "form", "a", "image", "use":
			t.Errorf("got a %s, want a page that refers to nothing", e.Name.Local)
		}
		for _, a := range e.Attr {
			switch name := a.Name.Local; {
			case name == "id" && ids[a.Value]:
				t.Errorf("the id %s stands twice", a.Value)
			case name == "id":
				ids[a.Value] = true
			case name == "aria-labelledby":
				labelled = append(labelled, a.Value)
			case name == "src", name == "href", name == "srcset", strings.HasPrefix(name, "on"), strings.Contains(a.Value, "://"):
				t.Errorf("%s: got the attribute %s=%q", e.Name.Local, name, a.Value)
			}
		}
	}
	for _, id := range labelled {
		if !ids[id] {
			t.Errorf("nothing has the id %s, which labels a section", id)
		}
	}
	return all
}

func TestHTMLStandsAlone(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*report.Report{
		"broken": broken(), "none": {}, "1 tick": proven(1), "1,440 ticks": proven(1440), "no tick": proven(0),
		"undecided": {Verdict: proof.Undecided, Reasons: []string{"x"}},
	} {
		page := html(t, r)
		got := map[string]int{}
		for _, e := range elements(t, page) {
			got[e]++
		}
		if got["h1"] != 1 || got["table"] != got["thead"] || got["figure"] != got["figcaption"] || got["svg"] != 2*got["figure"] {
			t.Errorf("%s: got %v", name, got)
		}
		for _, forbidden := range []string{"url(", "@import", "font-family:'", "rgb("} {
			if strings.Contains(page, forbidden) {
				t.Errorf("%s: got %s in the page", name, forbidden)
			}
		}
		if n := strings.Count(page, `aria-label="`); n < got["figure"] {
			t.Errorf("%s: got %d words for %d charts", name, n, got["figure"])
		}
	}
}

// TestHTMLEscapes: the page has the same elements for any text.
func TestHTMLEscapes(t *testing.T) {
	t.Parallel()
	with := func(text string) *report.Report {
		at := judged
		r := proven(2)
		r.Verdict, r.Bucket, r.Prefix, r.Key, r.Reasons = proof.NotProven, text, text, text, []string{text}
		r.Counts.Missing = 1
		r.Ticks[0].State, r.Ticks[0].Missing = ledger.State(text), 1
		r.Covers.Pipelines = []string{text}
		r.Samples = map[proof.Class][]proof.Sample{proof.Missing: {{Row: text, Count: 1, Tick: &at, Object: text, Line: 1, Reason: text}}}
		r.Rejects = []report.Rejects{{Prefix: text, Reason: text, Count: 1}}
		r.Shards = map[string]int64{text: 1}
		r.Accepted = []report.Accepted{{Class: proof.Class(text), Reason: text, Who: text}}
		return r
	}
	want := elements(t, html(t, with("text")))
	for _, text := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onload='alert(1)`, `</td></table></style></main>`, `{{.}}`,
		`<!--`, `]]>`, `&lt;b&gt;`, "\x00\xff\u202e\u2028", strings.Repeat("x", 5000),
	} {
		page := html(t, with(text))
		if diff := cmp.Diff(want, elements(t, page)); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", text, diff)
		}
		if strings.ContainsAny(page, "\x00\u202e\u2028") {
			t.Errorf("%q: got an invisible character", text)
		}
	}
}

func TestHTMLOfMuch(t *testing.T) {
	t.Parallel()
	r := proven(1440)
	r.Covers.Ticks = 3000
	r.Verdict, r.Counts.Missing = proof.NotProven, 1440
	for i := range r.Ticks {
		r.Ticks[i].Missing = 1
	}
	samples := make([]proof.Sample, 5000)
	for i := range samples {
		samples[i] = proof.Sample{Row: strings.Repeat("9", 10000), Count: 1}
	}
	r.Samples = map[proof.Class][]proof.Sample{proof.Missing: samples}
	r.Rejects = make([]report.Rejects, 500)
	page := html(t, r)
	if n := len(page); n > 200_000 {
		t.Errorf("got %d bytes, want a page that opens at once", n)
	}
	for _, want := range []string{"The last 1,440 of 3,000 ticks.", "Each bar is up to 15 ticks.", "And 1,430 more ticks", "And 4,990 more samples", "And 480 more reasons"} {
		if !strings.Contains(page, want) {
			t.Errorf("got no %q", want)
		}
	}
}

// TestHTMLContrast: text is readable in both modes (WCAG 2.1, AA: 4.5 to 1 for text, 3 to 1 for graphics).
func TestHTMLContrast(t *testing.T) {
	t.Parallel()
	page := html(t, proven(1))
	light := map[string]string{}
	dark := map[string]string{}
	first, second, _ := strings.Cut(page, "prefers-color-scheme: dark")
	for mode, text := range map[*map[string]string]string{&light: first, &dark: second} {
		for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]{6})`).FindAllStringSubmatch(text, -1) {
			(*mode)[m[1]] = m[2]
		}
	}
	for _, mode := range []map[string]string{light, dark} {
		for _, pair := range []struct {
			fore, back string
			least      float64
		}{
			{"text", "page", 4.5}, {"text", "card", 4.5}, {"dim", "page", 4.5}, {"dim", "card", 4.5}, {"bad", "card", 4.5},
			{"on", "good", 4.5}, {"on", "wrong", 4.5}, {"on", "open", 4.5},
			{"delivered", "card", 3}, {"flight", "card", 3}, {"failed", "card", 3},
		} {
			a, b := luminance(t, mode[pair.fore]), luminance(t, mode[pair.back])
			if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < pair.least {
				t.Errorf("%s %s on %s %s: got a contrast of %.2f, want %.1f", pair.fore, mode[pair.fore], pair.back, mode[pair.back], got, pair.least)
			}
		}
	}
}

func luminance(t *testing.T, color string) float64 {
	t.Helper()
	var rgb [3]uint8
	if _, err := fmt.Sscanf(color, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatalf("%q: %v", color, err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(rgb[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
