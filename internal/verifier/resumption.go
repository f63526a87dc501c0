package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
)

// A resumption decides what a verification resumes from: the last checkpoint, the archive, or nothing.
type resumption struct {
	bucket     bucket.Bucket
	opts       Options
	checkpoint *checkpoint // nil if there is none, or it is not to be used
	archive    *archive    // nil if there is none
	only       bool        // whether to resume from the checkpoint, or else not at all

	rewrites rewrite.History
	from     string // what the last verification resumed from, and why not from the checkpoint; for the log
}

// baseline returns what to resume from, nil for nothing. The error says why nothing can be judged at all.
func (r *resumption) baseline(ctx context.Context, l *replay.Ledger) (*checkpoint, error) {
	var why string
	archived, current := r.archive.baseline(), l.Current
	changes := true // whether the checkpoint covers those of the query
	if r.checkpoint != nil {
		var err error
		if changes, err = r.checkpoint.coversChanges(ctx, l); err != nil {
			return nil, err
		}
	}
	switch c := r.checkpoint; {
	case c == nil:
		why = "there is no checkpoint, or it is passed over"
	case !c.compatible(r.opts):
		why = "the checkpoint is of other prefixes, another deadline or an older version"
	case archived != nil && c.Watermark.Before(archived.Watermark):
		why = "the checkpoint is older than the archive and does not list all that may have expired"
	case !c.coversRollbacks(current):
		why = "a query was rolled back since the checkpoint counted its rows"
	case c.Repairs != r.rewrites.Closed:
		why = "there was a repair since the checkpoint"
	case !changes:
		why = "the checkpoint does not cover a change of the query"
	default:
		r.from = "the checkpoint of " + c.Watermark.UTC().Format(time.RFC3339)
		return c, nil
	}
	if lost := r.archive.lostReason(); lost != "" {
		return nil, errors.New(lost)
	}
	if archived == nil {
		r.from = "nothing: " + why
		return nil, nil
	}
	until := archived.Watermark.UTC().Format(time.RFC3339)
	if !archived.coversRollbacks(current) {
		return nil, fmt.Errorf("%s goes until %s, and a query from before was rolled back after that: %s", ArchiveKey, until, archived.remedy())
	}
	if covered, err := archived.coversChanges(ctx, l); err != nil {
		return nil, err
	} else if !covered {
		return nil, fmt.Errorf("%s goes until %s, and the ledger has other changes of the query from before that: %s", ArchiveKey, until, archived.remedy())
	}
	r.from = "the archive until " + until + ": " + why
	return archived, nil
}

// judge verifies, and returns the checkpoint for the next verification: nil if nothing can be counted for good yet.
func (r *resumption) judge(ctx context.Context) (*report.Report, *checkpoint) {
	if r.startsArchive() {
		everything := *r
		everything.checkpoint = nil
		if report, next := everything.loop(ctx); next != nil {
			return report, next
		}
	}
	return r.loop(ctx)
}

// startsArchive reports whether to read everything once, for the first archive: what is to be tagged are keys that the
// checkpoint no longer has. A history too long for that keeps its oldest objects untagged.
func (r *resumption) startsArchive() bool {
	return r.opts.expire && r.archive == nil && r.checkpoint != nil && !r.checkpoint.complete() && r.checkpoint.small()
}

// loop verifies until a verification neither finds that it should have started earlier nor is overtaken by the archive.
func (r *resumption) loop(ctx context.Context) (*report.Report, *checkpoint) {
	for {
		v, err := r.begin(ctx)
		if err != nil {
			return undecided(r.bucket, r.opts, err), nil
		}
		v.run(ctx)
		v.countSoFar()
		again, err := r.startsOver(ctx, v)
		if err != nil {
			v.undecided("%v", err)
			return v.report, nil
		}
		if !again {
			return v.report, v.finish(ctx)
		}
	}
}

// begin makes the verification from what it resumes from.
func (r *resumption) begin(ctx context.Context) (*verification, error) {
	replayed, err := replay.Open(ctx, r.bucket)
	if err != nil {
		return nil, err
	}
	// Before anything is listed: what a closed repair has rewritten is listed so.
	if r.rewrites, err = rewrite.ReadHistory(ctx, r.bucket); err != nil {
		return nil, fmt.Errorf("the repairs cannot be read: %w", err)
	}
	base, err := r.baseline(ctx, replayed)
	if err != nil {
		return nil, err
	}
	if base != r.checkpoint {
		if r.only {
			return nil, fmt.Errorf("what the parts have counted is of no use any more: start another run; without it the verifier would resume from %s", r.from)
		}
		r.checkpoint = nil
	}
	v := newVerification(r.bucket, r.opts, replayed, base, r.archive)
	v.rewrites = r.rewrites
	return v, nil
}

// startsOver reports whether the verification has to be repeated, and prepares that.
func (r *resumption) startsOver(ctx context.Context, v *verification) (bool, error) {
	overtaken, err := v.overtaken(ctx)
	switch {
	case err != nil:
		return false, err
	case overtaken:
		r.archive, err = loadArchive(ctx, r.bucket, r.checkpoint)
		return true, err
	case v.belated && r.only:
		return false, v.failure()
	case v.belated:
		// Something is older than what the checkpoint has counted: the order of time was not kept.
		r.checkpoint = nil
		return true, nil
	}
	return false, nil
}
