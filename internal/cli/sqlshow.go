package cli

import (
	"context"

	"streamproof/internal/ledger"
	"streamproof/internal/operate"
	"streamproof/internal/terminal"
)

type sqlShowCmd struct {
	Flink  bool `help:"Show the Flink SQL that runs."`
	target `embed:""`
}

func (c *sqlShowCmd) Run(ctx context.Context, e *env) error {
	s, _, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	shown, _, err := operate.ShowQuery(ctx, s)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(shown)
	}
	return e.stdout.Print(showText(shown, c.Flink))
}

// showText is valid SQL: everything about the query is in comments.
func showText(q *operate.ShownQuery, flink bool) terminal.Text {
	how := "deployed"
	if q.By == ledger.BySQLRun {
		how = "set by hand with `streamproof sql run`"
	}
	var b terminal.Builder
	b.Addf("-- Pipeline %.12s, since %s: %s.\n", q.Pipeline, q.Since.UTC().Format(timeFormat), how)
	if q.Judged {
		b.Addf("-- The verifier judges it.\n")
	} else {
		b.Addf("-- The verifier does not judge it, nor its ticks: %s.\n", q.NotJudged)
	}
	if q.Application.Status != "RUNNING" {
		b.Addf("-- The application is %s.\n", q.Application.Status)
	}
	if q.Problem != "" {
		b.Addf("-- Problem: %s.\n", q.Problem)
	}
	b.Addf("\n")
	if flink {
		b.Add(terminal.Block(q.Flink))
	} else {
		b.Add(terminal.Block(q.SQL))
	}
	return b.Text()
}
