package verifier

import (
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
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/replay"
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
	v := newVerification(b, opts, nil, nil, nil)
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
	replayed, err := replay.Open(ctx, b)
	if err != nil {
		return undecided(b, opts, "%v", err), nil
	}
	current := replayed.Current
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
	v := newVerification(b, opts, replayed, base, kept)
	v.run(ctx)
	if err := replayed.Close(); err != nil {
		v.undecided("close the query's engine: %v", err)
	}
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

func newVerification(b bucket.Bucket, opts Options, replayed *replay.Ledger, base *state, kept *archive) *verification {
	opts.hold = cmp.Or(opts.hold, maxHeld)
	return &verification{
		bucket: b,
		opts:   opts,
		base:   base,
		kept:   kept,
		ledger: replayed,
		report: &report.Report{
			Version:           report.Version,
			Bucket:            b.Name(),
			Prefix:            opts.DataPrefix,
			JudgedAt:          time.Now().UTC().Truncate(time.Second),
			Shards:            map[string]int64{},
			DuplicatesAllowed: opts.DuplicatesAllowed,
		},
		sentLines: map[string][][]byte{},
		suspects:  suspects{lines: map[string]bool{}},
		rejects:   map[rejectReason]int64{},
		ticks:     map[string]tickState{},
		folded:    map[string]counted{},
	}
}

type verification struct {
	bucket    bucket.Bucket
	opts      Options
	base      *state // what is folded in, nil for nothing
	ledger    *replay.Ledger
	kept      *archive
	next      *state
	belated   bool
	concluded bool // it came to a verdict
	report    *report.Report
	claims    []*replay.Claim // those that are not folded in, in the order of their claims
	open      []*replay.Claim // those of them that the judge does not know yet
	older     []*replay.Claim // all others, once they were asked for
	read      bool            // whether they were
	output    row.Schema
	judge     *proof.Judge
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
	if v.readLedger(ctx); v.stopped(ctx) {
		return
	}
	if len(v.claims) == 0 && v.base == nil {
		v.undecided("there is no ledger: no tick stands under %s in %s, so nothing is known to be owed", ledger.TicksPrefix, v.bucket.Name())
		return
	}
	if last := newest(objects); v.base == nil && !last.IsZero() && last.Before(v.claims[0].Claimed) && isCopy(v.bucket) {
		v.note("every object under %s is older than the first tick, so none of their rows can be matched: the copy has lost its files' times; "+
			"copy again with times, as aws s3 sync, cp -p and rsync -t do", v.opts.DataPrefix)
	}
	if v.findOutput(); v.stopped(ctx) {
		return
	}
	if v.begin(); v.stopped(ctx) {
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
	if v.stopped(ctx) {
		return
	}
	if v.base == nil || horizon.After(v.base.Horizon) {
		v.next = v.fold(horizon)
	}
	v.count(ctx, objects[old:], time.Time{})
	if v.judge.HasUnmatched() {
		v.classify(ctx)
	}
	if v.stopped(ctx) {
		return
	}
	v.conclude(ctx, now)
}

// stopped says whether there is a reason not to go on.
func (v *verification) stopped(ctx context.Context) bool {
	if err := ctx.Err(); err != nil {
		v.undecided("the verification was interrupted: %v", err)
	}
	return len(v.report.Reasons) > 0 || v.belated
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
	return fresh, now, !v.stopped(ctx)
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
	if v.base == nil || len(v.claims) == 0 || v.claims[0].Claimed.After(v.base.Horizon) {
		return
	}
	if v.belated = !v.base.archived; !v.belated {
		v.undecided("%s was claimed by %s and is not counted in %s, which goes until %s: %s", v.claims[0].Entry.Key,
			v.claims[0].Claimed.UTC().Format(time.RFC3339), ArchiveKey, v.base.Horizon.UTC().Format(time.RFC3339), moveAway(ledger.TicksPrefix, ""))
	}
}

// readTicks gives the ticks in the order of their claims.
func (v *verification) readTicks(ctx context.Context, entries []bucket.Object) (claims []*replay.Claim) {
	for entry, content := range bucket.ReadAhead(ctx, v.bucket, entries) {
		entry, data, err := v.readTick(ctx, entry, content)
		if err != nil {
			v.undecided("the ledger cannot be read: %s: %v", entry.Key, err)
			continue
		}
		tick, err := v.ledger.Claim(ctx, entry, data)
		if err != nil {
			v.undecided("%v", err)
			continue
		}
		claims = append(claims, tick)
	}
	slices.SortStableFunc(claims, func(a, b *replay.Claim) int {
		return cmp.Or(a.Claimed.Compare(b.Claimed), a.Time.Compare(b.Time))
	})
	return claims
}

// readTick reads a tick, again if its producer has rewritten it since it was listed. It is the same claim, and everything
// that is counted was listed before.
func (v *verification) readTick(ctx context.Context, entry bucket.Object, content io.Reader) (bucket.Object, []byte, error) {
	data, err := io.ReadAll(content)
	if errors.Is(err, bucket.ErrRewritten) {
		now, again, againErr := bucket.Get(ctx, v.bucket, entry.Key)
		if now != nil {
			return *now, again, againErr
		}
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
		over := now.After(c.LeaseEnd.Add(margin)) && now.After(c.Claimed.Add(longestRun+margin))
		if final := c.State == ledger.Complete || over; !final && !c.Claimed.After(horizon) {
			horizon = c.Claimed.Add(-time.Second)
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
	if v.ledger.Current != nil {
		s.Rollbacks = len(v.ledger.Current.Rollbacks)
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
			v.output, first = c.Output(), c.JudgedBy
		}
		if !slices.Equal(c.Output(), v.output) {
			v.undecided("pipelines %s and %s write rows of different columns under one prefix, which the judge cannot tell apart", first, c.JudgedBy)
			return
		}
	}
}

// count brings claims and objects before the judge in the order of time, claims first: these objects, and the claims until
// that moment, or all where it is zero.
func (v *verification) count(ctx context.Context, objects []bucket.Object, until time.Time) {
	open := func(until time.Time) {
		for len(v.open) > 0 && (until.IsZero() || !v.open[0].Claimed.After(until)) {
			v.owe(ctx, v.open[0])
			v.open = v.open[1:]
		}
	}
	for object, content := range bucket.ReadAhead(ctx, v.bucket, objects) {
		open(object.LastModified)
		v.unreadable(object, v.find(object, content))
		v.folded[object.Key] = countedAs(object)
	}
	open(until)
}

// owe opens the rows and rejects of a claim.
func (v *verification) owe(ctx context.Context, c *replay.Claim) {
	v.judge.Claim(proof.Tick{Time: c.Time, Claimed: c.Claimed, Settled: c.Settled(v.opts.DeliveryDeadline)})
	var key []byte
	err := c.Owe(ctx, v.judge.Owe, func(line []byte, lo, hi int64) {
		key = rejectKey(key[:0], line)
		v.judge.Owe(key, lo, hi)
	})
	if v.notJudged(ctx, c, err) {
		return
	}
	v.cover(c)
}

// notJudged reports whether there is an error, and notes it as one of the claim's rows. That ctx has ended is noted when
// the verification stops.
func (v *verification) notJudged(ctx context.Context, c *replay.Claim, err error) bool {
	if err != nil && ctx.Err() == nil {
		v.undecided("tick %s cannot be judged: %v", c.Time.Format(time.RFC3339), err)
	}
	return err != nil
}

// cover takes the claim into what the report speaks of.
func (v *verification) cover(c *replay.Claim) {
	v.folded[c.Entry.Key] = countedAs(c.Entry)
	v.ticks[tickName(c.Time)] = tickState{c.State, c.Records}
	for id, shard := range c.Shards {
		v.report.Shards[id] += int64(shard.Records)
	}
	covers := &v.report.Covers
	covers.Ticks++
	covers.Records += int64(c.Records)
	if c.State != ledger.Complete && v.report.JudgedAt.After(c.LeaseEnd) {
		covers.TicksCrashed++
	}
	if covers.From.IsZero() || c.Time.Before(covers.From) {
		covers.From = c.Time
	}
	if c.Time.After(covers.To) {
		covers.To = c.Time
	}
	if at, found := slices.BinarySearch(covers.Pipelines, c.JudgedBy); !found {
		covers.Pipelines = slices.Insert(covers.Pipelines, at, c.JudgedBy)
	}
}

// classify asks the claims which of the copies that matched no account are doubles, and which the query without its WHERE
// would have given.
func (v *verification) classify(ctx context.Context) {
	ask := func(filtered bool, tell func(key []byte, claimed time.Time)) {
		if v.stopped(ctx) || !v.judge.Unresolved() {
			return
		}
		for c := range v.newestFirst(ctx) {
			err := c.Rows(ctx, filtered, func(key []byte) { tell(key, c.Claimed) })
			if v.notJudged(ctx, c, err) {
				return
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
func (v *verification) newestFirst(ctx context.Context) iter.Seq[*replay.Claim] {
	return func(yield func(*replay.Claim) bool) {
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
				known[c.Entry.Key] = true
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
	lines, err := Count(v.judge, v.output, data)
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

// eachLine passes each line, with its number, to take. What take refuses, and what is no complete line of at most the
// given length, is corrupt.
func eachLine(object io.Reader, longest int, take func(line []byte, number int64) error, corrupt func(line []byte, number int64, reason string)) (int64, error) {
	lines := bucket.NewLines(object, longest)
	for lines.Next() {
		fault := lines.Fault()
		if fault == nil {
			fault = take(lines.Text(), lines.Number())
		}
		if fault != nil {
			corrupt(lines.Text(), lines.Number(), lines.Explain(fault))
		}
	}
	return lines.Number(), lines.Err()
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
