package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/internal/terminal"
	"streamproof/internal/verifier"
)

type verifyCmd struct {
	target   `embed:""`
	Dir      string        `help:"Judge a local copy of a bucket, as made by aws s3 sync, instead of a stack." type:"existingdir" xor:"where" placeholder:"DIR"`
	Prefix   keyPrefix     `help:"Prefix of the rows in the copy." default:"ingestion-kinesis/"`
	Errors   keyPrefix     `help:"Prefix of the application's rejects in the copy." default:"ingestion-kinesis-errors/"`
	Full     bool          `help:"Judge everything again, not only what is new."`
	Parts    int           `help:"Judge everything again in so many parts of the rows, as a run of the stack's state machine: for a history that is too large for one call of the function." placeholder:"N"`
	Deadline time.Duration `help:"Delivery deadline for the copy." default:"10m"`
	HTML     string        `help:"Write the report to this file, as an HTML page." name:"html" type:"path" placeholder:"FILE"`
	Open     bool          `help:"Write the report as an HTML page, and open it in the browser."`

	browse func(file string) error // stands in for the browser in tests
}

// A keyPrefix is a folder of the bucket. It always ends in a slash, as in the template, because the prefix of
// processing-failed is derived from it.
type keyPrefix string

// UnmarshalText is called by kong.
func (p *keyPrefix) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("the prefix is empty: name a folder of the bucket")
	}
	*p = keyPrefix(strings.TrimSuffix(string(text), "/") + "/")
	return nil
}

// Validate is called by kong.
func (c *verifyCmd) Validate() error {
	if c.Deadline < time.Second {
		return fmt.Errorf("--deadline is %s: it must be at least 1s", c.Deadline)
	}
	if c.Parts != 0 && c.Dir != "" {
		return errors.New("--parts is for a stack: a copy is judged by all cores at once")
	}
	if c.Parts < 0 || c.Parts > verifier.MaxParts {
		return fmt.Errorf("--parts is %d: it must be 1 to %d", c.Parts, verifier.MaxParts)
	}
	return c.target.Validate()
}

func (c *verifyCmd) Run(ctx context.Context, e *env) error {
	r, raw, err := c.judge(ctx, e)
	if err != nil {
		return err
	}
	if err := e.show(c.JSON, raw, reportText(r)); err != nil {
		return err
	}
	if err := c.page(e, r); err != nil {
		return err
	}
	return verdictOf(r)
}

// judge returns the report that the flags ask for, and the same as JSON.
func (c *verifyCmd) judge(ctx context.Context, e *env) (*report.Report, json.RawMessage, error) {
	if c.Dir != "" {
		r := verifier.Judge(ctx, bucket.Dir(c.Dir), verifier.Options{DataPrefix: string(c.Prefix), ErrorsPrefix: string(c.Errors), DeliveryDeadline: c.Deadline})
		raw, err := json.Marshal(r)
		return r, raw, err
	}
	s, _, err := c.open(ctx, e)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case c.Parts > 0:
		return c.inParts(ctx, e, s)
	case c.Full:
		return s.VerifyFull(ctx)
	default:
		return s.Verify(ctx)
	}
}

// inParts has a run judge, and shows how many of its parts are counted.
func (c *verifyCmd) inParts(ctx context.Context, e *env, s *stack.Stack) (*report.Report, json.RawMessage, error) {
	p := newProgress(e)
	defer p.stop()
	step := p.begin(fmt.Sprintf("Count %d parts", c.Parts))
	r, raw, err := s.VerifyInParts(ctx, c.Parts, func(done int) { step.Update(fmt.Sprintf("%d done", done)) })
	step.End(err)
	return r, raw, err
}

func verdictOf(r *report.Report) error {
	if status := r.ExitStatus(); status != exitDone {
		return verdict(status)
	}
	return nil
}

const timeFormat = "2006-01-02 15:04:05.000Z"

// shownSamples is how many samples of each class a person sees. The JSON has all of them.
const shownSamples = 5

// reportText is the report for a terminal. It ends with the report's last line.
func reportText(r *report.Report) terminal.Text {
	var b terminal.Builder
	c := r.Covers
	b.Addf("Judged %s/%s", r.Bucket, r.Prefix)
	if c.Ticks > 0 {
		b.Addf(", ticks %s to %s", c.From.UTC().Format(timeFormat), c.To.UTC().Format(timeFormat))
	}
	if r.Audit != nil {
		addAudit(&b, r)
	} else {
		b.Addf(":\n%d ticks (%d not settled yet, %d crashed) of %d records; %d objects with %d rows, %d bytes; delivery deadline %d s.\n",
			c.Ticks, c.TicksUnsettled, c.TicksCrashed, c.Records, c.Objects, c.Rows, c.Bytes, c.DeliveryDeadlineSeconds)
	}
	if !c.ArchivedUntil.IsZero() {
		b.Addf("History is archived until %s: older objects may have expired.\n", c.ArchivedUntil.UTC().Format(timeFormat))
	}

	if r.Balanced() {
		b.Addf("%s\n", countsTable(r))
	}
	if r.Delay.LateMax > 0 {
		b.Addf("The latest row arrived %d s after its deadline.\n", r.Delay.LateMax)
	}

	if len(r.Epochs) > 0 {
		w := terminal.NewTable()
		w.Header("Epoch", "From, UTC", "Ticks", "Rows")
		for _, e := range r.Epochs {
			w.Row(e.Name(), e.Began(), e.Ticks, e.Outcome())
		}
		b.Addf("%s\n", w.Text())
	}

	if len(r.Rejects) > 0 {
		w := terminal.NewTable()
		w.Header("Under the error prefix", "Reason", "Count")
		for _, one := range r.Rejects {
			w.Row(one.Prefix, one.Reason, one.Count)
		}
		b.Addf("%s\n", w.Text())
	}

	if len(r.Samples) > 0 {
		w := terminal.NewTable()
		w.Header("Class", "Row", "Count", "Where")
		for _, class := range append(slices.Clone(proof.Classes), proof.Doubted, proof.Foreign) {
			samples := r.Samples[class]
			for _, s := range samples[:min(len(samples), shownSamples)] {
				w.Row(class, s.Row, s.Count, where(r, class, s))
			}
			if more := len(samples) - shownSamples; more > 0 {
				w.Row(class, terminal.Format("and %d more samples: see --json", more))
			}
		}
		b.Addf("%s\n", w.Text())
	}
	for _, reason := range r.Reasons {
		b.Addf("- %s\n", reason)
	}
	for _, note := range r.Notes {
		b.Addf("- note: %s\n", note)
	}
	if r.Key != "" {
		b.Addf("Report: %s\n", r.Key)
	}
	b.Addf("%s", r.LastLine())
	return b.Text()
}

func where(r *report.Report, class proof.Class, s proof.Sample) string {
	var parts []string
	if s.Tick != nil {
		parts = append(parts, "tick "+s.Tick.UTC().Format(timeFormat))
	}
	if s.Object != "" {
		parts = append(parts, fmt.Sprintf("%s:%d", s.Object, s.Line))
	}
	var hops []string
	if class == proof.Missing {
		for _, f := range r.LastSeenOf(class, s) {
			if r.Audit != nil {
				return inStream(f)
			}
			hops = append(hops, fmt.Sprintf("%d %s", f.Count, f.Hop))
		}
	}
	switch {
	case len(hops) > 0:
		parts = append(parts, strings.Join(hops, ", ")+": see streamproof explain")
	case s.Reason != "":
		parts = append(parts, s.Reason)
	}
	return strings.Join(parts, " ")
}

func countsTable(r *report.Report) terminal.Text {
	w := terminal.NewTable()
	w.Header("Rows", "Count")
	w.Row("owed", r.Counts.Owed)
	w.Row("delivered", r.Counts.Delivered)
	w.Row("rejects", r.Counts.Rejects)
	for _, class := range proof.Classes {
		w.Row(class, r.Counts.Of(class))
	}
	w.Row("in flight", r.Counts.InFlight)
	w.Row("unknown", r.Counts.Unknown)
	w.Row("recovered", r.Counts.Recovered)
	w.Row("late", r.Counts.Late)
	w.Row("foreign", r.Counts.Foreign)
	if r.Counts.Repaired > 0 {
		w.Row("repaired", r.Counts.Repaired)
	}
	return w.Text()
}
