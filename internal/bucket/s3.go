package bucket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// S3 is a bucket on S3.
type S3 struct {
	client     *s3.Client
	downloader *manager.Downloader
	name       string
}

// NewS3 makes a Bucket of the S3 bucket with this name.
func NewS3(client *s3.Client, name string) *S3 {
	return &S3{client: client, downloader: manager.NewDownloader(client), name: name}
}

// Name is the bucket's name as a URL.
func (b *S3) Name() string { return "s3://" + b.name }

// List lists by ListObjectsV2; the clock is the Date of S3's first answer.
func (b *S3) List(ctx context.Context, prefix string) ([]Object, time.Time, error) {
	return b.ListAfter(ctx, prefix, "")
}

// ListAfter is List from a key on.
func (b *S3) ListAfter(ctx context.Context, prefix, after string) ([]Object, time.Time, error) {
	var objects []Object
	var clock time.Time
	input := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix}
	if after != "" {
		input.StartAfter = &after
	}
	pages := s3.NewListObjectsV2Paginator(b.client, input)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, clock, fmt.Errorf("list %s/%s: %w", b.Name(), prefix, err)
		}
		if clock.IsZero() {
			var ok bool
			if clock, ok = awsmiddleware.GetServerTime(page.ResultMetadata); !ok {
				return nil, clock, fmt.Errorf("list %s/%s: the answer has no Date", b.Name(), prefix)
			}
		}
		for _, o := range page.Contents {
			objects = append(objects, Object{
				Key:          aws.ToString(o.Key),
				ETag:         aws.ToString(o.ETag),
				Size:         aws.ToInt64(o.Size),
				LastModified: aws.ToTime(o.LastModified).Truncate(time.Second),
			})
		}
	}
	return objects, clock, nil
}

// Read downloads the object, a large one in parallel parts, each on condition that its ETag is the listed one.
func (b *S3) Read(ctx context.Context, object Object) ([]byte, error) {
	if object.Size == 0 {
		return nil, nil // there is no range of nothing to ask for
	}
	buffer := manager.NewWriteAtBuffer(make([]byte, 0, object.Size))
	n, err := b.downloader.Download(ctx, buffer, &s3.GetObjectInput{Bucket: &b.name, Key: &object.Key, IfMatch: &object.ETag})
	var apiError smithy.APIError
	switch {
	case errors.As(err, &apiError) && apiError.ErrorCode() == "PreconditionFailed":
		return nil, fmt.Errorf("read %s/%s: %w", b.Name(), object.Key, ErrRewritten)
	case err != nil:
		return nil, fmt.Errorf("read %s/%s: %w", b.Name(), object.Key, err)
	case n != object.Size:
		return nil, fmt.Errorf("read %s/%s: got %d bytes of the %d listed", b.Name(), object.Key, n, object.Size)
	}
	return buffer.Bytes(), nil
}
