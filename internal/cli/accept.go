package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strings"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/operate"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/terminal"
)

type acceptCmd struct {
	Class  string    `arg:"" help:"Class of the findings: missing, failed, duplicated, corrupt, leaked or unexpected."`
	Count  int64     `arg:"" help:"Number of findings: all that exist now and are not accepted yet."`
	Tick   time.Time `help:"Accept only rows that this tick owes (missing, failed)." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME" xor:"narrow"`
	Object string    `help:"Accept only findings in this object (all other classes)." placeholder:"KEY" xor:"narrow"`
	Reason string    `help:"Reason, for later readers of the report." required:"" placeholder:"TEXT"`
	Who    string    `help:"Name of the person who accepts them (default: this machine's user)." placeholder:"NAME"`

	audited `embed:""`
	target  `embed:""`
}

// Validate is called by kong.
func (c *acceptCmd) Validate() error {
	if err := c.choice().Check(); err != nil {
		return err
	}
	if !c.named() {
		return c.checkStack(&c.target)
	}
	if c.Accepted == "" {
		return errors.New("--accepted is missing: name the folder where acceptances of audits are kept, and give it to audit, too")
	}
	return c.check(&c.target)
}

// Run judges first, so that only findings that exist can be accepted.
func (c *acceptCmd) Run(ctx context.Context, e *env) error {
	if c.Who == "" {
		me, err := user.Current()
		if err != nil {
			return &usageError{fmt.Errorf("cannot determine who accepts this (%w): name the person with --who", err)}
		}
		c.Who = me.Username
	}
	if c.named() {
		return c.acceptAudit(ctx, e)
	}
	s, _, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	before, found, err := s.Findings(ctx)
	if err != nil {
		return err
	}
	if !before.Balanced() {
		return fmt.Errorf("cannot accept findings: the verdict is UNDECIDED: %s", strings.Join(before.Reasons, "; "))
	}
	acceptance, findings, err := c.acceptance(before, found)
	if err != nil {
		return &usageError{err}
	}
	if err := s.Accept(ctx, acceptance, findings); err != nil {
		return err
	}
	after, raw, err := s.Verify(ctx)
	if err != nil {
		return err
	}
	return e.show(c.JSON, raw, acceptedText(acceptance, after))
}

// acceptAudit audits what the flags name, and accepts findings of that before the verdict.
func (c *acceptCmd) acceptAudit(ctx context.Context, e *env) error {
	s, err := c.accepting(ctx, e, &c.target)
	if err != nil {
		return err
	}
	var acceptance *ledger.Acceptance
	var r *report.Report
	err = s.show(e, func(begin func(string) operate.Step) error {
		acceptance, r, err = s.accept(ctx, c.Accepted, c.choice(), begin)
		return err
	})
	if err != nil {
		return err
	}
	return e.show(c.JSON, r, acceptedText(acceptance, r))
}

func (c *acceptCmd) choice() report.Choice {
	return report.Choice{Class: proof.Class(c.Class), Count: c.Count, Tick: c.Tick, Object: c.Object, Reason: c.Reason, Who: c.Who}
}

func (c *acceptCmd) acceptance(r *report.Report, found []proof.Group) (*ledger.Acceptance, []byte, error) {
	return r.Choose(found, c.choice(), time.Now())
}

func acceptedText(a *ledger.Acceptance, after *report.Report) terminal.Text {
	var b terminal.Builder
	b.Addf("%s accepts the %d %s rows that were found until %s, and no others: %s.\n",
		a.Who, a.Count, a.Class, a.Until.UTC().Format(timeFormat), strings.TrimSuffix(a.Reason, "."))
	if seen := (report.Accepted{Rows: a.Rows}).Seen(); seen != "" {
		b.Addf("In the report they were: %s\n", seen)
	}
	b.Addf("%s", after.LastLine())
	return b.Text()
}
