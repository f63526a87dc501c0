package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/dustin/go-humanize"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/report"
	"streamproof/internal/schema"
	"streamproof/internal/stream"
	"streamproof/internal/terminal"
)

// auditPermissions are what audit needs on AWS.
const auditPermissions = "kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords on the stream, s3:ListBucket and s3:GetObject on the bucket " +
	"(kms:Decrypt where they are encrypted with a customer key); and for --delivery-stream firehose:DescribeDeliveryStream"

type auditCmd struct {
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
	FanOut         bool          `help:"Read as an enhanced fan-out consumer, which shares its 2 MB/s of each shard with no other reader, and is removed afterwards. It costs money."`
	HTML           string        `help:"Write the report to this file, as a page." name:"html" type:"path" placeholder:"FILE"`
	Open           bool          `help:"Write the report as a page, and show it in the browser."`
	target         `embed:""`
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

// Validate is called by kong.
func (c *auditCmd) Validate() error {
	switch {
	case c.DeliveryStream+c.Stream == "":
		return errors.New("name what to audit: --delivery-stream NAME, or --stream NAME --bucket NAME --prefix PREFIX")
	case c.Stream != "" && (c.Bucket == "" || c.Prefix == ""):
		return errors.New("--stream goes with --bucket and --prefix: the objects that hold its rows")
	case c.DeliveryStream != "" && (c.Bucket != "" || c.Prefix != ""):
		return errors.New("--bucket and --prefix go with --stream: a delivery stream says where it writes")
	case (c.SQL == "") != (c.Schema == ""):
		return errors.New("--sql and --schema go together")
	case c.Deadline < 0 || c.Deadline > 0 && c.Deadline < time.Second:
		return fmt.Errorf("--deadline is %s, want at least 1s", c.Deadline)
	case c.Stack != "":
		return errors.New("--stack: the stack's own verifier judges it: streamproof verify --stack NAME")
	}
	return nil
}

func (c *auditCmd) Run(ctx context.Context, e *env) error {
	config, err := c.config(ctx, e)
	if err != nil {
		return err
	}
	form, closing, err := c.form()
	if err != nil {
		return err
	}
	defer closing()
	r, err := c.audit(ctx, e, config, form)
	if err != nil {
		return needs(err, auditPermissions)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.JSON {
		err = e.printJSON(r)
	} else {
		err = e.stdout.Println(reportText(r))
	}
	if err != nil {
		return err
	}
	page := verifyCmd{target: c.target, HTML: c.HTML, Open: c.Open, Dir: c.DeliveryStream + c.Stream}
	if err := page.page(e, r); err != nil {
		return err
	}
	return verdictOf(r)
}

// form says what a record owes.
func (c *auditCmd) form() (form audit.Form, closing func(), err error) {
	if c.SQL == "" {
		return audit.Verbatim{}, func() {}, nil
	}
	sql, err := os.ReadFile(c.SQL)
	if err != nil {
		return nil, nil, &usageError{err}
	}
	data, err := os.ReadFile(c.Schema)
	if err != nil {
		return nil, nil, &usageError{err}
	}
	s, err := schema.Parse(data)
	if err != nil {
		return nil, nil, &usageError{fmt.Errorf("%s: %w", c.Schema, err)}
	}
	q, err := query.Compile(&pipeline.Pipeline{Schema: s, SQL: sql})
	if err != nil {
		return nil, nil, &usageError{fmt.Errorf("%s: %w", filepath.Base(c.SQL), err)}
	}
	queried, err := audit.NewQueried(q)
	if err != nil {
		return nil, nil, err
	}
	return queried, func() { _ = queried.Close() }, nil // it holds nothing that could be lost
}

func (c *auditCmd) audit(ctx context.Context, e *env, config aws.Config, form audit.Form) (r *report.Report, err error) {
	p := newProgress(e)
	defer p.stop()
	found := &audit.Pipeline{Stream: c.Stream, Bucket: c.Bucket, Prefix: string(c.Prefix), Deadline: 15 * time.Minute}
	if c.DeliveryStream != "" {
		if found, err = audit.Describe(ctx, firehose.NewFromConfig(config), c.DeliveryStream); err != nil {
			return nil, err
		}
	}
	if c.Errors != "" {
		found.ErrorsPrefix = string(c.Errors)
	}
	if c.Deadline > 0 {
		found.Deadline = c.Deadline
	}
	client := kinesis.NewFromConfig(config)
	source := audit.NewKinesis(found.Stream, stream.NewReader(client, found.Stream))
	if c.FanOut {
		st := p.begin("register a consumer of stream " + found.Stream)
		consumer, err := audit.Register(ctx, client, found.Stream)
		if st.End(err); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, consumer.Close()) }()
		source.FanOut = consumer
	}
	st := p.begin("read stream " + found.Stream)
	source.Progress = func(p audit.Progress) {
		st.Update(fmt.Sprintf("%d shards, %d records, %s, %s behind", p.Shards, p.Records, humanize.IBytes(uint64(p.Bytes)), p.Behind.Round(time.Second)))
	}
	now := time.Now()
	r = audit.Run(ctx, source, bucket.NewS3(s3.NewFromConfig(config, func(o *s3.Options) {
		o.UsePathStyle = c.StateDir != ""
		o.DisableLogOutputChecksumValidationSkipped = true // objects of others have none
	}), found.Bucket), audit.Options{
		Pipeline: *found, From: c.From.at(now), To: c.To.at(now), Skew: audit.DefaultSkew, Form: form,
	})
	st.End(ctx.Err())
	return r, nil
}

// addAudit says what was audited, and what was met in the stream.
func addAudit(b *terminal.Builder, r *report.Report) {
	a, c := r.Audit, r.Covers
	b.Addf(" by stream %s", a.Stream)
	if !a.From.IsZero() {
		b.Addf(", records that arrived from %s to %s", a.From.Format(timeFormat), a.To.Format(timeFormat))
	}
	b.Addf(":\n%d records; %d objects with %d rows, %d bytes; delivery deadline %d s.\n", c.Records, c.Objects, c.Rows, c.Bytes, c.DeliveryDeadlineSeconds)
	if len(a.Shards) == 0 {
		return
	}
	shards := terminal.NewTable()
	shards.Header("Shard", "Records", "Bytes", "Aggregates", "Inner records", "Most records/s", "Most bytes/s")
	for _, s := range a.Shards {
		shards.Row(s.Shard, s.Records, s.Bytes, s.Aggregates, s.Inner, s.MostRecords, s.MostBytes)
	}
	b.Addf("%s\n", shards.Text())
	keys := terminal.NewTable()
	keys.Header("Partition key", "Shard", "Records", "Bytes", "Of its shard")
	for _, k := range a.HotKeys {
		keys.Row(k.Key, k.Shard, k.Records, k.Bytes, fmt.Sprintf("%.0f %%", 100*k.Share))
	}
	b.Addf("%s\n", keys.Text())
}

// inStream says where a missing row is in the stream.
func inStream(f report.Finding) string {
	if len(f.Records) == 0 || len(f.Records[0].Places) == 0 {
		return ""
	}
	r := f.Records[0]
	at := r.Places[0]
	text := fmt.Sprintf("%s %s, partition key %s, arrived %s", at.Shard, at.SequenceNumber, r.PartitionKey, at.Arrival.Format(timeFormat))
	if f.Candidates > 1 {
		text += fmt.Sprintf(", or one of %d equal records", f.Candidates)
	}
	return text
}
