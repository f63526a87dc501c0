package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"streamproof/internal/application"
)

const (
	// batchLimit is how many versions one DeleteObjects takes.
	batchLimit = 1000
	// batchesAtOnce is bounded by S3's limit of 3,500 deletions a second for a prefix.
	batchesAtOnce = 4
	// throttledPause is how long to wait when S3 refuses everything for the moment.
	throttledPause = 5 * time.Second
	// callTries is more than the SDK's default of 3, because S3 throttles a prefix until it has split it.
	callTries = 8
	// samples is how many refused versions an error names.
	samples = 3
)

type version struct{ key, id string }

// versions calls each with every version and delete marker under a prefix, a page at a time, in the order of keys,
// until it returns false.
func (c *contents) versions(ctx context.Context, prefix string, each func(page []version) (more bool, err error)) error {
	pages := s3.NewListObjectVersionsPaginator(c.calls, &s3.ListObjectVersionsInput{Bucket: &c.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx, patient)
		if err != nil {
			return fmt.Errorf("list the versions of s3://%s/%s: %w", c.bucket, prefix, err)
		}
		page := make([]version, 0, len(out.Versions)+len(out.DeleteMarkers))
		for _, v := range out.Versions {
			page = append(page, version{aws.ToString(v.Key), aws.ToString(v.VersionId)})
		}
		for _, m := range out.DeleteMarkers {
			page = append(page, version{aws.ToString(m.Key), aws.ToString(m.VersionId)})
		}
		if more, err := each(page); err != nil || !more {
			return err
		}
	}
	return nil
}

// purge deletes all versions and delete markers of the picked keys under a prefix, until a listing has none of them.
// In a bucket without versions these are the objects, each with the version "null".
func (c *contents) purge(ctx context.Context, prefix string, pick func(key string) bool) error {
	for {
		found, refused, err := c.purgeOnce(ctx, prefix, pick)
		switch {
		case err != nil:
			return err
		case found == 0:
			return nil
		case refused.count < found:
			// Some are gone: the refused ones get another chance.
		case refused.lasting:
			return fmt.Errorf("S3 refused to delete %d object versions of s3://%s: %s", refused.count, c.bucket, application.Clean(strings.Join(refused.samples, "; ")))
		default:
			if err := sleep(ctx, throttledPause); err != nil {
				return err
			}
		}
	}
}

type refusals struct {
	count   int
	lasting bool // some would be refused again
	samples []string
}

func (r *refusals) add(e types.Error) {
	r.count++
	r.lasting = r.lasting || lasting(aws.ToString(e.Code))
	if len(r.samples) < samples {
		r.samples = append(r.samples, fmt.Sprintf("%s (version %s): %s: %s", aws.ToString(e.Key), aws.ToString(e.VersionId), aws.ToString(e.Code), aws.ToString(e.Message)))
	}
}

// lasting reports whether S3 would refuse the same request again after this code.
func lasting(code string) bool {
	switch code {
	case "InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "OperationAborted":
		return false // only for the moment
	}
	return true
}

// purgeOnce goes through the listing once, and returns how many versions it found and which of them S3 refused to
// delete.
func (c *contents) purgeOnce(ctx context.Context, prefix string, pick func(key string) bool) (found int, refused refusals, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(batchesAtOnce)
	var mu sync.Mutex
	err = c.versions(ctx, prefix, func(page []version) (bool, error) {
		page = slices.DeleteFunc(page, func(v version) bool { return !pick(v.key) })
		found += len(page)
		for batch := range slices.Chunk(page, batchLimit) {
			group.Go(func() error {
				faults, err := c.deleteVersions(ctx, batch)
				mu.Lock()
				defer mu.Unlock()
				for _, e := range faults {
					refused.add(e)
				}
				return err
			})
		}
		return true, nil
	})
	if failed := group.Wait(); failed != nil {
		err = failed // the cause of the listing's error
	}
	if found > 0 {
		c.log.InfoContext(ctx, "purged", "prefix", prefix, "versions", found, "refused", refused.count, "error", err)
	}
	return found, refused, err
}

// deleteVersions deletes up to batchLimit versions and returns those that S3 refused to.
func (c *contents) deleteVersions(ctx context.Context, batch []version) ([]types.Error, error) {
	ids := make([]types.ObjectIdentifier, len(batch))
	for i, v := range batch {
		ids[i] = types.ObjectIdentifier{Key: &v.key, VersionId: &v.id}
	}
	out, err := c.calls.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: &c.bucket,
		Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}, // the answer has only what is refused
	}, patient)
	if err != nil {
		return nil, fmt.Errorf("delete %d object versions of s3://%s: %w", len(batch), c.bucket, err)
	}
	return out.Errors, nil
}

func patient(o *s3.Options) { o.RetryMaxAttempts = callTries }
