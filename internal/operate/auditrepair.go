package operate

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/repair"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

// An Audited is a pipeline that is judged by its stream, and how it is audited.
type Audited struct {
	// Name is in the keys of the objects that a repair makes.
	Name string
	// Stack is the stack that the pipeline is of, empty for somebody else's.
	Stack   string
	Client  *s3.Client
	Bucket  bucket.Bucket
	Options audit.Options
	// Otherwise is how the rows are written where no object shows it.
	Otherwise repair.Format
	// Accepted is where findings are accepted, nil for nowhere.
	Accepted bucket.Bucket
	// Judge audits by these options.
	Judge func(ctx context.Context, opts audit.Options) (*report.Report, error)
}

// RepairAudited puts right what an audit of a pipeline finds. It writes to the bucket of the rows, and keeps its claims
// there, below ledger/.
func (o *Operator) RepairAudited(ctx context.Context, a *Audited, order RepairOrder) (*RepairResult, error) {
	p := &a.Options.Pipeline
	if err := a.check(ctx); err != nil {
		return nil, err
	}
	m := &mending{
		order: order, read: a.Bucket, deadline: p.Deadline,
		rows:   repair.Rows{DataPrefix: p.Prefix, ErrorsPrefix: cmp.Or(p.RejectsPrefix, p.ErrorsPrefix), Name: a.Name, Otherwise: a.Otherwise},
		result: &RepairResult{Stack: a.Stack, Stream: p.Stream, Bucket: p.Bucket},
	}
	if !p.Hourly {
		m.rows.Folder = (&repair.Nearest{Read: a.Bucket, Name: a.Name, Except: p.ErrorsPrefix}).Folder
	}
	for _, prefix := range []string{p.Prefix, p.ErrorsPrefix, p.RejectsPrefix} {
		if prefix != "" {
			m.prefixes = append(m.prefixes, prefix)
		}
	}
	m.judge = func(ctx context.Context, found *repair.Found, lost lostRows) (*report.Report, error) {
		opts := a.Options
		opts.Late = true
		if order.rewrites() {
			found.Reset()
			opts.Watch = found
		}
		var excused map[proof.Class]int64
		var open *verifier.Open
		if a.Accepted != nil {
			opts.Settle = func(ctx context.Context, r *report.Report, result *proof.Result) (_ map[proof.Class]int64, err error) {
				excused, found.Open, err = verifier.Accepted(ctx, a.Accepted, r, result)
				open = verifier.NewOpen(found.Open)
				return excused, err
			}
		}
		var failed error
		opts.Lost = func(now time.Time, losses iter.Seq2[replay.Loss, error]) error {
			failed = lost(now, func(yield func(replay.Loss, error) bool) {
				for l, err := range losses {
					if err == nil && excused[l.Class] > 0 {
						l.Count = open.Of(l.Loss, opts.Form.Format)
					}
					if (err != nil || l.Count > 0) && !yield(l, err) {
						return
					}
				}
			})
			return failed
		}
		r, err := a.Judge(ctx, opts)
		if err == nil {
			err = failed
		}
		return r, err
	}
	m.verify = func(ctx context.Context) (*report.Report, error) {
		opts := a.Options
		opts.Late = true
		return a.Judge(ctx, opts)
	}
	return o.mend(ctx, a.Client, m)
}

// check refuses a pipeline whose rows cannot be repaired.
func (a *Audited) check(ctx context.Context) error {
	p := &a.Options.Pipeline
	refuse := func(format string, args ...any) error {
		return &InputError{fmt.Errorf("cannot repair what %s carries to bucket %s: %w", p.Stream, p.Bucket, fmt.Errorf(format, args...))}
	}
	if prefix, overlaps := p.Overlaps(); overlaps {
		return refuse("a repair keeps its claims below ledger/ in the bucket, which overlaps the pipeline's prefix %q: have it write below a folder of its own", prefix)
	}
	if p.Partitioned {
		return refuse("its prefix holds values of the records (dynamic partitioning), and in which folder a row belongs is not known: deliver the records again")
	}
	if a.Stack != "" {
		return nil
	}
	stack, err := bucket.Find(ctx, a.Bucket, ledger.StackKey)
	if err != nil {
		return fmt.Errorf("look for a stack's ledger: %w", err)
	}
	if stack != nil {
		return refuse("the bucket belongs to a stack of Streamproof's: repair that, with --stack")
	}
	return nil
}
