package operate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"streamproof/internal/local"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// firesWithin is how long after its time a schedule on AWS may still call its target, even if it was disabled since.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
const firesWithin = time.Minute

// Pause disables the schedule, waits until no row is in flight, and stops the application with a snapshot. With force,
// it also stops when rows are missing, or still in flight at the deadline.
//
// If waiting cannot help, it fails and enables the schedule again.
//
// A stack that reads a stream of somebody else has no schedule, and its stream never ends: its application is stopped
// at once, and reads on from there when it starts again.
func (o *Operator) Pause(ctx context.Context, force bool) (*Result, error) {
	if !force {
		q, err := o.runningQuery(ctx)
		if err != nil {
			return nil, err
		}
		if q != nil && q.Problem() != "" {
			return nil, fmt.Errorf("pause stack %s: %s; nothing was changed; `streamproof pause --force` stops the application as it is", o.Stack.Name, q.Problem())
		}
	}
	r, err := o.pause(ctx, force)
	if err != nil {
		return nil, err
	}
	return o.finish(ctx, r)
}

func (o *Operator) pause(ctx context.Context, force bool) (*Result, error) {
	r := &Result{Stack: o.Stack.Name}
	if !o.Stack.Outputs.Produces() {
		r.did("Stream %s is somebody else's: what arrives from now on waits there, for as long as the stream keeps it. "+
			"It is missing when its deadline is over, and late when it is delivered after all.", o.Stack.Outputs.StreamName)
		return r, o.stopApplication(ctx, r)
	}
	schedule, application := o.Stack.Outputs.ProducerSchedule, o.Stack.Outputs.ApplicationName
	disabled, quiet, err := o.disableSchedule(ctx, r)
	if err != nil {
		return nil, err
	}
	app, err := o.Stack.Application(ctx)
	if err != nil {
		return nil, err
	}
	idle := app.Status == "READY"
	limit := o.Stack.Outputs.DeliveryDeadline + DeliveryMargin
	if idle {
		limit = 0 // waiting moves nothing
	}
	var left string
	if r.Report, left, err = o.drain(ctx, quiet, limit, force); err != nil {
		if disabled {
			err = o.enableAgain(ctx, err)
		}
		return nil, err
	}
	switch {
	case left == "" && r.Report == nil:
		r.did("Nothing is in flight: no tick was produced yet.")
	case left == "":
		r.did("Nothing is in flight: %s", r.Report.LastLine())
	case force:
		r.did("Forced, although %s. When the application starts again, its query at that time reads what is left in the stream.", left)
	case idle:
		return nil, fmt.Errorf("pause stack %s: %s, and application %s was stopped before they were delivered (it is %s): "+
			"run `streamproof resume` and pause again, or accept it with `streamproof pause --force`", r.Stack, left, application, app.Status)
	default:
		return nil, &drainError{left: left, limit: limit, schedule: schedule, application: application}
	}
	if err := o.stopApplication(ctx, r); err != nil {
		return r, err
	}
	clean := left == "" && (r.Report == nil || r.Report.Counts.Missing+r.Report.Counts.Failed == 0)
	if clean && notJudged(r.Report) != nil {
		// Until the stop it may have given rows that nothing is known of.
		if clean = !force; clean {
			if err := o.flush(ctx, r); err != nil {
				return r, err
			}
		}
	}
	return r, o.setDrained(ctx, clean, r.Report)
}

// setDrained records in the ledger since when nothing is on its way, by the report that says so, or that something may
// be. The report is nil if nothing was ever sent.
func (o *Operator) setDrained(ctx context.Context, drained bool, by *report.Report) error {
	book := o.Stack.Book()
	current, err := book.Current(ctx)
	if err != nil || current == nil {
		return err
	}
	var since time.Time
	if drained {
		since = current.At()
		if by != nil {
			since = by.JudgedAt.UTC()
		}
		// The report may not have seen what was claimed in its own second.
		since = since.Truncate(time.Second).Add(-time.Second)
	}
	if current.Drained.Equal(since) {
		return nil
	}
	next := *current
	next.Drained = since
	_, err = book.SetCurrent(ctx, &next, current)
	return err
}

// flush waits until everything that a query which is not judged has given to Firehose is delivered.
func (o *Operator) flush(ctx context.Context, r *Result) error {
	limit := o.Stack.Outputs.DeliveryDeadline
	err := o.step(fmt.Sprintf("wait %s for the rows that Firehose still holds", limit), func() error {
		for until := time.Now().Add(limit); time.Now().Before(until); {
			if err := Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		r.did("What Firehose held when the application stopped is delivered.")
	}
	return err
}

// notJudged returns the current epoch of a report if it is not judged, else nil.
func notJudged(r *report.Report) *report.Epoch {
	if r == nil {
		return nil
	}
	current := r.Current()
	if current == nil || current.Seen == nil {
		return nil
	}
	return current
}

// disableSchedule disables the schedule, and returns when its last tick can no longer arrive.
func (o *Operator) disableSchedule(ctx context.Context, r *Result) (disabled bool, quiet time.Time, err error) {
	name := o.Stack.Outputs.ProducerSchedule
	err = o.step("disable the schedule "+name, func() error {
		disabled, err = o.Stack.EnableSchedule(ctx, false)
		return err
	})
	if err != nil {
		return disabled, quiet, err
	}
	within := firesWithin
	if o.Local != nil {
		within = local.FiresWithin
	}
	if disabled {
		r.did("Schedule %s is disabled: it produces no more ticks.", name)
		return disabled, time.Now().Add(within), nil // by this machine's clock, which it is compared with
	}
	r.did("Schedule %s was already disabled.", name)
	schedule, err := o.Stack.Schedule(ctx)
	return disabled, schedule.Changed.Add(within), err
}

// enableAgain enables the schedule of a pause that failed with cause, or was interrupted.
func (o *Operator) enableAgain(ctx context.Context, cause error) error {
	name := o.Stack.Outputs.ProducerSchedule
	if _, err := o.Stack.EnableSchedule(context.WithoutCancel(ctx), true); err != nil {
		return fmt.Errorf("%w; schedule %s stays disabled: %w: `streamproof resume` enables it", cause, name, err)
	}
	return fmt.Errorf("%w. Nothing was changed: schedule %s is enabled again", cause, name)
}

// A drainError says what was left when a pause gave up waiting.
type drainError struct {
	left                  string
	stuck                 bool // waiting does not help
	limit                 time.Duration
	schedule, application string
}

func (e *drainError) Error() string {
	if e.stuck {
		return e.left + ", and waiting does not change that: fix it, or stop the application as it is with `streamproof pause --force`"
	}
	return fmt.Sprintf("%s after %s: schedule %s is disabled and application %s is still running. To wait longer, run `streamproof pause` again; "+
		"`streamproof explain` shows where missing rows are, `streamproof resume` produces again, and `streamproof pause --force` stops it as it is",
		e.left, e.limit, e.schedule, e.application)
}

// drain has the verifier judge until nothing is in flight and the schedule's last tick can no longer arrive, or until
// the limit is over: then left says what remains. It always looks once after quiet. The report is nil if no tick was
// ever produced. If waiting cannot help, it returns a *drainError, unless force is set.
func (o *Operator) drain(ctx context.Context, quiet time.Time, limit time.Duration, force bool) (r *report.Report, left string, err error) {
	st := o.begin("wait until nothing is in flight")
	defer func() { st.End(err) }()
	deadline := time.Now().Add(limit)
	job, err := o.watchJob()
	if err != nil {
		return nil, "", err
	}
	undecided := 0 // verdicts in a row, with no tick being sent
	for {
		looked := time.Now()
		// The ledger comes first: the verifier then sees each tick complete that is complete by now.
		open, err := o.Stack.OpenTicks(ctx)
		if err != nil {
			return nil, "", err
		}
		if r, _, err = o.Stack.Verify(ctx); err != nil {
			return nil, "", err
		}
		left = inFlight(r, open, force)
		if r.Verdict == proof.Undecided && open == 0 && notJudged(r) == nil {
			produced, err := o.Stack.HasTicks(ctx)
			if err != nil {
				return nil, "", err
			}
			undecided++
			if !produced {
				r, left, undecided = nil, "", 0
			}
		} else {
			undecided = 0
		}
		stuck := undecided > 1 // no wait decides a verdict that stays UNDECIDED
		if left != "" {
			failure, err := o.JobFailure(ctx)
			if err != nil {
				return nil, "", err
			}
			if failure != "" {
				left += "; the Flink job keeps failing and restarting (" + failure + ")"
				stuck = job.failsAgain(ctx) || stuck
			}
		}
		if stuck && !force {
			return nil, "", &drainError{left: left, stuck: true}
		}
		if looked.After(quiet) && (left == "" || stuck || looked.After(deadline)) {
			return r, left, nil
		}
		if left == "" {
			st.Update("for a last tick")
		} else {
			st.Update(left)
		}
		if err := Wait(ctx); err != nil {
			return nil, "", err
		}
	}
}

// inFlight says what keeps a pause from being clean, empty if nothing does. Failed rows are not in flight. Missing
// rows count unless they are accepted, so that the verdict is PROVEN, or the pause is forced.
func inFlight(r *report.Report, open int, force bool) string {
	var left []string
	if open > 0 {
		left = append(left, fmt.Sprintf("%d ticks are being sent", open))
	}
	switch current := notJudged(r); {
	case current != nil && current.TicksUnsettled > 0:
		left = append(left, fmt.Sprintf("%d ticks of a query that is not judged are before their deadline", current.TicksUnsettled))
	case current != nil:
	case r.Verdict == proof.Undecided:
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

func (o *Operator) stopApplication(ctx context.Context, r *Result) error {
	name := o.Stack.Outputs.ApplicationName
	return o.step("stop the application "+name, func() error {
		stopped, err := o.Stack.StopApplication(ctx, false)
		switch {
		case err != nil:
			return err
		case stopped.Forced:
			r.did("Application %s is stopped, without a snapshot: %s. %s", name, stopped.Refused, stopped.Cost())
		case stopped.Asked:
			r.did("Application %s is stopped, with a snapshot: it costs nothing until it starts again.", name)
		default:
			r.did("Application %s was already stopped.", name)
		}
		return nil
	})
}
