package verifier

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/encoding"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/record"
	"streamproof/internal/report"
	"streamproof/internal/row"
)

// Options say what is judged.
type Options struct {
	// DataPrefix is where the rows are delivered, as ingestion-kinesis/.
	DataPrefix string
	// ErrorsPrefix is where the rejects of the analytics are delivered, as ingestion-kinesis-errors/.
	ErrorsPrefix string
	// DeliveryDeadline is how long after a tick's manifest its rows may take to be in the bucket.
	DeliveryDeadline time.Duration
	// DuplicatesAllowed is how many duplicates do not fail the verdict.
	DuplicatesAllowed int64

	// expire says that states keep what it takes to tag all that they have folded in.
	expire bool
	// hold is about how many bytes of unmatched rows, and of lines that may have been sent, are held before the claims are
	// asked of them; maxHeld where it is 0.
	hold int
	// useUp records what is left of acceptances, by their keys. It is nil where nothing can be written.
	useUp func(ctx context.Context, left map[string][]proof.Group) error
	// open takes all findings that nobody has accepted, unless it is nil.
	open func([]proof.Group)
}

// maxHeld leaves room in the function's memory for the sieves and for what the judge has open. With it, about a million rows
// are held.
const maxHeld = 256 << 20

// Judge judges the whole life of a bucket, from its archive on where it has one. It always gives a report: whatever keeps it
// from judging is in the report's reasons, and the verdict is then UNDECIDED.
func Judge(ctx context.Context, b bucket.Bucket, opts Options) *report.Report {
	known, _, _ := loadState(ctx, b) // which is asked for nothing but whether there has to be an archive
	kept, err := loadArchive(ctx, b, known)
	if err != nil {
		return undecided(b, opts, "%v", err)
	}
	r, _ := judgeFrom(ctx, b, opts, nil, kept)
	return r
}

// undecided is the report of a verification that cannot begin.
func undecided(b bucket.Bucket, opts Options, format string, args ...any) *report.Report {
	v := newVerification(b, opts, nil, nil)
	v.undecided(format, args...)
	return v.report
}

// judgeFrom goes on from a state, nil to begin anew, which is from the archive where there is one, and gives what the next
// verification can go on from: nil where nothing can be folded in yet.
func judgeFrom(ctx context.Context, b bucket.Bucket, opts Options, base *state, kept *archive) (*report.Report, *state) {
	begin := kept.begin()
	// A state of before the archive (somebody has restored it) does not know of all that may be gone.
	if base != nil && (!base.goesOn(opts) || begin != nil && base.Horizon.Before(begin.Horizon)) {
		base = nil
	}
	current, err := loadCurrent(ctx, b)
	if err != nil {
		return undecided(b, opts, "%s cannot be read: %v", ledger.CurrentKey, err), nil
	}
	if !base.knows(current) {
		base = nil
	}
	known := base
	if base == nil {
		if kept.gap() != "" {
			return undecided(b, opts, "%s", kept.gap()), nil
		}
		if base = begin; !base.knows(current) {
			return undecided(b, opts, "%s goes until %s, and a query of before was rolled back after that: %s", ArchiveKey, base.Horizon.UTC().Format(time.RFC3339), base.anew()), nil
		}
	}
	v := newVerification(b, opts, base, kept)
	v.current = current
	v.run(ctx)
	v.close()
	overtaken, err := v.overtaken(ctx)
	if overtaken && err == nil {
		if kept, err = loadArchive(ctx, b, known); err == nil {
			return judgeFrom(ctx, b, opts, known, kept)
		}
	}
	if err != nil {
		v.undecided("%v", err)
		return v.report, nil
	}
	if v.belated {
		// Something has come to light that is older than what was folded in, so the order of time was not kept.
		return judgeFrom(ctx, b, opts, nil, kept)
	}
	if pending := current.Pending(); pending != "" {
		v.report.Reasons = append(v.report.Reasons, pending) // which accuses nobody: the verdict is what it is
	}
	if !v.concluded {
		return v.report, nil
	}
	if opts.useUp != nil && len(v.left) > 0 {
		if err := opts.useUp(ctx, v.left); err != nil {
			v.undecided("it cannot be recorded that accepted findings are gone: %v", err)
			return v.report, nil
		}
	}
	return v.report, v.next
}

func newVerification(b bucket.Bucket, opts Options, base *state, kept *archive) *verification {
	opts.hold = cmp.Or(opts.hold, maxHeld)
	return &verification{
		bucket:      b,
		opts:        opts,
		interrupted: func() error { return nil },
		base:        base,
		kept:        kept,
		report: &report.Report{
			Version:           report.Version,
			Bucket:            b.Name(),
			Prefix:            opts.DataPrefix,
			JudgedAt:          time.Now().UTC().Truncate(time.Second),
			Shards:            map[string]int64{},
			DuplicatesAllowed: opts.DuplicatesAllowed,
		},
		compiled:  map[string]*compiled{},
		sentLines: map[string][][]byte{},
		suspects:  suspects{lines: map[string]bool{}},
		rejects:   map[rejectReason]int64{},
		ticks:     map[string]tickState{},
		folded:    map[string]counted{},
	}
}

type verification struct {
	bucket bucket.Bucket
	// interrupted gives the error of a context that has ended.
	interrupted func() error
	opts        Options
	base        *state // what is folded in, nil for nothing
	current     *ledger.Current
	kept        *archive
	next        *state
	belated     bool
	concluded   bool // it came to a verdict
	report      *report.Report
	claims      []*claim             // those that are not folded in, in the order of their claims
	open        []*claim             // those of them that the judge does not know yet
	older       []*claim             // all others, once they were asked for
	read        bool                 // whether they were
	compiled    map[string]*compiled // by pipeline hash
	output      row.Schema
	judge       *proof.Judge
	// sentLines are well-formed lines of records that stand under an error prefix, and the rows that each owes.
	sentLines map[string][][]byte
	suspects  suspects
	rejects   map[rejectReason]int64
	ticks     map[string]tickState     // by time
	folded    map[string]counted       // what has been counted, by key
	left      map[string][]proof.Group // what is left of acceptances of which something is used up, by key
	unlisted  int                      // reasons beyond maxReasons
	unnoted   int                      // and notes
}

// A claim is one tick of the ledger, with all that it takes to make its rows.
type claim struct {
	*ledger.Tick
	entry    bucket.Object
	claimed  time.Time // C
	settled  time.Time
	records  generator.Tick
	make     *generator.Generator
	judgedBy string // the pipeline that has read its records: the one that it names, unless that was rolled back
	compiled *compiled
	// failed is the pipeline that was rolled back, which may have given rows, too. It is nil where the judge does not know it.
	failed *compiled
}

// rolledBack says whether another pipeline has read the claim's records than the one that it names.
func (c *claim) rolledBack() bool { return c.judgedBy != c.Pipeline }

// compiled is a pipeline that some tick was made for, or why there is none.
type compiled struct {
	err        error
	pipeline   *pipeline.Pipeline
	query      *query.Query
	records    *record.Reader
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

// note tells something that keeps nobody from judging.
func (v *verification) note(format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	if slices.Contains(v.report.Notes, note) {
		return
	}
	if len(v.report.Notes) >= maxReasons {
		v.unnoted++
		note = fmt.Sprintf("and %d more notes", v.unnoted)
		v.report.Notes = v.report.Notes[:maxReasons]
	}
	v.report.Notes = append(v.report.Notes, note)
}

// run lists the objects first and the ledger after them, so that no row is seen before its claim.
func (v *verification) run(ctx context.Context) {
	v.interrupted = ctx.Err
	if v.opts.overlap() {
		v.undecided("of the data's prefix %q and the rejects' prefix %q one is inside of the other", v.opts.DataPrefix, v.opts.ErrorsPrefix)
		return
	}
	if v.base != nil && !v.base.judges(v.opts) {
		v.undecided("%s is of the prefixes %q and %q, and what it has folded in may be gone: go back to them, or deliver under %q and %q in another bucket",
			ArchiveKey, v.base.DataPrefix, v.base.ErrorsPrefix, v.opts.DataPrefix, v.opts.ErrorsPrefix)
		return
	}
	objects, now, ok := v.list(ctx, "the data", v.opts.DataPrefix)
	if !ok {
		return
	}
	var errorObjects []bucket.Object
	for _, prefix := range []string{v.opts.ErrorsPrefix, v.opts.FailedPrefix()} {
		listed, _, ok := v.list(ctx, "the error prefix", prefix)
		if !ok {
			return
		}
		errorObjects = append(errorObjects, listed...)
	}
	v.report.JudgedAt = now.UTC()
	if v.readLedger(ctx); v.stopped() {
		return
	}
	if len(v.claims) == 0 && v.base == nil {
		v.undecided("there is no ledger: no tick stands under %s in %s, so nothing is known to be owed", ledger.TicksPrefix, v.bucket.Name())
		return
	}
	if last := newest(objects); v.base == nil && !last.IsZero() && last.Before(v.claims[0].claimed) && isCopy(v.bucket) {
		v.note("every object under %s is older than the first tick, so none of their rows can be matched: the copy has lost its files' times; "+
			"copy again with times, as aws s3 sync, cp -p and rsync -t do", v.opts.DataPrefix)
	}
	if v.findOutput(); v.stopped() {
		return
	}
	if v.begin(); v.stopped() {
		return
	}
	v.judge.Bound(v.opts.hold, func() { v.classify(ctx) })
	v.findSentLines(ctx, errorObjects)
	objects = slices.Concat(objects, errorObjects)
	slices.SortStableFunc(objects, func(a, b bucket.Object) int { return a.LastModified.Compare(b.LastModified) })

	horizon := v.horizon(now)
	old, _ := slices.BinarySearchFunc(objects, horizon, func(o bucket.Object, until time.Time) int {
		if o.LastModified.After(until) {
			return 1
		}
		return -1
	})
	v.count(ctx, objects[:old], horizon)
	if v.judge.HasUnmatched() {
		v.classify(ctx)
	}
	if v.stopped() {
		return
	}
	if v.base == nil || horizon.After(v.base.Horizon) {
		v.next = v.fold(horizon)
	}
	v.count(ctx, objects[old:], time.Time{})
	if v.judge.HasUnmatched() {
		v.classify(ctx)
	}
	if v.stopped() {
		return
	}
	v.conclude(ctx, now)
}

// stopped says whether there is a reason not to go on.
func (v *verification) stopped() bool {
	if err := v.interrupted(); err != nil {
		v.undecided("the verification was interrupted: %v", err)
	}
	return len(v.report.Reasons) > 0 || v.belated
}

// rows are the records of a span for as long as the verification is not interrupted.
func (v *verification) rows(c *claim, s span) engine.Records {
	return &interruptible{Records: c.rows(s), interrupted: v.interrupted}
}

// interruptible ends records early once the verification is interrupted: a single tick may have millions of them.
type interruptible struct {
	*generator.Records
	interrupted func() error
	n           int
}

func (r *interruptible) Next() bool {
	if r.n++; r.n%1024 == 0 && r.interrupted() != nil {
		return false
	}
	return r.Records.Next()
}

// list gives what stands under a prefix and is not folded in. From the archive on, all of it is listed, as in every
// verification that is not an increment: what stands before the window and was never counted is told by its times.
func (v *verification) list(ctx context.Context, what, prefix string) (fresh []bucket.Object, now time.Time, ok bool) {
	layout := v.opts.layouts()[prefix]
	after := v.base.after(prefix, layout)
	if v.base != nil && v.base.archived {
		after = ""
	}
	listed, now, err := v.bucket.ListAfter(ctx, prefix, after)
	if err != nil {
		v.undecided("%s %s cannot be listed: %v", what, prefix, err)
		return nil, now, false
	}
	fresh, faults, belated := v.base.fresh(prefix, layout, v.withoutStrays(prefix, listed))
	for _, fault := range faults {
		v.undecided("%s", fault)
	}
	v.belated = v.belated || belated && len(faults) == 0
	return fresh, now, !v.stopped()
}

// isForeign reports whether an object under a prefix cannot be one of those that are read there: the marker of a folder, or, in
// the ledger, something that is not named as a tick or an acceptance is.
func isForeign(prefix string, o bucket.Object) bool {
	switch prefix {
	case ledger.TicksPrefix:
		return !ledger.IsTickKey(o.Key)
	case ledger.AcceptancesPrefix:
		return !ledger.IsAcceptanceKey(o.Key)
	default:
		return bucket.IsMarker(o)
	}
}

// withoutStrays leaves out what has no place under a prefix, and takes note of it. What an older version has counted stays.
func (v *verification) withoutStrays(prefix string, listed []bucket.Object) []bucket.Object {
	return slices.DeleteFunc(listed, func(o bucket.Object) bool {
		if v.base != nil {
			if _, counted := v.base.Objects[o.Key]; counted {
				return false
			}
		}
		if !isForeign(prefix, o) {
			return false
		}
		v.note("%s is none of the objects that belong under %s, and is passed over", strconv.Quote(o.Key), prefix)
		return true
	})
}

// newest is when the last of the objects was written.
func newest(objects []bucket.Object) (last time.Time) {
	for _, o := range objects {
		if o.LastModified.After(last) {
			last = o.LastModified
		}
	}
	return last
}

// readLedger reads every tick that is not folded in, and every pipeline that one names.
func (v *verification) readLedger(ctx context.Context) {
	entries, _, ok := v.list(ctx, "the ledger", ledger.TicksPrefix)
	if !ok {
		return
	}
	v.claims = v.readTicks(ctx, entries)
	v.open = v.claims
	if v.base == nil || len(v.claims) == 0 || v.claims[0].claimed.After(v.base.Horizon) {
		return
	}
	if v.belated = !v.base.archived; !v.belated {
		v.undecided("%s was claimed by %s and is not counted in %s, which goes until %s: %s", v.claims[0].entry.Key,
			v.claims[0].claimed.UTC().Format(time.RFC3339), ArchiveKey, v.base.Horizon.UTC().Format(time.RFC3339), moveAway(ledger.TicksPrefix, ""))
	}
}

// readTicks gives the ticks in the order of their claims.
func (v *verification) readTicks(ctx context.Context, entries []bucket.Object) (claims []*claim) {
	for entry, read := range download(ctx, v.bucket, entries) {
		entry, data, err := v.readAgain(ctx, entry, read)
		var tick *claim
		if err == nil {
			tick, err = decodeTick(data)
		}
		if err != nil {
			v.undecided("the ledger cannot be read: %s: %v", entry.Key, err)
			continue
		}
		if want := ledger.TickKey(tick.Tick.Time); want != entry.Key {
			v.undecided("the ledger cannot be read: %s holds the tick of %s", entry.Key, want)
			continue
		}
		tick.place(entry, v.opts.DeliveryDeadline)
		if err := v.compile(ctx, tick); err != nil {
			v.undecided("the pipeline %s cannot be judged: %v", tick.Pipeline, err)
			continue
		}
		claims = append(claims, tick)
	}
	slices.SortStableFunc(claims, func(a, b *claim) int {
		return cmp.Or(a.claimed.Compare(b.claimed), a.Tick.Time.Compare(b.Tick.Time))
	})
	return claims
}

// readAgain lists and reads a tick once more that its producer has written meanwhile, which it does every few seconds. It is
// the same claim, and everything that is counted was listed before.
func (v *verification) readAgain(ctx context.Context, entry bucket.Object, read result) (_ bucket.Object, data []byte, err error) {
	const most = 5
	data, err = read.whole()
	for range most {
		if !errors.Is(err, bucket.ErrRewritten) {
			break
		}
		now, gone := bucket.Find(ctx, v.bucket, entry.Key)
		if gone != nil || now == nil {
			break
		}
		entry = *now
		data, err = v.bucket.Read(ctx, entry)
	}
	return entry, data, err
}

// begin makes the judge, of the state where there is one.
func (v *verification) begin() {
	format := func(key []byte) string {
		if key[0] == malformed {
			return strconv.Quote(string(key[1:]))
		}
		return v.output.Format(key)
	}
	if v.base == nil {
		v.report.Covers = report.Coverage{DeliveryDeadlineSeconds: int(v.opts.DeliveryDeadline / time.Second)}
		v.judge = proof.NewJudge(format)
		return
	}
	var err error
	if v.judge, err = proof.Restore(v.base.Judge, format); err != nil {
		v.undecided("%s contradicts itself: %v: %s", v.base.key(), err, v.base.anew())
		return
	}
	v.report.Covers = v.base.Covers
	v.report.Covers.ArchivedUntil = v.kept.until(v.base)
	v.report.Covers.DeliveryDeadlineSeconds = int(v.opts.DeliveryDeadline / time.Second) // which the archive may have another of
	v.report.Covers.Pipelines = slices.Clone(v.base.Covers.Pipelines)
	maps.Copy(v.report.Shards, v.base.Shards)
	maps.Copy(v.ticks, v.base.Ticks)
	maps.Copy(v.folded, v.base.Objects)
	for _, r := range v.base.Rejects {
		v.rejects[rejectReason{r.Prefix, r.Reason}] = r.Count
	}
}

// horizon is until when everything is old enough to be folded in: nothing is written any more that is of before, and every
// tick of before is final.
func (v *verification) horizon(now time.Time) time.Time {
	horizon := now.Add(-margin)
	for _, c := range v.claims {
		over := now.After(c.LeaseEnd.Add(margin)) && now.After(c.claimed.Add(longestRun+margin))
		if final := c.State == ledger.Complete || over; !final && !c.claimed.After(horizon) {
			horizon = c.claimed.Add(-time.Second)
		}
	}
	return horizon
}

// fold makes a state of all that has been counted.
func (v *verification) fold(horizon time.Time) *state {
	v.reportRejects()
	s := &state{
		Version:    stateVersion,
		DataPrefix: v.opts.DataPrefix, ErrorsPrefix: v.opts.ErrorsPrefix, DeadlineSeconds: int(v.opts.DeliveryDeadline / time.Second),
		Output:  describe(v.output),
		Horizon: horizon,
		Objects: maps.Clone(v.folded),
		Reach:   map[string]string{},
		Covers:  v.report.Covers,
		Rejects: v.report.Rejects,
		Shards:  maps.Clone(v.report.Shards),
		Ticks:   map[string]tickState{},
		Judge:   v.judge.State(report.MaxTicks),
	}
	s.Covers.Pipelines = slices.Clone(v.report.Covers.Pipelines)
	if v.current != nil {
		s.Rollbacks = len(v.current.Rollbacks)
	}
	for _, t := range s.Judge.Ticks {
		s.Ticks[tickName(t.Time)] = v.ticks[tickName(t.Time)]
	}
	// Objects is of all that has been counted, less what no later verification asks for.
	if v.base != nil {
		maps.Copy(s.Reach, v.base.Reach)
	}
	if s.Origin = rand.Text(); v.base != nil && !v.base.archived {
		s.Origin = v.base.Origin
	}
	if begin := v.kept.begin(); !v.opts.expire {
		s.trim(s.windows(), begin.strays())
	} else if begin != nil {
		s.trim(begin.Reach, begin.strays())
	}
	return s
}

// conclude draws up the balance.
func (v *verification) conclude(ctx context.Context, now time.Time) {
	acceptances, err := v.acceptances(ctx)
	if err != nil {
		v.undecided("the acceptances cannot be read: %v", err)
		return
	}
	result := v.judge.Close(now)
	r := v.report
	v.reportRejects()
	r.Counts, r.Samples = result.Counts, result.Samples
	if r.Covers.Objects == 0 {
		v.note("nothing stands under %s", v.opts.DataPrefix)
	}
	if r.Counts.Missing > 0 && r.Covers.ErrorObjects == 0 {
		v.note("nothing stands under the error prefixes %s and %s, where rows that failed would be", v.opts.ErrorsPrefix, v.opts.FailedPrefix())
	}
	for i := range r.Samples[proof.Missing] {
		r.Samples[proof.Missing][i].Reason = v.whereMissing()
	}
	r.Delay = report.DelayOf(result.Delays, result.LateMax)
	for _, t := range result.Ticks[max(0, len(result.Ticks)-report.MaxTicks):] {
		info := v.ticks[tickName(t.Time)]
		r.Ticks = append(r.Ticks, report.Tick{
			Tick: t.Time, State: info.State, Records: info.Records, Owed: t.Owed, Delivered: t.Delivered, Rejects: t.Rejects,
			Failed: t.Failed, Missing: t.Missing, InFlight: t.InFlight, Late: t.Late,
		})
	}
	for _, t := range result.Ticks {
		if !now.After(t.Settled) {
			r.Covers.TicksUnsettled++
		}
	}
	excused := map[proof.Class]int64{proof.Duplicated: v.opts.DuplicatesAllowed}
	covered := cover(acceptances, result, now, v.opts.open != nil)
	for class, n := range covered.excused {
		excused[class] += n
	}
	r.Accepted, v.left = covered.accepted, covered.left
	if v.opts.open != nil {
		v.opts.open(covered.open)
	}
	r.Verdict = r.Counts.Verdict(excused)
	r.Reasons = reasonsOf(r, excused)
	v.concluded = true
}

func decodeTick(data []byte) (*claim, error) {
	tick, err := ledger.DecodeTick(data)
	if err != nil {
		return nil, err
	}
	if !generator.Known(tick.Generator) {
		return nil, fmt.Errorf("its records were made by version %d of the generator, and this program has version %d", tick.Generator, generator.Version)
	}
	return &claim{Tick: tick}, nil
}

// place puts the claim in time: C is kept in the tick, and in a bare claim it is when the object was written.
func (c *claim) place(entry bucket.Object, deadline time.Duration) {
	c.entry = entry
	c.claimed = c.ClaimedAt
	if c.State == ledger.Claimed {
		c.claimed = entry.LastModified
	}
	// The lease is by the producer's clock, which may be wrong: what the tick owes was acknowledged by its last write.
	closed := entry.LastModified
	if c.State != ledger.Complete && c.LeaseEnd.After(closed) {
		closed = c.LeaseEnd
	}
	c.settled = closed.Add(deadline)
	c.records = generator.Tick{
		Time:    c.Tick.Time,
		Records: c.Records,
		Spread:  time.Duration(c.SpreadSeconds) * time.Second,
		Poison:  c.Poison,

		Aggregates: c.PoisonsAggregates(),
	}
}

// compile finds the pipeline that the claim is judged by, once for all its ticks, and the generator of its records.
func (v *verification) compile(ctx context.Context, c *claim) error {
	find := func(hash string) *compiled {
		if v.compiled[hash] == nil {
			v.compiled[hash] = v.compilePipeline(ctx, hash)
		}
		return v.compiled[hash]
	}
	c.judgedBy = c.Pipeline
	if by, ok := v.current.RolledBack(c.Pipeline, c.claimed); ok {
		c.judgedBy = by
		if failed := find(c.Pipeline); failed.err == nil {
			c.failed = failed
		}
	}
	c.compiled = find(c.judgedBy)
	err := c.compiled.err
	if err != nil {
		return err
	}
	if c.make = c.compiled.generators[c.Seed]; c.make == nil {
		c.make, err = generator.New(c.compiled.pipeline, c.Seed)
		c.compiled.generators[c.Seed] = c.make
	}
	return err
}

func (v *verification) compilePipeline(ctx context.Context, hash string) *compiled {
	c := &compiled{generators: map[uint64]*generator.Generator{}}
	if c.pipeline, c.err = v.readPipeline(ctx, hash); c.err == nil {
		c.query, c.err = query.Compile(c.pipeline)
	}
	if c.err == nil {
		c.records, c.err = record.NewReader(c.pipeline.Schema)
	}
	if c.err == nil {
		c.engine, c.err = engine.Open(c.query)
	}
	return c
}

// loadCurrent reads which pipeline is current, and which were rolled back; nil where nobody has said.
func loadCurrent(ctx context.Context, b bucket.Bucket) (*ledger.Current, error) {
	data, etag, err := load(ctx, b, ledger.CurrentKey)
	if errors.Is(err, bucket.ErrRewritten) {
		data, etag, err = load(ctx, b, ledger.CurrentKey)
	}
	if err != nil || etag == nil {
		return nil, err
	}
	return ledger.DecodeCurrent(data)
}

func (v *verification) readPipeline(ctx context.Context, hash string) (*pipeline.Pipeline, error) {
	key := ledger.PipelineKey(hash)
	entry, err := bucket.Find(ctx, v.bucket, key)
	if err != nil {
		return nil, err
	}
	if entry == nil {
		return nil, fmt.Errorf("it is not published: there is no %s", key)
	}
	data, err := v.bucket.Read(ctx, *entry)
	if err != nil {
		return nil, err
	}
	p, err := ledger.DecodePipeline(data, hash)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return p, nil
}

// findOutput finds the schema of the rows, which has to be the same for all pipelines that are judged together.
func (v *verification) findOutput() {
	var first string
	if v.base != nil {
		var err error
		if v.output, err = parseOutput(v.base.Output); err != nil {
			v.undecided("%s cannot be read: %v: %s", v.base.key(), err, v.base.anew())
			return
		}
		first = "before"
	}
	for _, c := range v.claims {
		if v.output == nil {
			v.output, first = c.compiled.query.Output, c.judgedBy
		}
		if !slices.Equal(c.compiled.query.Output, v.output) {
			v.undecided("pipelines %s and %s write rows of different columns under one prefix, which the judge cannot tell apart", first, c.judgedBy)
			return
		}
	}
}

// count brings claims and objects before the judge in the order of time, claims first: these objects, and the claims until
// that moment, or all where it is zero.
func (v *verification) count(ctx context.Context, objects []bucket.Object, until time.Time) {
	open := func(until time.Time) {
		for len(v.open) > 0 && (until.IsZero() || !v.open[0].claimed.After(until)) {
			v.owe(v.open[0])
			v.open = v.open[1:]
		}
	}
	for object, read := range download(ctx, v.bucket, objects) {
		open(object.LastModified)
		if read.err == nil {
			read.err = v.find(object, read.in)
		}
		v.unreadable(object, read.err)
		v.folded[object.Key] = countedAs(object)
	}
	open(until)
}

// owe makes the rows of a claim again and opens them, one run of the query for each range of equal outcomes.
func (v *verification) owe(c *claim) {
	v.judge.Claim(proof.Tick{Time: c.Tick.Time, Claimed: c.claimed, Settled: c.settled})
	var key []byte
	for s := range c.spans {
		err := c.compiled.engine.Rows(v.rows(c, s), true, func(key []byte) { v.judge.Owe(key, s.lo, s.hi) })
		if err != nil {
			v.undecided("tick %s cannot be judged: %v", c.Tick.Time.Format(time.RFC3339), err)
			return
		}
		hi := s.hi
		if c.rolledBack() {
			hi = proof.Infinite // the job of the query that failed may have rejected it, each time that it was started
		}
		for _, line := range c.make.Rejects(c.records, s.first, s.last) {
			key = rejectKey(key[:0], line)
			v.judge.Owe(key, s.lo, hi)
		}
		if c.failed != nil {
			v.mayHaveGiven(c, s)
		}
	}
	v.cover(c)
}

// failedChunk is how many records are given at once to a query that fails at some of them.
const failedChunk = 1000

// mayHaveGiven opens the rows of a query that was rolled back: it has run until it failed, and was started again and again, so
// that what it gives of a record may have been delivered any number of times, or never.
func (v *verification) mayHaveGiven(c *claim, s span) {
	give := func(first, last int, emit func(key []byte)) error {
		return c.failed.engine.Rows(v.rows(c, span{first: first, last: last}), true, emit)
	}
	open := func(key []byte) { v.judge.Owe(key, 0, proof.Infinite) }
	for first := s.first; first <= s.last; first += failedChunk {
		last := min(first+failedChunk-1, s.last)
		var rows [][]byte
		if err := give(first, last, func(key []byte) { rows = append(rows, bytes.Clone(key)) }); err == nil {
			for _, key := range rows {
				open(key)
			}
			continue
		}
		for i := first; i <= last; i++ {
			_ = give(i, i, open) // the record that it fails at gives nothing
		}
	}
}

// cover takes the claim into what the report speaks of.
func (v *verification) cover(c *claim) {
	v.folded[c.entry.Key] = countedAs(c.entry)
	v.ticks[tickName(c.Tick.Time)] = tickState{c.State, c.Records}
	for id, shard := range c.Shards {
		v.report.Shards[id] += int64(shard.Records)
	}
	covers := &v.report.Covers
	covers.Ticks++
	covers.Records += int64(c.Records)
	if c.State != ledger.Complete && v.report.JudgedAt.After(c.LeaseEnd) {
		covers.TicksCrashed++
	}
	if covers.From.IsZero() || c.Tick.Time.Before(covers.From) {
		covers.From = c.Tick.Time
	}
	if c.Tick.Time.After(covers.To) {
		covers.To = c.Tick.Time
	}
	if at, found := slices.BinarySearch(covers.Pipelines, c.judgedBy); !found {
		covers.Pipelines = slices.Insert(covers.Pipelines, at, c.judgedBy)
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

// classify asks the claims which of the copies that matched no account are doubles, and which the query without its WHERE
// would have given.
func (v *verification) classify(ctx context.Context) {
	ask := func(filtered bool, tell func(key []byte, claimed time.Time)) {
		if v.stopped() || !v.judge.Unresolved() {
			return
		}
		for c := range v.newestFirst(ctx) {
			for s := range c.spans {
				err := c.compiled.engine.Rows(v.rows(c, s), filtered, func(key []byte) { tell(key, c.claimed) })
				if err != nil {
					v.undecided("tick %s cannot be judged: %v", c.Tick.Time.Format(time.RFC3339), err)
					return
				}
			}
			if !v.judge.Unresolved() {
				return
			}
		}
	}
	ask(true, v.judge.Owned)
	ask(false, v.judge.Leaked)
}

// newestFirst gives all claims of the ledger: those of this verification, and, where somebody goes on asking, those that
// are folded in.
func (v *verification) newestFirst(ctx context.Context) iter.Seq[*claim] {
	return func(yield func(*claim) bool) {
		for _, c := range slices.Backward(v.claims) {
			if !yield(c) {
				return
			}
		}
		if v.base == nil {
			return
		}
		if !v.read {
			v.read = true
			entries, _, err := v.bucket.List(ctx, ledger.TicksPrefix)
			entries = v.withoutStrays(ledger.TicksPrefix, entries)
			if err != nil {
				v.undecided("the ledger cannot be listed: %v", err)
				return
			}
			known := map[string]bool{}
			for _, c := range v.claims {
				known[c.entry.Key] = true
			}
			v.older = v.readTicks(ctx, slices.DeleteFunc(entries, func(o bucket.Object) bool { return known[o.Key] }))
		}
		for _, c := range slices.Backward(v.older) {
			if !yield(c) {
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

// unreadable says of an object that it cannot be read, unless err is nil.
func (v *verification) unreadable(object bucket.Object, err error) {
	if err != nil {
		v.undecided("an object cannot be read: %s: %v", object.Key, err)
	}
}

// find reads what an object holds, which its prefix says.
func (v *verification) find(object bucket.Object, data io.Reader) error {
	covers := &v.report.Covers
	switch {
	case strings.HasPrefix(object.Key, v.opts.ErrorsPrefix):
		covers.ErrorObjects++
		return v.findRejects(object, data)
	case strings.HasPrefix(object.Key, v.opts.FailedPrefix()):
		covers.ErrorObjects++
		return v.findFailures(object, data)
	}
	covers.Objects++
	covers.Bytes += object.Size
	v.judge.Object(object.Key, object.ETag, object.LastModified)
	in, err := bucket.Unzip(data)
	if err != nil {
		return err
	}
	lines, err := Count(v.judge, v.output, in)
	covers.Rows += lines
	return err
}

// Count brings every line of an object before the judge and gives their number.
func Count(judge *proof.Judge, output row.Schema, in io.Reader) (lines int64, err error) {
	var key []byte
	return eachLine(in, maxLine, func(line []byte, number int64) (err error) {
		if key, err = output.Append(key[:0], line); err == nil {
			judge.Find(key, number)
		}
		return err
	}, judge.Corrupt)
}

// eachLine hands on each line, without its newline and with its number (from 1). What take refuses, and what is no complete
// line of at most the given length, is corrupt: because of the object's format, where it has one that is not of lines.
func eachLine(in io.Reader, longest int, take func(line []byte, number int64) error, corrupt func(line []byte, number int64, reason string)) (lines int64, err error) {
	reader := bufio.NewReaderSize(in, longest)
	head, _ := reader.Peek(encoding.FormatBytes) // what cannot be read is seen below
	if format := encoding.Format(head); format != "" {
		if format == encoding.Gzip {
			format = "gzip within gzip" // the outer one has been taken off
		}
		because := corrupt
		corrupt = func(line []byte, number int64, _ string) {
			because(line, number, "the object is "+format+", not lines of rows")
		}
	}
	for {
		line, err := reader.ReadSlice('\n')
		if len(line) == 0 && errors.Is(err, io.EOF) {
			return lines, nil
		}
		lines++
		switch {
		case err == nil:
			if fault := take(line[:len(line)-1], lines); fault != nil {
				corrupt(line[:len(line)-1], lines, fault.Error())
			}
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

// whereMissing is what a verification knows of a missing row. Where the bucket is a stack's, package explain can read the
// stream back.
func (v *verification) whereMissing() string {
	const where = "the stream took it, and it is neither in the data, nor among the rejects, nor under processing-failed"
	if isCopy(v.bucket) {
		return where
	}
	return where + ": see streamproof explain"
}

// isCopy reports whether a bucket is a copy of one, beside which there is no stack.
func isCopy(b bucket.Bucket) bool {
	_, copied := b.(bucket.Dir)
	return copied
}

// reasonsOf says in sentences what keeps a verdict from PROVEN.
func reasonsOf(r *report.Report, excused map[proof.Class]int64) []string {
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
		if n := r.Counts.Of(class); n > excused[class] {
			reason := fmt.Sprintf("%s: %d %s", class, n, sentences[class])
			if excused[class] > 0 {
				reason += fmt.Sprintf(", of which %d are accepted or allowed", excused[class])
			}
			reasons = append(reasons, reason)
		}
	}
	return reasons
}
