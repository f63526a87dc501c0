package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"streamproof/internal/operate"
	"streamproof/internal/terminal"
)

// pausePermissions are what pause and resume need on AWS, in addition to those of verify.
const pausePermissions = "scheduler:GetSchedule and scheduler:UpdateSchedule on the producer's schedule, iam:PassRole on its role, " +
	"kinesisanalytics:DescribeApplication, DescribeApplicationOperation, ListApplicationOperations, ListApplicationSnapshots, StartApplication and " +
	"StopApplication on the application, cloudwatch:GetMetricData, and s3:GetObject on ledger/pipeline.json and ledger/pipelines/* of the stack's bucket; " +
	"resume, after a change of the query that was broken off, kinesisanalytics:UpdateApplication and s3:PutObject on ledger/pipeline.json"

type pauseCmd struct {
	Force  bool `help:"Stop the application even if rows are missing, or still in flight at the deadline."`
	target `embed:""`
}

type resumeCmd struct {
	target `embed:""`
}

func (c *pauseCmd) Run(ctx context.Context, e *env) error {
	return c.switchTo(ctx, e, func(o *operate.Operator) (*operate.Result, error) { return o.Pause(ctx, c.Force) },
		"Stack %s is paused. Next: change the pipeline and deploy it, then streamproof resume.")
}

func (c *resumeCmd) Run(ctx context.Context, e *env) error {
	return c.switchTo(ctx, e, func(o *operate.Operator) (*operate.Result, error) { return o.Resume(ctx) },
		"Stack %s is running. Next: streamproof verify.")
}

// operate opens the stack and shows the steps of an operation on it, which needs permissions on AWS.
func (t *target) operate(ctx context.Context, e *env, permissions string, do func(*operate.Operator) error) error {
	s, here, err := t.open(ctx, e)
	if err != nil {
		return err
	}
	p := newProgress(e)
	defer p.stop()
	return needs(do(&operate.Operator{Stack: s, Local: here, Step: func(name string) operate.Step { return p.begin(name) }}), permissions)
}

// switchTo pauses or resumes the stack, and prints what was done and what comes next.
func (t *target) switchTo(ctx context.Context, e *env, do func(*operate.Operator) (*operate.Result, error), next string) error {
	var r *operate.Result
	err := t.operate(ctx, e, pausePermissions, func(o *operate.Operator) (err error) {
		r, err = do(o)
		return err
	})
	if err != nil {
		return err
	}
	return e.show(t.JSON, r, sentences(append(slices.Clone(r.Did), fmt.Sprintf(next, r.Stack))...))
}

func sentences(all ...string) terminal.Text {
	var lines []terminal.Text
	for _, one := range all {
		lines = append(lines, terminal.Format("%s", one))
	}
	return terminal.Join(lines, "\n")
}

// needs names the permissions of a command in an error of AWS that denies access.
func needs(err error, permissions string) error {
	var api smithy.APIError
	if errors.As(err, &api) && strings.Contains(api.ErrorCode(), "AccessDenied") {
		return fmt.Errorf("%w: this command acts with your own credentials, which need %s", err, permissions)
	}
	return err
}
