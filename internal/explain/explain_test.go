package explain_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"streamproof/internal/bucket"
	"streamproof/internal/explain"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stream"
)

const (
	dataPrefix   = "data/"
	errorsPrefix = "rejects/"
	failedPrefix = "errors/data/processing-failed/"
)

var (
	start    = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	judgedAt = start.Add(10 * time.Minute)
)

// world is a bucket and a stream, with one tick of 60 records in them, half of them in each of two shards, that are
// judged.
type world struct {
	t       *testing.T
	tick    *ledger.Tick
	of      generator.Tick
	make    *generator.Generator
	records []string // the tick's, by index
	objects map[string]object
	stream  *held
	report  *report.Report
	opts    explain.Options
	listErr error
}

type object struct {
	data    []byte
	written time.Time
}

func (w *world) Name() string { return "memory" }

func (w *world) ListAfter(ctx context.Context, prefix, _ string) ([]bucket.Object, time.Time, error) {
	return w.List(ctx, prefix)
}

func (w *world) List(_ context.Context, prefix string) ([]bucket.Object, time.Time, error) {
	var listed []bucket.Object
	for key, o := range w.objects {
		if strings.HasPrefix(key, prefix) {
			listed = append(listed, bucket.Object{Key: key, Size: int64(len(o.data)), LastModified: o.written})
		}
	}
	slices.SortFunc(listed, func(a, b bucket.Object) int { return cmp.Compare(a.Key, b.Key) })
	return listed, w.opts.Now, w.listErr
}

func (w *world) Read(_ context.Context, o bucket.Object) ([]byte, error) {
	return w.objects[o.Key].data, nil
}

func (w *world) Open(ctx context.Context, o bucket.Object) (io.ReadCloser, error) {
	data, err := w.Read(ctx, o)
	return io.NopCloser(bytes.NewReader(data)), err
}

// held is a stream whose shards are filled in the order of sequence numbers.
type held struct {
	retention time.Duration
	shards    map[string][]stream.Record
	err       error
}

func (s *held) Retention(context.Context) (time.Duration, error) { return s.retention, nil }

func (s *held) ReadRange(_ context.Context, shard, first, last string, take func(stream.Record) bool) error {
	if s.err != nil {
		return s.err
	}
	for _, r := range s.shards[shard] {
		if r.SequenceNumber >= first && r.SequenceNumber <= last && !take(r) {
			return nil
		}
	}
	return nil
}

const records = 60

var shards = [...]string{"shardId-000000000000", "shardId-000000000001"}

func newWorld(t *testing.T, poison int, aggregation string, at time.Time) *world {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, objects: map[string]object{},
		stream: &held{shards: map[string][]stream.Record{}, retention: 24 * time.Hour},
		report: &report.Report{Version: report.Version, Verdict: proof.NotProven, JudgedAt: judgedAt, Samples: map[proof.Class][]proof.Sample{}},
		opts:   explain.Options{DataPrefix: dataPrefix, ErrorsPrefix: errorsPrefix, FailedPrefix: failedPrefix, Now: start.Add(time.Hour)},
		of:     generator.Tick{Time: at, Records: records, Spread: 5 * time.Second, Poison: poison},
	}
	if w.make, err = generator.New(p, 1); err != nil {
		t.Fatal(err)
	}
	w.tick = &ledger.Tick{
		State: ledger.Complete, Time: at, Owner: "a", LeaseEnd: at.Add(30 * time.Second), ClaimedAt: at.Add(time.Second),
		Seed: 1, Generator: generator.Version, Pipeline: p.Hash(), Records: records, SpreadSeconds: 5, PartitionKey: "uniform",
		Poison: poison, Aggregation: aggregation,
		Outcomes: []ledger.Range{{First: 0, Last: records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
		Shards: map[string]ledger.Shard{
			shards[0]: {Records: records / 2, FirstSequenceNumber: number(0), LastSequenceNumber: number(records - 1)},
			shards[1]: {Records: records / 2, FirstSequenceNumber: number(0), LastSequenceNumber: number(records - 1)},
		},
	}
	published, err := ledger.EncodePipeline(p)
	if err != nil {
		t.Fatal(err)
	}
	w.objects[ledger.PipelineKey(p.Hash())] = object{published, start}
	for i := range records {
		w.records = append(w.records, string(w.make.Append(nil, w.of, i)))
		if aggregation == "" {
			w.put(i)
		}
	}
	w.keep()
	return w
}

func (w *world) keep() {
	data, err := w.tick.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	w.objects[ledger.TickKey(w.tick.Time)] = object{data, w.tick.Time.Add(6 * time.Second)}
}

// number is the sequence number of record i.
func number(i int) string { return strconv.Itoa(49650000 + i) }

func (w *world) key(i int) string {
	key, err := w.make.KeyOf(generator.Uniform)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(w.make.AppendKey(nil, w.of, i, key))
}

func (w *world) put(i int) {
	shard := shards[i%2]
	w.stream.shards[shard] = append(w.stream.shards[shard], stream.Record{SequenceNumber: number(i), PartitionKey: w.key(i), Data: []byte(w.records[i])})
}

// drop takes record i out of the stream.
func (w *world) drop(i int) {
	shard := shards[i%2]
	w.stream.shards[shard] = slices.DeleteFunc(w.stream.shards[shard], func(r stream.Record) bool { return r.SequenceNumber == number(i) })
}

// row is what the embedded query makes of a line, worked out by hand, and how a report shows it; empty where the WHERE
// drops it.
func row(line string) string {
	f := strings.Split(strings.TrimSuffix(line, "\n"), ",")
	if len(f) != 19 || f[0] >= "3" {
		return ""
	}
	total := strings.TrimSuffix(strings.TrimRight(f[18], "0"), ".") // a REAL without zeros that say nothing
	return fmt.Sprintf("%s,%s,%s,%s", f[0], f[3], f[4], total)
}

// unique gives a record whose row no other record of the tick gives, and its row.
func (w *world) unique() (index int, of string) {
	count := map[string]int{}
	for _, record := range w.records {
		for line := range strings.Lines(record) {
			count[row(line)]++
		}
	}
	for i, record := range w.records {
		if of := row(record); strings.Count(record, "\n") == 1 && of != "" && count[of] == 1 {
			return i, of
		}
	}
	w.t.Fatal("no row of the tick is its own")
	return 0, ""
}

// lose tells the report of lost rows.
func (w *world) lose(class proof.Class, row string, count int64) *proof.Sample {
	at := w.tick.Time
	w.report.Samples[class] = append(w.report.Samples[class], proof.Sample{Row: row, Count: count, Tick: &at})
	if class == proof.Missing {
		w.report.Counts.Missing += count
	} else {
		w.report.Counts.Failed += count
	}
	return &w.report.Samples[class][len(w.report.Samples[class])-1]
}

func (w *world) explain() []report.Finding {
	w.t.Helper()
	got, err := explain.Explain(w.t.Context(), w, w.stream, w.report, w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	return got.Findings
}

// one is the only finding.
func (w *world) one(hop report.Hop, text string) report.Finding {
	w.t.Helper()
	got := w.explain()
	if len(got) != 1 || got[0].Hop != hop || !strings.Contains(got[0].Text, text) {
		w.t.Fatalf("got %+v, want one finding: %s, %q", got, hop, text)
	}
	return got[0]
}

func (w *world) place(i int) []report.Place {
	return []report.Place{{Shard: shards[i%2], SequenceNumber: number(i)}}
}

func (w *world) is(f report.Finding, indexes ...int) {
	w.t.Helper()
	var got []int
	for _, r := range f.Records {
		got = append(got, r.Index)
		if want := w.key(r.Index); r.PartitionKey != want || r.Outcome != ledger.Acknowledged {
			w.t.Errorf("record %d: got partition key %s, %s, want %s", r.Index, r.PartitionKey, r.Outcome, want)
		}
	}
	if diff := gocmp.Diff(indexes, got); diff != "" {
		w.t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestInTheStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	i, row := w.unique()
	w.lose(proof.Missing, row, 1)
	f := w.one(report.InStream, "in the stream, not among the rejects, not under processing-failed, not in the data: lost in the application or after Firehose took it")
	w.is(f, i)
	if diff := gocmp.Diff(w.place(i), f.Records[0].Places); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if f.Class != proof.Missing || f.Row != row || f.Count != 1 || !f.Tick.Equal(start) || f.Candidates != 1 {
		t.Errorf("got %+v", f)
	}
	w.report.Covers.Pipelines = []string{"one", "another"}
	w.one(report.InStream, "or read by the query of another pipeline")
	w.opts.Idle = "READY"
	w.one(report.InStream, "the application is READY and may not have read it yet")
	w.opts.Idle, w.opts.Failing = "", "a divisor is 0"
	w.one(report.InStream, "the application fails and restarts again and again, and may not have read it yet: a divisor is 0")
}

func TestNotInTheStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	i, row := w.unique()
	w.drop(i)
	w.lose(proof.Missing, row, 1)
	w.is(w.one(report.NotInStream, "not in the stream although acknowledged"), i)
}

// TestArrivedSince: the row stands in an object that was written after the report, in whatever shape.
func TestArrivedSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	w.objects[dataPrefix+"before"] = object{[]byte(row + "\n"), judgedAt}
	w.one(report.InStream, "") // what is older has been counted
	f := strings.Split(row, ",")
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	fmt.Fprintf(zip, "broken\n{\"COL0\":%s,\"COL3\":%s,\"COL4\":%s,\"COL18\":%s}\n", f[0], f[1], f[2], f[3])
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	w.objects[dataPrefix+"after"] = object{zipped.Bytes(), judgedAt.Add(time.Second)}
	got := w.one(report.Delivered, "in the data by now: data/after, line 2")
	if got.Object != "data/after" || got.Line != 2 {
		t.Errorf("got %+v", got)
	}
}

func rejectOf(reason, shard, number, data string) []byte {
	line, err := json.Marshal(map[string]any{
		"reason": reason, "column": "", "data": []byte(data), "shard": shard, "sequence_number": number, "arrival_time": start,
	})
	if err != nil {
		panic(err)
	}
	return append(line, '\n')
}

// TestMalformedLines: several records owe the same blank line, and the reject says which of them it is of.
func TestMalformedLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, records, "", start)
	var blank []int
	for i, line := range w.make.Rejects(w.of, 0, records-1) {
		if len(line) == 0 {
			blank = append(blank, i)
		}
	}
	if len(blank) < 3 {
		t.Fatalf("the tick has %d blank lines", len(blank))
	}
	w.lose(proof.Missing, `""`, 2)
	w.drop(blank[0])
	w.objects[errorsPrefix+"before"] = object{rejectOf("blank line", shards[blank[1]%2], number(blank[1]), ""), judgedAt}
	w.objects[errorsPrefix+"after"] = object{rejectOf("blank line", shards[blank[2]%2], number(blank[2]), ""), judgedAt.Add(time.Second)}
	got := w.explain()
	if len(got) != 2 || got[0].Hop != report.Rejected || got[1].Hop != report.NotInStream {
		t.Fatalf("got %+v, want one among the rejects and one that is not in the stream", got)
	}
	if want := "among the rejects (blank line) by now: rejects/after, line 1"; got[0].Text != want || got[0].Reason != "blank line" {
		t.Errorf("got %q, want %q", got[0].Text, want)
	}
	w.is(got[0], blank[2])
	w.is(got[1], blank[0])
}

// TestBadLines: a line with bytes is known by them.
func TestBadLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, records, "", start)
	for i, line := range w.make.Rejects(w.of, 0, records-1) {
		if len(line) > 0 {
			w.lose(proof.Missing, strconv.Quote(string(line)), 1)
			w.is(w.one(report.InStream, "lost in the application"), i)
			return
		}
	}
}

// TestRejectedLine: a well-formed line that the application rejected since.
func TestRejectedLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	i, row := w.unique()
	w.lose(proof.Missing, row, 1)
	line := strings.TrimSuffix(w.records[i], "\n")
	w.objects[errorsPrefix+"after"] = object{rejectOf("not an integer", shards[i%2], number(i), line), judgedAt.Add(time.Second)}
	w.is(w.one(report.Rejected, "among the rejects (not an integer)"), i)
}

// TestRowThatDoesNotFit: such a reject pays for nothing, so it is looked for among those that the report has counted,
// too.
func TestRowThatDoesNotFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	w.objects[errorsPrefix+"before the claim"] = object{rejectOf("row too long", "", "", row), start.Add(-time.Hour)}
	w.one(report.InStream, "")
	w.objects[errorsPrefix+"before"] = object{rejectOf("row too long", "", "", row), start.Add(time.Minute)}
	w.one(report.Rejected, "row too long")
}

func TestFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	i, row := w.unique()
	sample := w.lose(proof.Failed, row, 1)
	sample.Object, sample.Line, sample.Reason = failedPrefix+"x", 3, "Lambda.FunctionError: it failed"
	f := w.one(report.ProcessingFailed, "under processing-failed (Lambda.FunctionError: it failed): "+failedPrefix+"x, line 3; it can be brought back")
	w.is(f, i)
	if f.Object != failedPrefix+"x" || f.Line != 3 || f.Class != proof.Failed || len(f.Records[0].Places) != 1 {
		t.Errorf("got %+v", f)
	}
	sample.Object, sample.Reason = errorsPrefix+"y", "not an integer"
	w.one(report.Rejected, "among the rejects (not an integer): rejects/y, line 3")
	w.objects[dataPrefix+"after"] = object{[]byte(row + "\n"), judgedAt.Add(time.Second)}
	w.one(report.Delivered, "")
}

func TestFailedSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	line, err := json.Marshal(map[string]any{"attemptsMade": 4, "errorCode": "Lambda.Timeout", "errorMessage": "late", "rawData": []byte("other\n" + row + "\n")})
	if err != nil {
		t.Fatal(err)
	}
	w.objects[failedPrefix+"after"] = object{append(line, '\n'), judgedAt.Add(time.Second)}
	w.one(report.ProcessingFailed, "under processing-failed (Lambda.Timeout: late) by now: "+failedPrefix+"after, line 1")
}

// equal makes a world whose tick has a row that several records give.
func equal(t *testing.T) (w *world, of string, indexes []int) {
	t.Helper()
	for at := start; ; at = at.Add(time.Millisecond) {
		w := newWorld(t, 0, "", at)
		by := map[string][]int{}
		for i, record := range w.records {
			if of := row(record); of != "" {
				if by[of] = append(by[of], i); len(by[of]) > 1 {
					return w, of, by[of]
				}
			}
		}
	}
}

func TestEqualRows(t *testing.T) {
	t.Parallel()
	w, of, indexes := equal(t)
	w.lose(proof.Missing, of, 1)
	w.is(w.one(report.InStream, "; 1 of these 2 records, which give equal rows"), indexes...)
	// The same row may be missing and failed.
	sample := w.lose(proof.Failed, of, 1)
	sample.Object, sample.Line, sample.Reason = failedPrefix+"x", 3, "why"
	got := w.explain()
	if len(got) != 2 || got[0].Class != proof.Missing || got[0].Hop != report.InStream || got[1].Hop != report.ProcessingFailed || len(got[1].Records) != 2 {
		t.Fatalf("got %+v", got)
	}
	// One of them is not in the stream, so it is the one.
	w.report.Samples[proof.Failed] = nil
	w.drop(indexes[1])
	w.is(w.one(report.NotInStream, ""), indexes[1])
	// Both are missing, each for its own reason.
	w.report.Samples[proof.Missing][0].Count = 2
	got = w.explain()
	if len(got) != 2 || got[0].Hop != report.NotInStream || got[1].Hop != report.InStream {
		t.Fatalf("got %+v", got)
	}
	w.is(got[0], indexes[1])
	w.is(got[1], indexes[0])
}

// TestEqualRowsOfTwoTicks: a copy that has come since pays for the older claim.
func TestEqualRowsOfTwoTicks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	old := *w.tick
	old.Time, old.ClaimedAt = start.Add(-time.Minute), start.Add(-time.Minute)
	data, err := old.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.objects[ledger.TickKey(old.Time)] = object{data, start}
	w.report.Samples[proof.Missing] = append(w.report.Samples[proof.Missing], proof.Sample{Row: row, Count: 1, Tick: &old.Time})
	w.objects[dataPrefix+"after"] = object{[]byte(row + "\n"), judgedAt.Add(time.Second)}
	got := w.explain()
	// What the older tick's records are does not matter here: it gives other rows.
	if len(got) != 2 || !got[0].Tick.Equal(old.Time) || got[0].Hop != report.NotFound || got[1].Hop != report.Delivered {
		t.Fatalf("got %+v", got)
	}
}

// aggregate packs records as the Kinesis Producer Library does.
func (w *world) aggregate(hashKeys []string, indexes ...int) []byte {
	field := func(dst []byte, n protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(dst, n, protowire.BytesType), value)
	}
	message := field(nil, 1, []byte(w.key(indexes[0])))
	for _, key := range hashKeys {
		message = field(message, 2, []byte(key))
	}
	for n, i := range indexes {
		record := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 0)
		record = protowire.AppendVarint(protowire.AppendTag(record, 2, protowire.VarintType), uint64(min(n, len(hashKeys)-1)))
		message = field(message, 3, field(record, 3, []byte(w.records[i])))
	}
	digest := md5.Sum(message)
	return slices.Concat([]byte("\xf3\x89\x9a\xc2"), message, digest[:])
}

func TestAggregates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, ledger.KPL, start)
	i, row := w.unique()
	others := []int{(i + 1) % records, (i + 2) % records}
	put := func(hashKeys ...string) {
		w.stream.shards[shards[1]] = []stream.Record{
			{SequenceNumber: number(0), PartitionKey: "x", Data: []byte("\xf3\x89\x9a\xc2 and what is no aggregate of anybody")},
			{SequenceNumber: number(1), PartitionKey: w.key(others[0]), Data: w.aggregate(hashKeys, others[0], i, others[1])},
		}
	}
	w.lose(proof.Missing, row, 1)
	put("100")
	f := w.one(report.InStream, "lost in the application or after Firehose took it")
	w.is(f, i)
	want := []report.Place{{Shard: shards[1], SequenceNumber: number(1), Aggregate: &report.Aggregate{
		PartitionKey: w.key(others[0]), ExplicitHashKey: "100", Position: 2, Records: 3,
	}}}
	if diff := gocmp.Diff(want, f.Records[0].Places); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	w.stream.shards = nil
	w.one(report.NotInStream, "")
}

func TestRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	w.opts.Now = start.Add(25 * time.Hour)
	w.one(report.RetentionOver, "its retention of 24 hours is over for this tick")
	w.objects[dataPrefix+"after"] = object{[]byte(row + "\n"), judgedAt.Add(time.Second)}
	w.one(report.Delivered, "")
	delete(w.objects, dataPrefix+"after")
	w.opts.Now = start.Add(time.Hour)
	w.stream.err = fmt.Errorf("read: %w", stream.ErrTrimmed)
	w.one(report.RetentionOver, "although its retention is not over: the stream was deleted and created again")
}

// TestUnknownOutcomes: only what is owed can be missing, and a record may stand in the stream twice.
func TestUnknownOutcomes(t *testing.T) {
	t.Parallel()
	w, of, indexes := equal(t)
	w.tick.Outcomes = []ledger.Range{
		{First: 0, Last: indexes[1] - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1},
		{First: indexes[1], Last: records - 1, Outcome: ledger.Unknown, Lo: 0, Hi: 1},
	}
	w.keep()
	w.lose(proof.Missing, of, 1)
	w.is(w.one(report.InStream, "lost in the application"), indexes[0])
	// The shard is read no further than to the last record that is looked for, so a double before it is seen.
	i := indexes[0]
	shard := w.stream.shards[shards[i%2]]
	w.stream.shards[shards[i%2]] = append([]stream.Record{{SequenceNumber: number(0), PartitionKey: w.key(i), Data: []byte(w.records[i])}}, shard...)
	w.one(report.InStream, "")
}

func TestWhatCannotBeExplained(t *testing.T) {
	t.Parallel()
	_, row := newWorld(t, 0, "", start).unique()
	for want, spoil := range map[string]func(w *world){
		"the report does not say which tick owes it":        func(w *world) { w.report.Samples[proof.Missing][0].Tick = nil },
		"the ledger has no ledger/ticks/2026/11/23/":        func(w *world) { delete(w.objects, ledger.TickKey(start)) },
		"the ledger cannot be read":                         func(w *world) { w.objects[ledger.TickKey(start)] = object{data: []byte("{")} },
		"version 99 of the generator":                       func(w *world) { w.tick.Generator = 99; w.keep() },
		"it is not published":                               func(w *world) { delete(w.objects, ledger.PipelineKey(w.tick.Pipeline)) },
		"it was changed after it was published":             func(w *world) { w.tick.Pipeline = w.other(); w.keep() },
		`partition key "COL99"`:                             func(w *world) { w.tick.PartitionKey = "COL99"; w.keep() },
		"no acknowledged record of the tick gives this row": func(w *world) { w.report.Samples[proof.Missing][0].Row = "2,2,2,2" },
	} {
		w := newWorld(t, 0, "", start)
		w.lose(proof.Missing, row, 1)
		spoil(w)
		w.one(report.NotFound, want)
	}
}

// other publishes this pipeline under a hash that is not its own.
func (w *world) other() string {
	hash := strings.Repeat("ab", 32)
	w.objects[ledger.PipelineKey(hash)] = w.objects[ledger.PipelineKey(w.tick.Pipeline)]
	return hash
}

// TestRolledBack: the rows of a tick are looked for by the query that has read its records, and not by the one that
// failed.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	ours, failed := w.tick.Pipeline, w.other()
	w.tick.Pipeline = failed
	w.keep()
	current := ledger.Current{Pipeline: ours, Since: start, By: ledger.ByDeploy, Deployed: ours, Rollbacks: []ledger.Rollback{
		{Failed: failed, From: start.Add(-time.Hour), Until: start.Add(time.Hour), JudgedBy: ours},
	}}
	data, err := current.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w.objects[ledger.CurrentKey] = object{data: data}
	w.one(report.InStream, "lost in the application")
	w.objects[ledger.CurrentKey] = object{data: []byte("{")}
	if _, err := explain.Explain(t.Context(), w, w.stream, w.report, w.opts); err == nil || !strings.Contains(err.Error(), "read ledger/pipeline.json") {
		t.Errorf("got error %v, want that it cannot be read", err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	broken := errors.New("broken")
	w.stream.err = broken
	if _, err := explain.Explain(t.Context(), w, w.stream, w.report, w.opts); !errors.Is(err, broken) {
		t.Errorf("got %v, want the stream's error", err)
	}
	w.stream.err, w.listErr = nil, broken
	if _, err := explain.Explain(t.Context(), w, w.stream, w.report, w.opts); !errors.Is(err, broken) {
		t.Errorf("got %v, want the bucket's error", err)
	}
}

func TestNothingAndTooMuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	w.listErr = errors.New("nothing is to be looked for")
	if got := w.explain(); got == nil || len(got) > 0 {
		t.Errorf("got %v, want no finding, as a list", got)
	}
	w.listErr = nil
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	w.report.Counts.Missing, w.report.Counts.Failed = 30, 4
	got, err := explain.Explain(t.Context(), w, w.stream, w.report, w.opts)
	if err != nil || got.Beyond != 33 || got.Version != explain.Version || got.Verdict != proof.NotProven {
		t.Errorf("got %+v, %v, want 33 rows that the report has no samples of", got, err)
	}
}

// TestATickThatHasExpired: what the archive has counted may not be in the ledger any more.
func TestATickThatHasExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "", start)
	_, row := w.unique()
	w.lose(proof.Missing, row, 1)
	w.report.Covers.ArchivedUntil = start.Add(time.Hour)
	w.one(report.InStream, "") // it stands there still
	delete(w.objects, ledger.TickKey(start))
	w.one(report.NotFound, "has expired: history is archived until 2026-11-23T21:00:00Z")
	w.report.Covers.ArchivedUntil = start.Add(-time.Hour)
	w.one(report.NotFound, "the tick was deleted")
}
