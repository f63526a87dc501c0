package stack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
)

// longestLease is more than an attempt at a tick takes: no function runs longer on Lambda.
const longestLease = 16 * time.Minute

// Book is the stack's ledger, written with the caller's own credentials.
func (s *Stack) Book() *ledger.Store { return ledger.NewStore(s.S3, s.Outputs.BucketName) }

// ticks lists the objects of the ledger's ticks from the day of since on, in order. Some may lie in the future: older
// versions accepted such ticks, and verifications count them. It also returns the bucket's time.
func (s *Stack) ticks(ctx context.Context, since time.Time) (ticks []bucket.Object, now time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	objects, now, err := bucket.NewS3(s.S3, s.Outputs.BucketName).ListAfter(ctx, ledger.TicksPrefix, ledger.TicksPrefix+since.UTC().Format("2006/01/02"))
	for _, object := range objects {
		if ledger.IsTickKey(object.Key) {
			ticks = append(ticks, object)
		}
	}
	return ticks, now, err
}

// TickKeys lists the ledger's ticks from the day of since on, in order.
func (s *Stack) TickKeys(ctx context.Context, since time.Time) (keys []string, err error) {
	ticks, _, err := s.ticks(ctx, since)
	for _, tick := range ticks {
		keys = append(keys, tick.Key)
	}
	return keys, err
}

// OpenTicks counts the ticks since yesterday, in UTC, that a producer may still be sending.
func (s *Stack) OpenTicks(ctx context.Context) (open int, err error) {
	ticks, now, err := s.ticks(ctx, time.Now().UTC().AddDate(0, 0, -1))
	if err != nil {
		return 0, err
	}
	for _, object := range ticks {
		if now.Sub(object.LastModified) > longestLease {
			continue
		}
		tick, err := s.Tick(ctx, object.Key)
		if err != nil {
			return 0, err
		}
		if tick.State != ledger.Complete && !tick.Crashed(now) {
			open++
		}
	}
	return open, nil
}

// HasTicks reports whether the ledger has any tick at all.
func (s *Stack) HasTicks(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	input := &s3.ListObjectsV2Input{Bucket: &s.Outputs.BucketName, Prefix: aws.String(ledger.TicksPrefix)}
	for page, err := range bucket.Pages(ctx, s.S3, input) {
		if err != nil {
			return false, fmt.Errorf("list s3://%s/%s: %w", s.Outputs.BucketName, ledger.TicksPrefix, err)
		}
		for _, o := range page.Contents {
			if ledger.IsTickKey(aws.ToString(o.Key)) {
				return true, nil
			}
		}
	}
	return false, nil
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

// Accept writes an acceptance to the ledger, after the object with its findings if it has one. It replaces none.
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

func (s *Stack) read(ctx context.Context, key string) (data []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := s.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.Outputs.BucketName, Key: &key})
	if err == nil {
		defer out.Body.Close()
		data, err = io.ReadAll(out.Body)
	}
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.Outputs.BucketName, key, err)
	}
	return data, nil
}
