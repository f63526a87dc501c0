package stack

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/ledger"
)

// Accept writes an acceptance beside the ledger. It replaces none.
func (s *Stack) Accept(ctx context.Context, a *ledger.Acceptance) error {
	data, err := a.Encode()
	if err != nil {
		return err
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
