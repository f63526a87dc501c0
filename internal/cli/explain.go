package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"streamproof/internal/explain"
	"streamproof/internal/operate"
	"streamproof/internal/report"
	"streamproof/internal/terminal"
)

// explainPermissions are what explain needs on AWS, in addition to those of verify.
const explainPermissions = "kinesis:DescribeStreamSummary, GetShardIterator and GetRecords on the stream, s3:ListBucket and s3:GetObject on the bucket, " +
	"and kinesisanalytics:DescribeApplication on the application"

type explainCmd struct {
	Report string `help:"Explain this report, as printed by verify --json, instead of a new one." type:"existingfile" xor:"report" placeholder:"FILE"`
	Latest bool   `help:"Explain the latest report in the bucket, reports/latest.json." xor:"report"`

	audited `embed:""`
	target  `embed:""`
}

// Validate is called by kong.
func (c *explainCmd) Validate() error {
	if !c.named() {
		return c.checkStack(&c.target)
	}
	if c.Report != "" || c.Latest {
		return errors.New("--report and --latest are for a stack: an audit is explained as it is made")
	}
	return c.check(&c.target)
}

func (c *explainCmd) Run(ctx context.Context, e *env) error {
	var out *explain.Explanation
	var r *report.Report
	var err error
	if c.named() {
		out, r, err = c.audit(ctx, e)
	} else {
		err = c.operate(ctx, e, explainPermissions, func(o *operate.Operator) (err error) {
			out, r, err = c.run(ctx, o)
			return err
		})
	}
	if err != nil {
		return err
	}
	return e.show(c.JSON, out, explainText(out, r))
}

// audit audits what the flags name, and explains what is wrong there.
func (c *explainCmd) audit(ctx context.Context, e *env) (*explain.Explanation, *report.Report, error) {
	s, err := c.subject(ctx, e, &c.target)
	if err != nil {
		return nil, nil, err
	}
	var out *explain.Explanation
	var r *report.Report
	err = s.show(e, func(begin func(string) operate.Step) error {
		out, r, err = s.explain(ctx, begin)
		return err
	})
	return out, r, err
}

func (c *explainCmd) run(ctx context.Context, o *operate.Operator) (*explain.Explanation, *report.Report, error) {
	r, err := c.read(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	out, err := o.Explain(ctx, r)
	return out, r, err
}

// read gets the report from where the flags say.
func (c *explainCmd) read(ctx context.Context, o *operate.Operator) (*report.Report, error) {
	switch {
	case c.Report != "":
		data, err := os.ReadFile(c.Report)
		if err != nil {
			return nil, err
		}
		var r report.Report
		if err := json.Unmarshal(data, &r); err != nil || r.Version == 0 {
			return nil, &usageError{fmt.Errorf("%s is not a report as verify --json prints it", c.Report)}
		}
		if r.Version > report.Version {
			return nil, &usageError{fmt.Errorf("%s has version %d, and this program supports up to %d: use a newer streamproof", c.Report, r.Version, report.Version)}
		}
		return &r, nil
	case c.Latest:
		r, err := o.Stack.LatestReport(ctx)
		if err == nil && r == nil {
			err = fmt.Errorf("stack %s has no report yet: leave out --latest, or run `streamproof verify`", o.Stack.Name)
		}
		return r, err
	default:
		st := o.Step("verify")
		r, _, err := o.Stack.Verify(ctx)
		st.End(err)
		return r, err
	}
}

func explainText(out *explain.Explanation, r *report.Report) terminal.Text {
	if len(out.Findings) == 0 {
		what := "Nothing is missing and nothing failed"
		if out.Beyond > 0 {
			what = "The report has no sample of a missing or failed row"
		}
		var b terminal.Builder
		b.Addf("%s. ", what)
		addTwice(&b, r)
		b.Addf("%s", r.LastLine())
		return b.Text()
	}
	w := terminal.NewTable()
	w.Wrap(2, 110)
	for i, f := range out.Findings {
		if i > 0 {
			w.Separator()
		}
		w.Row(f.Class, terminal.Format("%d of %s", f.Count, f.Row))
		if !f.Tick.IsZero() && r.Audit == nil {
			w.Row("tick", f.Tick.Format(timeFormat))
		}
		for _, record := range f.Records {
			if r.Audit == nil {
				w.Row("record", terminal.Format("%d, partition key %s, %s", record.Index, record.PartitionKey, record.Outcome))
			} else {
				w.Row("record", terminal.Format("partition key %s", record.PartitionKey))
			}
			for _, p := range record.Places {
				w.Row("", terminal.Format("in %s, sequence number %s", p.Shard, p.SequenceNumber))
				if !p.Arrival.IsZero() {
					w.Row("", terminal.Format("arrived %s", p.Arrival.Format(timeFormat)))
				}
				if a := p.Aggregate; a != nil {
					w.Row("", terminal.Format("%d of %d in an aggregate with partition key %s", a.Position, a.Records, a.PartitionKey))
				}
			}
		}
		if more := f.Candidates - len(f.Records); more > 0 {
			w.Row("", terminal.Format("and %d more records that give this row", more))
		}
		w.Row("last seen", f.Text)
	}
	var b terminal.Builder
	b.Addf("%s\n", w.Text())
	if out.Beyond > 0 {
		b.Addf("%d more rows are missing or failed, without a sample in the report.\n", out.Beyond)
	}
	addTwice(&b, r)
	b.Addf("What does not arrive by itself, streamproof repair writes again: see docs/repair.md.\n")
	b.Addf("%s", r.LastLine())
	return b.Text()
}

// addTwice says of how many duplicated rows a repair made a copy.
func addTwice(b *terminal.Builder, r *report.Report) {
	if r.RepairedTwice > 0 {
		b.Addf("Of %d of the duplicated rows a repair made a copy, and the original came after all: streamproof repair --duplicates takes the copies back.\n",
			r.RepairedTwice)
	}
}
