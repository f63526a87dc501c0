package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"streamproof/internal/ledger"
	"streamproof/internal/report"
)

// A Status is the state of all parts of a stack.
type Status struct {
	Stack       string         `json:"stack"`
	Region      string         `json:"region"`
	State       string         `json:"state"`
	Outputs     Outputs        `json:"outputs"`
	Schedule    Schedule       `json:"schedule"`
	Application Application    `json:"application"`
	Query       *RunningQuery  `json:"query,omitempty"` // nil if the stack does not say
	Stream      Stream         `json:"stream"`
	Ledger      Ledger         `json:"ledger"`
	Last        *report.Report `json:"lastReport,omitempty"`
}

// A RunningQuery is the query that the ledger names.
type RunningQuery struct {
	Pipeline string    `json:"pipeline"` // its hash
	Since    time.Time `json:"since"`
	By       string    `json:"by"` // ledger.ByDeploy or ledger.BySQLRun
	// Agrees reports whether the application has it. Problem says what to do if it does not, or if that is unknown.
	Agrees  bool   `json:"agrees"`
	Problem string `json:"problem,omitempty"`
}

// A Stream is the state of the source stream.
type Stream struct {
	Status string   `json:"status"`
	Shards []string `json:"shards"` // the open ones
}

// A Ledger sums up the ledger's ticks since yesterday, in UTC.
type Ledger struct {
	Since time.Time    `json:"since"`
	Ticks int          `json:"ticks"`
	Last  *ledger.Tick `json:"last,omitempty"`
}

// Status asks every part of the stack for its state.
func (s *Stack) Status(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	status := &Status{Stack: s.Name, Region: s.Region, State: s.State, Outputs: s.Outputs}
	var err error
	if status.Schedule, err = s.Schedule(ctx); err != nil {
		return nil, err
	}
	if s.Outputs.Audits != "" {
		if status.Stream, err = s.stream(ctx); err == nil {
			status.Last, err = s.LatestReport(ctx)
		}
		return status, err
	}
	if status.Application, err = s.Application(ctx); err != nil {
		return nil, err
	}
	switch q, err := s.Query(ctx); {
	case err == nil:
		status.Query = &RunningQuery{Pipeline: q.Current.Pipeline, Since: q.Current.Since, By: q.Current.By, Agrees: q.Agrees(), Problem: q.Problem()}
	case !errors.Is(err, ErrNotUsable):
		status.Query = &RunningQuery{Problem: fmt.Sprintf("cannot read which query runs: %v", err)}
	}
	if status.Stream, err = s.stream(ctx); err != nil {
		return nil, err
	}
	if status.Ledger, err = s.ledger(ctx); err != nil {
		return nil, err
	}
	if status.Last, err = s.LatestReport(ctx); err != nil {
		return nil, err
	}
	return status, nil
}

func (s *Stack) stream(ctx context.Context) (Stream, error) {
	summary, err := s.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.Outputs.StreamName})
	if err != nil {
		return Stream{}, fmt.Errorf("describe stream %s: %w", s.Outputs.StreamName, err)
	}
	status := Stream{Status: string(summary.StreamDescriptionSummary.StreamStatus)}
	shards, err := s.Reader().Shards(ctx)
	for _, shard := range shards {
		if shard.SequenceNumberRange == nil || shard.SequenceNumberRange.EndingSequenceNumber == nil {
			status.Shards = append(status.Shards, aws.ToString(shard.ShardId))
		}
	}
	return status, err
}

// ledger lists two days only, because a list of everything would grow with the life of the stack.
func (s *Stack) ledger(ctx context.Context) (Ledger, error) {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	l := Ledger{Since: today.AddDate(0, 0, -1)}
	keys, err := s.TickKeys(ctx, l.Since)
	if err != nil || len(keys) == 0 {
		return l, err
	}
	l.Ticks = len(keys)
	l.Last, err = s.Tick(ctx, keys[len(keys)-1])
	return l, err
}
