package verifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/explain"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stream"
)

// Where reports are written in the bucket.
const (
	ReportsPrefix = "reports/"
	LatestReport  = ReportsPrefix + "latest.json"
	LatestPage    = ReportsPrefix + "latest.html"
)

type putter interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

var _ putter = (*s3.Client)(nil)

// A Handler answers the verifier's events: it judges the bucket and writes the report under ReportsPrefix.
type Handler struct {
	config Config
	bucket bucket.Bucket
	put    putter
	tag    tagger
	stream explain.Stream // nil if it is not to be read
	// What an audit reads.
	source audit.Resumable
	rows   bucket.Bucket
	out    io.Writer // the function's log
	log    *slog.Logger

	maxTags  int
	maxTicks int // see Options.ticks
}

// NewHandler makes the handler of a verifier function that logs to out.
func NewHandler(config Config, client *s3.Client, source *kinesis.Client, out io.Writer) *Handler {
	reader := stream.NewReader(source, config.StreamName)
	return &Handler{
		config: config, bucket: bucket.NewS3(client, config.Bucket), put: client, tag: client, stream: reader,
		source: audit.NewKinesis(config.StreamName, reader), rows: bucket.NewS3(client, config.SourceBucket), out: out, log: slog.New(slog.NewJSONHandler(out, nil)),
		maxTags: maxTags,
	}
}

// An event is empty, or what EventBridge Scheduler sends by default.
type event struct {
	// Full asks for a verification of everything, whatever the checkpoint says.
	Full bool `json:"full"`
	// Findings asks for all findings that are not accepted, in an object beside the report.
	Findings bool `json:"findings"`
	// Parts plans a run of so many parts, Part counts one of them, and Merge judges when all are counted.
	Parts      int             `json:"parts"`
	Part       *PartOrder      `json:"part"`
	Merge      *Run            `json:"merge"`
	Version    json.RawMessage `json:"version"`
	ID         json.RawMessage `json:"id"`
	DetailType json.RawMessage `json:"detail-type"`
	Source     json.RawMessage `json:"source"`
	Account    json.RawMessage `json:"account"`
	Time       json.RawMessage `json:"time"`
	Region     json.RawMessage `json:"region"`
	Resources  json.RawMessage `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// An Outcome is the answer to the last order of a run: a state machine takes no more than 256 KB.
type Outcome struct {
	Verdict proof.Verdict `json:"verdict"`
	Report  string        `json:"report"` // its key in the bucket
}

// Handle judges and answers with the *report.Report, whatever the verdict; to the orders of a run it answers with a
// Plan, a PartOrder or an Outcome. It fails where the event is not one of the verifier's, or where the report, or what
// a part has counted, cannot be written.
func (h *Handler) Handle(ctx context.Context, input json.RawMessage) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(input))
	decoder.DisallowUnknownFields()
	var order event
	if err := decoder.Decode(&order); err != nil {
		return nil, fmt.Errorf(`event of the verifier: %w; it takes {}, {"full": true}, {"findings": true} or a scheduled event`, err)
	}
	if h.config.AuditFrom != "" && (order.Parts != 0 || order.Part != nil || order.Merge != nil) {
		return nil, errors.New("an audit is not counted in parts: nothing but a ledger says what each part owes")
	}
	switch {
	case order.Parts != 0:
		return h.plan(ctx, order.Parts)
	case order.Part != nil:
		return h.judgePart(ctx, *order.Part, half(ctx))
	case order.Merge != nil:
		r, err := h.verify(ctx, order)
		if err != nil {
			return nil, err
		}
		return &Outcome{r.Verdict, r.Key}, nil
	default:
		return h.verify(ctx, order)
	}
}

// verify judges and writes the report.
func (h *Handler) verify(ctx context.Context, order event) (*report.Report, error) {
	var open func([]proof.Group)
	var found []proof.Group
	if order.Findings {
		open = func(groups []proof.Group) { found = groups }
	}
	var r *report.Report
	var archive *archive
	var saved *checkpoint
	if h.config.AuditFrom != "" {
		r = h.audit(ctx, order.Full, open)
	} else {
		r, archive, saved = h.judge(ctx, order, open)
		h.lookBack(ctx, r)
	}
	name := ReportsPrefix + r.JudgedAt.Format("2006/01/02/20060102T150405Z")
	r.Key = name + ".json"
	if len(found) > 0 && r.Balanced() {
		r.Findings = name + ".findings.json.gz"
		if err := h.writeFindings(ctx, r.Findings, found); err != nil {
			return nil, err
		}
	}
	h.log.InfoContext(ctx, r.LastLine(), "verdict", r.Verdict, "counts", r.Counts, "covers", r.Covers, "reasons", r.Reasons, "report", r.Key)
	metrics, err := report.Metrics(r, h.config.StackName, time.Now())
	if err == nil {
		_, err = h.out.Write(metrics)
	}
	if err != nil {
		return nil, fmt.Errorf("write the metrics: %w", err)
	}
	if err := h.write(ctx, r); err != nil {
		return nil, fmt.Errorf("%w; the verdict was %s %v", err, r.LastLine(), r.Reasons)
	}
	if saved != nil && h.config.ExpireAfterDays > 0 {
		// Last of all, since it may take what is left of the function's time.
		if err := h.keepArchive(ctx, archive, saved); err != nil {
			h.log.WarnContext(ctx, "the archive is not kept: the next verification continues it", "error", err.Error())
		}
	}
	return r, nil
}

// options are those of the function's environment.
func (h *Handler) options() Options {
	return Options{
		DataPrefix:        h.config.DataPrefix,
		ErrorsPrefix:      h.config.ErrorsPrefix,
		DeliveryDeadline:  time.Duration(h.config.DeliveryDeadlineSeconds) * time.Second,
		DuplicatesAllowed: h.config.DuplicatesAllowed,
		expire:            h.config.ExpireAfterDays > 0,
		useUp:             h.useUp,
		ticks:             h.maxTicks,
	}
}

// judge resumes from the checkpoint in the bucket, or from what the parts of a run have counted, and replaces it. It
// returns the archive that it has read, nil for none, and the checkpoint that it has saved, nil if it has not.
func (h *Handler) judge(ctx context.Context, order event, open func([]proof.Group)) (r *report.Report, archive *archive, saved *checkpoint) {
	opts := h.options()
	opts.Open = open
	last, etag, err := loadCheckpoint(ctx, h.bucket)
	if full := order.Full || order.Merge != nil; err != nil && !full {
		// One that cannot be read is not thrown away: it may be a newer version's.
		return undecided(h.bucket, opts, fmt.Errorf("the checkpoint cannot be read: %w: verify --full", err)), nil, nil
	}
	// After the checkpoint, so that it is no older than what the checkpoint says of it.
	if archive, err = loadArchive(ctx, h.bucket, last); err != nil {
		return undecided(h.bucket, opts, err), nil, nil
	}
	if order.Full {
		last = nil
	}
	if order.Merge != nil {
		if last, err = h.merged(ctx, *order.Merge); err != nil {
			return undecided(h.bucket, opts, err), nil, nil
		}
	}
	resume := &resumption{bucket: h.bucket, opts: opts, checkpoint: last, only: last != nil && order.Merge != nil, archive: archive}
	r, next := resume.judge(ctx)
	h.log.InfoContext(ctx, "verified", "from", resume.from)
	if next == nil {
		return r, archive, nil
	}
	data, err := next.encode()
	if err == nil {
		err = h.replace(ctx, CheckpointKey, data, etag) // if two verifications run at once, the first one's stays
	}
	if err != nil {
		// The verdict stands: the next verification only has more to read.
		h.log.WarnContext(ctx, "the checkpoint is not replaced", "error", err.Error())
		return r, archive, nil
	}
	return r, archive, next
}

// writeFindings writes all findings that are not accepted.
func (h *Handler) writeFindings(ctx context.Context, key string, found []proof.Group) error {
	data, err := ledger.EncodeFindings(found)
	if err != nil {
		return fmt.Errorf("encode the findings: %w", err)
	}
	_, err = h.put.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &h.config.Bucket, Key: &key, Body: bytes.NewReader(data), ContentType: aws.String("application/gzip"),
	})
	if err != nil {
		return fmt.Errorf("write the findings to %s/%s: %w", h.bucket.Name(), key, err)
	}
	return nil
}

// write writes the report as JSON and as a page, each under its time and as the latest.
func (h *Handler) write(ctx context.Context, r *report.Report) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	var page bytes.Buffer
	if err := report.HTML(&page, r); err != nil {
		return fmt.Errorf("draw the report: %w", err)
	}
	var errs []error
	for _, object := range []struct {
		key, contentType string
		body             []byte
	}{
		{r.Key, "application/json", data},
		{LatestReport, "application/json", data},
		{strings.TrimSuffix(r.Key, ".json") + ".html", "text/html; charset=utf-8", page.Bytes()},
		{LatestPage, "text/html; charset=utf-8", page.Bytes()},
	} {
		_, err := h.put.PutObject(ctx, &s3.PutObjectInput{
			Bucket:      &h.config.Bucket,
			Key:         &object.key,
			Body:        bytes.NewReader(object.body),
			ContentType: &object.contentType,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("write the report to %s/%s: %w", h.bucket.Name(), object.key, err))
		}
	}
	return errors.Join(errs...)
}

// replace overwrites the version with this ETag and no other; without one, it writes only if the key is free.
func (h *Handler) replace(ctx context.Context, key string, data []byte, etag string) error {
	input := &s3.PutObjectInput{Bucket: &h.config.Bucket, Key: &key, Body: bytes.NewReader(data), ContentType: aws.String("application/gzip")}
	if etag == "" {
		input.IfNoneMatch = aws.String("*")
	} else {
		input.IfMatch = &etag
	}
	_, err := h.put.PutObject(ctx, input)
	return err
}
