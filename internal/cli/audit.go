package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"streamproof/internal/report"
	"streamproof/internal/terminal"
)

type auditCmd struct {
	audited `embed:""`
	Missing string `help:"Write every missing record to this file, as a JSON object a line: the report names 10,000 at most." type:"path" placeholder:"FILE"`
	HTML    string `help:"Write the report to this file, as a page." name:"html" type:"path" placeholder:"FILE"`
	Open    bool   `help:"Write the report as a page, and show it in the browser."`
	target  `embed:""`
}

// Validate is called by kong.
func (c *auditCmd) Validate() error {
	if !c.named() && c.Stack == "" && c.StateDir == "" {
		return errors.New("name what to audit: --delivery-stream NAME, or --stream NAME --bucket NAME --prefix PREFIX, or a stack with --stack NAME")
	}
	return c.check(&c.target)
}

func (c *auditCmd) Run(ctx context.Context, e *env) (err error) {
	s, err := c.subject(ctx, e, &c.target)
	if err != nil {
		return err
	}
	if c.Missing != "" {
		var end func() error
		if s.opts.Missing, end, err = missingFile(c.Missing); err != nil {
			return &usageError{err}
		}
		defer func() { err = errors.Join(end(), err) }()
	}
	r, err := s.audit(ctx, e)
	if err != nil {
		return err
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

// missingFile makes a file of missing records. End completes it.
func missingFile(name string) (write func(report.MissingRow) error, end func() error, err error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, nil, err
	}
	out := bufio.NewWriter(file)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	return func(m report.MissingRow) error { return lines.Encode(m) }, func() error {
		if err := errors.Join(out.Flush(), file.Close()); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return nil
	}, nil
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
