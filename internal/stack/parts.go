package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

// pollParts is how often it is asked how far a run is.
const pollParts = 2 * time.Second

// VerifyInParts has the verifier judge the complete life of the stack in so many parts, each counted by as many calls
// of the function as it takes. Counted is told how many of the parts are done. It also returns the report as it was
// written. If ctx ends first, the run goes on without being watched.
func (s *Stack) VerifyInParts(ctx context.Context, parts int, counted func(done int)) (*report.Report, json.RawMessage, error) {
	if s.Outputs.VerifyInParts == "" {
		return nil, nil, fmt.Errorf("%w: stack %s has no state machine that verifies in parts: deploy this version of the template, and with a producer, "+
			"since nothing but a ledger says what each part owes", ErrNotUsable, s.Name)
	}
	input, err := json.Marshal(map[string]int{"parts": parts})
	if err != nil {
		return nil, nil, err
	}
	started, err := s.states.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &s.Outputs.VerifyInParts, Input: aws.String(string(input))})
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", s.Outputs.VerifyInParts, err)
	}
	ended, err := s.ended(ctx, *started.ExecutionArn, counted)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", *started.ExecutionArn, err)
	}
	var outcome verifier.Outcome
	if err := json.Unmarshal([]byte(aws.ToString(ended.Output)), &outcome); err != nil {
		return nil, nil, fmt.Errorf("read the answer of %s: %w", *started.ExecutionArn, err)
	}
	raw, err := s.read(ctx, outcome.Report)
	if err != nil {
		return nil, nil, err
	}
	var r report.Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, outcome.Report, err)
	}
	return &r, raw, nil
}

// ended waits for the end of a run.
func (s *Stack) ended(ctx context.Context, run string, counted func(done int)) (*sfn.DescribeExecutionOutput, error) {
	for {
		now, err := s.states.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &run})
		switch {
		case err != nil:
			return nil, err
		case now.Status == types.ExecutionStatusSucceeded:
			return now, nil
		case now.Status != types.ExecutionStatusRunning && now.Status != types.ExecutionStatusPendingRedrive:
			return nil, fmt.Errorf("it is %s: %s", now.Status, s.whyFailed(ctx, run, now))
		}
		if m, err := s.mapRun(ctx, run); err == nil && m != nil {
			counted(int(m.ItemCounts.Succeeded))
		}
		select {
		case <-time.After(pollParts):
		case <-ctx.Done():
			return nil, fmt.Errorf("not watched any more, and goes on: %w", ctx.Err())
		}
	}
}

// mapRun is the part of a run in which the parts are counted, nil before it has begun.
func (s *Stack) mapRun(ctx context.Context, run string) (*sfn.DescribeMapRunOutput, error) {
	listed, err := s.states.ListMapRuns(ctx, &sfn.ListMapRunsInput{ExecutionArn: &run})
	if err != nil || len(listed.MapRuns) == 0 {
		return nil, err
	}
	return s.states.DescribeMapRun(ctx, &sfn.DescribeMapRunInput{MapRunArn: listed.MapRuns[0].MapRunArn})
}

// whyFailed is what the function said when a run failed: in the run itself, or in the first of its parts.
func (s *Stack) whyFailed(ctx context.Context, run string, ended *sfn.DescribeExecutionOutput) string {
	if m, err := s.mapRun(ctx, run); err == nil && m != nil && m.ItemCounts.Failed > 0 {
		failed, err := s.states.ListExecutions(ctx, &sfn.ListExecutionsInput{MapRunArn: m.MapRunArn, StatusFilter: types.ExecutionStatusFailed})
		if err == nil && len(failed.Executions) > 0 {
			part, err := s.states.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: failed.Executions[0].ExecutionArn})
			if err == nil {
				ended = part
			}
		}
	}
	var failure struct {
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal([]byte(aws.ToString(ended.Cause)), &failure); err == nil && failure.Message != "" {
		return failure.Message
	}
	return aws.ToString(ended.Error) + " " + aws.ToString(ended.Cause)
}
