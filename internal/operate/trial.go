package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/row"
)

// firstRows is how many rows of the new query are shown.
const firstRows = 10

// try sends a tick, and returns when its rows are delivered: all of them, if the verifier judges the query.
func (c *change) try(ctx context.Context) error {
	tick := time.Now().UTC().Truncate(time.Millisecond)
	var claimed time.Time
	err := c.step(fmt.Sprintf("send a tick of %d records", c.Records), func() error {
		if _, _, err := c.Stack.Produce(ctx, tick, c.Records, 0); err != nil {
			return err
		}
		sent, err := c.Stack.Tick(ctx, ledger.TickKey(tick))
		if err == nil {
			claimed = sent.ClaimedAt
		}
		return err
	})
	if err != nil {
		return err
	}
	c.result.Tick = &tick
	st := c.begin("wait for its rows")
	came, err := c.awaitRows(ctx, st, tick, claimed)
	st.End(err)
	if err != nil || !came {
		return err
	}
	if err := c.readRows(ctx, claimed); err != nil { // they are delivered, even if this caller may not read them
		c.result.did("The first rows cannot be shown: %v.", err)
	}
	return nil
}

// awaitRows returns when the rows of a tick are delivered. It reports false if the tick owes none, or if none came by
// the deadline although the job of a local stack runs.
func (c *change) awaitRows(ctx context.Context, st Step, tick, claimed time.Time) (came bool, err error) {
	limit := c.Stack.Outputs.DeliveryDeadline + DeliveryMargin
	deadline := time.Now().Add(limit)
	job, err := c.watchJob()
	if err != nil {
		return false, err
	}
	for {
		if err := job.check(ctx); err != nil {
			return false, err
		}
		over := time.Now().After(deadline)
		r, _, err := c.Stack.Verify(ctx)
		if err != nil {
			return false, err
		}
		at := slices.IndexFunc(r.Ticks, func(t report.Tick) bool { return t.Tick.Equal(tick) })
		if c.result.Judged && r.Verdict != proof.Undecided && at >= 0 {
			t := r.Ticks[at]
			switch {
			case t.State == ledger.Complete && t.InFlight == 0 && t.Missing == 0 && t.Failed == 0:
				if t.Owed == 0 {
					c.result.did("The tick of %s owes no row: this query gives none for its records.", tick.Format(timeFormat))
				} else {
					c.result.did("The tick of %s owes %d rows, and all of them are delivered.", tick.Format(timeFormat), t.Owed)
				}
				return t.Owed > 0, nil
			case over:
				return false, fmt.Errorf("wait for the rows of tick %s: of %d rows owed, %d are not delivered after %s",
					tick.Format(timeFormat), t.Owed, t.Owed-t.Delivered-t.Rejects, limit)
			}
			st.Update(fmt.Sprintf("%d of %d", t.Delivered, t.Owed))
		} else {
			rows, err := c.Stack.FirstRows(ctx, c.result.Output, claimed, 1)
			switch {
			case err != nil && !errors.As(err, new(*row.Error)): // rows of the query before are not waited for
				return false, err
			case len(rows) > 0:
				c.result.did("Rows are delivered; the verifier does not judge them.")
				return true, nil
			case over && c.Local == nil:
				return false, fmt.Errorf("wait for the rows of tick %s: none is delivered after %s: if the query gives its rows later, "+
					"such as at the end of a window, use --records 0, which waits for none", tick.Format(timeFormat), limit)
			case over:
				c.result.did("No row was delivered within %s, and the job runs.", limit)
				return false, nil
			}
		}
		if err := Wait(ctx); err != nil {
			return false, err
		}
	}
}

// readRows reads the first rows that were delivered since a moment.
func (c *change) readRows(ctx context.Context, since time.Time) error {
	rows, err := c.Stack.FirstRows(ctx, c.result.Output, since, firstRows)
	if err != nil {
		return err
	}
	for _, column := range c.result.Output {
		c.result.Columns = append(c.result.Columns, column.Alias)
	}
	for _, fields := range rows {
		values := make([]*string, len(fields))
		for i, f := range fields {
			if !f.Null {
				text := string(f.Text)
				values[i] = &text
			}
		}
		c.result.Rows = append(c.result.Rows, values)
	}
	return nil
}
