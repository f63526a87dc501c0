package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/report"
	"streamproof/internal/stream"
	"streamproof/internal/verifier"
)

// Status is how the parts of a stack are.
type Status struct {
	Stack       string         `json:"stack"`
	Region      string         `json:"region"`
	State       string         `json:"state"`
	Outputs     Outputs        `json:"outputs"`
	Schedule    Schedule       `json:"schedule"`
	Application Application    `json:"application"`
	Query       *RunningQuery  `json:"query,omitempty"` // nil where the stack does not say
	Stream      Stream         `json:"stream"`
	Ledger      Ledger         `json:"ledger"`
	Last        *report.Report `json:"lastReport,omitempty"`
}

// Application is the analytics application.
type Application struct {
	Status  string `json:"status"`
	Version int64  `json:"version"`
}

// RunningQuery is the query that the ledger names.
type RunningQuery struct {
	Pipeline string    `json:"pipeline"` // its hash
	Since    time.Time `json:"since"`
	By       string    `json:"by"` // ledger.ByDeploy or ledger.BySQLRun
	// Agrees is whether the application has it, and Problem what is to be done where it has not, or nobody knows.
	Agrees  bool   `json:"agrees"`
	Problem string `json:"problem,omitempty"`
}

// Stream is the source stream.
type Stream struct {
	Status string   `json:"status"`
	Shards []string `json:"shards"` // the open ones
}

// Ledger is what the ledger holds of the ticks since yesterday, in UTC.
type Ledger struct {
	Since time.Time    `json:"since"`
	Ticks int          `json:"ticks"`
	Last  *ledger.Tick `json:"last,omitempty"`
}

// Status asks every part of the stack how it is.
func (s *Stack) Status(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	status := &Status{Stack: s.Name, Region: s.Region, State: s.State, Outputs: s.Outputs}
	var err error
	if status.Schedule, err = s.Schedule(ctx); err != nil {
		return nil, err
	}
	if status.Application, err = s.Application(ctx); err != nil {
		return nil, err
	}
	switch q, err := s.Query(ctx); {
	case err == nil:
		status.Query = &RunningQuery{Pipeline: q.Current.Pipeline, Since: q.Current.Since, By: q.Current.By, Agrees: q.Agrees(), Problem: q.Problem()}
	case !errors.Is(err, ErrNotUsable):
		status.Query = &RunningQuery{Problem: fmt.Sprintf("which query runs cannot be told: %v", err)}
	}
	if status.Stream, err = s.stream(ctx); err != nil {
		return nil, err
	}
	if status.Ledger, err = s.ledger(ctx); err != nil {
		return nil, err
	}
	if status.Last, err = s.lastReport(ctx); err != nil {
		return nil, err
	}
	return status, nil
}

// Application describes the analytics application.
func (s *Stack) Application(ctx context.Context) (Application, error) {
	app, err := s.describe(ctx)
	if err != nil {
		return Application{}, err
	}
	return Application{Status: string(app.ApplicationStatus), Version: aws.ToInt64(app.ApplicationVersionId)}, nil
}

func (s *Stack) stream(ctx context.Context) (Stream, error) {
	summary, err := s.kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &s.Outputs.StreamName})
	if err != nil {
		return Stream{}, fmt.Errorf("describe stream %s: %w", s.Outputs.StreamName, err)
	}
	status := Stream{Status: string(summary.StreamDescriptionSummary.StreamStatus)}
	shards, err := stream.NewReader(s.kinesis, s.Outputs.StreamName).Shards(ctx)
	for _, shard := range shards {
		if shard.SequenceNumberRange == nil || shard.SequenceNumberRange.EndingSequenceNumber == nil {
			status.Shards = append(status.Shards, aws.ToString(shard.ShardId))
		}
	}
	return status, err
}

// ledger lists two days only: a list of everything would grow with the life of the stack.
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

// TickKeys lists the ledger's ticks from the day of since on, in order: those of the time to come, too, which an older version has
// made and verifications count.
func (s *Stack) TickKeys(ctx context.Context, since time.Time) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var keys []string
	objects, _, err := bucket.NewS3(s.S3, s.Outputs.BucketName).ListAfter(ctx, ledger.TicksPrefix, ledger.TicksPrefix+since.UTC().Format("2006/01/02"))
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if ledger.IsTickKey(object.Key) {
			keys = append(keys, object.Key)
		}
	}
	return keys, nil
}

// Tick reads one tick of the ledger.
func (s *Stack) Tick(ctx context.Context, key string) (*ledger.Tick, error) {
	data, err := s.read(ctx, key)
	if err != nil {
		return nil, err
	}
	tick, err := ledger.DecodeTick(data)
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, key, err)
	}
	return tick, nil
}

func (s *Stack) lastReport(ctx context.Context) (*report.Report, error) {
	data, err := s.read(ctx, verifier.LatestReport)
	var notFound *s3types.NoSuchKey
	if errors.As(err, &notFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r report.Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, verifier.LatestReport, err)
	}
	return &r, nil
}

func (s *Stack) read(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := s.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Outputs.BucketName, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, key, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, key, err)
	}
	return data, nil
}
