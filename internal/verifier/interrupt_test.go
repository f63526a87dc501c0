package verifier

import (
	"context"
	"strings"
	"testing"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

// interrupting is a life whose context ends while its only tick is read.
type interrupting struct {
	*life
	cancel context.CancelFunc
}

func (i interrupting) Read(ctx context.Context, o bucket.Object) ([]byte, error) {
	if strings.HasPrefix(o.Key, ledger.PipelinesPrefix) {
		i.cancel()
	}
	return i.life.Read(context.WithoutCancel(ctx), o)
}

// TestInterrupted: a verification whose context ends before all rows are counted gives no verdict and no checkpoint.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l := hours(embeddedPipeline(), 1).at(minute(60))
	r, next := judgeFrom(ctx, interrupting{l, cancel}, lifeOpts, nil, nil)
	if r.Verdict != proof.Undecided || next != nil || len(r.Reasons) != 1 || !strings.Contains(r.Reasons[0], "the verification was interrupted: context canceled") {
		t.Errorf("got %s %v, and a checkpoint: %t", r.Verdict, r.Reasons, next != nil)
	}
}
