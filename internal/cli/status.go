package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"streamproof/internal/flow"
	"streamproof/internal/ledger"
	"streamproof/internal/local/runner"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/internal/terminal"
)

// How often status --watch looks. On AWS, ticks and verdicts come once a minute at most, and metrics every minute.
const (
	watchInterval      = 10 * time.Second
	localWatchInterval = 2 * time.Second
)

// statusWidth is how wide the status' texts are at most: an error of the job may be long.
const statusWidth = 120

type statusCmd struct {
	Watch  bool `help:"Show it again whenever it changes, until Ctrl-C." short:"w"`
	target `embed:""`
}

type status struct {
	*stack.Status
	Local *localStatus `json:"local,omitempty"`
	// Flow is the picture that the console draws. It is for scripts only.
	Flow *flow.Flow `json:"flow,omitempty"`
}

type localStatus struct {
	Endpoint  string        `json:"endpoint"`
	StateDir  string        `json:"stateDir"`
	Following bool          `json:"following"`
	Job       runner.Status `json:"job"`
}

func (c *statusCmd) Run(ctx context.Context, e *env) error {
	if c.Watch {
		return c.watch(ctx, e)
	}
	out, err := c.look(ctx, e)
	if err != nil {
		return err
	}
	return e.show(c.JSON, out, statusText(out))
}

func (c *statusCmd) look(ctx context.Context, e *env) (*status, error) {
	s, here, err := c.open(ctx, e)
	if err != nil {
		return nil, err
	}
	var out status
	if c.JSON && !c.Watch {
		seen, err := flow.NewWatcher(s, here).Look(ctx)
		if err != nil {
			return nil, err
		}
		out.Status, out.Flow = seen.Status, seen.Flow
	} else if out.Status, err = s.Status(ctx); err != nil {
		return nil, err
	}
	if here != nil {
		out.Local = &localStatus{Endpoint: here.Endpoint(), StateDir: here.StateDir()}
		if out.Local.Job, out.Local.Following, err = here.Job(); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// watch shows the status until the context ends, also while the stack is away.
func (c *statusCmd) watch(ctx context.Context, e *env) error {
	interval := watchInterval
	if c.Stack == "" {
		interval = localWatchInterval
	}
	w := &watcher{e: e, json: c.JSON, interval: interval}
	if e.screen != nil && !c.JSON {
		w.screen = terminal.NewScreen(e.screen)
	}
	for first := true; ; first = false {
		out, err := c.look(ctx, e)
		switch {
		case ctx.Err() != nil:
			return w.end()
		case first && err != nil:
			return err
		}
		if err := w.show(out, err); err != nil {
			return errors.Join(err, w.end())
		}
		select {
		case <-ctx.Done():
			return w.end()
		case <-time.After(interval):
		}
	}
}

// A watcher shows a status that changes: redrawn on a screen, or else appended whenever it is another one.
type watcher struct {
	e        *env
	json     bool
	interval time.Duration
	screen   *terminal.Screen // nil to append
	text     terminal.Text
	last     string
}

// show shows a status, or why there is none.
func (w *watcher) show(s *status, failure error) error {
	at := time.Now().UTC().Format(timeFormat)
	var data []byte
	switch {
	case failure != nil:
		w.text = terminal.Error(failure)
	case w.json:
		var err error
		if data, err = json.Marshal(s); err != nil {
			return err
		}
	default:
		w.text = statusText(s)
	}
	if w.screen != nil {
		return w.screen.Show(terminal.Format("%s\n%s, every %s; Ctrl-C ends", w.text, at, w.interval))
	}
	shown := w.text.String() + string(data)
	if shown == w.last {
		return nil
	}
	w.last = shown
	switch {
	case !w.json:
		return w.e.stdout.Printf("%s\n%s\n", at, w.text)
	case failure != nil:
		return w.e.stderr.Printf("%s\n", w.text)
	}
	_, err := fmt.Fprintf(w.e.programs, "%s\n", data)
	return err
}

// end leaves what was on the screen last.
func (w *watcher) end() error {
	if w.screen == nil {
		return nil
	}
	return errors.Join(w.screen.Close(), w.e.stdout.Println(w.text))
}

func statusText(s *status) terminal.Text {
	w := terminal.NewTable()
	w.Wrap(2, statusWidth)
	row := func(name, format string, args ...any) { w.Row(name, terminal.Format(format, args...)) }
	row("stack", "%s in %s, %s", s.Stack, s.Region, s.State)
	if l := s.Local; l != nil {
		row("emulator", "%s, files in %s", l.Endpoint, l.StateDir)
	}
	if s.Outputs.Audits != "" {
		row("audits", "%s by stream %s, %s: %s", s.Outputs.Audits, s.Outputs.StreamName, s.Stream.Status, strings.Join(s.Stream.Shards, ", "))
		row("state and reports", "s3://%s", s.Outputs.BucketName)
		lastVerdict(row, s.Last)
		return w.Text()
	}
	if s.Outputs.Produces() {
		row("schedule", "%s, %s: %s", s.Schedule.Name, s.Schedule.Expression, s.Schedule.State)
	} else {
		row("records", "of somebody else's stream, owed from %s on", s.Outputs.StartPosition)
	}
	if !s.Schedule.Enabled() && s.Application.Status == "READY" {
		row("", "paused: `streamproof resume` starts the application and the schedule")
	}
	row("application", "%s, version %d: %s", s.Outputs.ApplicationName, s.Application.Version, s.Application.Status)
	if q := s.Query; q != nil {
		if how := "deployed"; q.Pipeline != "" {
			if q.By == ledger.BySQLRun {
				how = "set by hand"
			}
			row("query", "pipeline %.12s, %s, since %s", q.Pipeline, how, q.Since.UTC().Format(timeFormat))
		}
		if q.Problem != "" {
			row("", "problem: %s", q.Problem)
		}
	}
	if l := s.Local; l != nil {
		job := string(l.Job.State)
		if !l.Following {
			job = "the follower is not running: run `streamproof up`"
		} else if l.Job.PID != 0 {
			job += fmt.Sprintf(", version %d, process %d, %s", l.Job.Version, l.Job.PID, l.Job.Address)
		}
		row("Flink job", "%s", job)
		row("", "%d starts, %d failures", l.Job.Starts, l.Job.Failures)
		if l.Job.RestoredFrom != "" {
			row("", "from %s", l.Job.RestoredFrom)
		}
		if l.Job.LastErrorAt != nil {
			row("", "last error at %s: %s", l.Job.LastErrorAt.Format(timeFormat), l.Job.LastError)
		}
	}
	row("stream", "%s, %s: %s", s.Outputs.StreamName, s.Stream.Status, strings.Join(s.Stream.Shards, ", "))
	row("delivery stream", "%s to s3://%s/%s", s.Outputs.DeliveryStreamName, s.Outputs.BucketName, s.Outputs.DataPrefix)
	if s.Outputs.Produces() {
		row("ledger", "%d ticks since %s", s.Ledger.Ticks, s.Ledger.Since.Format("2006-01-02"))
	}
	if t := s.Ledger.Last; t != nil {
		row("", "last %s, %s, %d records", t.Time.UTC().Format(timeFormat), t.State, t.Records)
	}
	lastVerdict(row, s.Last)
	return w.Text()
}

func lastVerdict(row func(name, format string, args ...any), r *report.Report) {
	if r == nil {
		row("last verdict", "none yet: run `streamproof verify`")
		return
	}
	row("last verdict", "at %s", r.JudgedAt.UTC().Format(timeFormat))
	row("", "%s", r.LastLine())
}
