package cli

import (
	"context"
	"errors"
	"fmt"

	"streamproof/internal/local"
	"streamproof/internal/stack"
)

// runningQuery is Stack.Query, nil for a stack of before, which does not say which query it runs.
func runningQuery(ctx context.Context, s *stack.Stack) (*stack.Query, error) {
	q, err := s.Query(ctx)
	if errors.Is(err, stack.ErrNotUsable) {
		return nil, nil
	}
	return q, err
}

// mend has the application run the query that the ledger names, where a change of the query was broken off or the application
// was told another one by other hands. It says what it did, nothing where all is as it should be. The ledger is right, since ticks
// are made for what it names. Each step may have been done by a mend that was killed.
func mend(ctx context.Context, p *progress, name string, s *stack.Stack, here *local.Stack, q *stack.Query) (did string, err error) {
	if q.Problem() == "" {
		return "", nil
	}
	change := q.Current.Change
	err = doStep(p, name, func() error {
		snapshot, stop := "", s.StopApplication
		if change != nil {
			// What the other query has read since is read again, and its own snapshot is of no use: a failing job may give none.
			snapshot, stop = change.Snapshot, s.ForceStopApplication
		}
		if !q.Agrees() {
			if _, err := stop(ctx); err != nil {
				return err
			}
			if here != nil {
				if err := awaitStopped(ctx, here); err != nil {
					return err
				}
			}
			if err := s.SetQuery(ctx, q.Flink); err != nil {
				return err
			}
		}
		// Without a change on record, the latest snapshot may be the other query's.
		if _, err := s.StartApplicationFrom(ctx, snapshot, change == nil); err != nil {
			return err
		}
		if here != nil {
			if err := awaitRunning(ctx, here); err != nil {
				return err
			}
		}
		if change == nil {
			return nil
		}
		ended := *q.Current
		ended.Change = nil
		_, err := s.Book().SetCurrent(ctx, &ended, q.Current)
		return err
	})
	if err != nil {
		return "", err
	}
	app := s.Outputs.ApplicationName
	if change == nil {
		return fmt.Sprintf("Application %s had been told another query than the ledger names, and runs pipeline %.12s again. What the other one has read is not read again.", app, q.Current.Pipeline), nil
	}
	return fmt.Sprintf("A change of the query to pipeline %.12s had been broken off: application %s runs pipeline %.12s again, from the snapshot of before.", change.To, app, q.Current.Pipeline), nil
}
