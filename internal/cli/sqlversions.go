package cli

import (
	"context"
	"fmt"
	"strings"

	"streamproof/internal/operate"
	"streamproof/internal/terminal"
)

type sqlVersionsCmd struct {
	Version string `arg:"" optional:"" help:"Print the SQL of this version: its pipeline's hash, or the beginning of it."`
	target  `embed:""`
}

func (c *sqlVersionsCmd) Run(ctx context.Context, e *env) error {
	s, _, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	all, err := operate.Versions(ctx, s)
	if err != nil {
		return err
	}
	if c.Version == "" {
		return e.show(c.JSON, all, versionsText(all))
	}
	v, err := versionOf(all, c.Version)
	switch {
	case err != nil:
		return &usageError{err}
	case c.JSON:
		return e.printJSON(v)
	}
	return e.printSQL(strings.TrimRight(v.SQL, "\n") + "\n")
}

// versionOf finds the one version whose hash begins so.
func versionOf(all []operate.Version, start string) (found *operate.Version, err error) {
	for i, v := range all {
		switch {
		case !strings.HasPrefix(v.Pipeline, start) || found != nil && found.Pipeline == v.Pipeline:
		case found != nil:
			return nil, fmt.Errorf("several versions begin with %s: give more of the hash", start)
		default:
			found = &all[i]
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no version begins with %s: see `streamproof sql versions`", start)
	}
	return found, nil
}

func versionsText(all []operate.Version) terminal.Text {
	w := terminal.NewTable()
	w.Header("Version", "From", "Until", "")
	for _, v := range all {
		var notes []string
		if v.Current {
			notes = append(notes, "runs now")
		}
		if v.Deployed {
			notes = append(notes, "deployed")
		}
		if v.RolledBack {
			notes = append(notes, "rolled back: "+v.Why)
		}
		from, until := "the start", ""
		if !v.From.IsZero() {
			from = v.From.UTC().Format(timeFormat)
		}
		if !v.Until.IsZero() {
			until = v.Until.UTC().Format(timeFormat)
		}
		w.Row(fmt.Sprintf("%.12s", v.Pipeline), from, until, strings.Join(notes, ", "))
	}
	var b terminal.Builder
	b.Addf("%s\nThe SQL of one: streamproof sql versions VERSION. The way back: give it to `streamproof sql run -`.", w.Text())
	return b.Text()
}
