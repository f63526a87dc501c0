package operate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"streamproof/internal/analytics"
	"streamproof/internal/dialect"
	"streamproof/internal/ledger"
	"streamproof/internal/local/flink"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/stack"
)

// A Checked query is what can be said of a query before it runs.
type Checked struct {
	Dialect string `json:"dialect"` // flink or legacy
	// Flink is the query as it would run, empty if it cannot be translated.
	Flink string `json:"flink"`
	// Faults keep it from running. Warnings say what may stop the job at some record.
	Faults   []Fault `json:"faults"`
	Warnings []Fault `json:"warnings"`
	// Judged reports whether the verifier would judge it, and NotJudged says why it would not.
	Judged    bool   `json:"judged"`
	NotJudged string `json:"notJudged,omitempty"`
	// Planned reports whether Flink has planned it.
	Planned bool `json:"planned"`

	dialect dialect.Dialect
}

// Who found a fault.
const (
	byParser = "parser"
	byFlink  = "flink"
)

// Check parses and translates the query of a pipeline. A file's name in what it says is dialect.FileName.
func Check(p *pipeline.Pipeline) *Checked {
	c := &Checked{Dialect: "flink", Faults: []Fault{}, Warnings: []Fault{}}
	script, err := dialect.Parse(string(p.SQL))
	if err == nil {
		if c.dialect = script.Dialect; c.dialect == dialect.Legacy {
			c.Dialect = "legacy"
		}
		c.Flink, err = script.Translate(string(p.SQL), p.Schema)
	}
	if err != nil {
		for _, fault := range dialect.Faults(err) {
			c.Faults = append(c.Faults, Fault{Line: fault.Pos.Line, Column: fault.Pos.Column, Message: fault.Problem, By: byParser})
		}
		if len(c.Faults) == 0 { // of no place
			c.Faults = append(c.Faults, Fault{Line: 1, Column: 1, Message: err.Error(), By: byParser})
		}
		return c
	}
	for _, warning := range script.Warnings(p.Schema) {
		c.Warnings = append(c.Warnings, Fault{Line: warning.Pos.Line, Column: warning.Pos.Column, Message: warning.Problem, By: byParser})
	}
	_, err = query.Compile(p)
	if c.Judged = err == nil; err != nil {
		c.NotJudged = err.Error()
	}
	return c
}

// Plan has Flink plan the query too, unless it has faults already.
func (c *Checked) Plan(ctx context.Context, p *pipeline.Pipeline, plan func(ctx context.Context, schema []byte, sql string) ([]flink.Fault, error)) error {
	if len(c.Faults) > 0 {
		return nil
	}
	resolved, err := p.Schema.Resolved()
	if err != nil {
		return err
	}
	if _, tooLong := analytics.Properties(c.Flink); tooLong != nil {
		c.Faults = append(c.Faults, Fault{Line: 1, Column: 1, Message: tooLong.Error(), By: byFlink})
		return nil //nolint:nilerr // it is a fault of the query
	}
	faults, err := plan(ctx, resolved, c.Flink)
	if err != nil {
		return err
	}
	c.Planned = true
	for _, fault := range faults {
		c.Faults = append(c.Faults, FaultOfFlink(fault, c.dialect, c.Flink))
	}
	return nil
}

// FaultOfFlink gives a fault its place in the file, which is the text that Flink read if the file is in Flink SQL.
func FaultOfFlink(fault flink.Fault, in dialect.Dialect, sql string) Fault {
	f := Fault{Line: fault.Line, Column: fault.Column, Message: fault.Message, By: byFlink}
	if lines := strings.Split(sql, "\n"); in != dialect.Flink && fault.Line >= 1 && fault.Line <= len(lines) {
		f.Translated = lines[fault.Line-1]
	}
	return f
}

// A ShownQuery is the query that a stack runs.
type ShownQuery struct {
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

// ShowQuery reads the query that the stack runs.
func ShowQuery(ctx context.Context, s *stack.Stack) (*ShownQuery, *pipeline.Pipeline, error) {
	running, err := s.Query(ctx)
	if err != nil {
		return nil, nil, err
	}
	current, p := running.Current, running.Pipeline
	q := &ShownQuery{
		Stack: s.Name, Pipeline: current.Pipeline, Since: current.Since, By: current.By, Deployed: current.Deployed,
		Rollbacks: current.Rollbacks, SQL: string(p.SQL), Agrees: running.Agrees(), Problem: running.Problem(),
	}
	_, err = query.Compile(p)
	if q.Judged = err == nil; err != nil {
		q.NotJudged = err.Error()
	}
	if q.Flink, err = dialect.Translate(q.SQL, p.Schema); err != nil {
		return nil, nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, ledger.PipelineKey(current.Pipeline), err)
	}
	q.Application, err = s.Application(ctx)
	return q, p, err
}

// A Version is a query that a stack runs, or has run, for a while.
type Version struct {
	Pipeline string    `json:"pipeline"`       // its hash
	From     time.Time `json:"from,omitzero"`  // zero for a stack's first
	Until    time.Time `json:"until,omitzero"` // zero for the current one
	Current  bool      `json:"current"`
	Deployed bool      `json:"deployed"` // by the last deploy
	// RolledBack reports whether the query failed and the one before it ran again; Why is what the job said.
	RolledBack bool   `json:"rolledBack,omitempty"`
	Why        string `json:"why,omitempty"`
	SQL        string `json:"sql"`
}

// maxVersions is how many of the latest queries are read.
const maxVersions = 50

// Versions reads the queries that the stack has run, the newest first.
func Versions(ctx context.Context, s *stack.Stack) ([]Version, error) {
	book := s.Book()
	current, err := book.Current(ctx)
	if err != nil {
		return nil, err
	}
	if current == nil {
		return nil, fmt.Errorf("%w: stack %s does not name its query: deploy this version of the template", stack.ErrNotUsable, s.Name)
	}
	all := versionsOf(current)
	texts := map[string]string{}
	for i := range all {
		v := &all[i]
		if _, known := texts[v.Pipeline]; !known {
			p, err := book.Pipeline(ctx, v.Pipeline)
			if err != nil {
				return nil, err
			}
			texts[v.Pipeline] = string(p.SQL)
		}
		v.SQL = texts[v.Pipeline]
	}
	return all, nil
}

func versionsOf(current *ledger.Current) []Version {
	var all []Version
	for _, e := range current.Epochs {
		all = append(all, Version{Pipeline: e.Pipeline, From: e.From})
	}
	if len(all) == 0 || all[len(all)-1].Pipeline != current.Pipeline {
		all = append(all, Version{Pipeline: current.Pipeline, From: current.Since})
	}
	all[len(all)-1].Current = true
	for _, r := range current.Rollbacks {
		all = append(all, Version{Pipeline: r.Failed, From: r.From, Until: r.Until, RolledBack: true, Why: r.Why})
	}
	if current.Deployed != "" && !slices.ContainsFunc(all, func(v Version) bool { return v.Pipeline == current.Deployed }) {
		all = append(all, Version{Pipeline: current.Deployed}) // from before epochs were recorded
	}
	slices.SortStableFunc(all, func(a, b Version) int { return b.From.Compare(a.From) })
	for i := range all {
		all[i].Deployed = all[i].Pipeline == current.Deployed && !all[i].RolledBack
		if all[i].Until.IsZero() && !all[i].Current {
			for j := i - 1; j >= 0; j-- { // the next one that was not rolled back
				if !all[j].RolledBack {
					all[i].Until = all[j].From
					break
				}
			}
		}
	}
	return all[:min(len(all), maxVersions)]
}
