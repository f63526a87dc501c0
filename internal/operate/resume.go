package operate

import (
	"context"
	"fmt"
	"time"

	"streamproof/internal/application"
	"streamproof/internal/stack"
)

// Resume starts the application, and enables the schedule once its job is steady. If a change of the query was broken
// off, it restores the query that the ledger names first, and leaves the schedule as it was before the change.
func (o *Operator) Resume(ctx context.Context) (*Result, error) {
	r := &Result{Stack: o.Stack.Name}
	if err := o.setDrained(ctx, false, nil); err != nil {
		return nil, err
	}
	q, err := o.runningQuery(ctx)
	if err != nil {
		return nil, err
	}
	if q != nil {
		did, err := o.restoreQuery(ctx, "restore the query that the ledger names", q)
		if err != nil {
			return nil, err
		}
		if did != "" {
			r.did("%s", did)
		}
	}
	var changed bool
	app := o.Stack.Outputs.ApplicationName
	err = o.step("start the application "+app, func() error {
		changed, err = o.Stack.StartApplication(ctx, application.From{})
		return o.explainJob(err)
	})
	switch {
	case err != nil:
		return nil, err
	case changed:
		r.did("Application %s runs, from its latest snapshot.", app)
	default:
		r.did("Application %s was already running.", app)
	}
	name := o.Stack.Outputs.ProducerSchedule
	switch {
	case !o.Stack.Outputs.Produces():
	case q != nil && q.Current.Paused:
		if err := o.forgetPaused(ctx); err != nil {
			return nil, err
		}
		r.did("Schedule %s stays disabled, as it was before the change of the query. `streamproof resume`, run again, enables it.", name)
	case o.Stack.DeployedQuiet():
		r.did("Schedule %s is left as it is: the stack's parameter ScheduleState is DISABLED.", name)
	default:
		err = o.step("enable the schedule "+name, func() error {
			changed, err = o.Stack.EnableSchedule(ctx, true)
			return err
		})
		switch {
		case err != nil:
			return nil, err
		case changed:
			r.did("Schedule %s is enabled.", name)
		default:
			r.did("Schedule %s was already enabled.", name)
		}
	}
	return o.finish(ctx, r)
}

// restoreQuery has the application run the query that the ledger names, if a change of the query was broken off or
// somebody else set another query. The ledger is right, because ticks are produced for the query that it names. It
// returns what it did in a sentence, empty if there was nothing to do. Any of its steps may have been done by an
// earlier call that was killed.
func (o *Operator) restoreQuery(ctx context.Context, step string, q *stack.Query) (did string, err error) {
	if q.Problem() == "" {
		return "", nil
	}
	change := q.Current.Change
	err = o.step(step, func() error {
		// Without a recorded change, the latest snapshot may be the other query's.
		from := application.From{LeaveState: change == nil}
		if change != nil {
			from.Snapshot = change.Snapshot
		}
		if !q.Agrees() {
			// What the other query has read since the recorded snapshot is read again, so its own snapshot is of no use.
			// Its job may be failing and unable to take one.
			if _, err := o.Stack.StopApplication(ctx, change != nil); err != nil {
				return err
			}
			if err := o.Stack.SetQuery(ctx, q.Flink); err != nil {
				return err
			}
		}
		if _, err := o.Stack.StartApplication(ctx, from); err != nil {
			return o.explainJob(err)
		}
		if change == nil {
			return nil
		}
		ended := *q.Current
		ended.Change, ended.Drained = nil, time.Time{}
		_, err := o.Stack.Book().SetCurrent(ctx, &ended, q.Current)
		return err
	})
	app := o.Stack.Outputs.ApplicationName
	switch {
	case err != nil:
		return "", err
	case change == nil:
		return fmt.Sprintf("Application %s was set to another query than the ledger names, and runs pipeline %.12s again. "+
			"What the other query has read is not read again.", app, q.Current.Pipeline), nil
	}
	return fmt.Sprintf("A change of the query to pipeline %.12s was broken off: application %s runs pipeline %.12s again, "+
		"from the snapshot before the change.", change.To, app, q.Current.Pipeline), nil
}

// forgetPaused ends what Current.Paused says. It is the last thing that an operation does, so that one that is killed
// before leaves the schedule to the next.
func (o *Operator) forgetPaused(ctx context.Context) error {
	current, err := o.Stack.Book().Current(ctx)
	if err != nil || !current.Paused {
		return err
	}
	next := *current
	next.Paused = false
	_, err = o.Stack.Book().SetCurrent(ctx, &next, current)
	return err
}
