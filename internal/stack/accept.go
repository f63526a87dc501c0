package stack

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// Findings has the verifier judge, and gives with its report all findings that nobody has accepted.
func (s *Stack) Findings(ctx context.Context) (*report.Report, []proof.Group, error) {
	var r report.Report
	if _, err := s.invoke(ctx, s.Outputs.VerifierFunction, map[string]any{"findings": true}, &r); err != nil || r.Findings == "" {
		return &r, nil, err
	}
	data, err := s.read(ctx, r.Findings)
	if err != nil {
		return nil, nil, err
	}
	found, err := ledger.DecodeFindings(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", r.Findings, err)
	}
	return &r, found, nil
}

// Accept writes an acceptance beside the ledger, after the object with its findings where it has one. It replaces none.
func (s *Stack) Accept(ctx context.Context, a *ledger.Acceptance, findings []byte) error {
	data, err := a.Encode()
	if err != nil {
		return err
	}
	if a.FindingsKey != "" {
		_, err = s.S3.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &s.Outputs.BucketName, Key: &a.FindingsKey, Body: bytes.NewReader(findings), ContentType: aws.String("application/gzip"),
		})
		if err != nil {
			return fmt.Errorf("write %s: %w", a.FindingsKey, err)
		}
	}
	_, err = s.S3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Outputs.BucketName, Key: aws.String(a.Key()), Body: bytes.NewReader(data), IfNoneMatch: aws.String("*"),
		ContentType: aws.String("application/json"),
	})
	if err != nil {
		return fmt.Errorf("write %s: %w", a.Key(), err)
	}
	return nil
}
