package verifier

import (
	"context"
	"strings"
	"testing"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/proof"
)

// TestInterrupted: a verification whose context ends while owed rows are made again gives no verdict, and no state to go on from.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ended := false
	v := newVerification(bucket.Dir(t.TempDir()), Options{}, nil, nil)
	v.interrupted = func() error {
		if ended {
			return context.Canceled
		}
		return nil
	}
	g, err := generator.New(embeddedPipeline(), 1)
	if err != nil {
		t.Fatal(err)
	}
	tick := &claim{make: g, records: generator.Tick{Time: time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC), Records: 5000}}
	read := 0
	for records := v.rows(tick, span{first: 0, last: 4999}); records.Next(); read++ {
		ended = read >= 2000
	}
	if read >= 4999 || read < 2000 {
		t.Errorf("%d of 5000 records were read after the context had ended at 2000", read)
	}
	if !v.stopped() || v.report.Verdict != proof.Undecided || !strings.Contains(v.report.Reasons[0], "interrupted") {
		t.Errorf("got %s %v", v.report.Verdict, v.report.Reasons)
	}
}
