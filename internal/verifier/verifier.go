package verifier

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/report"
	"streamproof/internal/row"
	"streamproof/pipeline"
)

// Options say what is judged.
type Options struct {
	// DataPrefix is where the rows are delivered, as ingestion-kinesis/.
	DataPrefix string
	// ErrorsPrefix is where the rejects of the analytics are delivered, as ingestion-kinesis-errors/.
	ErrorsPrefix string
	// DeliveryDeadline is how long after a tick's manifest its rows may take to be in the bucket.
	DeliveryDeadline time.Duration
}

// Judge judges the whole life of a bucket. It always gives a report: whatever keeps it from judging is in the report's
// reasons, and the verdict is then UNDECIDED.
func Judge(ctx context.Context, b bucket.Bucket, opts Options) *report.Report {
	v := &verification{
		bucket: b,
		opts:   opts,
		report: &report.Report{
			Version:  report.Version,
			Bucket:   b.Name(),
			Prefix:   opts.DataPrefix,
			JudgedAt: time.Now().UTC().Truncate(time.Second),
		},
		compiled:  map[string]*compiled{},
		sentLines: map[string][][]byte{},
		rejects:   map[rejectReason]int64{},
	}
	defer v.close()
	v.report.Covers.DeliveryDeadlineSeconds = int(opts.DeliveryDeadline / time.Second)
	v.run(ctx)
	return v.report
}

type verification struct {
	bucket   bucket.Bucket
	opts     Options
	report   *report.Report
	claims   []*claim
	compiled map[string]*compiled // by pipeline hash
	judge    *proof.Judge
	// sentLines are well-formed lines of records that stand under an error prefix, and the rows that each owes.
	sentLines map[string][][]byte
	rejects   map[rejectReason]int64
	unlisted  int // reasons beyond maxReasons
}

// A claim is one tick of the ledger, with all that it takes to make its rows.
type claim struct {
	*ledger.Tick
	claimed  time.Time // C
	settled  time.Time
	records  generator.Tick
	make     *generator.Generator
	compiled *compiled
}

// compiled is a pipeline that some tick was made for, or why there is none.
type compiled struct {
	err        error
	pipeline   *pipeline.Pipeline
	query      *query.Query
	records    row.Schema // of the records' lines
	engine     *engine.Engine
	generators map[uint64]*generator.Generator // by seed
}

func (v *verification) close() {
	for _, c := range v.compiled {
		if c.engine == nil {
			continue
		}
		if err := c.engine.Close(); err != nil {
			v.undecided("close the judge's engine: %v", err)
		}
	}
}

// maxReasons is how many reasons a report lists; of more, it says how many.
const maxReasons = 20

func (v *verification) undecided(format string, args ...any) {
	v.report.Verdict = proof.Undecided
	reason := fmt.Sprintf(format, args...)
	if slices.Contains(v.report.Reasons, reason) {
		return
	}
	if len(v.report.Reasons) >= maxReasons {
		v.unlisted++
		reason = fmt.Sprintf("and %d more reasons", v.unlisted)
		v.report.Reasons = v.report.Reasons[:maxReasons]
	}
	v.report.Reasons = append(v.report.Reasons, reason)
}

// run lists the objects first and the ledger after them, so that no row is seen before its claim.
func (v *verification) run(ctx context.Context) {
	if v.opts.overlap() {
		v.undecided("of the data's prefix %q and the rejects' prefix %q one is inside of the other", v.opts.DataPrefix, v.opts.ErrorsPrefix)
		return
	}
	objects, now, err := v.bucket.List(ctx, v.opts.DataPrefix)
	if err != nil {
		v.undecided("the data cannot be listed: %v", err)
		return
	}
	var errorObjects []bucket.Object
	for _, prefix := range []string{v.opts.ErrorsPrefix, v.opts.FailedPrefix()} {
		listed, _, err := v.bucket.List(ctx, prefix)
		if err != nil {
			v.undecided("the error prefix %s cannot be listed: %v", prefix, err)
			return
		}
		errorObjects = append(errorObjects, listed...)
	}
	v.report.JudgedAt = now.UTC()
	v.readLedger(ctx, now)
	if len(v.report.Reasons) > 0 {
		return
	}
	if len(v.claims) == 0 {
		v.undecided("there is no ledger: no tick stands under %s in %s, so nothing is known to be owed", ledger.TicksPrefix, v.bucket.Name())
		return
	}
	output, ok := v.output()
	if !ok {
		return
	}
	v.judge = proof.NewJudge(func(key []byte) string {
		if key[0] == malformed {
			return strconv.Quote(string(key[1:]))
		}
		return output.Format(key)
	})
	v.findSentLines(ctx, errorObjects)
	v.count(ctx, slices.Concat(objects, errorObjects), output)
	if len(v.report.Reasons) == 0 && v.judge.Strange() {
		v.findLeaks()
	}
	if len(v.report.Reasons) > 0 {
		return
	}
	v.reportRejects()
	v.report.Counts, v.report.Samples = v.judge.Close(now)
	v.report.Verdict = v.report.Counts.Verdict()
	v.report.Reasons = explain(v.report)
}

// readLedger reads every tick and every pipeline that one names.
func (v *verification) readLedger(ctx context.Context, now time.Time) {
	entries, _, err := v.bucket.List(ctx, ledger.TicksPrefix)
	if err != nil {
		v.undecided("the ledger cannot be listed: %v", err)
		return
	}
	covers := &v.report.Covers
	for entry, read := range download(ctx, v.bucket, entries) {
		tick, err := decodeTick(read)
		if err != nil {
			v.undecided("the ledger cannot be read: %s: %v", entry.Key, err)
			continue
		}
		if want := ledger.TickKey(tick.Tick.Tick); want != entry.Key {
			v.undecided("the ledger cannot be read: %s holds the tick of %s", entry.Key, want)
			continue
		}
		tick.place(entry, v.opts.DeliveryDeadline)
		if err := v.compile(ctx, tick); err != nil {
			v.undecided("the pipeline %s cannot be judged: %v", tick.Pipeline, err)
			continue
		}
		v.claims = append(v.claims, tick)

		covers.Ticks++
		covers.Records += int64(tick.Records)
		switch {
		case tick.State != ledger.Complete && now.After(tick.LeaseEnd):
			covers.TicksCrashed++
		case !now.After(tick.settled):
			covers.TicksUnsettled++
		}
		if covers.From.IsZero() || tick.Tick.Tick.Before(covers.From) {
			covers.From = tick.Tick.Tick
		}
		if tick.Tick.Tick.After(covers.To) {
			covers.To = tick.Tick.Tick
		}
	}
	covers.Pipelines = slices.Sorted(maps.Keys(v.compiled))
	slices.SortStableFunc(v.claims, func(a, b *claim) int {
		return cmp.Or(a.claimed.Compare(b.claimed), a.Tick.Tick.Compare(b.Tick.Tick))
	})
}

func decodeTick(read result) (*claim, error) {
	if read.err != nil {
		return nil, read.err
	}
	tick, err := ledger.DecodeTick(read.data)
	if err != nil {
		return nil, err
	}
	if tick.Generator != generator.Version {
		return nil, fmt.Errorf("its records were made by version %d of the generator, and this program has version %d", tick.Generator, generator.Version)
	}
	return &claim{Tick: tick}, nil
}

// place puts the claim in time: C is kept in the tick, and in a bare claim it is when the object was written.
func (c *claim) place(entry bucket.Object, deadline time.Duration) {
	c.claimed = c.ClaimedAt
	if c.State == ledger.Claimed {
		c.claimed = entry.LastModified
	}
	closed := entry.LastModified
	if c.State != ledger.Complete {
		closed = c.LeaseEnd
	}
	c.settled = closed.Add(deadline)
	c.records = generator.Tick{
		Time:    c.Tick.Tick,
		Records: c.Records,
		Spread:  time.Duration(c.SpreadSeconds) * time.Second,
		Poison:  c.Poison,
	}
}

// compile finds the pipeline that the claim names, once for all its ticks, and the generator of its records.
func (v *verification) compile(ctx context.Context, c *claim) error {
	if v.compiled[c.Pipeline] == nil {
		v.compiled[c.Pipeline] = v.compilePipeline(ctx, c.Pipeline)
	}
	c.compiled = v.compiled[c.Pipeline]
	err := c.compiled.err
	if err != nil {
		return err
	}
	if c.make = c.compiled.generators[c.Seed]; c.make == nil {
		c.make, err = generator.New(c.compiled.pipeline.Schema, c.Seed)
		c.compiled.generators[c.Seed] = c.make
	}
	return err
}

func (v *verification) compilePipeline(ctx context.Context, hash string) *compiled {
	c := &compiled{generators: map[uint64]*generator.Generator{}}
	if c.pipeline, c.err = v.readPipeline(ctx, hash); c.err == nil {
		c.query, c.err = query.Compile(c.pipeline)
		c.records = row.Of(c.pipeline.Schema)
	}
	if c.err == nil {
		c.engine, c.err = engine.Open(c.query)
	}
	return c
}

func (v *verification) readPipeline(ctx context.Context, hash string) (*pipeline.Pipeline, error) {
	key := ledger.PipelineKey(hash)
	entries, _, err := v.bucket.List(ctx, key)
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, fmt.Errorf("it is not published: there is no %s", key)
	}
	data, err := v.bucket.Read(ctx, entries[0])
	if err != nil {
		return nil, err
	}
	p, err := ledger.DecodePipeline(data, hash)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return p, nil
}

// output is the schema of the rows, which has to be the same for all pipelines that are judged together.
func (v *verification) output() (row.Schema, bool) {
	first := v.claims[0]
	for _, c := range v.claims {
		if !slices.Equal(c.compiled.query.Output, first.compiled.query.Output) {
			v.undecided("pipelines %s and %s write rows of different columns under one prefix, which the judge cannot tell apart", first.Pipeline, c.Pipeline)
			return nil, false
		}
	}
	return first.compiled.query.Output, true
}

// count brings claims and objects before the judge in the order of time, claims first.
func (v *verification) count(ctx context.Context, objects []bucket.Object, output row.Schema) {
	slices.SortStableFunc(objects, func(a, b bucket.Object) int { return a.LastModified.Compare(b.LastModified) })
	claims := v.claims
	open := func(until time.Time) {
		for len(claims) > 0 && !claims[0].claimed.After(until) {
			v.owe(claims[0])
			claims = claims[1:]
		}
	}
	for object, read := range download(ctx, v.bucket, objects) {
		open(object.LastModified)
		if read.err == nil {
			read.err = v.find(object, read.data, output)
		}
		if read.err != nil {
			v.undecided("an object cannot be read: %s: %v", object.Key, read.err)
		}
	}
	for _, c := range claims {
		v.owe(c)
	}
}

// owe makes the rows of a claim again and opens them, one run of the query for each range of equal outcomes.
func (v *verification) owe(c *claim) {
	v.judge.Claim(proof.Tick{Time: c.Tick.Tick, Settled: c.settled})
	var key []byte
	for s := range c.spans {
		err := c.compiled.engine.Rows(c.rows(s), true, func(key []byte) { v.judge.Owe(key, s.lo, s.hi) })
		if err != nil {
			v.undecided("tick %s cannot be judged: %v", c.Tick.Tick.Format(time.RFC3339), err)
			return
		}
		for _, line := range c.make.Rejects(c.records, s.first, s.last) {
			key = rejectKey(key[:0], line)
			v.judge.Owe(key, s.lo, s.hi)
		}
	}
}

// A span is the records first to last (both included) of one claim, which share their bounds.
type span struct {
	first, last int
	lo, hi      int64 // how many copies of each the stream may hold
}

func (c *claim) rows(s span) *generator.Records { return c.make.Records(c.records, s.first, s.last) }

// spans gives the claim's records as spans, in order, without those that the stream cannot hold. What has no outcome
// may have been sent, any number of times.
func (c *claim) spans(yield func(span) bool) {
	next := 0
	for _, r := range c.Outcomes {
		if r.First > next && !yield(span{next, r.First - 1, 0, proof.Infinite}) {
			return
		}
		if r.Hi > 0 && !yield(span{r.First, r.Last, int64(r.Lo), int64(r.Hi)}) {
			return
		}
		next = r.Last + 1
	}
	if next < c.Records {
		yield(span{next, c.Records - 1, 0, proof.Infinite})
	}
}

// findLeaks asks which of the copies that nobody owed the query without its WHERE would have given.
func (v *verification) findLeaks() {
	for _, c := range v.claims {
		for s := range c.spans {
			err := c.compiled.engine.Rows(c.rows(s), false, func(key []byte) { v.judge.Leak(key, c.claimed) })
			if err != nil {
				v.undecided("tick %s cannot be judged: %v", c.Tick.Tick.Format(time.RFC3339), err)
				return
			}
		}
	}
}

// The longest line that can be a row, since Firehose takes no record over 1,000 KiB, and the longest one that can carry such a
// record in base64.
const (
	maxLine      = 1 << 20
	maxErrorLine = 1 << 21
)

// find reads what an object holds, which its prefix says.
func (v *verification) find(object bucket.Object, data []byte, output row.Schema) error {
	covers := &v.report.Covers
	switch {
	case strings.HasPrefix(object.Key, v.opts.ErrorsPrefix):
		covers.ErrorObjects++
		return v.findRejects(object, data)
	case strings.HasPrefix(object.Key, v.opts.FailedPrefix()):
		covers.ErrorObjects++
		return v.findFailures(object, data, output)
	}
	covers.Objects++
	covers.Bytes += object.Size
	v.judge.Object(object.Key, object.LastModified)
	in, err := unzipped(data)
	if err != nil {
		return err
	}
	lines, err := Count(v.judge, output, in)
	covers.Rows += lines
	return err
}

// unzipped reads an object, gzip or not as its first bytes tell.
func unzipped(data []byte) (io.Reader, error) {
	in := bytes.NewReader(data)
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return gzip.NewReader(in)
	}
	return in, nil
}

// Count brings every line of an object before the judge and gives their number.
func Count(judge *proof.Judge, output row.Schema, in io.Reader) (lines int64, err error) {
	var key []byte
	return eachLine(in, maxLine, func(line []byte, number int64) {
		var err error
		if key, err = output.Append(key[:0], line); err != nil {
			judge.Corrupt(line, number, err.Error())
		} else {
			judge.Find(key, number)
		}
	}, judge.Corrupt)
}

// eachLine hands on each line, without its newline and with its number (from 1). What is no whole line of at most the
// given length is corrupt.
func eachLine(in io.Reader, longest int, take func(line []byte, number int64), corrupt func(line []byte, number int64, reason string)) (lines int64, err error) {
	reader := bufio.NewReaderSize(in, longest)
	for {
		line, err := reader.ReadSlice('\n')
		if len(line) == 0 && errors.Is(err, io.EOF) {
			return lines, nil
		}
		lines++
		switch {
		case err == nil:
			take(line[:len(line)-1], lines)
		case errors.Is(err, io.EOF):
			corrupt(line, lines, "the line is not ended by a newline")
		case errors.Is(err, bufio.ErrBufferFull):
			corrupt(line, lines, fmt.Sprintf("the line is longer than %d bytes", longest))
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = reader.ReadSlice('\n')
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return lines, err
			}
		default:
			return lines, err
		}
	}
}

// explain says in sentences what keeps a verdict from PROVEN.
func explain(r *report.Report) []string {
	if r.Verdict == proof.Undecided {
		return []string{"nothing is owed: the ledger's ticks acknowledge no record that gives a row"}
	}
	sentences := map[proof.Class]string{
		proof.Missing:    "rows are owed by settled ticks and stand in no object",
		proof.Failed:     "rows stand under an error prefix only, from where they can be brought back",
		proof.Duplicated: "rows stand more often than they are owed",
		proof.Corrupt:    "lines are not what should stand there",
		proof.Leaked:     "rows should have been filtered out by the query",
		proof.Unexpected: "rows come from no record that was produced before them",
	}
	var reasons []string
	for _, class := range proof.Classes {
		if n := r.Counts.Of(class); n > 0 {
			reasons = append(reasons, fmt.Sprintf("%s: %d %s", class, n, sentences[class]))
		}
	}
	return reasons
}
