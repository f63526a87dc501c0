package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"streamproof/internal/analytics"
	"streamproof/internal/dialect"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/flink"
	"streamproof/internal/local/runner"
	"streamproof/internal/pipeline"
	"streamproof/internal/producer"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/report"
	"streamproof/internal/row"
	"streamproof/internal/stack"
	"streamproof/internal/terminal"
)

// firstRows is how many of the first rows are shown.
const firstRows = 10

// sqlRunPermissions are what sql run needs on AWS, beyond those of pause and resume.
const sqlRunPermissions = pausePermissions + "; kinesisanalytics:UpdateApplication on the application; " +
	"lambda:InvokeFunction on the producer's function; s3:GetObject and s3:PutObject on ledger/pipeline.json and ledger/pipelines/* of the stack's bucket, " +
	"and s3:ListBucket and s3:GetObject on its rows"

type sqlRunCmd struct {
	File    string `arg:"" help:"The query's file, or - for standard input: Flink SQL, or that of Kinesis Data Analytics for SQL."`
	Records int    `help:"How many records the tick has that is sent to see the first rows; 0 sends none." default:"200" placeholder:"N"`
	Force   bool   `help:"Change the query even where rows are missing, or are still on their way when the time is over."`
	target  `embed:""`

	stdin io.Reader // stands in for standard input in tests
}

// Validate is called by kong.
func (c *sqlRunCmd) Validate() error {
	if c.Records < 0 || c.Records > producer.MaxRecords {
		return fmt.Errorf("--records is %d: give 0, for none, to %d", c.Records, producer.MaxRecords)
	}
	return c.target.Validate()
}

// queryChange is what sql run prints as JSON.
type queryChange struct {
	Stack string `json:"stack"`
	// Pipeline is the hash of the pipeline that runs in the end, and Previous of the one that ran before.
	Pipeline string `json:"pipeline"`
	Previous string `json:"previous"`
	// Judged tells whether the verifier judges the file's query, and NotJudged why it does not.
	Judged    bool   `json:"judged"`
	NotJudged string `json:"notJudged,omitempty"`
	// Faults are what is wrong with the file. Nothing is touched then.
	Faults []sqlFault `json:"faults,omitempty"`
	// Warnings are what may stop the job at some record.
	Warnings []sqlFault `json:"warnings,omitempty"`
	// Did says in sentences what was done, and what was so before.
	Did []string `json:"did"`
	// Tick is the one that was sent to see the first rows; Columns are as the query calls them, and a NULL is null.
	Tick    *time.Time  `json:"tick,omitempty"`
	Columns []string    `json:"columns,omitempty"`
	Rows    [][]*string `json:"rows,omitempty"`
	// RolledBack says that the file's query did not run, and the one before runs again; Error is why.
	RolledBack bool   `json:"rolledBack"`
	Error      string `json:"error,omitempty"`

	Schedule    *stack.Schedule    `json:"schedule,omitempty"`
	Application *stack.Application `json:"application,omitempty"`
}

// A sqlFault is one fault of a query, in its file; or in the translation, where only Flink has found it there.
type sqlFault struct {
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Message    string `json:"message"`
	Translated string `json:"translated,omitempty"` // the line of the translation
}

func (f sqlFault) in(name string) terminal.Text {
	if f.Translated == "" {
		return terminal.Format("%s:%d:%d: %s", name, f.Line, f.Column, f.Message)
	}
	return terminal.Format("%s: Flink refuses its translation at %d:%d: %s\n  %s", name, f.Line, f.Column, f.Message, f.Translated)
}

func (q *queryChange) did(format string, args ...any) {
	q.Did = append(q.Did, fmt.Sprintf(format, args...))
}

// change is a change of the query under way.
type change struct {
	stack *stack.Stack
	here  *local.Stack // nil on AWS
	book  *ledger.Store

	running   *stack.Query
	current   *ledger.Current // what it names
	old, new  *pipeline.Pipeline
	newFlink  string // what the application is told; empty for its JAR's own
	output    row.Schema
	oldJudged bool
	result    *queryChange
	// plan has Flink plan a query, and stands in for it in tests.
	plan func(ctx context.Context, e *env, schema []byte, sql string) ([]flink.Fault, error)

	// What was so before, and what has been done since.
	produced bool            // the schedule was enabled
	idle     bool            // the application was stopped
	snapshot string          // of the old query
	told     bool            // the application may have been told the new query
	begun    *ledger.Current // current, with the change in it
	set      *ledger.Current // with the new query
	setAt    time.Time       // by S3's clock
	ahead    time.Duration   // of S3's clock before this machine's
}

func (c *sqlRunCmd) Run(ctx context.Context, e *env) error {
	name, text, err := readQuery(c.File, c.stdin)
	if err != nil {
		return &usageError{err}
	}
	s, here, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	ch, err := beginChange(ctx, s, here, name, text)
	if err != nil {
		return needs(err, sqlRunPermissions)
	}
	p := newProgress(e)
	runs, err := ch.check(ctx, e, p, name)
	if err == nil && !runs {
		err = ch.run(ctx, p, c)
	}
	p.stop()
	var faulty *faultyError
	if errors.As(err, &faulty) {
		for _, fault := range ch.result.Faults {
			_ = e.stderr.Println(fault.in(name))
		}
	}
	if printErr := ch.print(ctx, e, c.JSON, err); err == nil {
		err = printErr
	}
	return needs(err, sqlRunPermissions)
}

// beginChange reads what runs now.
func beginChange(ctx context.Context, s *stack.Stack, here *local.Stack, name string, text []byte) (*change, error) {
	ch := &change{stack: s, here: here, book: s.Book(), result: &queryChange{Stack: s.Name, Did: []string{}}, plan: planByFlink}
	var err error
	if ch.running, err = s.Query(ctx); err != nil {
		return nil, err
	}
	ch.current, ch.old = ch.running.Current, ch.running.Pipeline
	if ch.new, err = pipeline.ParseWithSamples(ch.old.SchemaJSON, text, ch.old.Samples); err != nil {
		return nil, &usageError{errors.New(strings.ReplaceAll(err.Error(), dialect.FileName, name))}
	}
	ch.result.Pipeline, ch.result.Previous = ch.current.Pipeline, ch.current.Pipeline
	return ch, nil
}

// A faultyError says that the file has faults.
type faultyError struct{ usageError }

func (e *faultyError) Unwrap() error { return &e.usageError }

// check sees whether the new query can run, before anything is touched. It tells whether it runs already.
func (c *change) check(ctx context.Context, e *env, p *progress, name string) (runs bool, err error) {
	st := p.begin("check " + name)
	defer func() { st.end(err) }()
	script, err := dialect.Parse(string(c.new.SQL))
	if err == nil {
		c.newFlink, err = script.Translate(string(c.new.SQL), c.new.Schema)
	}
	if err != nil {
		for _, fault := range dialect.Faults(err) {
			c.result.Faults = append(c.result.Faults, sqlFault{Line: fault.Pos.Line, Column: fault.Pos.Column, Message: fault.Problem})
		}
		return false, c.faulty(name, err)
	}
	for _, warning := range script.Warnings(string(c.new.SQL), c.new.Schema) {
		c.result.Warnings = append(c.result.Warnings, sqlFault{Line: warning.Pos.Line, Column: warning.Pos.Column, Message: warning.Problem})
		st.note(warning.WarningIn(name))
	}
	_, err = query.Compile(c.new)
	if c.result.Judged = err == nil; err != nil {
		c.result.NotJudged = strings.ReplaceAll(err.Error(), dialect.FileName, name)
		st.note("the verifier does not judge this query, ticks will be UNDECIDED: " + c.result.NotJudged)
	}
	_, err = query.Compile(c.old)
	c.oldJudged = err == nil
	if _, err := analytics.Properties(c.newFlink); err != nil {
		return false, &usageError{fmt.Errorf("%s: %w", name, err)}
	}
	faults, err := c.plan(ctx, e, c.new.SchemaJSON, c.newFlink)
	if err != nil {
		return false, err
	}
	for _, fault := range faults {
		c.result.Faults = append(c.result.Faults, faultOfFlink(fault, script.Dialect, c.newFlink))
	}
	if len(faults) > 0 {
		return false, c.faulty(name, nil)
	}
	if err := c.sameColumns(name); err != nil {
		return false, err
	}
	if !c.stack.KeepsSnapshots() {
		return false, &usageError{errors.New("the stack's parameter SnapshotState is DISABLED: a start would read all that the stream still holds again, by the new query. Deploy it ENABLED first")}
	}
	if c.new.Hash() == c.current.Deployed {
		c.newFlink = "" // it is the JAR's own
	}
	return c.runsAlready(ctx)
}

// planByFlink has Flink plan the query, here.
func planByFlink(ctx context.Context, e *env, schema []byte, sql string) ([]flink.Fault, error) {
	root, err := e.root()
	if err != nil {
		return nil, err
	}
	checker, err := local.Checker(root)
	if err != nil {
		return nil, err
	}
	return checker.Check(ctx, schema, sql)
}

// faultOfFlink places a fault in the file, which is what Flink has read where it is in Flink SQL.
func faultOfFlink(fault flink.Fault, in dialect.Dialect, sql string) sqlFault {
	f := sqlFault{Line: fault.Line, Column: fault.Column, Message: fault.Message}
	if lines := strings.Split(sql, "\n"); in != dialect.Flink && fault.Line <= len(lines) {
		f.Translated = lines[fault.Line-1]
	}
	return f
}

func (c *change) faulty(name string, err error) error {
	if len(c.result.Faults) == 0 {
		return &usageError{fmt.Errorf("%s: %w", name, err)}
	}
	return &faultyError{usageError{fmt.Errorf("%s has %s: nothing was touched", name, count(len(c.result.Faults), "fault"))}}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sameColumns refuses rows of other columns: the judge could not tell them from those that stand there.
func (c *change) sameColumns(name string) error {
	old, err := query.Destination(c.old)
	if err != nil {
		return fmt.Errorf("the columns of the query that runs now, %s: %w", ledger.PipelineKey(c.current.Pipeline), err)
	}
	if c.output, err = query.Destination(c.new); err != nil {
		return &usageError{errors.New(strings.ReplaceAll(err.Error(), dialect.FileName, name))}
	}
	if slices.Equal(old, c.output) {
		return nil
	}
	return &usageError{fmt.Errorf("%s: its rows have the columns (%s), and those of the query that runs now (%s): under one prefix they could not be told apart. "+
		"Give its destination the columns that there are, or make another stack for it", name, columnsText(c.output), columnsText(old))}
}

func columnsText(columns row.Schema) string {
	var all []string
	for _, c := range columns {
		all = append(all, c.Alias+" "+c.Type.String())
	}
	return strings.Join(all, ", ")
}

// runsAlready tells whether ledger and application both have the new query.
func (c *change) runsAlready(ctx context.Context) (bool, error) {
	if c.new.Hash() != c.current.Pipeline || c.running.Problem() != "" {
		return false, nil
	}
	app, err := c.stack.Application(ctx)
	if err != nil || app.Status != "RUNNING" {
		return false, err
	}
	c.result.did("Pipeline %.12s runs already, since %s: nothing was done.", c.current.Pipeline, c.current.Since.UTC().Format(timeFormat))
	return true, nil
}

// run changes the query while nothing is on its way, and sees it run. Where that fails, all is put back as it was.
func (c *change) run(ctx context.Context, p *progress, o *sqlRunCmd) (err error) {
	s := c.stack
	schedule, err := s.Schedule(ctx)
	if err != nil {
		return err
	}
	c.produced = schedule.Enabled()
	// What another change has left is put right first: nobody could tell what this one would go back to.
	did, err := mend(ctx, p, "bring back the query of the ledger", s, c.here, c.running)
	if err != nil {
		return err
	}
	if did != "" {
		c.result.did("%s", did)
	}
	if pending := c.current.Change; pending != nil {
		if c.current, err = c.book.Current(ctx); err != nil { // the mend has ended that change
			return err
		}
		if c.produced = !pending.Paused; c.produced {
			if _, err := s.EnableSchedule(ctx, true); err != nil {
				return err
			}
		}
	}
	app, err := s.Application(ctx)
	if err != nil {
		return err
	}
	c.idle = app.Status == "READY"
	if err := doStep(p, "publish the query", func() error { return c.book.PublishPipeline(ctx, c.new) }); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = c.putBack(ctx, p, err)
		}
	}()
	paused, err := (&pauseCmd{Force: o.Force || !c.oldJudged}).run(ctx, p, s, c.here)
	var notQuiet *notQuietError
	if errors.As(err, &notQuiet) && notQuiet.never {
		return fmt.Errorf("%s, which no wait changes: mend that, or change the query all the same with --force", notQuiet.left)
	}
	if errors.As(err, &notQuiet) {
		return fmt.Errorf("%s after %s: see where missing rows are with `streamproof explain`, run this again to wait longer, or change the query all the same with --force", notQuiet.left, notQuiet.limit)
	}
	if err != nil {
		return err
	}
	c.result.Did = append(c.result.Did, paused.Did...)
	if c.snapshot, err = s.LatestSnapshot(ctx); err != nil {
		return err
	}
	name := s.Outputs.ApplicationName
	err = doStep(p, "tell the application "+name+" its query", func() error {
		c.told = true
		if err := c.begin(ctx); err != nil {
			return err
		}
		return s.SetQuery(ctx, c.newFlink)
	})
	if err != nil {
		return err
	}
	err = doStep(p, "start the application "+name, func() error {
		// A query that the judge knows has no state of its own.
		if _, err := s.StartApplicationFrom(ctx, "", !c.oldJudged || !c.result.Judged); err != nil {
			return withJob(err, c.here)
		}
		return c.awaitSteady(ctx)
	})
	if err != nil {
		return err
	}
	if err := c.setCurrent(ctx); err != nil {
		return err
	}
	c.result.Pipeline = c.new.Hash()
	c.result.did("Application %s runs pipeline %.12s, from its latest snapshot. Ticks from now on are made for it.", name, c.new.Hash())
	if o.Records > 0 {
		if err := c.try(ctx, p, o.Records); err != nil {
			return err
		}
	}
	return c.produceAgain(ctx, p)
}

// doStep shows what is done as a step.
func doStep(p *progress, name string, do func() error) error {
	st := p.begin(name)
	err := do()
	st.end(err)
	return err
}

// begin writes down that the query is being changed, before the application is told: whoever finds that later knows what to
// bring back.
func (c *change) begin(ctx context.Context) error {
	next := *c.current
	next.Change = &ledger.Change{To: c.new.Hash(), Begun: time.Now().UTC().Truncate(time.Second), Snapshot: c.snapshot, Paused: !c.produced}
	c.begun = &next
	_, err := c.book.SetCurrent(ctx, c.begun, c.current)
	return err
}

// setCurrent has ticks made for the new query, and judged by it, from now on. It ends the change.
func (c *change) setCurrent(ctx context.Context) error {
	next := &ledger.Current{
		Pipeline: c.new.Hash(), Since: time.Now().UTC().Truncate(time.Second), By: ledger.BySQLRun,
		Deployed: c.current.Deployed, Rollbacks: c.current.Rollbacks,
	}
	if next.Pipeline == next.Deployed {
		next.By = ledger.ByDeploy
	}
	at, err := c.book.SetCurrent(ctx, next, c.begun)
	if err != nil {
		return err
	}
	if at.IsZero() {
		at = time.Now().UTC() // an answer without a Date, which S3 does not give
	}
	c.set, c.setAt, c.ahead = next, at.Truncate(time.Second), time.Until(at)
	return nil
}

// claimedWithin is how long after the current pipeline was changed a producer may claim a tick for the one before, which it
// had read.
const claimedWithin = 2 * time.Second

// putBack brings back what was so before, where a change has failed or was interrupted, and says what is so now.
func (c *change) putBack(ctx context.Context, p *progress, cause error) error {
	if errors.Is(cause, context.Canceled) {
		cause = errors.New("interrupted")
	}
	ctx = context.WithoutCancel(ctx)
	now := fmt.Sprintf("nothing was changed, pipeline %.12s stays", c.current.Pipeline)
	var err error
	switch {
	case c.told:
		now = fmt.Sprintf("rolled back, pipeline %.12s runs again", c.current.Pipeline)
		err = c.rollBack(ctx, p, cause)
	case !c.idle:
		err = c.startAgain(ctx)
	}
	if err == nil && c.told {
		c.result.did("Application %s runs pipeline %.12s again, from the snapshot of the pause.", c.stack.Outputs.ApplicationName, c.current.Pipeline)
	}
	if err == nil && c.produced {
		var changed bool
		if changed, err = c.stack.EnableSchedule(ctx, true); err == nil && changed {
			c.result.did("Schedule %s is enabled again.", c.stack.Outputs.ProducerSchedule)
		}
	}
	if err != nil {
		return fmt.Errorf("%w; and not all of it could be put back as it was, which runs pipeline %.12s: %w: run this again, or `streamproof resume` where only that is left", cause, c.current.Pipeline, err)
	}
	return fmt.Errorf("%w: %s", cause, now)
}

// rollBack has the old query read again all that came since the pause: from the snapshot of then, which is its own, and not from
// what the new one may have left. What the new one has delivered meanwhile stands in the ledger as what it may have. The ledger
// comes first, so that where this is killed, too, mend can go on with it.
func (c *change) rollBack(ctx context.Context, p *progress, cause error) error {
	if c.set != nil {
		next := *c.begun
		next.Rollbacks = append(slices.Clone(next.Rollbacks), ledger.Rollback{
			Failed: c.set.Pipeline, From: c.setAt, Until: time.Now().UTC().Add(c.ahead + claimedWithin).Truncate(time.Second),
			JudgedBy: c.current.Pipeline, Why: excerpt(cause.Error()),
		})
		if _, err := c.book.SetCurrent(ctx, &next, c.set); err != nil {
			return err
		}
	}
	c.result.Pipeline, c.result.RolledBack = c.current.Pipeline, true
	q, err := c.stack.Query(ctx)
	if err != nil {
		return err
	}
	if q.Problem() == "" { // the change could not be written down, so nothing was told
		return c.startAgain(ctx)
	}
	_, err = mend(ctx, p, "roll back", c.stack, c.here, q)
	return err
}

// startAgain starts an application that the pause has stopped.
func (c *change) startAgain(ctx context.Context) error {
	_, err := c.stack.StartApplication(ctx)
	if err == nil && c.here != nil {
		err = awaitRunning(ctx, c.here)
	}
	return err
}

// excerpt is the beginning of a text.
func excerpt(text string) string {
	const most = 500
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func (c *change) produceAgain(ctx context.Context, p *progress) error {
	name := c.stack.Outputs.ProducerSchedule
	if !c.produced {
		c.result.did("Schedule %s stays disabled, as it was: `streamproof resume` enables it.", name)
		return nil
	}
	err := doStep(p, "enable the schedule "+name, func() error {
		_, err := c.stack.EnableSchedule(ctx, true)
		return err
	})
	if err == nil {
		c.result.did("Schedule %s is enabled again.", name)
	}
	return err
}

// try sends a tick, and returns when its rows are delivered: where the verifier judges the query, all of them.
func (c *change) try(ctx context.Context, p *progress, records int) error {
	tick := time.Now().UTC().Truncate(time.Millisecond)
	var claimed time.Time
	err := doStep(p, fmt.Sprintf("send a tick of %d records", records), func() error {
		if _, _, err := c.stack.Produce(ctx, tick, records, 0); err != nil {
			return err
		}
		sent, err := c.stack.Tick(ctx, ledger.TickKey(tick))
		if err == nil {
			claimed = sent.ClaimedAt
		}
		return err
	})
	if err != nil {
		return err
	}
	c.result.Tick = &tick
	st := p.begin("wait for its rows")
	came, err := c.awaitRows(ctx, st, tick, claimed)
	st.end(err)
	if err != nil || !came {
		return err
	}
	if err := c.show(ctx, claimed); err != nil { // they are there, whoever may read them
		c.result.did("The first rows cannot be shown: %v.", err)
	}
	return nil
}

// awaitRows returns when the rows of a tick are there, or, with false, when none is owed or none has come though the job runs.
func (c *change) awaitRows(ctx context.Context, st *step, tick, claimed time.Time) (came bool, err error) {
	limit := c.stack.Outputs.DeliveryDeadline + deliveryMargin
	deadline := time.Now().Add(limit)
	watch, err := watchJob(c.stack, c.here)
	if err != nil {
		return false, err
	}
	for {
		if err := watch.again(ctx); err != nil {
			return false, err
		}
		over := time.Now().After(deadline)
		r, _, err := c.stack.Verify(ctx)
		if err != nil {
			return false, err
		}
		at := slices.IndexFunc(r.Ticks, func(t report.Tick) bool { return t.Tick.Equal(tick) })
		if c.result.Judged && r.Verdict != proof.Undecided && at >= 0 {
			t := r.Ticks[at]
			left := t.Owed - t.Delivered - t.Failed - t.Rejects
			switch {
			case t.State == ledger.Complete && t.InFlight == 0 && t.Missing == 0 && t.Failed == 0:
				if t.Owed == 0 {
					c.result.did("The tick of %s owes no row: its records give none by this query.", tick.Format(timeFormat))
				} else {
					c.result.did("The tick of %s owes %d rows, and all of them are delivered.", tick.Format(timeFormat), t.Owed)
				}
				return t.Owed > 0, nil
			case over:
				return false, fmt.Errorf("of the %d rows that the tick of %s owes, %d are not delivered after %s", t.Owed, tick.Format(timeFormat), left+t.Failed, limit)
			}
			st.update(fmt.Sprintf("%d of %d", t.Delivered, t.Owed))
		} else {
			rows, err := c.stack.FirstRows(ctx, c.output, claimed, 1)
			switch {
			case err != nil:
				return false, err
			case len(rows) > 0:
				c.result.did("Rows are delivered; the verifier does not judge them.")
				return true, nil
			case over && c.here == nil:
				return false, fmt.Errorf("no row was delivered within %s. Where the query gives its rows later, as at the end of a window, use --records 0, which waits for none", limit)
			case over:
				c.result.did("No row was delivered within %s, and the job runs.", limit)
				return false, nil
			}
		}
		if err := pause(ctx); err != nil {
			return false, err
		}
	}
}

func (c *change) show(ctx context.Context, since time.Time) error {
	rows, err := c.stack.FirstRows(ctx, c.output, since, firstRows)
	if err != nil {
		return err
	}
	for _, column := range c.output {
		c.result.Columns = append(c.result.Columns, column.Alias)
	}
	for _, fields := range rows {
		var values []*string
		for _, f := range fields {
			if f.Null {
				values = append(values, nil)
				continue
			}
			text := string(f.Text)
			values = append(values, &text)
		}
		c.result.Rows = append(c.result.Rows, values)
	}
	return nil
}

// A jobWatch sees the job fail: on AWS by the application's metrics, of a local stack by what its runner says, which is
// sooner.
type jobWatch struct {
	stack    *stack.Stack
	here     *local.Stack
	failures int       // deaths of a JVM, before
	lastAt   time.Time // of the last failure that was seen
	seen     int
	why      []string // what was said of them, each once
}

const (
	// mostFailures is how many failures of a job are one too many: what fails once may run when Flink has started it again.
	mostFailures = 2
	// mostPatience is how many there may be until one of them says more than echo.
	mostPatience = 6
	// echo is what the source says when the query has failed in the same task a moment before.
	echo = "java.util.concurrent.RejectedExecutionException"
)

func watchJob(s *stack.Stack, here *local.Stack) (*jobWatch, error) {
	w := &jobWatch{stack: s, here: here}
	if here == nil {
		return w, nil
	}
	job, _, err := here.Job()
	w.failures = job.Failures
	if job.LastErrorAt != nil {
		w.lastAt = *job.LastErrorAt
	}
	return w, err
}

// again is an error that says why the job fails, once it has done so again.
func (w *jobWatch) again(ctx context.Context) error {
	if w.here == nil {
		return w.stack.Restarting(ctx)
	}
	job, _, err := w.here.Job()
	if err != nil {
		return err
	}
	return w.look(job)
}

func (w *jobWatch) look(job runner.Status) error {
	if job.LastErrorAt != nil && job.LastErrorAt.After(w.lastAt) {
		w.lastAt = *job.LastErrorAt
		w.seen++
		why := strings.TrimPrefix(job.LastError, "the job is RESTARTING: ")
		if !strings.HasPrefix(why, echo) && !slices.Contains(w.why, why) {
			w.why = append(w.why, why)
		}
	}
	seen := max(w.seen, job.Failures-w.failures)
	switch {
	case seen < mostFailures, len(w.why) == 0 && seen < mostPatience:
		return nil
	case len(w.why) == 0:
		w.why = append(w.why, job.LastError)
	}
	return fmt.Errorf("the job fails again and again: %s", strings.Join(w.why, "; and: "))
}

// awaitSteady returns when every task of the job runs.
func (c *change) awaitSteady(ctx context.Context) error {
	if c.here == nil {
		return nil // StartApplication has waited for it
	}
	app, err := c.stack.Application(ctx)
	if err != nil {
		return err
	}
	watch, err := watchJob(c.stack, c.here)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	for {
		runs, err := c.here.Runs(app.Version)
		if err == nil && !runs {
			err = watch.again(ctx)
		}
		if err != nil || runs {
			return err
		}
		if err := pause(ctx); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return &local.LogError{Err: fmt.Errorf("the Flink job does not run within %s", jobTimeout), Log: c.here.JobLog()}
			}
			return err
		}
	}
}

// print prints what was done, also of a change that failed.
func (c *change) print(ctx context.Context, e *env, asJSON bool, failed error) error {
	r := c.result
	if asJSON {
		ctx = context.WithoutCancel(ctx)
		if failed != nil {
			r.Error = failed.Error()
		}
		if schedule, err := c.stack.Schedule(ctx); err == nil {
			r.Schedule = &schedule
		}
		if app, err := c.stack.Application(ctx); err == nil {
			r.Application = &app
		}
		return e.printJSON(r)
	}
	var b terminal.Builder
	for _, did := range r.Did {
		b.Addf("%s\n", did)
	}
	if len(r.Rows) > 0 && failed == nil {
		b.Addf("%s\n", rowsText(c.output, r.Rows))
	}
	if failed == nil {
		b.Addf("Next: streamproof verify, streamproof sql show.\n")
	}
	return e.stdout.Print(b.Text())
}

// rowsText draws the rows under what the query calls its columns, with the schema's names where those are others.
func rowsText(columns row.Schema, rows [][]*string) terminal.Text {
	w := terminal.NewTable()
	var header []any
	for _, c := range columns {
		if c.Name == c.Alias {
			header = append(header, c.Alias)
		} else {
			header = append(header, terminal.Format("%s\n%s", c.Alias, c.Name))
		}
	}
	w.HeaderAsItIs(header...)
	for _, values := range rows {
		var line []any
		for _, v := range values {
			if v == nil {
				line = append(line, "NULL")
			} else {
				line = append(line, *v)
			}
		}
		w.Row(line...)
	}
	return w.Text()
}
