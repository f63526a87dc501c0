package replay_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/replay"
)

var start = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)

// folder is a copy of a bucket, written to by tests.
type folder struct {
	bucket.Dir
	t *testing.T
}

func newFolder(t *testing.T) folder {
	t.Helper()
	return folder{bucket.Dir(t.TempDir()), t}
}

func (f folder) write(key string, data []byte, err error) {
	f.t.Helper()
	path := filepath.Join(string(f.Dir), filepath.FromSlash(key))
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err == nil {
		err = os.Chtimes(path, start, start.Add(5*time.Second))
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) publish(p *pipeline.Pipeline) {
	f.t.Helper()
	data, err := ledger.EncodePipeline(p)
	f.write(ledger.PipelineKey(p.Hash()), data, err)
}

// claim writes a tick and makes a claim of it.
func (f folder) claim(tick *ledger.Tick) (*replay.Claim, error) {
	f.t.Helper()
	data, err := tick.Encode()
	f.write(ledger.TickKey(tick.Time), data, err)
	l, err := replay.Open(f.t.Context(), f.Dir)
	if err != nil {
		f.t.Fatal(err)
	}
	object, data, err := bucket.Get(f.t.Context(), f.Dir, ledger.TickKey(tick.Time))
	if err != nil {
		f.t.Fatal(err)
	}
	return l.Claim(f.t.Context(), *object, data)
}

func embedded(t *testing.T) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// dividing is a pipeline whose query fails at some records.
func dividing(t *testing.T) *pipeline.Pipeline {
	t.Helper()
	p := *embedded(t)
	p.SQL = []byte(strings.Replace(string(p.SQL), "WHERE COL0 < 3", "WHERE COL0 / (COL3 - 1) < 3", 1))
	return &p
}

func tickOf(p *pipeline.Pipeline, records int) *ledger.Tick {
	return &ledger.Tick{
		State: ledger.Complete, Time: start, Owner: "a", LeaseEnd: start.Add(30 * time.Second), ClaimedAt: start.Add(time.Second),
		Seed: 1, Generator: generator.Version, Pipeline: p.Hash(), Records: records, PartitionKey: generator.Uniform,
		Outcomes: []ledger.Range{{Last: records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
	}
}

// owed lists what a claim owes as "row|reject, lo, hi", counted.
func owed(t *testing.T, c *replay.Claim) map[string]int {
	t.Helper()
	all := map[string]int{}
	count := func(what string) func([]byte, int64, int64) {
		return func(_ []byte, lo, hi int64) { all[fmt.Sprintf("%s %d %d", what, lo, hi)]++ }
	}
	if err := c.Owe(t.Context(), count("row"), count("reject")); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestBounds: each range of outcomes bounds its rows and rejects, and a record without an outcome may have been sent.
func TestBounds(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	f := newFolder(t)
	f.publish(p)
	count := func(first, last int) (rows int) {
		c, err := f.claim(tickOf(p, 100))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.RowsBetween(t.Context(), first, last, func([]byte) { rows++ }); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	tick := tickOf(p, 100)
	tick.State, tick.Outcomes = ledger.InProgress, []ledger.Range{
		{First: 0, Last: 19, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1},
		{First: 30, Last: 39, Outcome: ledger.Rejected},
		{First: 40, Last: 59, Outcome: ledger.AcknowledgedAfterUnknown, Lo: 1, Hi: 3},
	}
	want := map[string]int{
		"row 1 1":  count(0, 19),
		"row 1 3":  count(40, 59),
		"row 0 -1": count(20, 29) + count(60, 99),
	}
	c, err := f.claim(tick)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(owed(t, c), want); diff != "" {
		t.Errorf("owed (-got +want):\n%s", diff)
	}
	if got, want := c.Settled(time.Minute), tick.LeaseEnd.Add(time.Minute); !got.Equal(want) {
		t.Errorf("a crashed tick is settled at %s, want %s", got, want)
	}
}

// TestRolledBack: a claim is judged by the pipeline that has read its records in the end, and allows what the failed
// one may have delivered.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	failed, p := dividing(t), embedded(t)
	f := newFolder(t)
	f.publish(p)
	f.publish(failed)
	current := ledger.Current{
		Pipeline: p.Hash(), Deployed: p.Hash(), Since: start, By: ledger.ByDeploy,
		Rollbacks: []ledger.Rollback{{Failed: failed.Hash(), From: start, Until: start.Add(time.Minute), JudgedBy: p.Hash()}},
	}
	data, err := current.Encode()
	f.write(ledger.CurrentKey, data, err)
	tick := tickOf(failed, 100)
	tick.Poison = 10
	c, err := f.claim(tick)
	if err != nil {
		t.Fatal(err)
	}
	got := owed(t, c)
	if c.JudgedBy != p.Hash() || got["row 1 1"] == 0 || got["row 0 -1"] == 0 || got["reject 1 -1"] == 0 || got["reject 1 1"] != 0 {
		t.Errorf("judged by %s, owed %v", c.JudgedBy, got)
	}
}

func TestWhatIsNoClaim(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	for name, test := range map[string]struct {
		change func(f folder, tick *ledger.Tick)
		want   string
	}{
		"another generator": {func(_ folder, tick *ledger.Tick) { tick.Generator++ }, "need version 3 of the generator"},
		"not published":     {func(_ folder, tick *ledger.Tick) { tick.Pipeline = "0" }, "it is not published"},
		"no pipeline":       {func(f folder, _ *ledger.Tick) { f.write(ledger.PipelineKey(p.Hash()), []byte("{}"), nil) }, "cannot be run"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t)
			f.publish(p)
			tick := tickOf(p, 1)
			test.change(f, tick)
			if _, err := f.claim(tick); !errors.As(err, new(*replay.TickError)) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a TickError with %q", err, test.want)
			}
		})
	}
	f := newFolder(t)
	f.write(ledger.CurrentKey, []byte("{}"), nil)
	if _, err := replay.Open(t.Context(), f.Dir); err == nil || !strings.Contains(err.Error(), "read "+ledger.CurrentKey) {
		t.Errorf("a current pipeline that cannot be read: got %v", err)
	}
}

// TestABrokenPipelineReadsNoLine: a rolled-back pipeline that cannot be compiled does not keep others from reading a
// line.
func TestABrokenPipelineReadsNoLine(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	f := newFolder(t)
	f.publish(p)
	current := ledger.Current{
		Pipeline: p.Hash(), Deployed: p.Hash(), Since: start, By: ledger.ByDeploy,
		Rollbacks: []ledger.Rollback{{Failed: "gone", From: start, Until: start.Add(time.Minute), JudgedBy: p.Hash()}},
	}
	data, err := current.Encode()
	f.write(ledger.CurrentKey, data, err)
	l, err := replay.Open(t.Context(), f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	tick := tickOf(p, 1)
	tick.Pipeline = "gone"
	encoded, err := tick.Encode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Claim(t.Context(), bucket.Object{Key: ledger.TickKey(start), LastModified: start}, encoded)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(string(c.Record(0)), "\n")
	if !l.IsLine([]byte(line)) || l.IsLine([]byte("x")) {
		t.Errorf("a line of the record: %t; another: %t", l.IsLine([]byte(line)), l.IsLine([]byte("x")))
	}
}

// TestInterrupted: a claim ends soon after its context does, in the middle of its records, and says so.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	f := newFolder(t)
	f.publish(p)
	c, err := f.claim(tickOf(p, 20_000))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	emitted := 0
	emit := func([]byte, int64, int64) {
		if emitted++; emitted == 100 {
			cancel()
		}
	}
	if err := c.Owe(ctx, emit, emit); !errors.Is(err, context.Canceled) || emitted > 2000 {
		t.Errorf("got %v after %d rows", err, emitted)
	}
}
