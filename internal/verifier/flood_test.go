package verifier

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// TestMemoryLimitChangesNoVerdict: whatever is under the prefixes, a verification that holds one foreign row at a
// time says what one says that holds all of them.
func TestMemoryLimitChangesNoVerdict(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t, p, 30, 12)
		l.now = minute(rapid.IntRange(0, 90).Draw(t, "now"))
		// Foreign rows, rows that the query leaves out, and well-formed lines among the rejects, sent or not.
		sent := l.tick(p, minute(3), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
		l.keep(sent, minute(3))
		lines := sentLines(t, p, sent)
		for i := range rapid.IntRange(0, 9).Draw(t, "foreign") {
			at := minute(rapid.IntRange(0, 40).Draw(t, "at"))
			line := rapid.SampledFrom(lines).Draw(t, "line")
			f := strings.Split(line, ",")
			l.objects[key("data/", at, 1000+i)] = lifeObject{data: fmt.Sprintf("%s,%s,%s.0,%s\n4,%d,1.0,1.0\n", f[0], f[3], f[4], f[18], i), written: at}
			f[0] = fmt.Sprint(i)
			l.objects[key("data-errors/", at, 1000+i)] = lifeObject{data: rejected(line) + rejected(strings.Join(f, ",")), written: at}
		}
		judge := func(hold, parts int) *report.Report {
			opts := lifeOpts
			opts.hold, opts.parts = hold, parts
			r, _ := judgeFrom(t.Context(), l, opts, nil, nil)
			return r
		}
		if diff := same(judge(1, rapid.IntRange(1, 3).Draw(t, "parts")), judge(0, 1)); diff != "" {
			t.Fatalf("holding one row at a time (-), all (+):\n%s", diff)
		}
	})
}

// sentLines are the lines of a tick's records.
func sentLines(t *rapid.T, p *pipeline.Pipeline, tick *ledger.Tick) (lines []string) {
	g, err := generator.New(p, tick.Seed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tick.Records {
		line := g.Append(nil, generator.Tick{Time: tick.Time, Records: tick.Records, Spread: 5 * time.Second}, i)
		lines = append(lines, strings.TrimSuffix(string(line), "\n"))
	}
	return lines
}

func rejected(line string) string {
	return `{"reason":"r","column":null,"data":"` + base64Of(line) + `","shard":"s","sequence_number":"1","arrival_time":"2026-11-22T00:00:00.000Z"}` + "\n"
}

// TestManyReasonsOfRejects: however many reasons there are, a report and a state tell a hundred, and count the rest.
func TestManyReasonsOfRejects(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	l := newLife(p)
	l.now = minute(60)
	tick := l.tick(p, minute(0), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
	l.keep(tick, minute(0))
	rows, _ := output(p, tick)
	l.objects[key("data/", minute(1), 1)] = lifeObject{data: strings.Join(rows, ""), written: minute(1)}
	const flood = 5000
	var b strings.Builder
	for i := range flood {
		fmt.Fprintf(&b, `{"reason":"reason %d %s","column":null,"data":"eA==","shard":"s","sequence_number":"1","arrival_time":"2026-11-22T00:00:00.000Z"}`+"\n", i, strings.Repeat("é", 1000))
	}
	l.objects[key("data-errors/", minute(1), 1)] = lifeObject{data: b.String(), written: minute(1)}
	r, next := judgeFrom(t.Context(), l, lifeOpts, nil, nil)
	if r.Verdict != proof.Proven || r.Counts.Foreign != flood {
		t.Fatalf("got %s %v, want PROVEN with %d foreign lines", r.LastLine(), r.Reasons, flood)
	}
	var total int64
	for _, one := range r.Rejects {
		total += one.Count
	}
	if len(r.Rejects) != maxRejectReasons+1 || total != flood {
		t.Errorf("got %d reasons of %d lines, want %d of %d", len(r.Rejects), total, maxRejectReasons+1, flood)
	}
	data, err := next.encode()
	if err != nil || len(data) > 20_000 {
		t.Errorf("the state has %d bytes (%v)", len(data), err)
	}
	// The next increment goes on with the same reasons.
	l.now = minute(70)
	again, _ := judgeFrom(t.Context(), l, lifeOpts, next, nil)
	if diff := gocmp.Diff(again.Rejects, r.Rejects); diff != "" {
		t.Errorf("an increment's rejects (-got +want):\n%s", diff)
	}
}
