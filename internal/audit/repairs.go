package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/rewrite"
)

// ledgerPrefix is where repairs write what they claim, in the bucket of the rows.
const ledgerPrefix = "ledger/"

// Overlaps reports whether a prefix of the pipeline's objects overlaps the place of repairs, and which. Nothing can be
// repaired there.
func (p *Pipeline) Overlaps() (prefix string, overlaps bool) {
	for i, prefix := range []string{p.Prefix, p.ErrorsPrefix, p.RejectsPrefix} {
		overlaps := strings.HasPrefix(prefix, ledgerPrefix) || strings.HasPrefix(ledgerPrefix, prefix)
		if overlaps && (i == 0 || prefix != "") {
			return prefix, true
		}
	}
	return "", false
}

// readRepairs reads what repairs have written, before anything is listed. Who may not read that can still audit: then
// rows of a repair count as any others.
func (a *audit) readRepairs(ctx context.Context) (ok bool) {
	if _, overlaps := a.pipeline.Overlaps(); overlaps {
		return true
	}
	repairs, err := rewrite.ReadHistory(ctx, a.bucket)
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "AccessDenied"):
		a.note("whether something was repaired is not known, because %s: rows of a repair count as any others", plain(err, repairsPermissions))
	case err != nil:
		a.undecided("read the earlier repairs: %s", plain(err, repairsPermissions))
		return false
	}
	maps.DeleteFunc(repairs.Made, func(key string, _ ledger.Write) bool { // of another pipeline in the bucket
		return !strings.HasPrefix(key, a.pipeline.Prefix) && !below(a.pipeline.RejectsPrefix, key)
	})
	a.repairs = repairs
	return true
}

const repairsPermissions = "s3:ListBucket and s3:GetObject on ledger/repair* of the bucket"

// concerns reports whether a repair has made the object, of rows that may be of the window; wholly reports whether it
// has no others. Of what the repair of a stack has made, it is not known when the records arrived.
func (a *audit) concerns(o bucket.Object) (isMade, concerns, wholly bool) {
	w, isMade := a.repairs.Made[o.Key]
	if !isMade || w.First.IsZero() {
		return isMade, isMade, false
	}
	return true, !w.Last.Before(a.from.Truncate(time.Second)) && !w.First.After(a.to),
		!w.First.Before(a.from) && !w.Last.Add(time.Second).After(a.to)
}

// madeBefore gives the objects below a prefix that repairs made and that are not listed after this key, as rows of an
// hour that is long over are: those that an audit that is resumed has not counted yet.
func (a *audit) madeBefore(ctx context.Context, prefix, after string) (made []bucket.Object, err error) {
	if a.increments == nil || a.increments.base == nil || after == "" {
		return nil, nil
	}
	for _, key := range slices.Sorted(maps.Keys(a.repairs.Made)) {
		if _, counted := a.increments.base.Objects[key]; counted || !strings.HasPrefix(key, prefix) || key > after {
			continue
		}
		o, err := bucket.Find(ctx, a.bucket, key)
		if err != nil {
			return nil, err
		}
		if o != nil {
			made = append(made, *o)
		}
	}
	return made, nil
}
