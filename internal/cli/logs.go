package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"streamproof/internal/local"
	"streamproof/internal/logs"
	"streamproof/internal/terminal"
)

const (
	// logsPermissions are what logs needs on AWS.
	logsPermissions = "cloudformation:DescribeStacks and cloudformation:ListStackResources on the stack, and logs:FilterLogEvents on its log groups"

	// How often new lines are looked for. CloudWatch Logs has them some seconds after they were written, and an account's
	// calls of FilterLogEvents are limited to a few a second.
	logsInterval      = 5 * time.Second
	localLogsInterval = time.Second
)

type logsCmd struct {
	Parts  []string `arg:"" name:"part" optional:"" enum:"${logParts}" help:"Parts of the stack (default: all): ${enum}."`
	Follow bool     `help:"Wait for new lines, until Ctrl-C." short:"f"`
	Since  moment   `help:"Show lines from this time on, or from so long ago on (default: 10m)." default:"10m" placeholder:"TIME"`
	target `embed:""`
}

func (c *logsCmd) Run(ctx context.Context, e *env) error {
	since := c.Since.at(time.Now())
	var files []logs.Source
	interval := logsInterval
	if c.Stack == "" {
		dir, err := e.stateDir(c.StateDir)
		if err != nil {
			return err
		}
		files, interval = c.chosen(local.Logs(dir, since)), localLogsInterval
	}
	groups, down := c.groups(ctx, e, since)
	if down != nil && (c.Stack != "" || !errors.As(down, new(*local.SetupError))) {
		return needs(down, logsPermissions)
	}
	if err := c.missing(groups, files); err != nil && down == nil {
		return err
	}
	trouble := ""
	for first := true; ; first = false {
		looked := time.Now()
		lines, err := logs.Next(ctx, slices.Concat(groups, files))
		if err := c.print(e, lines); err != nil {
			return err
		}
		switch {
		case c.Follow && ctx.Err() != nil:
			return nil //nolint:nilerr // Ctrl-C is how following ends
		case err != nil && (first || !c.Follow):
			return needs(err, logsPermissions)
		case first && down != nil && len(lines) == 0:
			return down
		case first && down != nil:
			_ = e.stderr.Printf("%s\nThese are the logs that it has left.\n", terminal.Error(down))
		case err == nil:
			trouble = ""
		case err.Error() != trouble: // once, while it lasts
			trouble = err.Error()
			_ = e.stderr.Printf("streamproof: %s; trying again\n", terminal.Error(err))
		}
		if !c.Follow {
			if len(lines) == 0 {
				_ = e.stderr.Printf("Nothing was logged since %s.\n", since.UTC().Format(timeFormat))
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(interval):
		}
		if c.Stack == "" && (groups == nil || err != nil) { // it may come back at another port
			groups, _ = c.groups(ctx, e, looked)
		}
	}
}

// groups are the log groups of the parts that are asked for, other than the local stack's application: its files have
// more.
func (c *logsCmd) groups(ctx context.Context, e *env, since time.Time) ([]logs.Source, error) {
	s, here, err := c.open(ctx, e)
	if err != nil {
		return nil, err
	}
	groups, err := s.Logs(ctx, since)
	if here != nil {
		groups = slices.DeleteFunc(groups, func(s logs.Source) bool { return s.Part() == "flink" })
	}
	return c.chosen(groups), err
}

func (c *logsCmd) chosen(sources []logs.Source) []logs.Source {
	return slices.DeleteFunc(sources, func(s logs.Source) bool { return len(c.Parts) > 0 && !slices.Contains(c.Parts, s.Part()) })
}

// unlogged says why a part may have no log, and what to do.
var unlogged = map[string]string{
	"producer": "somebody else writes to its stream",
	"flink":    "deploy it with AnalyticsLogLevel=WARN",
	"delivery": "deploy it with DeliveryLogState=ENABLED",
}

// missing is the error of a part that is asked for and has no log.
func (c *logsCmd) missing(sources ...[]logs.Source) error {
	for _, part := range c.Parts {
		if slices.ContainsFunc(slices.Concat(sources...), func(s logs.Source) bool { return s.Part() == part }) {
			continue
		}
		why := unlogged[part]
		if why == "" {
			why = "it has no such part"
		}
		return &usageError{fmt.Errorf("the stack has no log of its %s: %s", part, why)}
	}
	return nil
}

// print prints lines: for a person, with their time, part and text, or a JSON object each.
func (c *logsCmd) print(e *env, lines []logs.Line) error {
	encoder := json.NewEncoder(e.programs)
	for _, line := range lines {
		var err error
		if c.JSON {
			err = encoder.Encode(line)
		} else {
			err = e.stdout.Println(lineText(line))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lineText is a line for a terminal. Its tabs, which begin the lines of a stack trace, are blanks.
func lineText(l logs.Line) terminal.Text {
	return terminal.Format("%s %-9s %s", l.Time.UTC().Format(timeFormat), l.Part, strings.ReplaceAll(l.Message, "\t", "    "))
}
