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
	"github.com/caarlos0/env/v11"

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

// Config is the function's environment.
type Config struct {
	Bucket                  string `env:"BUCKET,required,notEmpty"`
	DataPrefix              string `env:"DATA_PREFIX,required,notEmpty"`
	ErrorsPrefix            string `env:"ERRORS_PREFIX,required,notEmpty"`
	DeliveryDeadlineSeconds int    `env:"DELIVERY_DEADLINE_SECONDS,required"`
	DuplicatesAllowed       int64  `env:"DUPLICATES_ALLOWED" envDefault:"0"`
	// ExpireAfterDays is after how many days the bucket's lifecycle deletes rows and ticks that have SettledTag: at least 2, or
	// 0 for never. Where it is above 0, the verifier keeps the archive, and tags what that has folded in.
	ExpireAfterDays int `env:"EXPIRE_AFTER_DAYS" envDefault:"0"`
	// What a row may wait for on its way, in seconds; the deadline has to be longer.
	PackDelaySeconds          int `env:"PACK_DELAY_SECONDS" envDefault:"0"`
	CheckpointIntervalSeconds int `env:"CHECKPOINT_INTERVAL_SECONDS" envDefault:"0"`
	BufferIntervalSeconds     int `env:"BUFFER_INTERVAL_SECONDS" envDefault:"0"`
	// Buffers is how many of Firehose's buffers a row goes through: two where there is a transform.
	Buffers int `env:"BUFFERS" envDefault:"1"`
	// StackName is the dimension of the metrics.
	StackName string `env:"STACK_NAME,required,notEmpty"`
	// StreamName is the stream that is read back for rows that are missing.
	StreamName string `env:"STREAM_NAME,required,notEmpty"`
}

// ReadConfig reads the environment; the error names every fault in it.
func ReadConfig() (Config, error) {
	c, err := env.ParseAs[Config]()
	if err != nil {
		return c, fmt.Errorf("environment of the verifier: %w", err)
	}
	if c.DeliveryDeadlineSeconds <= 0 {
		return c, fmt.Errorf("environment of the verifier: DELIVERY_DEADLINE_SECONDS is %d and has to be above 0", c.DeliveryDeadlineSeconds)
	}
	if need := c.longestWay(); c.DeliveryDeadlineSeconds < need {
		return c, fmt.Errorf("environment of the verifier: DELIVERY_DEADLINE_SECONDS is %d, and a row may take %d: %d x BUFFER_INTERVAL_SECONDS %d + PACK_DELAY_SECONDS %d + CHECKPOINT_INTERVAL_SECONDS %d + %d for a restart; raise the deadline or lower one of these",
			c.DeliveryDeadlineSeconds, need, c.Buffers, c.BufferIntervalSeconds, c.PackDelaySeconds, c.CheckpointIntervalSeconds, restartSeconds)
	}
	if c.ExpireAfterDays < 0 || c.ExpireAfterDays == 1 {
		return c, fmt.Errorf("environment of the verifier: EXPIRE_AFTER_DAYS is %d and has to be 0, for never, or at least 2: a verification looks back %s", c.ExpireAfterDays, window)
	}
	if c.DuplicatesAllowed < 0 {
		return c, fmt.Errorf("environment of the verifier: DUPLICATES_ALLOWED is %d and cannot be below 0", c.DuplicatesAllowed)
	}
	return c, nil
}

// restartSeconds is what a restart of the application takes at the least; on AWS some 3 minutes are more like it.
const restartSeconds = 20

// longestWay is how many seconds a row may take where nothing is lost: it waits to be packed and in Firehose's buffers, and
// a restart goes back to the last checkpoint.
func (c Config) longestWay() int {
	return c.Buffers*c.BufferIntervalSeconds + c.PackDelaySeconds + c.CheckpointIntervalSeconds + restartSeconds
}

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
	stream explain.Stream // nil where it is not to be read
	out    io.Writer      // the function's log
	log    *slog.Logger

	mostTags int
}

// NewHandler makes the handler of a verifier function that logs to out.
func NewHandler(config Config, client *s3.Client, source *kinesis.Client, out io.Writer) *Handler {
	return &Handler{
		config: config, bucket: bucket.NewS3(client, config.Bucket), put: client, tag: client, stream: stream.NewReader(source, config.StreamName),
		out: out, log: slog.New(slog.NewJSONHandler(out, nil)),
		mostTags: mostTags,
	}
}

// An event is empty, or what EventBridge Scheduler sends by default.
type event struct {
	// Full asks for a verification of everything, whatever the state says.
	Full bool `json:"full"`
	// Findings asks for all findings that nobody has accepted, in an object beside the report.
	Findings   bool            `json:"findings"`
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

// Handle judges and answers with the report, whatever the verdict. It fails where the event is not one of the
// verifier's, or the report cannot be written.
func (h *Handler) Handle(ctx context.Context, input json.RawMessage) (*report.Report, error) {
	decoder := json.NewDecoder(bytes.NewReader(input))
	decoder.DisallowUnknownFields()
	var order event
	if err := decoder.Decode(&order); err != nil {
		return nil, fmt.Errorf(`event of the verifier: %w; it takes {}, {"full": true}, {"findings": true} or a scheduled event`, err)
	}
	var open func([]proof.Group)
	var found []proof.Group
	if order.Findings {
		open = func(groups []proof.Group) { found = groups }
	}
	r, kept, saved := h.judge(ctx, order.Full, open)
	h.lookBack(ctx, r)
	name := ReportsPrefix + r.JudgedAt.Format("2006/01/02/20060102T150405Z")
	r.Key = name + ".json"
	if len(found) > 0 && r.Verdict != proof.Undecided {
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
		if err := h.keepArchive(ctx, kept, saved); err != nil {
			h.log.WarnContext(ctx, "the archive is not kept: the next verification goes on", "error", err.Error())
		}
	}
	return r, nil
}

// judge goes on from the state in the bucket, and replaces it. It gives the archive that it has read, nil for none, and the
// state that it has saved, nil where it has not.
func (h *Handler) judge(ctx context.Context, full bool, open func([]proof.Group)) (r *report.Report, kept *archive, saved *state) {
	opts := Options{
		DataPrefix:        h.config.DataPrefix,
		ErrorsPrefix:      h.config.ErrorsPrefix,
		DeliveryDeadline:  time.Duration(h.config.DeliveryDeadlineSeconds) * time.Second,
		DuplicatesAllowed: h.config.DuplicatesAllowed,
		expire:            h.config.ExpireAfterDays > 0,
		useUp:             h.useUp,
		open:              open,
	}
	base, etag, err := loadState(ctx, h.bucket)
	if err != nil && !full {
		// One that cannot be read is not thrown away: it may be a newer version's.
		return undecided(h.bucket, opts, "the state cannot be read: %v: verify --full", err), nil, nil
	}
	// After the state, so that it is no older than what the state says of it.
	if kept, err = loadArchive(ctx, h.bucket, base); err != nil {
		return undecided(h.bucket, opts, "%v", err), nil, nil
	}
	if full {
		base = nil
	}
	var next *state
	if opts.expire && kept == nil && base != nil && !base.whole() && base.small() {
		// What is to be tagged are keys that the state does not know any more. Where they cannot be had, it begins with those
		// that it does know, and what is older stays.
		r, next = judgeFrom(ctx, h.bucket, opts, nil, nil)
	}
	if next == nil {
		r, next = judgeFrom(ctx, h.bucket, opts, base, kept)
	}
	if next == nil {
		return r, kept, nil
	}
	data, err := next.encode()
	if err == nil {
		err = h.replace(ctx, StateKey, data, etag) // no other than was loaded: of two verifications at once, the first one's stays
	}
	if err != nil {
		// The verdict stands: the next verification has more to read, and that is all.
		h.log.WarnContext(ctx, "the state is not replaced", "error", err.Error())
		return r, kept, nil
	}
	return r, kept, next
}

// writeFindings writes all findings that nobody has accepted.
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
