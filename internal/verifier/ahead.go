package verifier

import (
	"cmp"
	"context"
	"sync"
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/replay"
)

// recordsTogether is how many records of a claim one goroutine computes the rows of.
const recordsTogether = 1 << 11

// ahead computes what claims owe before their turn, in pieces: about as many at the same time as there are parts.
type ahead struct {
	stop    context.CancelFunc
	pieces  chan chan piece // in the order of the claims and their records
	working sync.WaitGroup
}

// A piece is what some records of a claim owe.
type piece struct {
	rows *proof.Batch
	err  error
}

// computeAhead starts to compute what the claims that are not open owe: those up to a moment, or all if it is zero.
func (v *verification) computeAhead(ctx context.Context, until time.Time) *ahead {
	ctx, stop := context.WithCancel(ctx)
	a := &ahead{stop: stop, pieces: make(chan chan piece, v.opts.parts)}
	type judged struct {
		*replay.Claim
		judge *proof.Judge
	}
	var claims []judged
	for _, c := range v.open {
		if !until.IsZero() && c.Claimed.After(until) {
			break
		}
		if t := v.claimed(c); t.judge != nil {
			claims = append(claims, judged{c, t.judge})
		}
	}
	a.working.Go(func() {
		for _, c := range claims {
			for first := 0; first < c.Records; first += recordsTogether {
				one := make(chan piece, 1)
				select {
				case a.pieces <- one:
				case <-ctx.Done():
					return
				}
				a.working.Go(func() { one <- compute(ctx, c.Claim, c.judge, first) })
			}
		}
	})
	return a
}

func compute(ctx context.Context, c *replay.Claim, judge *proof.Judge, first int) piece {
	rows := judge.NewBatch()
	var key []byte
	err := c.OweBetween(ctx, first, min(first+recordsTogether, c.Records)-1, rows.Owe, func(line []byte, lo, hi int64) {
		key = rejectKey(key[:0], line)
		rows.Owe(key, lo, hi)
	})
	return piece{rows, err}
}

// owe opens what a claim owes. The claims are to be asked for in their order.
func (a *ahead) owe(ctx context.Context, c *replay.Claim, judge *proof.Judge) (err error) {
	for first := 0; first < c.Records; first += recordsTogether {
		select {
		case one := <-a.pieces:
			p := <-one
			judge.OweBatch(p.rows)
			err = cmp.Or(err, p.err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// end ends the computation. No goroutine is left running.
func (a *ahead) end() {
	a.stop()
	a.working.Wait()
}
