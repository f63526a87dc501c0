package cli

import (
	"context"
	"fmt"
	"os/user"
	"slices"
	"strings"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/terminal"
)

type acceptCmd struct {
	Class  string `arg:"" help:"What is accepted: missing, failed, duplicated, corrupt, leaked or unexpected."`
	Count  int64  `arg:"" help:"How many, as the verdict says."`
	Reason string `help:"Why, for those who read the report later." required:"" placeholder:"TEXT"`
	Who    string `help:"Who accepts them (the user of this machine)." placeholder:"NAME"`
	target `embed:""`
}

// Validate is called by kong.
func (c *acceptCmd) Validate() error {
	if !slices.Contains(proof.Classes, proof.Class(c.Class)) {
		var known []string
		for _, class := range proof.Classes {
			known = append(known, string(class))
		}
		return fmt.Errorf("%q is not a class that fails a verdict: give one of %s", c.Class, strings.Join(known, ", "))
	}
	if c.Count < 1 {
		return fmt.Errorf("cannot accept %d: give a number above 0", c.Count)
	}
	if strings.TrimSpace(c.Reason) == "" {
		return fmt.Errorf("--reason is empty: say why")
	}
	return c.target.Validate()
}

// Run accepts what has been found until now, so it judges first: nobody accepts what is not there.
func (c *acceptCmd) Run(ctx context.Context, e *env) error {
	if c.Who == "" {
		me, err := user.Current()
		if err != nil {
			return &usageError{fmt.Errorf("who accepts this cannot be told (%w): say it with --who", err)}
		}
		c.Who = me.Username
	}
	s, _, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	before, _, err := s.Verify(ctx)
	if err != nil {
		return err
	}
	class := proof.Class(c.Class)
	acceptance, err := before.Accept(class, c.Count, c.Reason, c.Who, time.Now())
	if err != nil {
		return &usageError{err}
	}
	if err := s.Accept(ctx, acceptance); err != nil {
		return err
	}
	after, raw, err := s.Verify(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		err = e.printJSON(raw)
	} else {
		err = e.stdout.Println(acceptedText(acceptance, after))
	}
	return err
}

// acceptedText says what was accepted, and what the verdict is now.
func acceptedText(a *ledger.Acceptance, after *report.Report) terminal.Text {
	var b terminal.Builder
	b.Addf("%d %s rows until %s are accepted by %s: %s.\n", a.Count, a.Class, a.Until.UTC().Format(timeFormat), a.Who, strings.TrimSuffix(a.Reason, "."))
	if seen := (report.Accepted{Rows: a.Rows}).Seen(); seen != "" {
		b.Addf("As the report had them: %s\n", seen)
	}
	b.Addf("%s", after.LastLine())
	return b.Text()
}
