package verifier

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
)

// The tag of an object that the archive has counted: a lifecycle rule may delete it.
const (
	SettledTag   = "streamproof"
	SettledValue = "settled"
)

const (
	// maxTags is how many objects a verification tags; the next one continues.
	maxTags      = 20_000
	parallelTags = 16
	// tagReserve is how much of the function's time is left for what comes after the tagging.
	tagReserve = 20 * time.Second
)

type tagger interface {
	PutObjectTagging(context.Context, *s3.PutObjectTaggingInput, ...func(*s3.Options)) (*s3.PutObjectTaggingOutput, error)
}

var _ tagger = (*s3.Client)(nil)

// hasUntagged reports whether something before the window may be left to tag.
func (s *checkpoint) hasUntagged() bool {
	for prefix, after := range s.windows() {
		if s.Reach[prefix] < after {
			return true
		}
	}
	return false
}

// tagSettled tags what the archive's base has counted and no increment from it lists, and then writes how far it has
// come. Under the error prefixes nothing is tagged: it is little, and it is what a person looks for.
func (h *Handler) tagSettled(ctx context.Context, a *archive) error {
	base, left := a.Base, h.maxTags
	opts := Options{DataPrefix: base.DataPrefix, ErrorsPrefix: base.ErrorsPrefix}
	reach, strays := map[string]string{}, map[string]counted{}
	var errs []error
	for prefix, layout := range opts.layouts() {
		until := base.after(prefix, layout)
		if base.Reach[prefix] >= until {
			continue
		}
		listed, _, err := h.bucket.ListAfter(ctx, prefix, base.Reach[prefix])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		keys, end, err := base.settled(prefix, layout, listed, strays)
		if err != nil {
			errs = append(errs, err)
		}
		reach[prefix] = end
		if prefix != opts.DataPrefix && prefix != ledger.TicksPrefix {
			continue
		}
		if len(keys) > left {
			keys, reach[prefix] = keys[:left], ""
			if left > 0 {
				reach[prefix] = keys[left-1]
			}
		}
		left -= len(keys)
		done, err := h.tagAll(ctx, keys)
		if err != nil {
			errs = append(errs, err)
			if reach[prefix] = ""; done > 0 {
				reach[prefix] = keys[done-1]
			}
		}
	}
	before := maps.Clone(base.Reach)
	if base.trim(reach, strays); !maps.Equal(before, base.Reach) {
		errs = append(errs, h.saveArchive(ctx, a))
	}
	return errors.Join(errs...)
}

// settled returns the keys from before the window that the checkpoint has counted, in order, and the key up to which
// there are no others. It adds the strays among them to strays. What was not counted is not tagged; if its times do not
// reveal that, nothing after it is tagged either, so that a full verification can still tell it from what was.
func (s *checkpoint) settled(prefix, layout string, listed []bucket.Object, strays map[string]counted) (keys []string, end string, err error) {
	end = s.after(prefix, layout)
	last := s.Reach[prefix]
	for _, o := range listed {
		if o.Key > end {
			break
		}
		before, known := s.Objects[o.Key]
		same := known && before.etag == o.ETag
		switch {
		case same && isStray(prefix, layout, o):
			strays[o.Key] = before
		case !known && isForeign(prefix, o):
		case !same && !isStray(prefix, layout, o):
			return keys, last, fmt.Errorf("%s was not counted in this version, and nothing after it is tagged: verify --full", o.Key)
		}
		if last = o.Key; same {
			keys = append(keys, o.Key)
		}
	}
	return keys, end, nil
}

// tagAll tags objects and returns how many of the first ones are certainly tagged. A tag is set on the object's current
// version: if the object was overwritten since it was listed, that is the new one. The bucket keeps both.
func (h *Handler) tagAll(ctx context.Context, keys []string) (done int, err error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-tagReserve))
		defer cancel()
	}
	tagged := make([]bool, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelTags)
	for i, key := range keys {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			_, err := h.tag.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
				Bucket: &h.config.Bucket, Key: &key,
				Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(SettledTag), Value: aws.String(SettledValue)}}},
			})
			if err != nil {
				return fmt.Errorf("tag %s/%s: %w", h.bucket.Name(), key, err)
			}
			tagged[i] = true
			return nil
		})
	}
	err = group.Wait()
	if done = slices.Index(tagged, false); done < 0 {
		done = len(keys)
	}
	return done, err
}
