package operate

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/repair"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
	"streamproof/internal/verifier"
)

// RepairMargin is how much older than the delivery deadline everything is that a repair puts right.
const RepairMargin = 5 * time.Minute

// A RepairOrder says what to repair.
type RepairOrder struct {
	Classes []proof.Class
	// Margin is by how much the delivery deadline has to be over.
	Margin time.Duration
	// Write does it, instead of only saying what would be done.
	Write bool
}

// A RepairResult says what a repair has done, or would do.
type RepairResult struct {
	Stack  string `json:"stack"`
	Bucket string `json:"bucket"`
	// Written is whether anything was to be written. Unfinished is the number of a repair that was left open, which the
	// next one finishes, 0 for none.
	Written    bool `json:"written"`
	Unfinished int  `json:"unfinished,omitempty"`
	*repair.Done
	// Before is the verdict that was repaired, and After the one when all was written.
	Before *report.Report `json:"before,omitempty"`
	After  *report.Report `json:"after,omitempty"`
}

// Repair puts right what a verification of everything finds. It acts with the caller's own credentials.
func (o *Operator) Repair(ctx context.Context, order RepairOrder) (*RepairResult, error) {
	s := o.Stack
	if !s.Outputs.Produces() {
		return nil, &InputError{fmt.Errorf("cannot repair stack %s: it has no ledger of its own ticks, but audits a stream", s.Name)}
	}
	name := s.Outputs.BucketName
	r := &repair.Repairer{Client: s.S3, Bucket: name, Read: bucket.NewS3(s.S3, name), Ledger: s.Book()}
	result := &RepairResult{Stack: s.Name, Bucket: name, Written: order.Write, Done: &repair.Done{}}
	plan := func(ctx context.Context, serial int) (p *repair.Plan, err error) {
		err = o.step("judge everything again", func() error {
			p, err = o.plan(ctx, r, serial, order, result)
			return err
		})
		return p, err
	}
	if !order.Write {
		last, err := r.Ledger.Repair(ctx)
		if err != nil {
			return nil, err
		}
		if last != nil && !last.Closed {
			result.Unfinished = last.Serial
		}
		serial := 1
		if last != nil {
			serial = last.Serial + 1
		}
		result.Plan, err = plan(ctx, serial)
		return result, err
	}
	err := o.step("repair "+name, func() (err error) {
		result.Done, err = r.Run(ctx, plan)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, o.step("verify", func() (err error) {
		result.After, _, err = s.Verify(ctx)
		return err
	})
}

// plan judges the complete life of the stack, and plans what to do about it. What it makes of missing and failed rows
// is staged for the repair of this serial number if it is to be written.
func (o *Operator) plan(ctx context.Context, by *repair.Repairer, serial int, order RepairOrder, result *RepairResult) (*repair.Plan, error) {
	out, b := o.Stack.Outputs, by.Read
	var found repair.Found
	opts := verifier.Options{
		DataPrefix: out.DataPrefix, ErrorsPrefix: out.ErrorsPrefix, DeliveryDeadline: out.DeliveryDeadline,
		Watch: found.Watch, Twice: found.Twice, Open: func(open []proof.Group) { found.Open = open },
	}
	rows := repair.Rows{Read: b, DataPrefix: out.DataPrefix, ErrorsPrefix: out.ErrorsPrefix, Name: o.Stack.Name, Serial: serial, Margin: order.Margin}
	if order.Write {
		rows.Stage = func(ctx context.Context, w *ledger.Write, body []byte) error { return by.Stage(ctx, serial, w, body) }
	}
	made, madeErr := &repair.Made{}, error(nil)
	opts.Losses = func(now time.Time, losses iter.Seq[replay.Loss]) {
		wanted := func(yield func(replay.Loss) bool) {
			for l := range losses {
				if slices.Contains(order.Classes, l.Class) && !yield(l) {
					return
				}
			}
		}
		made, madeErr = rows.Make(ctx, now, wanted)
	}
	r := verifier.Judge(ctx, b, opts)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if result.Before == nil {
		result.Before = r
	}
	if !r.Balanced() {
		return nil, fmt.Errorf("cannot repair: the verdict is UNDECIDED: %s", strings.Join(r.Reasons, "; "))
	}
	if madeErr != nil {
		return nil, madeErr
	}
	var listed []bucket.Object
	for _, prefix := range []string{out.DataPrefix, out.ErrorsPrefix, opts.FailedPrefix()} {
		some, _, err := b.List(ctx, prefix)
		if err != nil {
			return nil, err
		}
		listed = append(listed, some...)
	}
	history, err := rewrite.ReadHistory(ctx, b)
	if err != nil {
		return nil, fmt.Errorf("read the earlier repairs: %w", err)
	}
	lines := slices.DeleteFunc(slices.Clone(order.Classes), func(class proof.Class) bool { return !slices.Contains(repair.Classes, class) })
	p := repair.NewPlan(r, &found, lines, listed, history, r.JudgedAt.Add(-out.DeliveryDeadline-order.Margin))
	p.Add(made)
	return p, nil
}
