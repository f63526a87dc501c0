package verifier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/report"
	"streamproof/internal/row"
)

// AuditKey is where the state of an audit stands in the bucket. Unlike the checkpoint it is no cache: the stream does
// not keep what it has counted.
const AuditKey = "ledger/audit.json.gz"

// What a record owes in an audit.
const (
	RowsRecords     = "records"     // itself, byte by byte
	RowsQuery       = "query"       // the rows of the query that this program was built with
	RowsApplication = "application" // the rows of the query that the stack's application runs, or a reject
)

// Where an audit begins, if not at a time.
const (
	FromNow     = "NOW"          // the first verification
	FromHorizon = "TRIM_HORIZON" // the oldest record
)

// parseFrom gives the moment; it is zero for now.
func parseFrom(text string) (time.Time, error) {
	switch text {
	case FromNow:
		return time.Time{}, nil
	case FromHorizon:
		return time.Unix(0, 0), nil
	}
	from, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return from, fmt.Errorf("AUDIT_FROM is %q, want %s, %s or a time such as 2026-11-29T10:00:00Z", text, FromNow, FromHorizon)
	}
	return from, nil
}

// checkAudit finds faults in the part of the environment that says what is audited.
func (c Config) checkAudit() (faults []error) {
	if _, err := parseFrom(c.AuditFrom); err != nil {
		faults = append(faults, err)
	}
	switch c.AuditRows {
	case RowsRecords, RowsQuery:
	case RowsApplication:
		if c.ErrorsPrefix == "" {
			faults = append(faults, errors.New("ERRORS_PREFIX is empty, want where the application's rejects are"))
		}
	default:
		faults = append(faults, fmt.Errorf("AUDIT_ROWS is %q, want %s, %s or %s", c.AuditRows, RowsRecords, RowsQuery, RowsApplication))
	}
	return faults
}

// auditPipeline is what carries the stream to S3.
func (c Config) auditPipeline() audit.Pipeline {
	p := audit.Pipeline{
		Stream: c.StreamName, Bucket: c.SourceBucket, Prefix: c.DataPrefix, ErrorsPrefix: c.ErrorsPrefix,
		Deadline: time.Duration(c.DeliveryDeadlineSeconds) * time.Second, Hourly: c.HourlyKeys,
	}
	if c.AuditRows == RowsApplication {
		p.RejectsPrefix, p.ErrorsPrefix = c.ErrorsPrefix, Options{DataPrefix: c.DataPrefix}.FailedPrefix()
	}
	return p
}

// audit judges by the stream, resuming from the state in the bucket, and replaces that.
func (h *Handler) audit(ctx context.Context, full bool, open func([]proof.Group)) *report.Report {
	opts := audit.Options{Pipeline: h.config.auditPipeline(), Skew: audit.DefaultSkew, Start: h.config.AuditFrom}
	refuse := func(err error) *report.Report {
		r := undecided(h.bucket, Options{DataPrefix: h.config.DataPrefix}, err)
		r.Audit = &report.Audit{Stream: h.config.StreamName, SkewSeconds: opts.Skew.Seconds()}
		return r
	}
	var err error
	if opts.From, err = parseFrom(h.config.AuditFrom); err != nil {
		return refuse(err)
	}
	object, data, err := bucket.Get(ctx, h.bucket, AuditKey)
	if err != nil {
		return refuse(fmt.Errorf("the state of the audit cannot be read: %w", err))
	}
	var base *audit.State
	var etag string
	if object != nil {
		etag = object.ETag
		if base, err = audit.DecodeState(data); err != nil {
			return refuse(fmt.Errorf("the state of the audit cannot be read: %s: %w: restore its former version", AuditKey, err))
		}
	}
	if err := h.auditForm(ctx, &opts); err != nil {
		return refuse(err)
	}
	acceptances := newVerification(h.bucket, Options{}, nil, nil, nil)
	opts.Settle = func(ctx context.Context, r *report.Report, result *proof.Result) (map[proof.Class]int64, error) {
		return h.settle(ctx, acceptances, r, result, open)
	}
	reading := ctx
	if end, ok := ctx.Deadline(); ok { // what was read by then is kept, and the next verification goes on
		var cancel context.CancelFunc
		reading, cancel = context.WithDeadline(ctx, end.Add(-reportReserve))
		defer cancel()
	}
	r, next := audit.Resume(reading, h.source, h.rows, opts, base)
	r.DuplicatesAllowed = h.config.DuplicatesAllowed
	r.Notes = append(r.Notes, acceptances.report.Notes...)
	if full {
		r.Notes = append(r.Notes, "the stream does not hold what was counted before, so not everything was judged again, but what is new")
	}
	h.log.InfoContext(ctx, "audited", "from", base.String())
	if next == nil {
		return r
	}
	if data, err = next.Encode(); err == nil {
		err = h.replace(ctx, AuditKey, data, etag) // if two verifications run at once, the first one's stays
	}
	if err != nil {
		h.log.WarnContext(ctx, "the state of the audit is not replaced: the next verification reads the same records again", "error", err.Error())
	}
	return r
}

// settle finds out what of a balance is accepted or allowed, and records what of it is used up.
func (h *Handler) settle(ctx context.Context, v *verification, r *report.Report, result *proof.Result, open func([]proof.Group)) (map[proof.Class]int64, error) {
	acceptances, err := v.acceptances(ctx)
	if err != nil {
		return nil, fmt.Errorf("the acceptances cannot be read: %w", err)
	}
	covered := cover(acceptances, results{result}, r.JudgedAt, open != nil)
	excused := map[proof.Class]int64{proof.Duplicated: h.config.DuplicatesAllowed}
	for class, n := range covered.excused {
		excused[class] += n
	}
	r.Accepted = covered.accepted
	if open != nil {
		open(covered.open)
	}
	if len(covered.left) > 0 {
		if err := h.useUp(ctx, covered.left); err != nil {
			return nil, fmt.Errorf("record that accepted findings are gone: %w", err)
		}
	}
	return excused, nil
}

// auditForm says what a record owes.
func (h *Handler) auditForm(ctx context.Context, opts *audit.Options) error {
	var p *pipeline.Pipeline
	var err error
	switch h.config.AuditRows {
	case RowsQuery:
		p, err = pipeline.Embedded()
	case RowsApplication:
		return h.applicationForms(ctx, opts)
	default:
		opts.Form = audit.Verbatim{}
		return nil
	}
	if err != nil {
		return err
	}
	form, err := queried(p)
	if err != nil {
		return err
	}
	opts.Form, opts.FormID = form, p.Hash()
	return nil
}

func queried(p *pipeline.Pipeline) (*audit.Queried, error) {
	q, err := query.Compile(p)
	if err != nil {
		return nil, fmt.Errorf("pipeline %.12s cannot be run: %w", p.Hash(), err)
	}
	return audit.NewQueried(q)
}

// applicationForms are what the queries give that the application has run, each in its time. A query that was rolled
// back may have delivered rows of records that the one before has read again.
func (h *Handler) applicationForms(ctx context.Context, opts *audit.Options) error {
	object, data, err := bucket.Get(ctx, h.bucket, ledger.CurrentKey)
	if err == nil && object == nil {
		err = errors.New("it is not there: the application has not been started yet")
	}
	var current *ledger.Current
	if err == nil {
		current, err = ledger.DecodeCurrent(data)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", ledger.CurrentKey, err)
	}
	if pending := current.Pending(); pending != "" {
		opts.Reasons = append(opts.Reasons, pending)
	}
	forms := map[string]*audit.Queried{}
	var output row.Schema
	add := func(hash string, from, until time.Time) error {
		if forms[hash] == nil {
			p, err := h.pipeline(ctx, hash)
			if err != nil {
				return err
			}
			form, err := queried(p)
			if err != nil {
				return err
			}
			form.Rejects = true
			if output == nil {
				output = form.Output()
			}
			if forms[hash] = form; !slices.Equal(form.Output(), output) {
				return fmt.Errorf("pipeline %.12s writes rows of other columns than the one before under the same prefix, and their rows cannot be told apart", hash)
			}
		}
		opts.Epochs = append(opts.Epochs, audit.Epoch{Form: forms[hash], FormID: hash, From: from, Until: until})
		return nil
	}
	for i := 0; i+1 < len(current.Epochs) && err == nil; i++ {
		err = add(current.Epochs[i].Pipeline, current.Epochs[i].From, current.Epochs[i+1].From)
	}
	for i := 0; i < len(current.Rollbacks) && err == nil; i++ {
		err = add(current.Rollbacks[i].Failed, current.Rollbacks[i].From, current.Rollbacks[i].Until)
	}
	if err == nil {
		var from time.Time
		if n := len(current.Epochs); n > 0 {
			from = current.Epochs[n-1].From
		}
		err = add(current.Pipeline, from, time.Time{})
	}
	if err != nil {
		return err
	}
	opts.Form, opts.FormID = forms[current.Pipeline], current.Pipeline
	return nil
}

// pipeline reads a published pipeline.
func (h *Handler) pipeline(ctx context.Context, hash string) (*pipeline.Pipeline, error) {
	object, data, err := bucket.Get(ctx, h.bucket, ledger.PipelineKey(hash))
	if err != nil {
		return nil, fmt.Errorf("pipeline %s cannot be read: %w", hash, err)
	}
	if object == nil {
		return nil, fmt.Errorf("pipeline %s is not published: there is no %s", hash, ledger.PipelineKey(hash))
	}
	p, err := ledger.DecodePipeline(data, hash)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ledger.PipelineKey(hash), err)
	}
	return p, nil
}
