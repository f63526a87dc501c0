package operate

import (
	"cmp"
	"context"
	"slices"

	"streamproof/internal/explain"
	"streamproof/internal/report"
)

// Explain finds out where the missing and failed rows of a report were last. It reads the stream and the bucket with
// the caller's own credentials.
func (o *Operator) Explain(ctx context.Context, r *report.Report) (*explain.Explanation, error) {
	if !r.Balanced() {
		return nil, explain.Undecided(r)
	}
	if r.Audit != nil { // the verifier has looked while the stream still held them
		found := slices.Clone(r.LastSeen)
		for i := range found {
			found[i].Text = cmp.Or(found[i].Text, "the stream took it, and it is in no object")
		}
		return explain.Of(r, found), nil
	}
	failure, err := o.JobFailure(ctx)
	if err != nil {
		return nil, err
	}
	var out *explain.Explanation
	err = o.step("look for the missing and failed rows in the stream and in the bucket", func() (err error) {
		out, err = o.Stack.Explain(ctx, r, failure, o.Local == nil)
		return err
	})
	return out, err
}
