package repair

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/rewrite"
)

// Permissions are what a repair needs on the stack's bucket beyond reading it.
const Permissions = "s3:PutObject below the prefixes of the rows and on ledger/repair.json, ledger/repairs/*, ledger/backups/* and " +
	"ledger/staged/*, s3:DeleteObject on ledger/staged/* (and kms:GenerateDataKey where the bucket is encrypted with a customer key), and " +
	"s3:GetObjectTagging on objects that are rewritten, with s3:PutObjectTagging where they have tags"

// A claim has at most so many lines and objects, so that it stays small. A larger repair makes several, one after the
// other.
const (
	maxLines   = 100_000
	maxObjects = 1_000
)

type objects interface {
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	GetObjectTagging(context.Context, *s3.GetObjectTaggingInput, ...func(*s3.Options)) (*s3.GetObjectTaggingOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	CopyObject(context.Context, *s3.CopyObjectInput, ...func(*s3.Options)) (*s3.CopyObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
}

var _ objects = (*s3.Client)(nil)

// A Repairer writes to a stack's bucket.
type Repairer struct {
	Client objects
	Bucket string // its name
	Read   bucket.Bucket
	Ledger *ledger.Store
}

// Done is what a repair has done.
type Done struct {
	// Finished is whether it has finished one that an earlier one had left open.
	Finished bool `json:"finished,omitempty"`
	*Plan
	// Changed are the keys of objects that are not rewritten, because something else was written there meanwhile.
	Changed []string `json:"changed,omitempty"`
}

// Run finishes what is left open, then does what is planned for the repair of the next serial number. Plan is asked
// again where another repair has come between.
func (r *Repairer) Run(ctx context.Context, plan func(ctx context.Context, serial int) (*Plan, error)) (*Done, error) {
	d := &Done{}
	for try := 1; ; try++ {
		last, err := r.Ledger.Repair(ctx) // before the verdict, whose plan it is claimed over
		if err != nil {
			return d, err
		}
		if last != nil && !last.Closed {
			d.Finished = true
			var changed []string
			if changed, err = r.finish(ctx, last); err == nil {
				d.Changed = append(d.Changed, changed...)
				continue
			}
		} else {
			if d.Plan, err = plan(ctx, next(last)); err != nil {
				return d, err
			}
			if d.Empty() {
				return d, r.sweep(ctx, next(last)-1) // the last repair may have been killed before it has
			}
			err = r.do(ctx, d, last)
		}
		if !errors.Is(err, ledger.ErrRepairChanged) || try == tries {
			return d, err
		}
	}
}

// next is the serial number of the repair after this one, nil for none.
func next(last *ledger.Repair) int {
	if last == nil {
		return 1
	}
	return last.Serial + 1
}

// finish writes what an open repair has claimed, and closes it.
func (r *Repairer) finish(ctx context.Context, open *ledger.Repair) (changed []string, err error) {
	closed := *open
	closed.Closed, closed.Rewrites = true, nil
	for i := range open.Writes {
		if err := r.put(ctx, open.Serial, &open.Writes[i]); err != nil {
			return nil, err
		}
	}
	for _, one := range open.Rewrites {
		if one.After == "" {
			if one.After, err = r.rewrite(ctx, one); err != nil {
				return nil, fmt.Errorf("rewrite s3://%s/%s: %w", r.Bucket, one.Key, err)
			}
		}
		if one.After == one.Before {
			changed = append(changed, one.Key)
		}
		closed.Rewrites = append(closed.Rewrites, one)
	}
	if err := r.Ledger.SetRepair(ctx, &closed, open); err != nil {
		return nil, err
	}
	return changed, r.sweep(ctx, open.Serial)
}

// do rewrites what is planned. Last is the last repair as it was before the verdict, nil for none.
func (r *Repairer) do(ctx context.Context, d *Done, last *ledger.Repair) error {
	writes := d.Writes
	for left := d.Objects; len(left)+len(writes) > 0; writes = nil {
		next := &ledger.Repair{Serial: next(last), Owner: rand.Text(), Claimed: d.claimed, Writes: writes}
		for lines := 0; len(left) > 0 && len(next.Rewrites) < maxObjects && (lines == 0 || lines+len(left[0].Lines) <= maxLines); left = left[1:] {
			if err := r.backUp(ctx, left[0]); err != nil {
				return err
			}
			lines += len(left[0].Lines)
			next.Rewrites = append(next.Rewrites, left[0].Rewrite)
		}
		if err := r.Ledger.SetRepair(ctx, next, last); err != nil {
			return err
		}
		changed, err := r.finish(ctx, next)
		if err != nil {
			return err
		}
		d.Changed = append(d.Changed, changed...)
		if last, err = r.Ledger.Repair(ctx); err != nil {
			return err
		}
		if last == nil || last.Serial != next.Serial {
			return ledger.ErrRepairChanged
		}
	}
	return nil
}

// backUp copies the original. A copy that is made again is the same.
func (r *Repairer) backUp(ctx context.Context, o Object) error {
	_, err := r.Client.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &r.Bucket, Key: &o.Backup, CopySource: aws.String(url.PathEscape(r.Bucket + "/" + o.Key)), CopySourceIfMatch: &o.Before,
		TaggingDirective: types.TaggingDirectiveReplace, // without the tag of what may expire
	})
	if statusOf(err) == http.StatusPreconditionFailed {
		err = ledger.ErrRepairChanged // of another object than the one that was judged
	}
	if err != nil {
		return fmt.Errorf("copy s3://%s/%s to %s before it is rewritten: %w", r.Bucket, o.Key, o.Backup, err)
	}
	return nil
}

// tries is how often an object is looked at that changes while it is being rewritten.
const tries = 5

// rewrite replaces an object by itself without some lines, unless somebody has done so already, and returns the new
// ETag. It returns the ETag before if something else stands there.
func (r *Repairer) rewrite(ctx context.Context, one ledger.Rewrite) (after string, err error) {
	for range tries {
		head, err := r.Client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &r.Bucket, Key: &one.Key})
		switch {
		case statusOf(err) == http.StatusNotFound:
			return one.Before, nil
		case err != nil:
			return "", err
		}
		stands := bucket.Object{Key: one.Key, ETag: aws.ToString(head.ETag), Size: aws.ToInt64(head.ContentLength)}
		if stands.ETag != one.Before {
			same, err := r.done(ctx, one, stands)
			if errors.Is(err, bucket.ErrRewritten) {
				continue
			}
			if err != nil || same {
				return stands.ETag, err
			}
			return one.Before, nil
		}
		after, err = r.replace(ctx, one, stands, head)
		status := statusOf(err)
		if again := status == http.StatusPreconditionFailed || status == http.StatusConflict || errors.Is(err, bucket.ErrRewritten); !again {
			return after, err
		}
		// An earlier try of this write may have gone through, or another repair's.
	}
	return "", errors.New("it keeps changing: run this again")
}

// replace writes the object without the lines over the version that stands there.
func (r *Repairer) replace(ctx context.Context, one ledger.Rewrite, stands bucket.Object, head *s3.HeadObjectOutput) (after string, err error) {
	file, err := os.CreateTemp("", "streamproof-repair-*") // an object may be larger than the memory
	if err != nil {
		return "", err
	}
	defer func() { _, _ = file.Close(), os.Remove(file.Name()) }()
	in, err := r.Read.Open(ctx, stands)
	if err != nil {
		return "", err
	}
	defer in.Close()
	if _, err = rewrite.Without(file, in, one.Lines); err != nil {
		return "", err
	}
	if _, err = file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	tags, err := r.tags(ctx, one.Key)
	if err != nil {
		return "", err
	}
	out, err := r.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &r.Bucket, Key: &one.Key, Body: file, IfMatch: &one.Before,
		ContentType: head.ContentType, ContentEncoding: head.ContentEncoding, CacheControl: head.CacheControl, Metadata: head.Metadata,
		StorageClass: head.StorageClass, ServerSideEncryption: head.ServerSideEncryption, SSEKMSKeyId: head.SSEKMSKeyId, Tagging: tags,
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// tags are those of an object as PutObject takes them, nil for none.
func (r *Repairer) tags(ctx context.Context, key string) (*string, error) {
	out, err := r.Client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &r.Bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("read its tags: %w", err)
	}
	if len(out.TagSet) == 0 {
		return nil, nil
	}
	tags := url.Values{}
	for _, tag := range out.TagSet {
		tags.Set(aws.ToString(tag.Key), aws.ToString(tag.Value))
	}
	return aws.String(tags.Encode()), nil
}

// done reports whether what stands there is the original without the lines.
func (r *Repairer) done(ctx context.Context, one ledger.Rewrite, stands bucket.Object) (bool, error) {
	backup, err := bucket.Find(ctx, r.Read, ledger.BackupKey(one.Key, one.Before))
	if err == nil && backup == nil {
		err = fmt.Errorf("its original is not under %s any more: restore it", ledger.BackupKey(one.Key, one.Before))
	}
	if err != nil {
		return false, err
	}
	want, err := r.digest(ctx, *backup, one.Lines)
	if err != nil {
		return false, err
	}
	got, err := r.digest(ctx, stands, nil)
	return got == want, err
}

func (r *Repairer) digest(ctx context.Context, o bucket.Object, without []int64) (sum [sha256.Size]byte, err error) {
	in, err := r.Read.Open(ctx, o)
	if err != nil {
		return sum, err
	}
	defer in.Close()
	text, err := bucket.Unzip(in)
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	if _, err := rewrite.Without(hash, text, without); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

// statusOf is the HTTP status of S3's answer, 0 where there was none.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}
