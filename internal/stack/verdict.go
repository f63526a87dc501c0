package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2/types"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"streamproof/internal/bucket"
	"streamproof/internal/explain"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

// Verify has the verifier judge the stack, resuming from its last verification. It also returns the report as it came.
func (s *Stack) Verify(ctx context.Context) (*report.Report, json.RawMessage, error) {
	return s.verify(ctx, map[string]any{})
}

// VerifyFull has the verifier judge the complete life of the stack again.
func (s *Stack) VerifyFull(ctx context.Context) (*report.Report, json.RawMessage, error) {
	return s.verify(ctx, map[string]any{"full": true})
}

func (s *Stack) verify(ctx context.Context, event map[string]any) (*report.Report, json.RawMessage, error) {
	var r report.Report
	raw, err := s.invoke(ctx, s.Outputs.VerifierFunction, event, &r)
	return &r, raw, err
}

// Findings has the verifier judge, and returns its report with all findings that are not accepted.
func (s *Stack) Findings(ctx context.Context) (*report.Report, []proof.Group, error) {
	r, _, err := s.verify(ctx, map[string]any{"findings": true})
	if err != nil || r.Findings == "" {
		return r, nil, err
	}
	data, err := s.read(ctx, r.Findings)
	if err != nil {
		return nil, nil, err
	}
	found, err := ledger.DecodeFindings(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, r.Findings, err)
	}
	return r, found, nil
}

// LatestReport reads the report of the last verification, nil if there was none.
func (s *Stack) LatestReport(ctx context.Context) (*report.Report, error) {
	data, err := s.read(ctx, verifier.LatestReport)
	if errors.As(err, new(*s3types.NoSuchKey)) {
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

// Explain finds out where the missing and failed rows of a report were last, reading the stream and the bucket with
// the caller's own credentials. Failing says why the application's job keeps failing, empty if it does not; unseen
// reports that this is unknown.
func (s *Stack) Explain(ctx context.Context, r *report.Report, failing string, unseen bool) (*explain.Explanation, error) {
	app, err := s.Application(ctx)
	if err != nil {
		return nil, err
	}
	idle := app.Status
	if idle == string(types.ApplicationStatusRunning) {
		idle = ""
	}
	return explain.Explain(ctx, bucket.NewS3(s.S3, s.Outputs.BucketName), s.Reader(), r, explain.Options{
		DataPrefix:   s.Outputs.DataPrefix,
		ErrorsPrefix: s.Outputs.ErrorsPrefix,
		FailedPrefix: s.Outputs.FailedPrefix,
		Idle:         idle,
		Failing:      failing,
		Unasked:      unseen,
		Now:          time.Now(),
	})
}
