package cli

import (
	"context"
	"fmt"
	"time"

	"streamproof/internal/dialect"
	"streamproof/internal/ledger"
	"streamproof/internal/query"
	"streamproof/internal/stack"
	"streamproof/internal/terminal"
)

type sqlShowCmd struct {
	Flink  bool `help:"Show the Flink SQL that runs."`
	target `embed:""`
}

type shownQuery struct {
	Stack    string    `json:"stack"`
	Pipeline string    `json:"pipeline"` // its hash
	Since    time.Time `json:"since"`
	By       string    `json:"by"` // deploy, or sql run
	// Deployed is the hash of the pipeline of the last deploy.
	Deployed string `json:"deployed"`
	// Judged reports whether the verifier judges the query, and NotJudged says why it does not.
	Judged    bool              `json:"judged"`
	NotJudged string            `json:"notJudged,omitempty"`
	Rollbacks []ledger.Rollback `json:"rollbacks,omitempty"`
	// Agrees reports whether the application has this query. A change that was killed may have left it another; Problem
	// then says what to do.
	Agrees      bool              `json:"agrees"`
	Problem     string            `json:"problem,omitempty"`
	Application stack.Application `json:"application"`
	// SQL is the text as it was given, Flink what runs.
	SQL   string `json:"sql"`
	Flink string `json:"flink"`
}

func (c *sqlShowCmd) Run(ctx context.Context, e *env) error {
	s, _, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	shown, err := showQuery(ctx, s)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(shown)
	}
	return e.stdout.Print(showText(shown, c.Flink))
}

func showQuery(ctx context.Context, s *stack.Stack) (*shownQuery, error) {
	running, err := s.Query(ctx)
	if err != nil {
		return nil, err
	}
	current, p := running.Current, running.Pipeline
	q := &shownQuery{
		Stack: s.Name, Pipeline: current.Pipeline, Since: current.Since, By: current.By, Deployed: current.Deployed,
		Rollbacks: current.Rollbacks, SQL: string(p.SQL), Agrees: running.Agrees(), Problem: running.Problem(),
	}
	_, err = query.Compile(p)
	if q.Judged = err == nil; err != nil {
		q.NotJudged = err.Error()
	}
	if q.Flink, err = dialect.Translate(q.SQL, p.Schema); err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, ledger.PipelineKey(current.Pipeline), err)
	}
	q.Application, err = s.Application(ctx)
	return q, err
}

// showText is valid SQL: everything about the query is in comments.
func showText(q *shownQuery, flink bool) terminal.Text {
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
