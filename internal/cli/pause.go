package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"streamproof/internal/application"
	"streamproof/internal/local"
	"streamproof/internal/local/runner"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/internal/terminal"
)

const (
	// firesWithin is how long after its time a schedule on AWS may still call its target, and so after it was disabled.
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
	firesWithin = time.Minute
	// jobTimeout is for the Flink job of a local stack, which follows what was said to the application.
	jobTimeout = 2 * time.Minute
)

// pausePermissions are what pause and resume need on AWS, beyond those of verify.
const pausePermissions = "scheduler:GetSchedule and scheduler:UpdateSchedule on the producer's schedule, iam:PassRole on its role, " +
	"kinesisanalytics:DescribeApplication, DescribeApplicationOperation, ListApplicationOperations, ListApplicationSnapshots, StartApplication and " +
	"StopApplication on the application, cloudwatch:GetMetricData, and s3:GetObject on ledger/pipeline.json and ledger/pipelines/* of the stack's bucket; " +
	"resume, where a change of the query was broken off, kinesisanalytics:UpdateApplication and s3:PutObject on ledger/pipeline.json"

type pauseCmd struct {
	Force  bool `help:"Stop the application even where rows are missing, or are still on their way when the time is over."`
	target `embed:""`
}

type resumeCmd struct {
	target `embed:""`
}

// operation is what pause and resume print as JSON.
type operation struct {
	Stack       string            `json:"stack"`
	Schedule    stack.Schedule    `json:"schedule"`
	Application stack.Application `json:"application"`
	// Did says in sentences what was done, and what was so before.
	Did []string `json:"did"`
	// Report is that of the last verification before the application was stopped.
	Report *report.Report `json:"report,omitempty"`
}

func (o *operation) did(format string, args ...any) {
	o.Did = append(o.Did, fmt.Sprintf(format, args...))
}

// print prints the operation, with how schedule and application are now.
func (o *operation) print(ctx context.Context, e *env, s *stack.Stack, asJSON bool, next string) (err error) {
	if o.Schedule, err = s.Schedule(ctx); err != nil {
		return err
	}
	if o.Application, err = s.Application(ctx); err != nil {
		return err
	}
	if asJSON {
		return e.printJSON(o)
	}
	return e.stdout.Println(sentences(append(slices.Clone(o.Did), next)...))
}

// sentences gives each a line.
func sentences(all ...string) terminal.Text {
	var lines []terminal.Text
	for _, one := range all {
		lines = append(lines, terminal.Format("%s", one))
	}
	return terminal.Join(lines, "\n")
}

func (c *pauseCmd) Run(ctx context.Context, e *env) error {
	s, here, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	p := newProgress(e)
	o, err := c.run(ctx, p, s, here)
	p.stop()
	if err != nil {
		return needs(err, pausePermissions)
	}
	return o.print(ctx, e, s, c.JSON, fmt.Sprintf("Stack %s is paused. Next: change the pipeline and deploy it, then streamproof resume.", s.Name))
}

// run disables the schedule, waits until nothing is on its way, and stops the application. Each of it may be so already.
func (c *pauseCmd) run(ctx context.Context, p *progress, s *stack.Stack, here *local.Stack) (*operation, error) {
	o := &operation{Stack: s.Name}
	if !c.Force {
		if q, err := runningQuery(ctx, s); err != nil {
			return nil, err
		} else if q != nil && q.Problem() != "" {
			return nil, fmt.Errorf("nothing was touched: %s; or `streamproof pause --force` stops the application as it is", q.Problem())
		}
	}
	name := s.Outputs.ProducerSchedule
	st := p.begin("disable the schedule " + name)
	changed, err := s.EnableSchedule(ctx, false)
	st.end(err)
	if err != nil {
		return nil, err
	}
	schedule, err := s.Schedule(ctx)
	if err != nil {
		return nil, err
	}
	quiet := schedule.Changed
	if changed {
		quiet = time.Now() // by this machine's clock, as what it is compared with
		o.did("Schedule %s is disabled: it makes no more ticks.", name)
	} else {
		o.did("Schedule %s was disabled before.", name)
	}
	if quiet = quiet.Add(firesWithin); here != nil {
		quiet = quiet.Add(local.FiresWithin - firesWithin)
	}

	app, err := s.Application(ctx)
	if err != nil {
		return nil, err
	}
	idle := app.Status == "READY"
	limit := s.Outputs.DeliveryDeadline + deliveryMargin
	if idle {
		limit = 0 // nothing moves
	}
	var left string
	if o.Report, left, err = c.awaitQuiet(ctx, p, s, here, quiet, limit); err != nil {
		if changed {
			err = enableAgain(ctx, s, err)
		}
		return nil, err
	}
	switch {
	case left == "" && o.Report == nil:
		o.did("Nothing is on its way: no tick was produced yet.")
	case left == "":
		o.did("Nothing is on its way: %s", o.Report.LastLine())
	case c.Force:
		o.did("Not clean, but forced: %s. What is in the stream is read when the application starts again, by the query that it has then.", left)
	case idle:
		return nil, fmt.Errorf("%s, and application %s is %s: it was stopped before they were through. Run `streamproof resume`, and pause again; `streamproof pause --force` takes it as it is",
			left, s.Outputs.ApplicationName, app.Status)
	default:
		return nil, &notQuietError{left: left, limit: limit, schedule: name, application: s.Outputs.ApplicationName}
	}

	st = p.begin("stop the application " + s.Outputs.ApplicationName)
	stopped, err := s.StopApplication(ctx)
	if err == nil && here != nil {
		err = awaitStopped(ctx, here)
	}
	st.end(err)
	switch {
	case err != nil:
		return nil, err
	case stopped.Forced:
		o.did("Application %s is stopped, without a snapshot: %s. %s", s.Outputs.ApplicationName, stopped.Refused, stopped.Cost())
	case stopped.Asked:
		o.did("Application %s is stopped, with a snapshot: it costs nothing until it starts again.", s.Outputs.ApplicationName)
	default:
		o.did("Application %s was stopped before.", s.Outputs.ApplicationName)
	}
	return o, nil
}

// enableAgain enables the schedule that a pause has disabled and that cannot go on, also where it was interrupted.
func enableAgain(ctx context.Context, s *stack.Stack, cause error) error {
	if _, err := s.EnableSchedule(context.WithoutCancel(ctx), true); err != nil {
		return fmt.Errorf("%w; and schedule %s stays disabled: %w: `streamproof resume` enables it", cause, s.Outputs.ProducerSchedule, err)
	}
	return fmt.Errorf("%w. Nothing was changed: schedule %s is enabled again", cause, s.Outputs.ProducerSchedule)
}

// A notQuietError says that something was still on its way when the time was over, or that it will never arrive.
type notQuietError struct {
	left                  string
	never                 bool
	limit                 time.Duration
	schedule, application string
}

func (e *notQuietError) Error() string {
	if e.never {
		return e.left + ", which no wait changes: mend that, or stop the application as it is with `streamproof pause --force`"
	}
	return fmt.Sprintf("%s after %s: schedule %s is disabled and application %s runs on. Run `streamproof pause` again to wait longer, `streamproof explain` to see where missing rows are, "+
		"`streamproof resume` to produce again, or `streamproof pause --force` to stop it as it is", e.left, e.limit, e.schedule, e.application)
}

// awaitQuiet has the verifier judge until nothing is on its way and the schedule's last tick cannot come any more, or the
// limit is over: then it says what still is. It always looks once after the schedule is quiet. There is no report where no
// tick was ever produced.
func (c *pauseCmd) awaitQuiet(ctx context.Context, p *progress, s *stack.Stack, here *local.Stack, quiet time.Time, limit time.Duration) (r *report.Report, left string, err error) {
	st := p.begin("wait until nothing is on its way")
	defer func() { st.end(err) }()
	deadline := time.Now().Add(limit)
	undecided := 0 // looks in a row, with nothing being sent
	watch, err := watchJob(s, here)
	if err != nil {
		return nil, "", err
	}
	for {
		looked := time.Now()
		// First the ledger: a tick that is complete by now is one that the verifier sees complete.
		open, err := s.OpenTicks(ctx)
		if err != nil {
			return nil, "", err
		}
		if r, _, err = s.Verify(ctx); err != nil {
			return nil, "", err
		}
		left = onTheWay(r, open, c.Force)
		if r.Verdict == proof.Undecided && open == 0 {
			produced, err := s.HasTicks(ctx)
			if err != nil {
				return nil, "", err
			}
			if !produced {
				r, left = nil, ""
			}
		}
		// No wait decides what is UNDECIDED twice.
		if undecided++; left == "" || open > 0 || r.Verdict != proof.Undecided {
			undecided = 0
		}
		if undecided > 1 && !c.Force {
			return nil, "", &notQuietError{left: left, never: true}
		}
		never := undecided > 1
		if left != "" {
			why, err := failing(ctx, s, here)
			if err != nil {
				return nil, "", err
			}
			if why != "" {
				left += "; the Flink job fails and restarts again and again (" + why + ")"
			}
			if why != "" && watch.failsAgain(ctx) {
				if never = true; !c.Force {
					return nil, "", &notQuietError{left: left, never: true}
				}
			}
		}
		if looked.After(quiet) && (left == "" || never || looked.After(deadline)) {
			return r, left, nil
		}
		if left == "" {
			st.update("for a last tick")
		} else {
			st.update(left)
		}
		if err := pause(ctx); err != nil {
			return nil, "", err
		}
	}
}

// onTheWay says what keeps a pause from being clean, empty where nothing does. Failed rows are not on their way, and missing
// ones are not where a person has accepted them, so that the verdict is PROVEN all the same.
func onTheWay(r *report.Report, open int, force bool) string {
	var left []string
	if open > 0 {
		left = append(left, fmt.Sprintf("%d ticks are being sent", open))
	}
	if r.Verdict == proof.Undecided {
		return strings.Join(append(left, "the verdict is UNDECIDED ("+strings.Join(r.Reasons, "; ")+")"), ", ")
	}
	if r.Counts.InFlight > 0 {
		left = append(left, fmt.Sprintf("%d rows are in flight", r.Counts.InFlight))
	}
	if r.Counts.Missing > 0 && r.Verdict != proof.Proven && !force {
		left = append(left, fmt.Sprintf("%d rows are missing", r.Counts.Missing))
	}
	return strings.Join(left, ", ")
}

// awaitStopped returns when the local stack's Flink job has stopped, with its savepoint.
func awaitStopped(ctx context.Context, here *local.Stack) error {
	deadline := time.Now().Add(jobTimeout)
	for {
		job, following, err := here.Job()
		if err != nil {
			return err
		}
		switch {
		case job.State == runner.Stopped:
			return nil
		case time.Now().After(deadline) && !following:
			return errors.New("the Flink job does not stop, since nobody follows the application: run `streamproof up`, and this again")
		case time.Now().After(deadline):
			return &local.LogError{Err: fmt.Errorf("the Flink job does not stop (%s) within %s", job.State, jobTimeout), Log: here.JobLog()}
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (c *resumeCmd) Run(ctx context.Context, e *env) error {
	s, here, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	p := newProgress(e)
	o, err := c.run(ctx, p, s, here)
	p.stop()
	if err != nil {
		return needs(err, pausePermissions)
	}
	return o.print(ctx, e, s, c.JSON, fmt.Sprintf("Stack %s goes on. Next: streamproof verify.", s.Name))
}

// run starts the application, and enables the schedule once it runs. Each of it may be so already.
func (c *resumeCmd) run(ctx context.Context, p *progress, s *stack.Stack, here *local.Stack) (*operation, error) {
	o := &operation{Stack: s.Name}
	name := s.Outputs.ApplicationName
	q, err := runningQuery(ctx, s)
	if err != nil {
		return nil, err
	}
	if q != nil {
		did, err := mend(ctx, p, "bring back the query of the ledger", s, here, q)
		if err != nil {
			return nil, err
		}
		if did != "" {
			o.did("%s", did)
		}
	}
	st := p.begin("start the application " + name)
	asked, err := s.StartApplication(ctx)
	if err == nil && here != nil {
		err = awaitRunning(ctx, here)
	}
	err = withJob(err, here)
	st.end(err)
	switch {
	case err != nil:
		return nil, err
	case asked:
		o.did("Application %s runs, from its latest snapshot.", name)
	default:
		o.did("Application %s ran before.", name)
	}

	name = s.Outputs.ProducerSchedule
	if q != nil && q.Current.Change != nil && q.Current.Change.Paused {
		o.did("Schedule %s stays as it was before the change of the query: disabled. `streamproof resume`, run again, enables it.", name)
		return o, nil
	}
	if s.DeployedQuiet() {
		o.did("Schedule %s stays as it is: the stack's parameter ScheduleState is DISABLED.", name)
		return o, nil
	}
	st = p.begin("enable the schedule " + name)
	changed, err := s.EnableSchedule(ctx, true)
	st.end(err)
	switch {
	case err != nil:
		return nil, err
	case changed:
		o.did("Schedule %s is enabled.", name)
	default:
		o.did("Schedule %s was enabled before.", name)
	}
	return o, nil
}

// withJob adds to an error of the application what the job of a local stack said last, where the error has nothing of
// the job.
func withJob(err error, here *local.Stack) error {
	var failed *application.JobError
	if here == nil || !errors.As(err, &failed) || failed.Says != "" {
		return err
	}
	job, _, jobErr := here.Job()
	if jobErr != nil || job.LastError == "" {
		return err
	}
	failed.Says = job.LastError
	return &local.LogError{Err: err, Log: here.JobLog()}
}

func awaitRunning(ctx context.Context, here *local.Stack) error {
	app, err := here.Application(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	if err := here.AwaitJob(ctx, app.Version); err != nil {
		return &local.LogError{Err: err, Log: here.JobLog()}
	}
	return nil
}

// needs adds, to an error of AWS's that says that something is not allowed, what a command needs to be allowed.
func needs(err error, permissions string) error {
	var api smithy.APIError
	if errors.As(err, &api) && strings.Contains(api.ErrorCode(), "AccessDenied") {
		return fmt.Errorf("%w: this command acts with your own credentials, which need %s", err, permissions)
	}
	return err
}
