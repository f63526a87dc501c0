package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"streamproof/internal/console"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/flink"
	"streamproof/internal/operate"
	"streamproof/internal/producer"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
)

const (
	ticksByHand = 2
	// longestInterval is the longest interval of a schedule whose tick is waited for.
	longestInterval = 5 * time.Minute
	// scheduleMargin is for the emulator, which checks schedules every 10 seconds, and for sending the tick.
	scheduleMargin = 2 * time.Minute
)

type demoCmd struct {
	Records  int `help:"Records in each tick that is produced by hand." default:"1000"`
	Poison   int `help:"Records in each of these ticks that are malformed on purpose." placeholder:"N"`
	settings `embed:""`
	Keep     bool `help:"Keep the state directory, with all logs, even if the verdict is PROVEN."`
}

// Validate is called by kong.
func (c *demoCmd) Validate() error { return producer.CheckRecords(c.Records, c.Poison) }

func (c *demoCmd) Run(ctx context.Context, e *env) error {
	root, err := e.root()
	if err != nil {
		return err
	}
	parent := filepath.Join(root, local.StateDirName)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "demo-")
	if err != nil {
		return err
	}
	p := newProgress(e)
	r, err := c.run(ctx, e, p, root, dir)
	p.stop()
	var setup *local.SetupError
	if errors.As(err, &setup) || err == nil && r.Verdict == proof.Proven && !c.Keep {
		err = errors.Join(err, os.RemoveAll(dir))
	} else {
		_ = e.stderr.Printf("All logs are in %s.\n", dir)
	}
	if err != nil {
		return err
	}
	if err := e.stdout.Println(reportText(r)); err != nil {
		return err
	}
	// Beside the demo's directory, which is removed after a PROVEN.
	if err := writePage(e, filepath.Join(parent, "report-of-demo.html"), r); err != nil {
		return err
	}
	return verdictOf(r)
}

// run starts a stack, has it deliver, and stops it in any case.
func (c *demoCmd) run(ctx context.Context, e *env, p *progress, root, dir string) (r *report.Report, err error) {
	began := time.Now() // the schedule sends its first tick when it is deployed
	s, err := local.Start(ctx, local.Options{Root: root, StateDir: dir, Port: local.AnyPort, Parameters: c.Set, Step: p.step})
	if err != nil {
		return nil, err
	}
	defer func() {
		end := p.begin("stop everything")
		stopped := s.Stop(context.WithoutCancel(ctx))
		end.End(stopped)
		err = errors.Join(err, stopped)
	}()
	shown, err := showConsole(e, p, s)
	if err != nil {
		return nil, err
	}
	defer shown.Close() //nolint:errcheck // the stack ends with it
	ticks, err := c.produce(ctx, p, s.Stack, began)
	if err != nil {
		return nil, err
	}
	return awaitDelivery(ctx, p, s.Stack, ticks)
}

// showConsole serves the stack's console, and notes where.
func showConsole(e *env, p *progress, s *local.Stack) (*console.Server, error) {
	st := p.begin("serve the console while the demo runs")
	server, err := console.ServeStack(console.Stack{
		Name: s.Name, Region: s.Region, Local: true,
		Open: func(context.Context) (*stack.Stack, *local.Stack, error) { return s.Stack, s, nil },
		Plan: func(ctx context.Context, schema []byte, sql string) ([]flink.Fault, error) {
			return plan(ctx, e, schema, sql)
		},
	}, console.Options{})
	if err == nil {
		st.Note("Console: " + server.URL)
	}
	st.End(err)
	return server, err
}

// produce produces ticks by hand, and waits for one since then by the schedule if one comes soon. It returns how many
// there are.
func (c *demoCmd) produce(ctx context.Context, p *progress, s *stack.Stack, since time.Time) (ticks int, err error) {
	var byHand []string
	for i := range ticksByHand {
		st := p.begin(fmt.Sprintf("produce %d records by hand, tick %d of %d", c.Records, i+1, ticksByHand))
		answer, _, err := s.Produce(ctx, time.Now().Truncate(time.Millisecond), c.Records, c.Poison)
		st.End(err)
		if err != nil {
			return 0, err
		}
		byHand = append(byHand, ledger.TickKey(answer.Tick))
	}
	schedule, err := s.Schedule(ctx)
	if err != nil {
		return 0, err
	}
	timeout := scheduleTimeout(schedule)
	if timeout == 0 {
		p.begin(fmt.Sprintf("skip the schedule, which is %s and %s", schedule.Expression, schedule.State)).End(nil)
		return ticksByHand, nil
	}
	st := p.begin("wait for a tick by the schedule, " + schedule.Expression)
	err = awaitSchedule(ctx, s, since, byHand, timeout)
	st.End(err)
	return ticksByHand + 1, err
}

// scheduleTimeout is how long to wait for a tick by the schedule, 0 if none comes soon.
func scheduleTimeout(s stack.Schedule) time.Duration {
	interval, ok := s.Interval()
	if !ok || !s.Enabled() || interval > longestInterval {
		return 0
	}
	return interval + scheduleMargin
}

// awaitSchedule returns when a tick that was not produced by hand is complete.
func awaitSchedule(ctx context.Context, s *stack.Stack, since time.Time, byHand []string, timeout time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		keys, err := s.TickKeys(waiting, since)
		if err != nil && waiting.Err() == nil {
			return err
		}
		for _, key := range keys {
			if slices.Contains(byHand, key) {
				continue
			}
			tick, err := s.Tick(waiting, key)
			if err != nil && waiting.Err() == nil {
				return err
			}
			if err == nil && tick.State == ledger.Complete {
				return nil
			}
		}
		if err := operate.Wait(waiting); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the schedule produced no complete tick within %s: see the emulator's log", timeout)
		}
	}
}

// awaitDelivery has the verifier judge until nothing that so many ticks owe is in flight, something is wrong, or the
// deadline is over.
func awaitDelivery(ctx context.Context, p *progress, s *stack.Stack, ticks int) (r *report.Report, err error) {
	st := p.begin("wait until every owed row is delivered")
	defer func() { st.End(err) }()
	deadline := time.Now().Add(s.Outputs.DeliveryDeadline + operate.DeliveryMargin)
	for {
		if r, _, err = s.Verify(ctx); err != nil {
			return nil, err
		}
		if settled(r, ticks) || time.Now().After(deadline) {
			return r, nil
		}
		st.Update(fmt.Sprintf("%d of %d", r.Counts.Delivered+r.Counts.Rejects, r.Counts.Owed))
		if err := operate.Wait(ctx); err != nil {
			return nil, err
		}
	}
}

// settled reports whether the verdict is final. NOT PROVEN stays; UNDECIDED may still change.
func settled(r *report.Report, ticks int) bool {
	return r.Verdict == proof.NotProven ||
		r.Verdict == proof.Proven && r.Counts.InFlight == 0 && r.Covers.Ticks >= ticks
}
