package operate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/repair"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
	"streamproof/internal/stack"
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

// rewrites reports whether lines are to be taken out of objects.
func (o RepairOrder) rewrites() bool {
	return slices.ContainsFunc(o.Classes, func(class proof.Class) bool { return slices.Contains(repair.Classes, class) })
}

// A RepairResult says what a repair has done, or would do.
type RepairResult struct {
	// Stack is the stack's name, or Stream that of the stream by which a pipeline was audited.
	Stack  string `json:"stack,omitempty"`
	Stream string `json:"stream,omitempty"`
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
	s, out := o.Stack, o.Stack.Outputs
	if !out.Produces() {
		place, prefix, _ := strings.Cut(strings.TrimPrefix(out.Audits, "s3://"), "/")
		return nil, &InputError{fmt.Errorf("cannot repair by stack %s, which only watches: repair the pipeline with --stream %s --bucket %s --prefix %s and "+
			"the other flags of its audit; the next verification counts what that writes", s.Name, out.StreamName, place, prefix)}
	}
	opts := verifier.Options{DataPrefix: out.DataPrefix, ErrorsPrefix: out.ErrorsPrefix, DeliveryDeadline: out.DeliveryDeadline}
	m := &mending{
		order: order, read: bucket.NewS3(s.S3, out.BucketName), deadline: out.DeliveryDeadline,
		prefixes: []string{out.DataPrefix, out.ErrorsPrefix, opts.FailedPrefix()},
		rows:     repair.Rows{DataPrefix: out.DataPrefix, ErrorsPrefix: out.ErrorsPrefix, Name: s.Name, Otherwise: Written(s)},
		result:   &RepairResult{Stack: s.Name, Bucket: out.BucketName},
	}
	m.judge = func(ctx context.Context, found *repair.Found, lost lostRows) (r *report.Report, err error) {
		opts := opts
		opts.Watch, opts.Twice, opts.Open = found.Watch, found.Twice, func(open []proof.Group) { found.Open = open }
		var failed error
		opts.Losses = func(now time.Time, losses iter.Seq[replay.Loss]) {
			failed = lost(now, func(yield func(replay.Loss, error) bool) {
				for l := range losses {
					if !yield(l, nil) {
						return
					}
				}
			})
		}
		err = o.step("judge everything again", func() error {
			r = verifier.Judge(ctx, m.read, opts)
			return failed
		})
		return r, err
	}
	m.verify = func(ctx context.Context) (r *report.Report, err error) {
		err = o.step("verify", func() error {
			r, _, err = s.Verify(ctx)
			return err
		})
		return r, err
	}
	return o.mend(ctx, s.S3, m)
}

// Written is how the objects of a stack are written, by its parameters.
func Written(s *stack.Stack) repair.Format {
	f := repair.Format{Gzip: s.Parameter("Compression") == "GZIP"}
	switch delimiter := s.Parameter("TransformDelimiter"); s.Parameter("Transform") {
	case "JSON":
		f.JSON = true
	case "CSV":
		if f.Delimiter = '\t'; len(delimiter) == 1 { // or else the word tab
			f.Delimiter = delimiter[0]
		}
	default:
		f.JSON = s.Parameter("OutputFormat") == "JSON"
		f.QueryNames = true
	}
	return f
}

// lostRows takes the missing and failed rows of a judgement.
type lostRows func(now time.Time, losses iter.Seq2[replay.Loss, error]) error

// A mending is a repair of the rows in one bucket.
type mending struct {
	order    RepairOrder
	read     bucket.Bucket
	prefixes []string // that are judged
	deadline time.Duration
	rows     repair.Rows
	// judge judges everything. Found is told of the findings in objects; what lost returns is an error of it.
	judge func(ctx context.Context, found *repair.Found, lost lostRows) (*report.Report, error)
	// verify is the verdict at the end.
	verify func(ctx context.Context) (*report.Report, error)
	result *RepairResult
}

// mend repairs, or says what it would do.
func (o *Operator) mend(ctx context.Context, client *s3.Client, m *mending) (*RepairResult, error) {
	r, result := &repair.Repairer{
		Client: client, Bucket: m.result.Bucket, Read: m.read, Ledger: ledger.NewStore(client, m.result.Bucket),
	}, m.result
	result.Written, result.Done = m.order.Write, &repair.Done{}
	plan := func(ctx context.Context, serial int) (*repair.Plan, error) { return m.plan(ctx, r, serial) }
	if !m.order.Write {
		last, err := r.Ledger.Repair(ctx)
		if err != nil {
			return nil, err
		}
		serial := 1
		if last != nil {
			if serial = last.Serial + 1; !last.Closed {
				result.Unfinished = last.Serial
			}
		}
		result.Plan, err = plan(ctx, serial)
		return result, err
	}
	err := o.step("repair "+result.Bucket, func() (err error) {
		result.Done, err = r.Run(ctx, plan)
		return err
	})
	if err == nil {
		result.After, err = m.verify(ctx)
	}
	return result, err
}

// plan judges, and plans what to do about it. What it makes of missing and failed rows is staged for the repair of this
// serial number if it is to be written.
func (m *mending) plan(ctx context.Context, by *repair.Repairer, serial int) (*repair.Plan, error) {
	var found repair.Found
	rows := m.rows
	rows.Read, rows.Serial, rows.Margin = m.read, serial, m.order.Margin
	if m.order.Write {
		rows.Stage = func(ctx context.Context, w *ledger.Write, body []byte) error { return by.Stage(ctx, serial, w, body) }
	}
	var made *repair.Made
	r, err := m.judge(ctx, &found, func(now time.Time, losses iter.Seq2[replay.Loss, error]) error {
		var failed, err error
		made, err = rows.Make(ctx, now, func(yield func(replay.Loss) bool) {
			for l, err := range losses {
				if failed = err; err != nil || slices.Contains(m.order.Classes, l.Class) && !yield(l) {
					return
				}
			}
		})
		return errors.Join(failed, err)
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if m.result.Before == nil {
		m.result.Before = r
	}
	if made == nil || !r.Balanced() {
		return nil, fmt.Errorf("cannot repair: the verdict is UNDECIDED: %s", strings.Join(r.Reasons, "; "))
	}
	var listed []bucket.Object
	for _, prefix := range m.prefixes {
		some, _, err := m.read.List(ctx, prefix)
		if err != nil {
			return nil, err
		}
		listed = append(listed, some...)
	}
	history, err := rewrite.ReadHistory(ctx, m.read)
	if err != nil {
		return nil, fmt.Errorf("read the earlier repairs: %w", err)
	}
	lines := slices.DeleteFunc(slices.Clone(m.order.Classes), func(class proof.Class) bool { return !slices.Contains(repair.Classes, class) })
	p := repair.NewPlan(r, &found, lines, listed, history, r.JudgedAt.Add(-m.deadline-m.order.Margin))
	p.Add(made)
	return p, nil
}
