package verifier_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

// poisoned is a third tick, of 40 records of which 20 are malformed, a minute after the two of history.
type poisoned struct {
	tick *ledger.Tick
	good []string // well-formed lines of the records
	bad  []string // the others
	rows []string // what the query makes of the good ones
}

func poison(t *testing.T) poisoned {
	t.Helper()
	p := embedded(t)
	one := poisoned{tick: tickAt(p, 2)}
	one.tick.Records, one.tick.Poison = 40, 20
	one.tick.Outcomes[0].Last = 39
	g, err := generator.New(p, one.tick.Seed)
	if err != nil {
		t.Fatal(err)
	}
	tick := generator.Tick{Time: one.tick.Time, Records: 40, Poison: 20, Spread: 5 * time.Second}
	isBad := map[string]int{}
	for _, line := range g.Rejects(tick, 0, 39) {
		isBad[string(line)]++
		one.bad = append(one.bad, string(line))
	}
	for i := range 40 {
		for line := range strings.Lines(string(g.Append(nil, tick, i))) {
			line = strings.TrimSuffix(line, "\n")
			if isBad[line] > 0 {
				isBad[line]--
				continue
			}
			one.good = append(one.good, line)
			if row := rowOf(line); row != "" {
				one.rows = append(one.rows, row)
			}
		}
	}
	return one
}

// rowOf is what the query makes of a line, empty where that is nothing.
func rowOf(line string) string {
	f := strings.Split(line, ",")
	if f[0] >= "3" {
		return ""
	}
	return fmt.Sprintf("%s,%s,%s.0,%s\n", f[0], f[3], f[4], f[18])
}

func rejectOf(reason, line string) string {
	return fmt.Sprintf(`{"reason":%q,"column":null,"data":%q,"shard":"shardId-000000000000","sequence_number":"1","arrival_time":"2026-11-23T20:02:03.000Z"}`+"\n",
		reason, base64.StdEncoding.EncodeToString([]byte(line)))
}

func envelope(rows ...string) string {
	return fmt.Sprintf(`{"attemptsMade":4,"arrivalTimestamp":1,"errorCode":"Lambda.FunctionError","errorMessage":"it failed","attemptEndingTimestamp":2,"rawData":%q,"lambdaArn":"arn"}`+"\n",
		base64.StdEncoding.EncodeToString([]byte(strings.Join(rows, ""))))
}

func TestRejects(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	one := poison(t)
	before := int64(len(rows(t, p, tickAt(p, 0))) + len(rows(t, p, tickAt(p, 1))))
	owed := before + int64(len(one.rows)+len(one.bad))
	complete := proof.Counts{Owed: owed, Delivered: owed - int64(len(one.bad)), Rejects: int64(len(one.bad))}
	if len(one.bad) < 15 || len(one.rows) < 5 {
		t.Fatalf("%d bad lines and %d rows are too few to test with", len(one.bad), len(one.rows))
	}
	kept, filtered := "", ""
	for _, line := range one.good {
		if rowOf(line) == "" {
			filtered = line
		} else {
			kept = line
		}
	}
	without := func(lines []string, line string) []string {
		at := slices.Index(lines, line)
		return slices.Delete(slices.Clone(lines), at, at+1)
	}
	at := func(class func(*proof.Counts) *int64, n int64, c proof.Counts) proof.Counts {
		*class(&c) += n
		return c
	}
	missing := func(c *proof.Counts) *int64 { return &c.Missing }
	foreign := func(c *proof.Counts) *int64 { return &c.Foreign }
	corrupt := func(c *proof.Counts) *int64 { return &c.Corrupt }
	failedRows := func(c *proof.Counts) *int64 { return &c.Failed }
	delivered := func(c *proof.Counts) *int64 { return &c.Delivered }
	rejected := func(c *proof.Counts) *int64 { return &c.Rejects }

	tests := map[string]struct {
		rows, rejects []string // delivered and rejected
		failed        string   // under processing-failed
		verdict       proof.Verdict
		want          proof.Counts
	}{
		"as owed": {one.rows, one.bad, "", proof.Proven, complete},
		"a reject lost": {
			one.rows, one.bad[1:], "", proof.NotProven, at(missing, 1, at(rejected, -1, complete)),
		},
		"a reject changed": {
			one.rows, append([]string{one.bad[0] + "!"}, one.bad[1:]...), "", proof.NotProven,
			at(foreign, 1, at(missing, 1, at(rejected, -1, complete))),
		},
		"a reject twice, and one of somebody else": {
			one.rows, append([]string{one.bad[0], "what is this?"}, one.bad...), "", proof.Proven, at(foreign, 2, complete),
		},
		"a good line rejected": {
			without(one.rows, rowOf(kept)), append([]string{kept}, one.bad...), "", proof.NotProven,
			at(failedRows, 1, at(delivered, -1, complete)),
		},
		"a good line rejected that gives no row": {
			one.rows, append([]string{filtered}, one.bad...), "", proof.Proven, at(foreign, 1, complete),
		},
		"rows that could not be transformed": {
			one.rows[2:], one.bad, envelope(one.rows[:2]...), proof.NotProven, at(failedRows, 2, at(delivered, -2, complete)),
		},
		"rows that could not be transformed, as JSON and delivered later": {
			one.rows, one.bad, envelope(`{"COL0":1,"COL3":2,"COL4":3.0,"COL18":4.0}`+"\n", one.rows[0]), proof.Proven,
			at(foreign, 2, complete),
		},
		"raw records that could not be transformed": {
			without(one.rows, rowOf(kept)), one.bad, envelope(kept+"\n", "not a row\n"), proof.NotProven,
			at(foreign, 1, at(failedRows, 1, at(delivered, -1, complete))),
		},
		"lines that are no rejects": {
			one.rows, one.bad, "{}\nx\n" + envelope(), proof.NotProven, at(corrupt, 2, complete),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, zip := range []bool{false, true} {
				m := history(t)
				m.keep(t, one.tick)
				m.deliver(2, test.rows)
				var lines strings.Builder
				for _, line := range test.rejects {
					lines.WriteString(rejectOf("a reason", line))
				}
				written := m.objects[objectKey(2)].written
				data := []byte(lines.String())
				if zip {
					data = zipped(t, data)
				}
				m.objects[errorsPrefix+"2026/11/23/20/r"] = object{data, written}
				if test.failed != "" {
					m.objects[failedPrefix+"2026/11/23/20/f"] = object{[]byte(test.failed), written}
				}
				got := judge(t, m)
				if diff := gocmp.Diff(got.Counts, test.want); diff != "" || got.Verdict != test.verdict {
					t.Errorf("got %s %v, want %s; counts (-got +want):\n%s", got.LastLine(), got.Reasons, test.verdict, diff)
				}
				c := got.Counts
				if c.Owed != c.Delivered+c.Rejects-c.Recovered+c.Failed+c.Missing+c.InFlight {
					t.Errorf("the counts do not add up: %+v", c)
				}
				if n := got.Rejects[len(got.Rejects)-1]; n.Prefix != errorsPrefix || n.Count != int64(len(test.rejects)) {
					t.Errorf("got %+v, want %d rejects", got.Rejects, len(test.rejects))
				}
			}
		})
	}
}

// hesitant is a bucket in which the first read of an object fails.
type hesitant struct {
	*memory
	key   string
	reads int
}

func (h *hesitant) Read(ctx context.Context, o bucket.Object) ([]byte, error) {
	if o.Key == h.key {
		if h.reads++; h.reads == 1 {
			return nil, errors.New("connection reset by peer")
		}
	}
	return h.memory.Read(ctx, o)
}

// TestRejectsUnreadableAtFirst: they are read to find whose lines they have, and again to be counted. Without the
// former they would be somebody else's, and what they owe missing.
func TestRejectsUnreadableAtFirst(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		errorsPrefix + "2026/11/23/20/r": rejectOf("a reason", poison(t).good[0]),
		failedPrefix + "2026/11/23/20/f": envelope("x\n"),
	} {
		m := history(t)
		m.objects[name] = object{[]byte(data), start.Add(time.Minute)}
		h := &hesitant{memory: m, key: name}
		r := verifier.Judge(t.Context(), h, verifier.Options{DataPrefix: prefix, ErrorsPrefix: errorsPrefix, DeliveryDeadline: deadline})
		if want := "an object cannot be read: " + name + ": connection reset by peer"; r.Verdict != proof.Undecided || !slices.Contains(r.Reasons, want) {
			t.Errorf("got %s %v after %d reads, want %q", r.LastLine(), r.Reasons, h.reads, want)
		}
	}
}

func TestReasonsOfRejectsAreCounted(t *testing.T) {
	t.Parallel()
	m := history(t)
	m.objects[errorsPrefix+"r"] = object{[]byte(rejectOf("b", "1") + rejectOf("a", "2") + rejectOf("b", "3")), start}
	m.objects[failedPrefix+"f"] = object{[]byte(envelope("x\n", "y\n")), start}
	got := judge(t, m)
	want := []report.Rejects{
		{Prefix: failedPrefix, Reason: "Lambda.FunctionError", Count: 1}, {Prefix: errorsPrefix, Reason: "a", Count: 1}, {Prefix: errorsPrefix, Reason: "b", Count: 2},
	}
	if diff := gocmp.Diff(got.Rejects, want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if got.Verdict != proof.Proven || got.Counts.Foreign != 5 || got.Covers.ErrorObjects != 2 || got.Covers.Objects != 2 {
		t.Errorf("got %s over %+v", got.LastLine(), got.Covers)
	}
}

func TestPrefixesMustNotOverlap(t *testing.T) {
	t.Parallel()
	for _, opts := range []verifier.Options{
		{DataPrefix: "data/", ErrorsPrefix: "data/errors/"}, {DataPrefix: "data/rows/", ErrorsPrefix: "data/"}, {DataPrefix: "data/", ErrorsPrefix: ""},
	} {
		if got := verifier.Judge(t.Context(), history(t), opts); got.Verdict != proof.Undecided || !strings.Contains(got.Reasons[0], "one is inside the other") {
			t.Errorf("%+v: got %s %v", opts, got.Verdict, got.Reasons)
		}
	}
}
