package verifier

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
)

// failing is a pipeline that gives what the embedded one does, of other vendors and with something computed.
func failing(t interface{ Fatal(...any) }, column string) *pipeline.Pipeline {
	p := embeddedPipeline()
	sql := strings.Replace(strings.Replace(string(p.SQL), "COL0 < 3", "COL0 > 2", 1), "SELECT COL0, COL3,", "SELECT COL0, "+column+",", 1)
	failed, err := pipeline.Parse(p.SchemaJSON, []byte(sql))
	if err != nil || sql == string(p.SQL) {
		t.Fatal(err)
	}
	return failed
}

// rollBack has a tick of the failed pipeline claimed at a minute, and its records read by the embedded one in the end.
// It gives the rows that this one makes of them; the bucket has none of them yet.
func (l *life) rollBack(t interface{ Fatal(...any) }, failed *pipeline.Pipeline, at, poison int) (rows, bad []string) {
	data, err := ledger.EncodePipeline(failed)
	if err != nil {
		t.Fatal(err)
	}
	l.objects[ledger.PipelineKey(failed.Hash())] = lifeObject{data: string(data), written: birth}
	tick := l.tick(failed, minute(at), 40, poison, ledger.Range{Last: 39, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
	l.keep(tick, tick.Time.Add(6*time.Second))
	return output(embeddedPipeline(), tick)
}

// says writes that the pipeline was rolled back between two minutes, at a third.
func (l *life) says(t interface{ Fatal(...any) }, failed *pipeline.Pipeline, from, until, written int) {
	ours := embeddedPipeline().Hash()
	c := &ledger.Current{Pipeline: ours, Since: birth, By: ledger.ByDeploy, Deployed: ours}
	if failed != nil {
		c.Rollbacks = []ledger.Rollback{{Failed: failed.Hash(), From: minute(from), Until: minute(until), JudgedBy: ours}}
	}
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l.objects[ledger.CurrentKey] = lifeObject{data: string(data), written: minute(written)}
}

// TestRolledBackQueryFailsNoRow: whatever part of its rows a query has given before it failed, and how often, the
// verdict is that of the one that has read the records in the end; and a row of that one that is lost is missing.
func TestRolledBackQueryFailsNoRow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(embeddedPipeline())
		// The second stops at the first record with five passengers, which is all that it gives then.
		failed := failing(t, rapid.SampledFrom([]string{"COL3", "10 / (COL3 - 5)"}).Draw(t, "column"))
		rows, bad := l.rollBack(t, failed, 10, rapid.IntRange(0, 5).Draw(t, "poison"))
		l.says(t, failed, 9, 20, 21)
		lost := rapid.IntRange(0, 1).Draw(t, "lost")
		l.objects[key("data/", minute(12), 9999)] = lifeObject{data: strings.Join(rows[lost:], ""), written: minute(12)}
		// What the failed one has given, before.
		n := 0
		g, err := generator.New(failed, 1)
		if err != nil {
			t.Fatal(err)
		}
		integers := strings.Contains(string(failed.SQL), "10 /")
		of := generator.Tick{Time: minute(10), Records: 40, Spread: 5 * time.Second, Poison: len(bad)}
		for records := g.Records(of, 0, 39); records.Next(); {
			field := func(i int) string { text, _ := records.Field(i); return string(text) }
			if field(0) < "3" || integers && field(3) == "5" {
				continue
			}
			third := field(3)
			if integers {
				third = fmt.Sprint(10 / (int(third[0]-'0') - 5))
			}
			for range rapid.SampledFrom([]int{0, 1, 1, 3}).Draw(t, "copies") {
				n++
				row := fmt.Sprintf("%s,%s,%s.0,%s\n", field(0), third, field(4), field(18))
				l.objects[key("data/", minute(10), n)] = lifeObject{data: row, written: minute(11)}
			}
		}
		for _, line := range bad {
			for range rapid.SampledFrom([]int{1, 2}).Draw(t, "rejects") {
				n++
				l.objects[key("data-errors/", minute(10), n)] = lifeObject{
					data:    `{"reason":"r","column":null,"data":"` + base64Of(line) + `","shard":"s","sequence_number":"1","arrival_time":"2026-11-22T00:00:00.000Z"}` + "\n",
					written: minute(11),
				}
			}
		}
		l.now = minute(60)
		r := Judge(t.Context(), l, lifeOpts)
		want := proof.Proven
		if lost > 0 {
			want = proof.NotProven
		}
		if c := r.Counts; r.Verdict != want || c.Missing != int64(lost) || c.Leaked+c.Unexpected+c.Duplicated+c.Foreign > 0 {
			t.Fatalf("got %s %v, want %s", r.LastLine(), r.Reasons, want)
		}
	})
}

// TestOnlyTicksOfTheTrialAreRolledBack: the same query, set again and running, is judged as itself.
func TestOnlyTicksOfTheTrialAreRolledBack(t *testing.T) {
	t.Parallel()
	l := newLife(embeddedPipeline())
	failed := failing(t, "COL3")
	rows, _ := l.rollBack(t, failed, 10, 0)
	l.objects[key("data/", minute(10), 1)] = lifeObject{data: strings.Join(rows, ""), written: minute(12)}
	l.now = minute(60)
	for _, test := range []struct {
		from, until int
		want        proof.Verdict
	}{{9, 20, proof.Proven}, {0, 9, proof.NotProven}, {11, 20, proof.NotProven}} {
		l.says(t, failed, test.from, test.until, 21)
		if r := Judge(t.Context(), l, lifeOpts); r.Verdict != test.want {
			t.Errorf("rolled back from %d until %d: got %s %v, want %s", test.from, test.until, r.LastLine(), r.Reasons, test.want)
		}
	}
}

// TestCheckpointFromBeforeARollbackIsNotUsed: what was checkpointed before it came to light was judged by the query
// that failed.
func TestCheckpointFromBeforeARollbackIsNotUsed(t *testing.T) {
	t.Parallel()
	l := newLife(embeddedPipeline())
	failed := failing(t, "COL3")
	rows, _ := l.rollBack(t, failed, 10, 0)
	l.says(t, nil, 0, 0, 0)
	l.objects[key("data/", minute(10), 1)] = lifeObject{data: strings.Join(rows, ""), written: minute(32)}
	if r := l.at(minute(30)).verify(t, `{}`); r.Verdict != proof.NotProven || r.Counts.Missing == 0 {
		t.Fatalf("before: got %s %v, want rows missing", r.LastLine(), r.Reasons)
	}
	l.says(t, failed, 9, 31, 31)
	if r := l.at(minute(60)).verify(t, `{}`); r.Verdict != proof.Proven || r.Covers.Ticks != 1 {
		t.Errorf("rolled back: got %s %v", r.LastLine(), r.Reasons)
	}
	l.reads = 0
	if r := l.at(minute(61)).verify(t, `{}`); r.Verdict != proof.Proven || l.reads > 3 {
		t.Errorf("and then: got %s %v with %d reads, want an increment", r.LastLine(), r.Reasons, l.reads)
	}
	// One that is newer than everything that was checkpointed.
	again := failing(t, "COL0")
	l.says(t, failed, 9, 31, 62)
	stands, err := ledger.DecodeCurrent([]byte(l.objects[ledger.CurrentKey].data))
	if err != nil {
		t.Fatal(err)
	}
	stands.Rollbacks = append(stands.Rollbacks, ledger.Rollback{Failed: again.Hash(), From: minute(70), Until: minute(71), JudgedBy: stands.Pipeline})
	data, err := stands.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l.objects[ledger.CurrentKey] = lifeObject{data: string(data), written: minute(72)}
	l.reads = 0
	if r := l.at(minute(75)).verify(t, `{}`); r.Verdict != proof.Proven || l.reads > 3 {
		t.Errorf("a later rollback: got %s %v with %d reads, want an increment", r.LastLine(), r.Reasons, l.reads)
	}
	l.objects[ledger.CurrentKey] = lifeObject{data: `{"version": 99}`, written: minute(76)}
	if r := l.at(minute(77)).verify(t, `{}`); r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], "use a newer streamproof") {
		t.Errorf("of a newer version: got %s %v", r.LastLine(), r.Reasons)
	}
}

// TestUnfinishedChangeIsReported in the reasons, whatever the verdict is, and changes nothing of it.
func TestUnfinishedChangeIsReported(t *testing.T) {
	t.Parallel()
	l := newLife(embeddedPipeline())
	before, _ := judgeFrom(t.Context(), l.at(minute(30)), lifeOpts, nil, nil)
	ours := embeddedPipeline().Hash()
	c := &ledger.Current{Pipeline: ours, Since: birth, By: ledger.ByDeploy, Deployed: ours, Change: &ledger.Change{To: strings.Repeat("b", 64), Begun: minute(20)}}
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l.objects[ledger.CurrentKey] = lifeObject{data: string(data), written: minute(20)}
	r, _ := judgeFrom(t.Context(), l.at(minute(30)), lifeOpts, nil, nil)
	if r.Verdict != before.Verdict || len(r.Reasons) != len(before.Reasons)+1 || !strings.Contains(r.Reasons[len(r.Reasons)-1], "to bbbbbbbbbbbb began at") {
		t.Errorf("got %s for %q, before %s for %q", r.Verdict, r.Reasons, before.Verdict, before.Reasons)
	}
}
