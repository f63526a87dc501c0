package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"streamproof/internal/ledger"
	"streamproof/internal/operate"
	"streamproof/internal/proof"
	"streamproof/internal/repair"
	"streamproof/internal/terminal"
)

// repairPermissions are what repair needs on AWS, in addition to those of verify.
const repairPermissions = "s3:ListBucket and s3:GetObject on the bucket; with --yes, " + repair.Permissions

type repairCmd struct {
	Duplicates bool          `help:"Take surplus copies out of their objects."`
	Corrupt    bool          `help:"Take lines that are no rows out of their objects. Rows that they were meant to be are missing rows."`
	Yes        bool          `help:"Do it. Without this, the command only says what it would do."`
	Margin     time.Duration `help:"Leave what is younger than the delivery deadline and this." default:"5m"`

	audited `embed:""`
	target  `embed:""`
}

// Validate is called by kong.
func (c *repairCmd) Validate() error {
	if c.Margin < 0 {
		return fmt.Errorf("--margin is %s, want 0s or more", c.Margin)
	}
	if c.named() {
		return c.check(&c.target)
	}
	return c.checkStack(&c.target)
}

func (c *repairCmd) Run(ctx context.Context, e *env) error {
	order := operate.RepairOrder{Margin: c.Margin, Write: c.Yes}
	if c.Duplicates {
		order.Classes = append(order.Classes, proof.Duplicated)
	}
	if c.Corrupt {
		order.Classes = append(order.Classes, proof.Corrupt)
	}
	if len(order.Classes) == 0 {
		order.Classes = []proof.Class{proof.Missing, proof.Failed}
	}
	var r *operate.RepairResult
	byStream := c.named()
	if !byStream {
		s, _, err := c.open(ctx, e)
		if err != nil {
			return err
		}
		byStream = s.Outputs.StartPosition != "" // it has no ledger of what is owed
	}
	var err error
	if byStream {
		r, err = c.audit(ctx, e, order)
	} else {
		err = c.operate(ctx, e, repairPermissions, func(o *operate.Operator) (err error) {
			r, err = o.Repair(ctx, order)
			return err
		})
	}
	if err != nil {
		return err
	}
	if err := e.show(c.JSON, r, repairText(r)); err != nil {
		return err
	}
	if r.After != nil {
		return verdictOf(r.After)
	}
	return nil
}

// audit repairs what the flags name.
func (c *repairCmd) audit(ctx context.Context, e *env, order operate.RepairOrder) (*operate.RepairResult, error) {
	s, err := c.subject(ctx, e, &c.target)
	if err != nil {
		return nil, err
	}
	var r *operate.RepairResult
	err = s.show(e, func(begin func(string) operate.Step) (err error) {
		r, err = s.repair(ctx, order, begin)
		return err
	})
	return r, needs(err, auditPermissions+"; with --yes, "+repair.Permissions)
}

// shownObjects is how many objects a person sees. The JSON has all of them.
const shownObjects = 10

func repairText(r *operate.RepairResult) terminal.Text {
	var b terminal.Builder
	if r.Before != nil {
		b.Addf("Before: %s\n", r.Before.LastLine())
	}
	if r.Unfinished > 0 {
		b.Addf("Repair %d was left open: the next repair with --yes finishes it first.\n", r.Unfinished)
	}
	if r.Finished {
		b.Addf("A repair that had been left open was finished first.\n")
	}
	if r.Plan != nil {
		addPlan(&b, r)
	}
	for _, key := range r.Changed {
		b.Addf("- not rewritten, because something else was written there meanwhile: %s\n", key)
	}
	switch {
	case r.After != nil:
		b.Addf("%s", r.After.LastLine())
	case r.Plan == nil || r.Empty():
		b.Addf("There is nothing to do.")
	default:
		b.Addf("Nothing was written. To do it, give --yes. Readers that have already acted on these rows do not learn of it: see docs/repair.md.")
	}
	return b.Text()
}

func addPlan(b *terminal.Builder, r *operate.RepairResult) {
	would := "would be "
	if r.Written {
		would = ""
	}
	if len(r.Writes) > 0 {
		w := terminal.NewTable()
		w.Header("New object", "Bytes", "Rows")
		var bytes int64
		for i, one := range r.Writes {
			if bytes += one.Bytes; i < shownObjects {
				w.Row(one.Key, one.Bytes, one.Lines)
			}
		}
		addMore(w, len(r.Writes))
		b.Addf("%s\n%swritten: %d objects of %s, with %d missing and %d failed rows.\n", w.Text(), would, len(r.Writes), humanize.IBytes(uint64(bytes)),
			r.Rows[proof.Missing], r.Rows[proof.Failed])
	}
	if r.StillCome > 0 {
		b.Addf("Of these, %d may still come by themselves until %s: Firehose tries for 24 hours, and then they are duplicated. --margin 24h waits for that.\n",
			r.StillCome, r.StillComeUntil.UTC().Format(timeFormat))
	}
	if len(r.Objects) > 0 {
		w := terminal.NewTable()
		w.Header("Object", "Bytes", "Lines to take out")
		var bytes int64
		for i, o := range r.Objects {
			if bytes += o.Size; i < shownObjects {
				w.Row(o.Key, o.Size, terminal.Format("%d duplicated, %d corrupt", o.Removed[proof.Duplicated], o.Removed[proof.Corrupt]))
			}
		}
		addMore(w, len(r.Objects))
		b.Addf("%s\n%srewritten: %d objects of %s, without %d duplicated rows and %d corrupt lines. ", w.Text(), would, len(r.Objects), humanize.IBytes(uint64(bytes)),
			r.Removed[proof.Duplicated], r.Removed[proof.Corrupt])
		b.Addf("The originals are kept under s3://%s/%s, where nothing is judged.\n", r.Bucket, ledger.BackupsPrefix)
	}
	for _, left := range r.Left {
		b.Addf("- left: %d %s, %s\n", left.Count, left.Class, left.Why)
	}
}

func addMore(w *terminal.Table, objects int) {
	if more := objects - shownObjects; more > 0 {
		w.Row(terminal.Format("and %d more: see --json", more))
	}
}
