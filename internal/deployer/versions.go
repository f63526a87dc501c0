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
)

const (
	// batchLimit is how many versions one DeleteObjects takes.
	batchLimit = 1000
	// batchesAtOnce is bounded by what S3 takes: 3,500 deletions a second for a prefix.
	batchesAtOnce = 4
	// throttledPause is how long S3 is left alone where it refuses everything for now.
	throttledPause = 5 * time.Second
	// callTries is more than the SDK's default of 3: S3 throttles a prefix until it has split it.
	callTries = 8
	// samples is how many of the versions that S3 refused to delete an error names.
	samples = 3
)

// version is one version of an object, or a delete marker.
type version struct{ key, id string }

// versions calls each with every version and delete marker under a prefix, a page at a time, in the order of keys, until it
// wants no more.
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

// purge deletes all versions and delete markers of the keys under a prefix that pick takes, until a listing has none of
// them. In a bucket without versions these are the objects, each with the version "null".
func (c *contents) purge(ctx context.Context, prefix string, pick func(key string) bool) error {
	for {
		found, refused, err := c.purgeOnce(ctx, prefix, pick)
		switch {
		case err != nil:
			return err
		case found == 0:
			return nil
		case refused.count < found:
			// Some are gone: what was refused gets another chance.
		case refused.lasting:
			return fmt.Errorf("S3 refused to delete %d object versions of s3://%s: %s", refused.count, c.bucket, shorten(strings.Join(refused.samples, "; ")))
		default:
			if err := sleep(ctx, throttledPause); err != nil {
				return err
			}
		}
	}
}

// refusals is what S3 refused to delete.
type refusals struct {
	count   int
	lasting bool // some of it would be refused again
	samples []string
}

func (r *refusals) add(e types.Error) {
	r.count++
	r.lasting = r.lasting || lasting(aws.ToString(e.Code))
	if len(r.samples) < samples {
		r.samples = append(r.samples, fmt.Sprintf("%s (version %s): %s: %s", aws.ToString(e.Key), aws.ToString(e.VersionId), aws.ToString(e.Code), aws.ToString(e.Message)))
	}
}

// lasting reports whether S3 would refuse again what it has refused with this code.
func lasting(code string) bool {
	switch code {
	case "InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "OperationAborted":
		return false // it could not at the moment
	}
	return true
}

// purgeOnce goes once through the listing and returns how many it found, and which of them S3 refused to delete.
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
		err = failed // the listing broke off because of it
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
		Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}, // only what it refuses is answered
	}, patient)
	if err != nil {
		return nil, fmt.Errorf("delete %d object versions of s3://%s: %w", len(batch), c.bucket, err)
	}
	return out.Errors, nil
}

// count counts what is left, as far as the time goes, and reports whether that is all.
func (c *contents) count(ctx context.Context) (n int, all bool) {
	err := c.versions(ctx, "", func(page []version) (bool, error) {
		n += len(page)
		return true, nil
	})
	return n, err == nil
}

func patient(o *s3.Options) { o.RetryMaxAttempts = callTries }
