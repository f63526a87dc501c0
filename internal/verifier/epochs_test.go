package verifier

import (
	"context"
	"fmt"
	"os"
	"slices"
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

// A kind is a query of these tests, and what it gives for a record.
type kind struct {
	*pipeline.Pipeline
	judged bool
	row    func(field func(int) string) string // empty for none
}

func kinds() map[string]kind {
	p := embeddedPipeline()
	with := func(sql string) *pipeline.Pipeline {
		other, err := pipeline.Parse(p.SchemaJSON, []byte(sql))
		if err != nil {
			panic(err)
		}
		return other
	}
	four := func(keep string) func(func(int) string) string {
		return func(f func(int) string) string {
			if !strings.Contains(keep, f(0)) {
				return ""
			}
			return fmt.Sprintf("%s,%s,%s.0,%s\n", f(0), f(3), f(4), f(18))
		}
	}
	return map[string]kind{
		"A": {p, true, four("12")},
		"a": {with(strings.Replace(string(p.SQL), "COL0 < 3", "COL0 < 2", 1)), true, four("1")}, // of the same columns
		"B": {with("CREATE TABLE T (COL0 INTEGER, COL3 INTEGER, COL7 INTEGER); INSERT INTO T SELECT COL0, COL3, COL7 FROM SOURCE_SQL_STREAM_001;"), true,
			func(f func(int) string) string { return fmt.Sprintf("%s,%s,%s\n", f(0), f(3), f(7)) }},
		"W": {with("CREATE TABLE T (COL0 INTEGER, N BIGINT); INSERT INTO T SELECT COL0, COUNT(*) FROM SOURCE_SQL_STREAM_001 GROUP BY COL0;"), false,
			func(f func(int) string) string { return fmt.Sprintf("%s,%d\n", f(0), 17) }},
	}
}

// A period is one of a query: its ticks, and the objects with their rows.
type period struct {
	kind
	name  string
	ticks []*ledger.Tick
	rows  [][]string // by tick
}

// rowsOf is what the query gives for a tick of any.
func (k kind) rowsOf(tick *ledger.Tick) (rows []string) {
	g, err := generator.New(k.Pipeline, tick.Seed)
	if err != nil {
		panic(err)
	}
	of := generator.Tick{Time: tick.Time, Records: tick.Records, Spread: 5 * time.Second}
	for records := g.Records(of, 0, tick.Records-1); records.Next(); {
		if row := k.row(func(i int) string { text, _ := records.Field(i); return string(text) }); row != "" {
			rows = append(rows, row)
		}
	}
	return rows
}

// An era is a bucket's life of several periods of an hour: three ticks, drained at minute 45, when the last one is not
// settled, and the next query from minute 50 on.
type era struct {
	*life
	periods []period
	current *ledger.Current
}

func newEra(names string, clean bool) *era {
	all := kinds()
	e := &era{life: &life{objects: map[string]lifeObject{}}}
	for i, name := range strings.Split(names, "") {
		p := period{kind: all[name], name: name}
		data, err := ledger.EncodePipeline(p.Pipeline)
		if err != nil {
			panic(err)
		}
		e.objects[ledger.PipelineKey(p.Hash())] = lifeObject{data: string(data), written: birth}
		if i == 0 {
			e.current = &ledger.Current{Since: birth, By: ledger.ByDeploy, Deployed: p.Hash()}
			e.current.Begin(p.Hash(), time.Time{})
		} else {
			if clean {
				e.current.Drained = minute(60*i - 15)
			}
			e.current.Begin(p.Hash(), minute(60*i-10))
			e.current.By = ledger.BySQLRun
		}
		for j := range 3 {
			tick := e.tick(p.Pipeline, minute(60*i+[]int{0, 10, 44}[j]), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
			p.ticks = append(p.ticks, tick)
			p.rows = append(p.rows, p.rowsOf(tick))
		}
		e.periods = append(e.periods, p)
	}
	return e
}

func dataKey(i, j int) string { return key("data/", minute(60*i+10*j), 100*i+j) }

// fill writes what there is of these periods, or of all if there is none, and says in the ledger what is current.
func (e *era) fill(only ...int) *era {
	for i, p := range e.periods {
		if len(only) > 0 && !slices.Contains(only, i) {
			continue
		}
		for j, tick := range p.ticks {
			e.keep(tick, tick.Time.Add(6*time.Second))
			e.objects[dataKey(i, j)] = lifeObject{data: strings.Join(p.rows[j], ""), written: tick.Time.Add(time.Minute)}
		}
	}
	data, err := e.current.Encode()
	if err != nil {
		panic(err)
	}
	e.objects[ledger.CurrentKey] = lifeObject{data: string(data), written: minute(60 * len(e.periods))}
	return e
}

// knownAt has the ledger know of no change that began later.
func (e *era) knownAt(now time.Time) {
	c := *e.current
	c.Epochs = slices.DeleteFunc(slices.Clone(c.Epochs), func(x ledger.Epoch) bool { return x.From.After(now) })
	c.Pipeline = c.Epochs[len(c.Epochs)-1].Pipeline
	c.By = ledger.BySQLRun
	data, err := c.Encode()
	if err != nil {
		panic(err)
	}
	e.objects[ledger.CurrentKey] = lifeObject{data: string(data)}
	e.now = now
}

// alone is the verdict on one period in a bucket of its own, without epochs.
func (e *era) alone(ctx context.Context, i int) proof.Counts {
	l := newLife(e.periods[i].Pipeline)
	for j, tick := range e.periods[i].ticks {
		l.keep(tick, tick.Time.Add(6*time.Second))
		l.objects[dataKey(i, j)] = e.objects[dataKey(i, j)]
	}
	return Judge(ctx, l.at(minute(60*len(e.periods)+60)), lifeOpts).Counts
}

// epochOf is what the report says of a period. Periods that are counted together have one.
func epochOf(r *report.Report, i int, hash string) (found report.Epoch) {
	for _, e := range r.Epochs {
		if slices.Contains(e.Pipelines, hash) && (e.From.IsZero() || !e.From.After(minute(60*i))) {
			found = e
		}
	}
	return found
}

// TestEpochsAreJudgedByThemselves: whatever came before or after it, an epoch between clean changes has the verdict
// that it would have in a bucket of its own, and what was planted in one is named in that one.
func TestEpochsAreJudgedByThemselves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var drawn []string
		for len(drawn) < 2 || len(drawn) < 4 && rapid.Bool().Draw(t, "more") {
			next := rapid.SampledFrom([]string{"A", "a", "B", "W"}).Draw(t, "query")
			if len(drawn) == 0 || drawn[len(drawn)-1] != next {
				drawn = append(drawn, next)
			}
		}
		e := newEra(strings.Join(drawn, ""), true).fill()
		for i := range e.periods {
			at := dataKey(i, rapid.IntRange(0, 2).Draw(t, "object"))
			o := e.objects[at]
			first, rest, _ := strings.Cut(o.data, "\n")
			switch rapid.SampledFrom([]string{"", "loss", "double", "change", "late", "last second"}).Draw(t, "fault") {
			case "loss":
				o.data = rest
			case "double":
				o.data += first + "\n"
			case "change":
				o.data = rest + strings.Repeat("9,", strings.Count(first, ",")) + "9\n"
			case "late":
				o.written = minute(60*i + 49)
			case "last second":
				o.written = minute(60*i + 50)
			}
			e.objects[at] = o
		}
		end := minute(60*len(drawn) + 60)
		e.now = end
		full := Judge(t.Context(), e, lifeOpts)
		var judged proof.Counts
		for i, p := range e.periods {
			epoch := epochOf(full, i, p.Hash())
			if !p.judged {
				if epoch.Counts != nil || epoch.Ticks != 3 || epoch.Acknowledged != 30 || epoch.Seen.Rows == 0 || !epoch.Seen.InTime {
					t.Fatalf("%v: period %d, which is not judged, is %+v", drawn, i, epoch)
				}
				continue
			}
			want := e.alone(t.Context(), i)
			judged.Add(want)
			if epoch.Counts == nil || *epoch.Counts != want {
				t.Fatalf("%v: period %d: got %+v, alone %+v", drawn, i, epoch.Counts, want)
			}
		}
		want := judged.Verdict(nil)
		if !e.periods[len(drawn)-1].judged {
			want = proof.Undecided
		}
		if full.Counts != judged || full.Verdict != want {
			t.Fatalf("%v: got %s %v, want %s with the sums of all", drawn, full.LastLine(), full.Reasons, want)
		}
		// Wherever the increments are cut, they say the same.
		var base *checkpoint
		moments := append(rapid.SliceOfN(rapid.IntRange(5, 60*len(drawn)+59), 0, 6).Draw(t, "verifications"), 60*len(drawn)+60)
		slices.Sort(moments)
		for _, at := range moments {
			e.knownAt(minute(at))
			full := Judge(t.Context(), e, lifeOpts)
			var got *report.Report
			if got, base = judgeFrom(t.Context(), e, lifeOpts, base, nil); base != nil {
				data, err := base.encode()
				if err != nil {
					t.Fatal(err)
				}
				if base, err = decodeCheckpoint(data); err != nil {
					t.Fatal(err)
				}
			}
			if diff := same(full, got); diff != "" {
				t.Fatalf("%v at minute %d (-full +increment):\n%s", drawn, at, diff)
			}
		}
		inParts, _, err := e.inParts(t.Context(), e.handler(), 2, func() bool { return rapid.IntRange(0, 9).Draw(t, "enough") == 0 })
		if err != nil {
			t.Fatalf("%v in parts: %v", drawn, err)
		}
		if diff := same(asRead(t, full), unarchived(inParts)); diff != "" {
			t.Fatalf("%v in parts (-full +parts):\n%s", drawn, diff)
		}
	})
}

// TestDuplicateAcrossAChange is named as one, whatever the columns of the query after the change.
func TestDuplicateAcrossAChange(t *testing.T) {
	t.Parallel()
	for names, in := range map[string]int{"Aa": 1, "AB": 0, "AW": 0, "AWA": 0, "aBa": 0} {
		for _, second := range []int{0, 1} { // after the change
			e := newEra(names, true).fill()
			row, in := e.periods[0].rows[0][0], in
			e.objects["data/2026/11/22/00/double"] = lifeObject{data: row, written: minute(50).Add(time.Duration(second) * time.Second)}
			e.now = minute(300)
			r := Judge(t.Context(), e, lifeOpts)
			if second == 0 {
				in = 0
			}
			epoch := epochOf(r, in, e.periods[in].Hash())
			if r.Counts.Duplicated != 1 || r.Counts.Unexpected+r.Counts.Corrupt != 0 || epoch.Counts == nil || epoch.Counts.Duplicated != 1 {
				t.Errorf("%s, %d s after: got %s %v, in its epoch %+v", names, second, r.LastLine(), r.Reasons, epoch.Counts)
			}
			if r.Samples[proof.Duplicated][0].Object != "data/2026/11/22/00/double" {
				t.Errorf("%s: sampled %+v", names, r.Samples)
			}
		}
	}
}

// TestTheSecondsOfAChange: after a clean change, a row of the epoch before comes too late for it, by one second.
func TestTheSecondsOfAChange(t *testing.T) {
	t.Parallel()
	for second, missing := range []int64{0, 1} {
		e := newEra("Aa", true).fill()
		o := e.objects[dataKey(0, 2)]
		row, rest, _ := strings.Cut(o.data, "\n")
		e.objects[dataKey(0, 2)] = lifeObject{data: rest, written: o.written}
		e.objects["data/2026/11/22/00/moved"] = lifeObject{data: row + "\n", written: minute(50).Add(time.Duration(second) * time.Second)}
		e.now = minute(300)
		r := Judge(t.Context(), e, lifeOpts)
		if before, after := r.Epochs[0].Counts, r.Epochs[1].Counts; before.Missing != missing || after.Duplicated != missing || r.Counts.Missing+r.Counts.Duplicated != 2*missing {
			t.Errorf("%d s after the change: got %s %v", second, r.LastLine(), r.Reasons)
		}
	}
}

// TestForcedChange: rows are told by their form. What the new query makes of what was in the stream still accuses
// nobody, and what the old one owes of it is missing.
func TestForcedChange(t *testing.T) {
	t.Parallel()
	for _, names := range []string{"AB", "BA", "AW", "WA", "ABA", "AWA", "WB"} {
		e := newEra(names, false)
		first, next := e.periods[0], e.periods[1]
		// A tick is claimed just before the change, and read by the query after it; another one is in Firehose's buffer.
		read := e.tick(first.Pipeline, minute(47), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
		buffered := e.tick(first.Pipeline, minute(46), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
		e.fill()
		e.keep(read, minute(47).Add(6*time.Second))
		e.keep(buffered, minute(46).Add(6*time.Second))
		lost, came := first.rowsOf(read), first.rowsOf(buffered)
		e.objects["data/2026/11/22/00/mixed"] = lifeObject{data: strings.Join(came, "") + strings.Join(next.rowsOf(read), ""), written: minute(51)}
		e.now = minute(300)
		r := Judge(t.Context(), e, lifeOpts)
		missing := int64(0)
		if first.judged {
			missing = int64(len(lost))
		}
		c := r.Counts
		if c.Missing != missing || c.Duplicated+c.Unexpected+c.Corrupt+c.Leaked+c.Undecided > 0 {
			t.Errorf("%s: got %s %v, want %d missing alone", names, r.LastLine(), r.Reasons, missing)
		}
		if epoch := epochOf(r, 0, first.Hash()); first.judged && epoch.Counts.Missing != missing {
			t.Errorf("%s: the first epoch is %+v", names, epoch.Counts)
		}
		// A foreign row after the change is named all the same.
		e.objects["data/2026/11/22/00/foreign"] = lifeObject{data: "7,7,7,7,7\n", written: minute(52)}
		if r := Judge(t.Context(), e, lifeOpts); next.judged && r.Counts.Corrupt != 1 || !next.judged && epochOf(r, 1, next.Hash()).Seen.Broken != 1 {
			t.Errorf("%s, with a foreign row: got %s", names, r.LastLine())
		}
		var base *checkpoint
		for _, at := range []int{40, 49, 54, 55, 58, 70, 110, 130, 300} {
			e.knownAt(minute(at - 5)) // as after a deploy, which records the change last
			e.now = minute(at)
			full := Judge(t.Context(), e, lifeOpts)
			var got *report.Report
			got, base = judgeFrom(t.Context(), e, lifeOpts, base, nil)
			if diff := same(full, got); diff != "" {
				t.Fatalf("%s at minute %d (-full +increment):\n%s", names, at, diff)
			}
		}
	}
}

// TestForcedChangeOfTheSameColumns between two judged queries begins no epoch: they are counted together, as before
// there were epochs.
func TestForcedChangeOfTheSameColumns(t *testing.T) {
	t.Parallel()
	e := newEra("Aa", false).fill()
	e.now = minute(300)
	recorded := Judge(t.Context(), e, lifeOpts)
	delete(e.objects, ledger.CurrentKey)
	if without := Judge(t.Context(), e, lifeOpts); len(recorded.Epochs) > 0 || len(recorded.Covers.Pipelines) != 2 || same(recorded, without) != "" {
		t.Errorf("(-recorded +not recorded)\n%s", same(recorded, without))
	}
}

// TestIndistinguishableRows: where a forced change leads to a query of the same columns that is not judged, a row
// that is open may be of either. It is undecided, named, and nothing else is.
func TestIndistinguishableRows(t *testing.T) {
	t.Parallel()
	e := newEra("AW", false)
	p := embeddedPipeline()
	w, err := pipeline.Parse(p.SchemaJSON, []byte(strings.Replace(string(p.SQL), "COL0 < 3", "COL8 SIMILAR TO 'N'", 1)))
	if err != nil {
		t.Fatal(err)
	}
	data, err := ledger.EncodePipeline(w)
	if err != nil {
		t.Fatal(err)
	}
	e.objects[ledger.PipelineKey(w.Hash())] = lifeObject{data: string(data), written: birth}
	for _, tick := range e.periods[1].ticks {
		tick.Pipeline = w.Hash()
	}
	e.current.Pipeline, e.current.Epochs[1].Pipeline = w.Hash(), w.Hash()
	open := e.tick(p, minute(49), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
	e.fill()
	e.keep(open, minute(49).Add(6*time.Second))
	rows := e.periods[0].rowsOf(open)
	e.objects["data/2026/11/22/00/which"] = lifeObject{data: strings.Join(rows[1:], "") + "1,1,1.5,1.0\n", written: minute(51)}
	e.now = minute(300)
	r := Judge(t.Context(), e, lifeOpts)
	n := int64(len(rows) - 1)
	if r.Verdict != proof.Undecided || r.Counts.Undecided != n || r.Counts.Missing != 1 || r.Counts.Unexpected > 0 || int64(len(r.Samples[proof.Doubted])) != n {
		t.Errorf("got %s %v with %+v", r.LastLine(), r.Reasons, r.Samples)
	}
	if c := r.Counts; c.Owed != c.Delivered+c.Missing+c.Undecided {
		t.Errorf("it does not add up: %+v", c)
	}
	// Once the last tick is settled, the rows are those of the query that runs.
	e.objects["data/2026/11/22/00/later"] = lifeObject{data: rows[0], written: minute(80)}
	if r := Judge(t.Context(), e, lifeOpts); r.Counts.Undecided != n || r.Counts.Missing != 1 {
		t.Errorf("with a row after the deadline: got %s", r.LastLine())
	}
}

// TestTickAfterTheDrainForcesTheChange: the ledger's word that nothing was on its way is checked.
func TestTickAfterTheDrainForcesTheChange(t *testing.T) {
	t.Parallel()
	for _, at := range []int{46, 52} { // before the change, and after it, by a producer that had not seen it
		e := newEra("AB", true)
		late := e.tick(e.periods[0].Pipeline, minute(at), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
		e.fill()
		e.keep(late, minute(at).Add(6*time.Second))
		e.objects["data/2026/11/22/00/late"] = lifeObject{data: strings.Join(e.periods[0].rowsOf(late), ""), written: minute(at + 1)}
		e.now = minute(300)
		if r := Judge(t.Context(), e, lifeOpts); r.Verdict != proof.Proven || r.Epochs[1].Clean || r.Epochs[0].Ticks != 4 {
			t.Errorf("at minute %d: got %s %v, %+v", at, r.LastLine(), r.Reasons, r.Epochs)
		}
	}
}

// TestRolledBackQueryOfOtherColumns takes nothing from the epoch that it was tried in.
func TestRolledBackQueryOfOtherColumns(t *testing.T) {
	t.Parallel()
	for _, failed := range []string{"B", "W"} {
		e := newEra("A"+failed+"A", true)
		trial := e.periods[1]
		trial.ticks = trial.ticks[:1]
		e.periods = []period{e.periods[0], {kind: e.periods[0].kind}}
		a := e.periods[0].Hash()
		e.current = &ledger.Current{Pipeline: a, Since: birth, By: ledger.ByDeploy, Deployed: a, Epochs: []ledger.Epoch{{Pipeline: a}}, Rollbacks: []ledger.Rollback{
			{Failed: trial.Hash(), From: minute(50), Until: minute(61), JudgedBy: a},
		}}
		e.fill()
		tick := trial.ticks[0]
		e.keep(tick, tick.Time.Add(6*time.Second))
		e.objects["data/2026/11/22/01/tried"] = lifeObject{data: strings.Join(trial.rows[0], ""), written: minute(61)}
		e.objects["data/2026/11/22/01/read-again"] = lifeObject{data: strings.Join(e.periods[0].rowsOf(tick), ""), written: minute(63)}
		e.now = minute(300)
		r := Judge(t.Context(), e, lifeOpts)
		if r.Verdict != proof.Proven || r.Covers.Ticks != 4 || !strings.Contains(r.LastLine(), fmt.Sprintf("not judged: %d rows of pipeline %.12s (rolled back)", len(trial.rows[0]), trial.Hash())) {
			t.Errorf("%s: got %s %v", failed, r.LastLine(), r.Reasons)
		}
	}
}

// TestHistoryWithoutRecordedChanges is judged by what its ticks name, and by the form of its rows.
func TestHistoryWithoutRecordedChanges(t *testing.T) {
	t.Parallel()
	for _, names := range []string{"AB", "AWA", "BWA", "ABAB"} {
		e := newEra(names, true).fill()
		delete(e.objects, ledger.CurrentKey)
		e.now = minute(300)
		r := Judge(t.Context(), e, lifeOpts)
		if r.Verdict != proof.Proven || strings.Contains(names, "W") != strings.Contains(r.LastLine(), "; not judged: 3 ticks of pipeline ") {
			t.Errorf("%s: got %s %v", names, r.LastLine(), r.Reasons)
		}
		var base *checkpoint
		for at := 5; at <= 300; at += 20 {
			full := Judge(t.Context(), e.at(minute(at)), lifeOpts)
			var got *report.Report
			got, base = judgeFrom(t.Context(), e, lifeOpts, base, nil)
			if diff := same(full, got); diff != "" {
				t.Fatalf("%s at minute %d (-full +increment):\n%s", names, at, diff)
			}
		}
	}
}

// TestStateOfVersion4 resumes from what the version before this one wrote.
func TestStateOfVersion4(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	l := hours(embeddedPipeline(), 40)
	for i := 20; i < 30; i++ { // it was written at minute 30
		delete(l.objects, ledger.TickKey(minute(i)))
		delete(l.objects, key("data/", minute(i), i))
	}
	l.objects[key("data/", minute(3), 1003)] = l.objects[key("data/", minute(3), 3)]
	delete(l.objects, key("data/", minute(5), 5))
	base, err := decodeCheckpoint(read("checkpoint-4.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := decodeArchive(read("archive-4.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	full := Judge(t.Context(), l.at(minute(60)), lifeOpts)
	if full.Counts.Missing == 0 || full.Counts.Duplicated == 0 {
		t.Fatalf("got %s, want something missing and something double", full.LastLine())
	}
	l.reads = 0
	r, next := judgeFrom(t.Context(), l, lifeOpts, base, nil)
	if diff := same(full, r); diff != "" || next == nil || next.Version != formatVersion || l.reads > 40 {
		t.Errorf("from the checkpoint, with %d reads (-full +increment):\n%s", l.reads, diff)
	}
	if r, _ = judgeFrom(t.Context(), l, lifeOpts, nil, a); gocmp.Diff(full.Counts, r.Counts) != "" || r.Verdict != proof.NotProven {
		t.Errorf("from the archive: got %s %v, in full %s", r.LastLine(), r.Reasons, full.LastLine())
	}
}

// TestEpochsExpire has a stack live for days whose query changes, also by force: what the archive has counted is
// deleted, and increments and full verifications say what they would say if nothing were.
func TestEpochsExpire(t *testing.T) {
	t.Parallel()
	all := kinds()
	l := newLife(all["A"].Pipeline)
	current := &ledger.Current{Since: birth, By: ledger.ByDeploy, Deployed: all["A"].Hash()}
	current.Begin(all["A"].Hash(), time.Time{})
	const day = 24 * 60
	names := []string{"A", "W", "B", "a", "A"} // of the days; the fourth is begun by force
	for i, name := range names {
		p := all[name]
		data, err := ledger.EncodePipeline(p.Pipeline)
		if err != nil {
			t.Fatal(err)
		}
		l.objects[ledger.PipelineKey(p.Hash())] = lifeObject{data: string(data), written: birth}
		if i > 0 {
			if name != "a" {
				current.Drained = minute(day*i - 15)
			}
			current.Begin(p.Hash(), minute(day*i-10))
			current.By = ledger.BySQLRun
		}
		for at := day * i; at < day*(i+1)-60; at += 40 {
			tick := l.tick(p.Pipeline, minute(at), 10, 0, ledger.Range{Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
			l.keep(tick, tick.Time.Add(6*time.Second))
			l.objects[key("data/", tick.Time, at)] = lifeObject{data: strings.Join(p.rowsOf(tick), ""), written: tick.Time.Add(time.Minute)}
		}
	}
	twin := l.twin()
	l.expire = 2
	l.guard(t.Errorf)
	for at := 60; at <= day*(len(names)+2); at += 120 {
		for _, b := range []*life{l, twin} {
			c := *current
			c.Epochs = slices.DeleteFunc(slices.Clone(c.Epochs), func(x ledger.Epoch) bool { return x.From.After(minute(at)) })
			c.Pipeline, c.By = c.Epochs[len(c.Epochs)-1].Pipeline, ledger.BySQLRun
			data, err := c.Encode()
			if err != nil {
				t.Fatal(err)
			}
			b.objects[ledger.CurrentKey] = lifeObject{data: string(data)}
		}
		event := `{}`
		if at%(day/2) == 60 {
			event = `{"full": true}`
		}
		got, want := l.at(minute(at)).verify(t, event), Judge(t.Context(), twin.at(minute(at)), lifeOpts)
		if diff := same(unarchived(want), unarchived(got)); diff != "" {
			t.Fatalf("at minute %d, %s (-nothing expires +got):\n%s", at, event, diff)
		}
		l.expireTagged(func(string) bool { return true })
	}
	if r := l.verify(t, `{"full": true}`); r.Verdict != proof.Proven || !strings.Contains(r.LastLine(), "; not judged: ") || len(l.tags) == 0 {
		t.Errorf("got %s %v, %d objects are tagged", r.LastLine(), r.Reasons, len(l.tags))
	}
	if left := l.count("data/"); left > 100 {
		t.Errorf("%d objects are left", left)
	}
}

// TestAcceptancesOfEpochs name findings of any epoch, and cover them when others have begun.
func TestAcceptancesOfEpochs(t *testing.T) {
	t.Parallel()
	e := newEra("ABA", true).fill()
	for i := range 2 { // the same loss in two epochs, and a double that crosses a change
		at := dataKey(i, 0)
		o := e.objects[at]
		_, o.data, _ = strings.Cut(o.data, "\n")
		e.objects[at] = o
	}
	e.objects["data/2026/11/22/01/double"] = lifeObject{data: e.periods[0].rows[1][0], written: minute(70)}
	e.knownAt(minute(55))
	if n := e.accept(t, proof.Missing); n != 1 {
		t.Fatalf("accepted %d of the first epoch, want 1", n)
	}
	e.knownAt(minute(300))
	if n := e.accept(t, proof.Duplicated); n != 1 {
		t.Fatalf("accepted %d doubles, want 1", n)
	}
	r := e.verify(t, `{}`)
	if r.Verdict != proof.NotProven || r.Counts.Missing != 2 || r.Open(proof.Missing) != 1 || r.Open(proof.Duplicated) != 0 {
		t.Errorf("got %s %v, accepted %+v", r.LastLine(), r.Reasons, r.Accepted)
	}
	if n := e.accept(t, proof.Missing); n != 1 {
		t.Fatalf("accepted %d of the second epoch, want 1", n)
	}
	if r := e.verify(t, `{}`); r.Verdict != proof.Proven {
		t.Errorf("got %s %v, accepted %+v", r.LastLine(), r.Reasons, r.Accepted)
	}
}
