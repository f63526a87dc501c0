package verifier

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/epoch"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
)

// A verification counts what the objects hold against what the claims owe, once, from a baseline on.
type verification struct {
	bucket  bucket.Bucket
	opts    Options
	ledger  *replay.Ledger
	base    *checkpoint // what was counted before; nil for nothing
	archive *archive
	report  *report.Report
	// rewrites are the objects that repairs have written again.
	rewrites rewrite.History

	claims []*replay.Claim // those that the baseline has not counted, in the order of their claims
	open   []*replay.Claim // those of them that the judge has not opened yet
	older  []*replay.Claim // all others, once olderRead
	// timeline has the epochs, and tallies what is counted of each, in the order in which they began.
	timeline *epoch.Timeline
	tallies  []*tally
	recorded []ledger.Epoch // of the ledger
	// sentLines are well-formed lines of records that stand under an error prefix, and the rows that each owes.
	sentLines map[sentLine][][]byte
	suspects  suspects
	rejects   map[rejectReason]int64
	counted   map[string]counted // by key
	next      *checkpoint
	left      map[string][]proof.Group // what is left of partly used acceptances, by key

	moreReasons int // beyond maxSentences
	moreNotes   int

	stretch *stretch // set if only a part of the rows is counted

	olderRead bool
	belated   bool // whether something came to light that is older than what the baseline has counted
	concluded bool // whether it came to a verdict
}

func newVerification(b bucket.Bucket, opts Options, replayed *replay.Ledger, base *checkpoint, archive *archive) *verification {
	opts.hold, opts.ticks = cmp.Or(opts.hold, maxHeld), cmp.Or(opts.ticks, maxTicks)
	opts.parts = cmp.Or(opts.parts, runtime.GOMAXPROCS(0))
	return &verification{
		bucket:  b,
		opts:    opts,
		ledger:  replayed,
		base:    base,
		archive: archive,
		report: &report.Report{
			Version:           report.Version,
			Bucket:            b.Name(),
			Prefix:            opts.DataPrefix,
			JudgedAt:          time.Now().UTC().Truncate(time.Second),
			Shards:            map[string]int64{},
			DuplicatesAllowed: opts.DuplicatesAllowed,
		},
		sentLines: map[sentLine][][]byte{},
		suspects:  suspects{lines: map[sentLine]bool{}},
		rejects:   map[rejectReason]int64{},
		counted:   map[string]counted{},
	}
}

// undecided gives a reason why there can be no verdict.
func (v *verification) undecided(format string, args ...any) {
	v.report.Verdict = proof.Undecided
	v.report.Reasons = add(v.report.Reasons, &v.moreReasons, "reasons", fmt.Sprintf(format, args...))
}

// note mentions something that does not affect the verdict.
func (v *verification) note(format string, args ...any) {
	v.report.Notes = add(v.report.Notes, &v.moreNotes, "notes", fmt.Sprintf(format, args...))
}

// stopped reports whether there is a reason not to continue.
func (v *verification) stopped(ctx context.Context) bool {
	if err := ctx.Err(); err != nil {
		v.undecided("the verification was interrupted: %v", err)
	}
	return len(v.report.Reasons) > 0 || v.belated
}

// run lists the objects first and the ledger after them, so that no row is seen before its claim.
func (v *verification) run(ctx context.Context) {
	if v.opts.overlap() {
		v.undecided("the data prefix %q and the errors prefix %q overlap: one is inside the other", v.opts.DataPrefix, v.opts.ErrorsPrefix)
		return
	}
	if v.base != nil && !v.base.hasPrefixes(v.opts) {
		v.undecided("%s is of the prefixes %q and %q, and what it has counted may have expired: go back to them, or deliver under %q and %q in another bucket",
			ArchiveKey, v.base.DataPrefix, v.base.ErrorsPrefix, v.opts.DataPrefix, v.opts.ErrorsPrefix)
		return
	}
	objects, errorObjects, now, ok := v.listObjects(ctx)
	if !ok {
		return
	}
	v.report.JudgedAt = now.UTC()
	if v.readLedger(ctx); v.stopped(ctx) {
		return
	}
	watermark := v.watermark(now)
	if v.stretch != nil {
		watermark = v.stretch.until
		young := func(o bucket.Object) bool { return o.LastModified.After(watermark) }
		objects, errorObjects = slices.DeleteFunc(objects, young), slices.DeleteFunc(errorObjects, young)
	}
	if len(v.claims) == 0 && v.base == nil {
		v.undecided("there is no ledger: no tick stands under %s in %s, so nothing is known to be owed", ledger.TicksPrefix, v.bucket.Name())
		return
	}
	if last := newest(objects); v.base == nil && !last.IsZero() && last.Before(v.claims[0].Claimed) && isCopy(v.bucket) {
		v.note("every object under %s is older than the first tick, so none of their rows can be matched: the copy has lost its files' times; "+
			"copy again with times, as aws s3 sync, cp -p and rsync -t do", v.opts.DataPrefix)
	}
	if v.prepare(ctx); v.stopped(ctx) {
		return
	}
	v.findSentLines(ctx, errorObjects)
	objects = slices.Concat(objects, errorObjects)
	slices.SortStableFunc(objects, func(a, b bucket.Object) int { return a.LastModified.Compare(b.LastModified) })

	old, _ := slices.BinarySearchFunc(objects, watermark, func(o bucket.Object, until time.Time) int {
		if o.LastModified.After(until) {
			return 1
		}
		return -1
	})
	if v.count(ctx, objects[:old], watermark); v.stopped(ctx) {
		return
	}
	if v.stretch != nil {
		v.next = v.stretch.checkpoint(v)
		return
	}
	if v.base == nil || watermark.After(v.base.Watermark) {
		v.next = v.takeCheckpoint(watermark)
		if slices.ContainsFunc(objects[old:], func(o bucket.Object) bool { _, made := v.rewrites.Made[o.Key]; return made }) {
			v.next.Repairs = uncounted
		}
	}
	if v.count(ctx, objects[old:], time.Time{}); v.stopped(ctx) {
		return
	}
	v.conclude(ctx, now)
}

// countSoFar adds what is counted of a verification that was stopped.
func (v *verification) countSoFar() {
	if v.concluded || v.belated {
		return
	}
	for t := range v.judges {
		v.report.Counts.Add(t.judge.Counts())
	}
	v.report.Partial = v.report.Counts != proof.Counts{}
}

// listObjects lists the objects of rows, and those of errors.
func (v *verification) listObjects(ctx context.Context) (objects, errorObjects []bucket.Object, now time.Time, ok bool) {
	objects, now, ok = v.list(ctx, "the data", v.opts.DataPrefix)
	for _, prefix := range []string{v.opts.ErrorsPrefix, v.opts.FailedPrefix()} {
		if !ok {
			break
		}
		var listed []bucket.Object
		listed, _, ok = v.list(ctx, "the error prefix", prefix)
		errorObjects = append(errorObjects, listed...)
	}
	return objects, errorObjects, now, ok
}

// list returns what stands under a prefix and is not counted yet. From the archive on, as from nothing, all of it is
// listed: an object from before the window that was never counted is recognized by its times.
func (v *verification) list(ctx context.Context, what, prefix string) (fresh []bucket.Object, now time.Time, ok bool) {
	layout, base := v.opts.layouts()[prefix], v.base
	if v.stretch != nil {
		base = v.archive.baseline() // the stretch sees to what its part has counted
	}
	after := base.after(prefix, layout)
	if base != nil && base.archived {
		after = ""
	}
	listed, now, err := v.bucket.ListAfter(ctx, prefix, after)
	if err != nil {
		v.undecided("%s %s cannot be listed: %v", what, prefix, err)
		return nil, now, false
	}
	v.rewrites.See(listed)
	fresh, faults, belated := base.fresh(prefix, layout, v.withoutStrays(prefix, listed, base), v.rewrites)
	for _, fault := range faults {
		v.undecided("%s", fault)
	}
	v.belated = v.belated || belated && len(faults) == 0
	if v.stretch != nil {
		fresh = v.stretch.see(fresh, v)
	}
	return fresh, now, !v.stopped(ctx)
}

// isForeign reports whether an object cannot be one of those that are read under a prefix: a folder's marker, or, in
// the ledger, an object not named as a tick or an acceptance is.
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

// withoutStrays drops what has no place under a prefix, with a note. What an older version has counted in the base
// stays.
func (v *verification) withoutStrays(prefix string, listed []bucket.Object, base *checkpoint) []bucket.Object {
	return slices.DeleteFunc(listed, func(o bucket.Object) bool {
		if base != nil {
			if _, counted := base.Objects[o.Key]; counted {
				return false
			}
		}
		if !isForeign(prefix, o) {
			return false
		}
		v.stray(prefix, o.Key)
		return true
	})
}

func (v *verification) stray(prefix, key string) {
	v.note("%s is not one of the objects that belong under %s, and is ignored", strconv.Quote(key), prefix)
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

// prepare makes the tallies of all epochs, restored from the baseline if there is one.
func (v *verification) prepare(ctx context.Context) {
	if v.divide(ctx); v.base != nil {
		v.report.Covers = v.base.Covers
		v.report.Covers.ArchivedUntil = v.archive.until(v.base)
		v.report.Covers.Pipelines = slices.Clone(v.base.Covers.Pipelines)
		maps.Copy(v.report.Shards, v.base.Shards)
		maps.Copy(v.counted, v.base.Objects)
		for _, r := range v.base.Rejects {
			v.rejects[rejectReason{r.Prefix, r.Reason}] = r.Count
		}
	}
	v.report.Covers.DeliveryDeadlineSeconds = int(v.opts.DeliveryDeadline / time.Second) // the archive may have another
}

// watermark is the moment up to which everything can be counted for good: nothing older is written any more, and every
// older tick is final.
func (v *verification) watermark(now time.Time) time.Time {
	watermark := now.Add(-margin)
	for _, c := range v.claims {
		over := now.After(c.LeaseEnd.Add(margin)) && now.After(c.Claimed.Add(longestRun+margin))
		if final := c.State == ledger.Complete || over; !final && !c.Claimed.After(watermark) {
			watermark = c.Claimed.Add(-time.Second)
		}
	}
	return watermark
}
