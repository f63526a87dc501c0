package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"streamproof/internal/application"
	"streamproof/internal/dialect"
	"streamproof/internal/ledger"
	"streamproof/internal/local/flink"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/row"
	"streamproof/internal/stack"
)

// A NewQuery is the query that ChangeQuery has a stack run.
type NewQuery struct {
	Name string // of its file, for messages
	SQL  []byte // Flink SQL, or the SQL of Kinesis Data Analytics
	// Records is the size of the tick that is sent to see the first rows. No tick is sent if it is 0.
	Records int
	// Force changes the query even when rows are missing, or still in flight at the deadline.
	Force bool
	// Plan has Flink plan the query, and returns what Flink refuses.
	Plan func(ctx context.Context, schema []byte, sql string) ([]flink.Fault, error)
}

// A Change says what ChangeQuery did.
type Change struct {
	Stack string `json:"stack"`
	// Pipeline is the hash of the pipeline that runs in the end, Previous of the one that ran before.
	Pipeline string `json:"pipeline"`
	Previous string `json:"previous"`
	// Judged reports whether the verifier judges the new query, and NotJudged says why it does not.
	Judged    bool   `json:"judged"`
	NotJudged string `json:"notJudged,omitempty"`
	// Faults are the faults of the query. Nothing is changed if there are any.
	Faults []Fault `json:"faults,omitempty"`
	// Warnings say what may stop the job at some record.
	Warnings []Fault `json:"warnings,omitempty"`
	// Did says in sentences what was done, and what did not need doing.
	Did []string `json:"did"`
	// Tick is the tick that was sent to see the first rows. Columns are the query's aliases; a NULL is null.
	Tick    *time.Time  `json:"tick,omitempty"`
	Columns []string    `json:"columns,omitempty"`
	Rows    [][]*string `json:"rows,omitempty"`
	// RolledBack reports whether the new query failed and the previous one runs again; Error says why.
	RolledBack bool   `json:"rolledBack"`
	Error      string `json:"error,omitempty"`

	Schedule    *stack.Schedule    `json:"schedule,omitempty"`
	Application *stack.Application `json:"application,omitempty"`

	Output row.Schema `json:"-"` // the columns of Rows
}

// A Fault is a fault of a query, at a place in its file; or in its translation, if only Flink found it there.
type Fault struct {
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Message    string `json:"message"`
	Translated string `json:"translated,omitempty"` // the line of the translation
	By         string `json:"by"`                   // parser or flink: who found it
}

func (c *Change) did(format string, args ...any) {
	c.Did = append(c.Did, fmt.Sprintf(format, args...))
}

// ChangeQuery has the stack run another query without a deploy: it checks the query, pauses the stack, sets the query,
// starts the application, and waits for the rows of a trial tick. If any of it fails, the previous query runs again.
//
// The Change says what was done even if there is an error, and is nil only if nothing could be looked at. The error is
// an *InputError if the query cannot run.
func (o *Operator) ChangeQuery(ctx context.Context, q NewQuery) (*Change, error) {
	c := &change{Operator: o, NewQuery: q, book: o.Stack.Book(), result: &Change{Stack: o.Stack.Name, Did: []string{}}}
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	runs, err := c.check(ctx)
	if err == nil && !runs {
		err = c.run(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	if err != nil {
		c.result.Error = err.Error()
	}
	if schedule, err := o.Stack.Schedule(ctx); err == nil {
		c.result.Schedule = &schedule
	}
	if app, err := o.Stack.Application(ctx); err == nil {
		c.result.Application = &app
	}
	return c.result, err
}

// change is a change of the query that is under way.
type change struct {
	*Operator
	NewQuery
	book   *ledger.Store
	result *Change

	running   *stack.Query
	old, new  *pipeline.Pipeline
	flinkSQL  string // what the application is set to; empty for its JAR's own query
	oldJudged bool

	// How the stack was before.
	idle     bool // the application was stopped
	paused   bool // the schedule was disabled
	snapshot string
	// What was done since.
	begun  bool            // the application may have been set to the new query
	before *ledger.Current // the current pipeline before the change, as last written
	after  *ledger.Current // the current pipeline after the change; nil until it is written
	setAt  time.Time       // when after was written, by S3's clock
	ahead  time.Duration   // of S3's clock over this machine's
}

// load reads the query that runs now.
func (c *change) load(ctx context.Context) (err error) {
	if c.running, err = c.Stack.Query(ctx); err != nil {
		return err
	}
	c.before, c.old = c.running.Current, c.running.Pipeline
	if c.new, err = pipeline.ParseWithSamples(c.old.SchemaJSON, c.SQL, c.old.Samples); err != nil {
		return c.inputError(err)
	}
	c.result.Pipeline, c.result.Previous = c.before.Pipeline, c.before.Pipeline
	return nil
}

// inputError is err as a fault of the query's file.
func (c *change) inputError(err error) error {
	return &InputError{errors.New(strings.ReplaceAll(err.Error(), dialect.FileName, c.Name))}
}

// check finds out whether the new query can run, before anything is changed. It reports whether it already runs.
func (c *change) check(ctx context.Context) (runs bool, err error) {
	st := c.begin("check " + c.Name)
	defer func() { st.End(err) }()
	checked := Check(c.new)
	c.flinkSQL, c.result.Faults, c.result.Warnings = checked.Flink, checked.Faults, checked.Warnings
	if len(checked.Faults) > 0 {
		return false, c.faulty()
	}
	for _, w := range checked.Warnings {
		st.Note(fmt.Sprintf("%s:%d:%d: warning: %s", c.Name, w.Line, w.Column, w.Message))
	}
	if c.result.Judged = checked.Judged; !checked.Judged {
		c.result.NotJudged = strings.ReplaceAll(checked.NotJudged, dialect.FileName, c.Name)
		st.Note("the verifier does not judge this query, nor the ticks that are sent for it: " + c.result.NotJudged)
	}
	_, err = query.Compile(c.old)
	c.oldJudged = err == nil
	if err := checked.Plan(ctx, c.new, c.Plan); err != nil {
		return false, err
	}
	if c.result.Faults = checked.Faults; len(checked.Faults) > 0 {
		return false, c.faulty()
	}
	if err := c.checkColumns(ctx); err != nil {
		return false, err
	}
	if !c.Stack.KeepsSnapshots() {
		return false, &InputError{fmt.Errorf("change the query of stack %s: its parameter SnapshotState is DISABLED, so the new query would read again "+
			"all that the stream still holds: deploy it ENABLED first", c.Stack.Name)}
	}
	if c.new.Hash() == c.before.Deployed {
		c.flinkSQL = "" // it is the JAR's own
	}
	return c.alreadyRuns(ctx)
}

func (c *change) faulty() error {
	return &InputError{fmt.Errorf("%s has %s: nothing was changed", c.Name, english.Plural(len(c.result.Faults), "fault", ""))}
}

// checkColumns refuses rows with other columns where a transform reads them: it knows those of the deployed query.
func (c *change) checkColumns(ctx context.Context) (err error) {
	if c.result.Output, err = query.Destination(c.new); err != nil {
		return c.inputError(err)
	}
	if !c.Stack.Transforms() {
		return nil
	}
	p, err := c.book.Pipeline(ctx, c.before.Deployed)
	if err != nil {
		return err
	}
	deployed, err := query.Destination(p)
	if err != nil {
		return fmt.Errorf("read the columns of the deployed query, %s: %w", ledger.PipelineKey(c.before.Deployed), err)
	}
	if slices.Equal(deployed, c.result.Output) {
		return nil
	}
	return &InputError{fmt.Errorf("%s: its rows have the columns (%s), and the stack's transform reads (%s): "+
		"put the query into pipeline/pipeline.sql and deploy it, which changes the transform too", c.Name, columnsText(c.result.Output), columnsText(deployed))}
}

func columnsText(columns row.Schema) string {
	var all []string
	for _, c := range columns {
		all = append(all, c.Alias+" "+c.Type.String())
	}
	return strings.Join(all, ", ")
}

// alreadyRuns reports whether both the ledger and the application have the new query.
func (c *change) alreadyRuns(ctx context.Context) (bool, error) {
	if c.new.Hash() != c.before.Pipeline || c.running.Problem() != "" {
		return false, nil
	}
	app, err := c.Stack.Application(ctx)
	if err != nil || app.Status != "RUNNING" {
		return false, err
	}
	c.result.did("Pipeline %.12s already runs, since %s: nothing was done.", c.before.Pipeline, c.before.Since.UTC().Format(timeFormat))
	return true, nil
}

// run changes the query while nothing is in flight, and sees it run. If that fails, it puts everything back.
func (c *change) run(ctx context.Context) (err error) {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	if err := c.step("publish the query", func() error { return c.book.PublishPipeline(ctx, c.new) }); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = c.putBack(ctx, err)
		}
	}()
	paused, err := c.pause(ctx, c.Force)
	var drain *drainError
	switch {
	case errors.As(err, &drain) && drain.stuck:
		return fmt.Errorf("%s, and waiting does not change that: fix it, or change the query all the same with --force", drain.left)
	case errors.As(err, &drain):
		return fmt.Errorf("%s after %s: `streamproof explain` shows where missing rows are; run this again to wait longer, or change the query all the same with --force",
			drain.left, drain.limit)
	case err != nil:
		return err
	}
	c.result.Did = append(c.result.Did, paused.Did...)
	if c.before, err = c.book.Current(ctx); err != nil { // the pause may have written it
		return err
	}
	if c.snapshot, err = c.Stack.LatestSnapshot(ctx); err != nil {
		return err
	}
	name := c.Stack.Outputs.ApplicationName
	err = c.step("set the query of application "+name, func() error {
		if err := c.announce(ctx); err != nil {
			return err
		}
		return c.Stack.SetQuery(ctx, c.flinkSQL)
	})
	if err != nil {
		return err
	}
	err = c.step("start the application "+name, func() error {
		// A query that the verifier judges keeps no state.
		_, err := c.Stack.StartApplication(ctx, application.From{LeaveState: !c.oldJudged || !c.result.Judged})
		return c.explainJob(err)
	})
	if err != nil {
		return err
	}
	if err := c.setCurrent(ctx); err != nil {
		return err
	}
	if !c.Stack.Outputs.Produces() {
		c.result.did("Application %s runs pipeline %.12s, from its latest snapshot. No tick is sent, because the stream is somebody else's: "+
			"`streamproof verify` judges its own records.", name, c.new.Hash())
		return nil
	}
	c.result.did("Application %s runs pipeline %.12s, from its latest snapshot. Ticks are produced for it from now on.", name, c.new.Hash())
	if c.Records > 0 {
		if err := c.try(ctx); err != nil {
			return err
		}
	}
	return c.restoreSchedule(ctx)
}

// prepare puts right what another change left behind, because otherwise it is unclear what this one would roll back
// to.
func (c *change) prepare(ctx context.Context) error {
	schedule, err := c.Stack.Schedule(ctx)
	if err != nil {
		return err
	}
	pending := c.before.Change != nil
	c.paused = c.before.Paused || !pending && !schedule.Enabled() && c.Stack.Outputs.Produces()
	if c.paused && !c.before.Paused {
		next := *c.before
		next.Paused = true
		if err := c.write(ctx, &next); err != nil {
			return err
		}
		c.running.Current = c.before
	}
	did, err := c.restoreQuery(ctx, "restore the query that the ledger names", c.running)
	if err != nil {
		return err
	}
	if did != "" {
		c.result.did("%s", did)
	}
	if pending {
		if c.before, err = c.book.Current(ctx); err != nil { // without the change
			return err
		}
		if !c.paused {
			if _, err := c.Stack.EnableSchedule(ctx, true); err != nil {
				return err
			}
		}
	}
	app, err := c.Stack.Application(ctx)
	c.idle = app.Status == "READY"
	return err
}

func (c *change) write(ctx context.Context, next *ledger.Current) error {
	_, err := c.book.SetCurrent(ctx, next, c.before)
	if err == nil {
		c.before = next
	}
	return err
}

// announce writes to the ledger that the query is being changed, before the application is set to it. If the change
// breaks off, the ledger says what to restore.
func (c *change) announce(ctx context.Context) error {
	c.begun = true
	next := *c.before
	next.Change = &ledger.Change{To: c.new.Hash(), Begun: time.Now().UTC().Truncate(time.Second), Snapshot: c.snapshot}
	return c.write(ctx, &next)
}

// setCurrent has ticks produced for the new query, and judged by it, from now on. It ends the announced change.
func (c *change) setCurrent(ctx context.Context) error {
	next := *c.before
	next.Begin(c.new.Hash(), c.before.At())
	next.Since, next.By, next.Paused, next.Change = time.Now().UTC().Truncate(time.Second), ledger.BySQLRun, c.paused, nil
	if next.Pipeline == next.Deployed {
		next.By = ledger.ByDeploy
	}
	at, err := c.book.SetCurrent(ctx, &next, c.before)
	if err != nil {
		return err
	}
	if at.IsZero() {
		at = time.Now().UTC() // an answer without a Date, which S3 does not give
	}
	c.after, c.setAt, c.ahead = &next, at.Truncate(time.Second), time.Until(at)
	c.result.Pipeline = c.new.Hash()
	return nil
}

// claimedWithin is how long after a change of the current pipeline a producer that read the previous one may still
// claim a tick for it.
const claimedWithin = 2 * time.Second

// putBack restores the stack after a change that failed with cause or was interrupted. Its error says what runs now.
func (c *change) putBack(ctx context.Context, cause error) error {
	if errors.Is(cause, context.Canceled) {
		cause = errors.New("interrupted")
	}
	ctx = context.WithoutCancel(ctx)
	now := fmt.Sprintf("nothing was changed, pipeline %.12s stays", c.result.Previous)
	var err error
	switch {
	case c.begun:
		now = fmt.Sprintf("rolled back, pipeline %.12s runs again", c.result.Previous)
		err = c.rollBack(ctx, cause)
	case !c.idle:
		if err = c.setDrained(ctx, false, nil); err == nil {
			_, err = c.Stack.StartApplication(ctx, application.From{})
		}
	}
	if err == nil && c.begun {
		c.result.did("Application %s runs pipeline %.12s again, from the snapshot of the pause.", c.Stack.Outputs.ApplicationName, c.result.Previous)
	}
	if err == nil {
		if c.paused {
			err = c.forgetPaused(ctx)
		} else if changed, enableErr := c.Stack.EnableSchedule(ctx, true); enableErr != nil {
			err = enableErr
		} else if changed {
			c.result.did("Schedule %s is enabled again.", c.Stack.Outputs.ProducerSchedule)
		}
	}
	if err != nil {
		return fmt.Errorf("%w; and the stack could not be put back completely, to pipeline %.12s: %w: run this again, or `streamproof resume`",
			cause, c.result.Previous, err)
	}
	return fmt.Errorf("%w: %s", cause, now)
}

// rollBack has the previous query read again all that has arrived since the pause, from the snapshot that was taken
// then, and records in the ledger which rows the new query may have delivered meanwhile. The ledger is written first,
// so that restoreQuery can continue if this is killed, too.
func (c *change) rollBack(ctx context.Context, cause error) error {
	if c.after != nil {
		next := *c.before
		next.Drained = time.Time{}
		next.Rollbacks = append(slices.Clone(next.Rollbacks), ledger.Rollback{
			Failed: c.after.Pipeline, From: c.setAt, Until: time.Now().UTC().Add(c.ahead + claimedWithin).Truncate(time.Second),
			JudgedBy: c.before.Pipeline, Why: excerpt(cause.Error()),
		})
		if _, err := c.book.SetCurrent(ctx, &next, c.after); err != nil {
			return err
		}
	}
	c.result.Pipeline, c.result.RolledBack = c.before.Pipeline, true
	q, err := c.Stack.Query(ctx)
	if err != nil {
		return err
	}
	if q.Problem() == "" { // the change could not be announced, so the query was not set
		_, err = c.Stack.StartApplication(ctx, application.From{})
		return err
	}
	_, err = c.restoreQuery(ctx, "roll back", q)
	return err
}

// excerpt returns the beginning of a text.
func excerpt(text string) string {
	const most = 500
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// restoreSchedule leaves the schedule as it was before the change.
func (c *change) restoreSchedule(ctx context.Context) error {
	name := c.Stack.Outputs.ProducerSchedule
	if c.paused {
		if err := c.forgetPaused(ctx); err != nil {
			return err
		}
		c.result.did("Schedule %s stays disabled, as it was: `streamproof resume` enables it.", name)
		return nil
	}
	err := c.step("enable the schedule "+name, func() error {
		_, err := c.Stack.EnableSchedule(ctx, true)
		return err
	})
	if err == nil {
		c.result.did("Schedule %s is enabled again.", name)
	}
	return err
}
