package verifier

import (
	"context"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// Accepted finds out which findings of an audit's balance are accepted in the ledger of a bucket, and which are open.
// It records nothing: what an audit of another window has accepted is not there, and not used up.
func Accepted(ctx context.Context, b bucket.Bucket, r *report.Report, result *proof.Result) (excused map[proof.Class]int64, open []proof.Group, err error) {
	acceptances, err := newVerification(b, Options{}, nil, nil, nil).acceptances(ctx)
	if err != nil {
		return nil, nil, err
	}
	covered := cover(acceptances, results{result}, r.JudgedAt, true)
	for i := range covered.accepted {
		covered.accepted[i].UsedUp = 0
	}
	r.Accepted = covered.accepted
	return covered.excused, covered.open, nil
}
