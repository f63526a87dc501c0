package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// S3 is a bucket on S3.
type S3 struct {
	client     *s3.Client
	downloader *manager.Downloader
	sequential *manager.Downloader
	name       string
}

// sequentialPart is how much a request is for where one part comes after the other: enough for the time between them
// not to matter.
const sequentialPart = 16 << 20

// NewS3 makes a Bucket of the S3 bucket with this name.
func NewS3(client *s3.Client, name string) *S3 {
	return &S3{
		client:     client,
		downloader: manager.NewDownloader(client),
		sequential: manager.NewDownloader(client, func(d *manager.Downloader) { d.Concurrency, d.PartSize = 1, sequentialPart }),
		name:       name,
	}
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
	for page, err := range Pages(ctx, b.client, input) {
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
	if err := b.download(ctx, b.downloader, buffer, object); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// Open downloads the object part after part, on the same condition, and no faster than it is read.
func (b *S3) Open(ctx context.Context, object Object) (io.ReadCloser, error) {
	if object.Size == 0 {
		return http.NoBody, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	in, out := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = out.CloseWithError(b.download(ctx, b.sequential, &sequence{out: out}, object)) // which gives no error, and io.EOF for none
	}()
	return &download{in, func() { cancel(); _ = in.Close(); <-done }}, nil
}

func (b *S3) download(ctx context.Context, by *manager.Downloader, to io.WriterAt, object Object) error {
	n, err := by.Download(ctx, to, &s3.GetObjectInput{Bucket: &b.name, Key: &object.Key, IfMatch: &object.ETag})
	var apiError smithy.APIError
	switch {
	case errors.As(err, &apiError) && apiError.ErrorCode() == "PreconditionFailed":
		err = ErrRewritten
	case err == nil && n != object.Size:
		err = fmt.Errorf("got %d bytes of the %d listed", n, object.Size)
	}
	if err != nil {
		return fmt.Errorf("read %s/%s: %w", b.Name(), object.Key, err)
	}
	return nil
}

// A download is one under way, which ends when it is closed.
type download struct {
	io.Reader
	end func()
}

func (d *download) Close() error {
	d.end()
	return nil
}

// A sequence hands on what is written from its start to its end. A part that has broken off is written again from its
// own start: what was handed on of it is left out.
type sequence struct {
	out io.Writer
	at  int64
}

func (s *sequence) WriteAt(p []byte, at int64) (int, error) {
	known := s.at - at
	switch {
	case known < 0:
		return 0, fmt.Errorf("the bytes from %d to %d are missing", s.at, at)
	case known >= int64(len(p)):
		return len(p), nil // without a write of nothing, which a pipe hands on, too
	}
	n, err := s.out.Write(p[known:])
	s.at += int64(n)
	return int(known) + n, err
}

// HTTPClient is for an S3 client whose bucket is read ahead. It keeps a connection for each read; by default the SDK
// keeps ten, and makes the others again for nearly every object.
func HTTPClient() aws.HTTPClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.MaxIdleConnsPerHost = maxAhead })
}
