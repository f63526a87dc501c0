package cli

import (
	"context"
	"fmt"
	"strings"

	"streamproof/internal/ledger"
	"streamproof/internal/local/runner"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/internal/terminal"
)

type statusCmd struct {
	target `embed:""`
}

type status struct {
	*stack.Status
	Local *localStatus `json:"local,omitempty"`
}

type localStatus struct {
	Endpoint  string        `json:"endpoint"`
	StateDir  string        `json:"stateDir"`
	Following bool          `json:"following"`
	Job       runner.Status `json:"job"`
}

func (c *statusCmd) Run(ctx context.Context, e *env) error {
	s, here, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	var out status
	if out.Status, err = s.Status(ctx); err != nil {
		return err
	}
	if here != nil {
		out.Local = &localStatus{Endpoint: here.Endpoint(), StateDir: here.StateDir()}
		if out.Local.Job, out.Local.Following, err = here.Job(); err != nil {
			return err
		}
	}
	return e.show(c.JSON, out, statusText(&out))
}

func statusText(s *status) terminal.Text {
	w := terminal.NewTable()
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
