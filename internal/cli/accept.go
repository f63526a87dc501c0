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
			return &usageError{fmt.Sprintf("who accepts this cannot be told (%v): say it with --who", err)}
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
	left := before.Counts.Of(class)
	for _, a := range before.Accepted {
		if a.Class == class {
			left -= a.Used
		}
	}
	if c.Count > left {
		return &usageError{fmt.Sprintf("cannot accept %d %s rows: there are %d that are not accepted yet", c.Count, class, left)}
	}
	acceptance := &ledger.Acceptance{
		Class: c.Class, Count: c.Count, Until: before.JudgedAt, Reason: c.Reason, Who: c.Who, At: time.Now().UTC().Truncate(time.Millisecond),
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
		_, err = fmt.Fprintf(e.stdout, "%d %s rows until %s are accepted by %s: %s.\n%s\n",
			c.Count, class, acceptance.Until.UTC().Format(timeFormat), c.Who, c.Reason, after.LastLine())
	}
	return err
}
