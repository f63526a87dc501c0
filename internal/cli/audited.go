package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/dustin/go-humanize"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/explain"
	"streamproof/internal/ledger"
	"streamproof/internal/operate"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/repair"
	"streamproof/internal/report"
	"streamproof/internal/schema"
	"streamproof/internal/stack"
	"streamproof/internal/stream"
	"streamproof/internal/verifier"
)

// auditPermissions are what audit needs on AWS.
const auditPermissions = "kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords on the stream, s3:ListBucket and s3:GetObject on the bucket " +
	"(kms:Decrypt where they are encrypted with a customer key); and for --delivery-stream firehose:DescribeDeliveryStream"

// audited are the flags that say what an audit is of, and how it reads.
type audited struct {
	DeliveryStream string        `help:"Audit this Firehose delivery stream, which reads a Kinesis stream: it says where from and where to." xor:"what" placeholder:"NAME"`
	Stream         string        `help:"Audit whatever carries this Kinesis stream to --bucket and --prefix." xor:"what" placeholder:"NAME"`
	Bucket         string        `help:"The bucket that the rows go to (with --stream)." placeholder:"NAME"`
	Prefix         keyPrefix     `help:"The folder of the bucket that the rows go to (with --stream)." placeholder:"PREFIX"`
	Errors         keyPrefix     `help:"The folder of records that Firehose could not deliver." placeholder:"PREFIX"`
	From           moment        `help:"Start of the window, as a time or as how long ago." default:"-1h" placeholder:"TIME"`
	To             moment        `help:"End of the window (now)." default:"-0s" placeholder:"TIME"`
	Deadline       time.Duration `help:"How long a record may take to S3 (by the delivery stream's buffers, else 15m)." placeholder:"DURATION"`
	SQL            string        `help:"The pipeline runs this query (Flink SQL or Kinesis Data Analytics): its rows are owed, compared by value." name:"sql" type:"existingfile" placeholder:"FILE"`
	Schema         string        `help:"What is in the records, for --sql: see streamproof discover." type:"existingfile" placeholder:"FILE"`
	AskTransform   bool          `help:"Invoke the delivery stream's function with the same records, and owe what it answers. Whatever else it does, it does again."`
	Accepted       string        `help:"The folder in which findings of audits are accepted." type:"path" placeholder:"DIR"`
	FanOut         bool          `help:"Read as an enhanced fan-out consumer, which shares its 2 MB/s of each shard with no other reader, and is removed afterwards. It costs money."`
}

// A moment is a time, or how long ago one was.
type moment struct {
	time.Time
	ago time.Duration
}

// UnmarshalText is called by kong.
func (m *moment) UnmarshalText(text []byte) (err error) {
	if m.ago, err = time.ParseDuration(string(text)); err == nil {
		m.ago = m.ago.Abs()
		return nil
	}
	if m.Time, err = time.Parse(time.RFC3339, string(text)); err != nil {
		return fmt.Errorf("%q is neither a time such as 2026-11-29T10:00:00Z nor how long ago, such as -1h30m", text)
	}
	return nil
}

func (m moment) at(now time.Time) time.Time {
	if m.Time.IsZero() {
		return now.Add(-m.ago)
	}
	return m.Time
}

// named reports whether the flags name a pipeline that is not Streamproof's.
func (a *audited) named() bool { return a.DeliveryStream+a.Stream != "" }

// check refuses flags that do not go together.
func (a *audited) check(t *target) error {
	switch {
	case t.Stack != "" && a.named():
		return errors.New("--stack audits that stack's own pipeline: leave out --delivery-stream and --stream")
	case !a.named() && (a.Bucket != "" || a.Prefix != "" || a.Errors != "" || a.SQL != "" || a.Schema != ""):
		return errors.New("--bucket, --prefix, --errors, --sql and --schema are for a pipeline that is not Streamproof's: a stack says these itself")
	case a.Stream != "" && (a.Bucket == "" || a.Prefix == ""):
		return errors.New("--stream goes with --bucket and --prefix: the objects that hold its rows")
	case a.DeliveryStream != "" && (a.Bucket != "" || a.Prefix != ""):
		return errors.New("--bucket and --prefix go with --stream: a delivery stream says where it writes")
	case a.AskTransform && a.DeliveryStream == "":
		return errors.New("--ask-transform goes with --delivery-stream: the function is the delivery stream's")
	case a.AskTransform && a.SQL != "":
		return errors.New("--ask-transform and --sql exclude each other: what a function makes of a record is asked or said")
	case (a.SQL == "") != (a.Schema == ""):
		return errors.New("--sql and --schema go together")
	case a.Deadline < 0 || a.Deadline > 0 && a.Deadline < time.Second:
		return fmt.Errorf("--deadline is %s, want at least 1s", a.Deadline)
	}
	return nil
}

// checkStack is check for a command that acts on a stack unless the flags name another pipeline.
func (a *audited) checkStack(t *target) error {
	if a.Accepted != "" || a.FanOut || a.Deadline != 0 {
		return errors.New("--accepted, --fan-out and --deadline are for an audit: name it with --delivery-stream or --stream")
	}
	return errors.Join(a.check(t), t.Validate())
}

// A subject is what an audit is of, with what reads it.
type subject struct {
	bucket   bucket.Bucket
	name     string        // of the delivery stream, the stream or the stack
	stack    string        // the stack's name, empty for a pipeline that is not Streamproof's
	accepted bucket.Bucket // nil where nothing is
	written  repair.Format // where no object shows it
	source   *audit.Kinesis
	opts     audit.Options
	kinesis  *kinesis.Client
	s3       *s3.Client
	fanOut   bool
}

// subject finds what the flags name.
func (a *audited) subject(ctx context.Context, e *env, t *target) (*subject, error) {
	s, err := a.find(ctx, e, t)
	return s, needs(err, auditPermissions)
}

// accepting is subject, with a folder to accept findings in.
func (a *audited) accepting(ctx context.Context, e *env, t *target) (*subject, error) {
	if err := os.MkdirAll(a.Accepted, 0o755); err != nil {
		return nil, &usageError{err}
	}
	return a.subject(ctx, e, t)
}

func (a *audited) find(ctx context.Context, e *env, t *target) (*subject, error) {
	s, now := &subject{name: a.DeliveryStream + a.Stream, fanOut: a.FanOut}, time.Now()
	s.opts = audit.Options{From: a.From.at(now), To: a.To.at(now), Skew: audit.DefaultSkew, Form: audit.Verbatim{}}
	if a.Accepted != "" {
		if _, err := os.Stat(a.Accepted); err != nil {
			return nil, &usageError{fmt.Errorf("no finding is accepted there: %w", err)}
		}
		s.accepted = bucket.Dir(a.Accepted)
		s.opts.Settle = func(ctx context.Context, r *report.Report, result *proof.Result) (map[proof.Class]int64, error) {
			excused, _, err := verifier.Accepted(ctx, s.accepted, r, result)
			return excused, err
		}
	}
	config, err := t.config(ctx, e)
	if err != nil {
		return nil, err
	}
	var q *query.Query
	switch found := &s.opts.Pipeline; {
	case a.DeliveryStream != "":
		described, err := audit.Describe(ctx, firehose.NewFromConfig(config), a.DeliveryStream)
		if err != nil {
			return nil, err
		}
		*found, s.written.Gzip = *described, described.Gzip
	case a.Stream != "":
		*found = audit.Pipeline{Stream: a.Stream, Bucket: a.Bucket, Prefix: string(a.Prefix), Deadline: 15 * time.Minute}
	default:
		own, _, err := t.open(ctx, e)
		if err != nil {
			return nil, err
		}
		if *found, q, err = ownPipeline(ctx, own); err != nil {
			return nil, err
		}
		s.name, s.stack, s.written = own.Name, own.Name, operate.Written(own)
	}
	if a.Errors != "" {
		s.opts.Pipeline.ErrorsPrefix = string(a.Errors)
	}
	if a.Deadline > 0 {
		s.opts.Pipeline.Deadline = a.Deadline
	}
	if a.SQL != "" {
		if q, err = a.query(); err != nil {
			return nil, err
		}
	}
	if a.AskTransform {
		if len(s.opts.Pipeline.Functions) == 0 {
			return nil, &usageError{fmt.Errorf("delivery stream %s transforms nothing: leave out --ask-transform", a.DeliveryStream)}
		}
		s.opts.Transform = &audit.Transform{Client: lambda.NewFromConfig(config), Pipeline: &s.opts.Pipeline, Region: config.Region}
	}
	if q != nil {
		form, err := audit.NewQueried(q)
		if err != nil {
			return nil, err
		}
		form.Rejects = s.opts.Pipeline.RejectsPrefix != ""
		s.opts.Form = form
	}
	s.kinesis = kinesis.NewFromConfig(config)
	s.source = audit.NewKinesis(s.opts.Pipeline.Stream, stream.NewReader(s.kinesis, s.opts.Pipeline.Stream))
	s.s3 = s3.NewFromConfig(config, func(o *s3.Options) {
		o.UsePathStyle = t.StateDir != ""
		o.DisableLogOutputChecksumValidationSkipped = true // objects of others have none
	})
	s.bucket = bucket.NewS3(s.s3, s.opts.Pipeline.Bucket)
	return s, nil
}

func (a *audited) query() (*query.Query, error) {
	sql, err := os.ReadFile(a.SQL)
	if err != nil {
		return nil, &usageError{err}
	}
	data, err := os.ReadFile(a.Schema)
	if err != nil {
		return nil, &usageError{err}
	}
	parsed, err := schema.Parse(data)
	if err != nil {
		return nil, &usageError{fmt.Errorf("%s: %w", a.Schema, err)}
	}
	q, err := query.Compile(&pipeline.Pipeline{Schema: parsed, SQL: sql})
	if err != nil {
		return nil, &usageError{fmt.Errorf("%s: %w", filepath.Base(a.SQL), err)}
	}
	return q, nil
}

// ownPipeline is what a stack of Streamproof's says of itself: everything.
func ownPipeline(ctx context.Context, s *stack.Stack) (audit.Pipeline, *query.Query, error) {
	o := s.Outputs
	p := audit.Pipeline{
		Stream: o.StreamName, Bucket: o.BucketName, Prefix: o.DataPrefix, ErrorsPrefix: o.FailedPrefix, RejectsPrefix: o.ErrorsPrefix,
		Deadline: o.DeliveryDeadline, SinceWhy: "the stack has run its query only since then", Hourly: true,
	}
	current, err := s.Book().Current(ctx)
	if err != nil {
		return p, nil, err
	}
	if current == nil {
		return p, nil, fmt.Errorf("stack %s does not say which query it runs: deploy this version of the template", s.Name)
	}
	if p.Since = current.Since; current.Pending() != "" {
		p.Faults = append(p.Faults, current.Pending())
	}
	published, err := s.Book().Pipeline(ctx, current.Pipeline)
	if err != nil {
		return p, nil, err
	}
	q, err := query.Compile(published)
	if err != nil {
		return p, nil, fmt.Errorf("the query that stack %s runs cannot be reproduced: %w", s.Name, err)
	}
	return p, q, nil
}

// show calls do with steps that are shown, after what has to be said first.
func (s *subject) show(e *env, do func(begin func(string) operate.Step) error) error {
	if s.opts.Transform != nil {
		err := e.stderr.Printf("streamproof: --ask-transform invokes %s with every record of the window, and again where rows must be classified or located. "+
			"Whatever else the function does, such as writing to a table or calling a service, it does again.\n", s.opts.Pipeline.Functions[0])
		if err != nil {
			return err
		}
	}
	p := newProgress(e)
	defer p.stop()
	return do(func(name string) operate.Step { return p.begin(name) })
}

// audit audits, and shows how far it is.
func (s *subject) audit(ctx context.Context, e *env) (r *report.Report, err error) {
	err = s.show(e, func(begin func(string) operate.Step) error {
		r, err = s.run(ctx, begin)
		return err
	})
	return r, err
}

// explain audits, and explains what is wrong.
func (s *subject) explain(ctx context.Context, begin func(string) operate.Step) (*explain.Explanation, *report.Report, error) {
	r, err := s.run(ctx, begin)
	if err != nil {
		return nil, nil, err
	}
	if r.Verdict == proof.Undecided {
		return nil, r, explain.Undecided(r)
	}
	st := begin("look for the rows around the missing ones")
	found, err := audit.Explain(ctx, s.source, s.bucket, s.opts, r)
	st.End(err)
	return explain.Of(r, found), r, err
}

// repair repairs what an audit finds.
func (s *subject) repair(ctx context.Context, order operate.RepairOrder, begin func(string) operate.Step) (*operate.RepairResult, error) {
	audited := &operate.Audited{
		Name: s.name, Stack: s.stack, Client: s.s3, Bucket: s.bucket, Options: s.opts, Accepted: s.accepted, Otherwise: s.written,
		Judge: func(ctx context.Context, opts audit.Options) (*report.Report, error) {
			judged := *s
			judged.opts = opts
			return judged.run(ctx, begin)
		},
	}
	if s.stack != "" {
		audited.Accepted = s.bucket
	}
	return (&operate.Operator{Step: begin}).RepairAudited(ctx, audited, order)
}

// accept audits, and accepts findings of that before the verdict, in a folder of acceptances.
func (s *subject) accept(ctx context.Context, in string, choice report.Choice, begin func(string) operate.Step) (*ledger.Acceptance, *report.Report, error) {
	var acceptance *ledger.Acceptance
	var refused error
	s.opts.Settle = func(ctx context.Context, r *report.Report, result *proof.Result) (map[proof.Class]int64, error) {
		folder := bucket.Dir(in)
		_, open, err := verifier.Accepted(ctx, folder, r, result)
		if err != nil {
			return nil, err
		}
		var findings []byte
		if acceptance, findings, refused = r.Choose(open, choice, time.Now()); refused != nil {
			return nil, refused
		}
		if err := acceptance.WriteFolder(in, findings); err != nil {
			return nil, err
		}
		excused, _, err := verifier.Accepted(ctx, folder, r, result)
		return excused, err
	}
	r, err := s.run(ctx, begin)
	switch {
	case err != nil:
		return nil, nil, err
	case refused != nil:
		return nil, nil, &usageError{refused}
	case acceptance == nil || r.Verdict == proof.Undecided:
		return nil, nil, fmt.Errorf("cannot accept findings: the verdict is UNDECIDED: %s", strings.Join(r.Reasons, "; "))
	}
	return acceptance, r, nil
}

// run audits, and tells of its steps.
func (s *subject) run(ctx context.Context, begin func(string) operate.Step) (r *report.Report, err error) {
	name := s.opts.Pipeline.Stream
	if s.fanOut {
		st := begin("register a consumer of stream " + name)
		consumer, err := audit.Register(ctx, s.kinesis, name)
		if st.End(err); err != nil {
			return nil, needs(err, auditPermissions)
		}
		defer func() { err = errors.Join(err, consumer.Close()) }()
		s.source.FanOut = consumer
	}
	st := begin("read stream " + name)
	begun := time.Now()
	s.source.Progress = func(p audit.Progress) { st.Update(progressText(p, time.Since(begun))) }
	r = audit.Run(ctx, s.source, s.bucket, s.opts)
	if st.End(ctx.Err()); ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r, nil
}

func progressText(p audit.Progress, since time.Duration) string {
	seconds := max(since.Seconds(), 1)
	text := fmt.Sprintf("%d shards, %s records, %s, %s records/s, %s behind",
		p.Shards, humanize.Comma(p.Records), humanize.IBytes(uint64(p.Bytes)), humanize.Comma(int64(float64(p.Records)/seconds)), p.Behind.Round(time.Second))
	if p.Left > 0 {
		text += fmt.Sprintf(", about %s left", p.Left.Round(time.Second))
	}
	return text
}
