package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/cenkalti/backoff/v5"

	"streamproof/internal/pipeline"
)

// objects is what the ledger needs of S3. The SDK's own retries may stay on: a write that they repeat is told from
// somebody else's by reading it back.
type objects interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

var _ objects = (*s3.Client)(nil)

// A Store is the ledger in a bucket. It needs s3:PutObject on TicksPrefix and PipelinesPrefix, and s3:GetObject on
// TicksPrefix; for the pipeline that is current, s3:GetObject on CurrentKey and PipelinesPrefix, and s3:PutObject on
// CurrentKey to set it; for the stack that the bucket is claimed for, both on StackKey, and s3:ListBucket, without
// which a missing key answers 403.
type Store struct {
	client objects
	bucket string
}

// NewStore makes the ledger in a bucket, by its name.
func NewStore(client objects, bucket string) *Store {
	return &Store{client: client, bucket: bucket}
}

// PublishPipeline writes the pipeline under its hash, and succeeds where it stands already.
func (s *Store) PublishPipeline(ctx context.Context, p *pipeline.Pipeline) error {
	body, err := EncodePipeline(p)
	if err != nil {
		return fmt.Errorf("encode the pipeline: %w", err)
	}
	_, err = s.write(ctx, PipelineKey(p.Hash()), body, "", func() (etag string, done *written, err error) {
		// The key is the content's hash, so what stands there is the same; readers check it.
		return "", &written{}, nil
	})
	if err != nil {
		return fmt.Errorf("publish the pipeline: %w", err)
	}
	return nil
}

// A ClaimedError says that a tick is another attempt's, and how far that one has come.
type ClaimedError struct{ Tick *Tick }

func (e *ClaimedError) Error() string {
	return fmt.Sprintf("tick %s is claimed by another attempt (%s) and is %s", e.Tick.Time.UTC().Format(time.RFC3339Nano), e.Tick.Owner, e.Tick.State)
}

// A Claim is the right to send a tick's records, and to write what became of them. It is for one goroutine at a time.
type Claim struct {
	store *Store
	tick  Tick // as last written, or as tried to
	etag  string
}

// Claim claims a tick: its Time, Owner, LeaseEnd, Seed, Generator, Pipeline, Records, SpreadSeconds, PartitionKey,
// Poison and Aggregation are to be set. Where the tick is another attempt's, the error is a *ClaimedError. After any
// other error, the claim may stand all the same: its tick is then closed as crashed when the lease ends.
func (s *Store) Claim(ctx context.Context, tick Tick) (*Claim, error) {
	tick.State, tick.Revision, tick.ClaimedAt, tick.Outcomes, tick.Shards = Claimed, 0, time.Time{}, nil, nil
	if err := tick.check(); err != nil {
		return nil, fmt.Errorf("claim tick %s: %w", tick.Time, err)
	}
	c := &Claim{store: s, tick: tick}
	at, err := c.write(ctx)
	if err != nil {
		return nil, fmt.Errorf("claim tick: %w", err)
	}
	if at.IsZero() {
		// An answer without a Date, which S3 does not give: its clock stands in the object, too.
		standing, err := s.read(ctx, TickKey(tick.Time))
		if err != nil {
			return nil, fmt.Errorf("claim tick: when it was claimed: %w", err)
		}
		at = standing.at
	}
	c.tick.ClaimedAt = at.UTC().Truncate(time.Second)
	return c, nil
}

// Tick is the tick as claimed, and as last written since.
func (c *Claim) Tick() Tick { return c.tick }

// Progress writes the outcomes so far of a tick that is being sent.
func (c *Claim) Progress(ctx context.Context, outcomes []Range, shards map[string]Shard) error {
	return c.rewrite(ctx, InProgress, outcomes, shards)
}

// Complete writes the manifest: the outcomes of all records.
func (c *Claim) Complete(ctx context.Context, outcomes []Range, shards map[string]Shard) error {
	return c.rewrite(ctx, Complete, outcomes, shards)
}

func (c *Claim) rewrite(ctx context.Context, state State, outcomes []Range, shards map[string]Shard) error {
	c.tick.State, c.tick.Outcomes, c.tick.Shards = state, outcomes, shards
	// Each write has a revision of its own, even one that failed: it may stand there all the same.
	c.tick.Revision++
	err := c.tick.check()
	if err == nil {
		_, err = c.write(ctx)
	}
	if err != nil {
		return fmt.Errorf("write tick %s as %s: %w", c.tick.Time.UTC().Format(time.RFC3339Nano), state, err)
	}
	return nil
}

// write writes the tick over this claim's own last write, or where nothing stands, and returns S3's clock.
func (c *Claim) write(ctx context.Context) (time.Time, error) {
	body, err := c.tick.Encode()
	if err != nil {
		return time.Time{}, fmt.Errorf("encode: %w", err)
	}
	key := TickKey(c.tick.Time)
	done, err := c.store.write(ctx, key, body, c.etag, func() (string, *written, error) {
		standing, err := c.store.read(ctx, key)
		switch {
		case err != nil:
			return "", nil, fmt.Errorf("read what stands there: %w", err)
		case standing.tick.Owner != c.tick.Owner, standing.tick.Revision > c.tick.Revision:
			return "", nil, &ClaimedError{standing.tick}
		case standing.tick.Revision == c.tick.Revision:
			// An earlier try of this very write went through, and its answer was lost.
			return "", &standing.written, nil
		default:
			// So did an earlier write, which counted as failed: this one goes over it.
			return standing.etag, nil, nil
		}
	})
	if err != nil {
		return time.Time{}, err
	}
	c.etag = done.etag
	return done.at, nil
}

// written is what is known of an object once it is written.
type written struct {
	etag string
	at   time.Time // by S3's clock
}

type standing struct {
	written
	tick *Tick
}

// Tries of a write on condition, beyond those of the SDK.
const (
	writeTries  = 6
	firstPause  = 100 * time.Millisecond
	longerPause = 2 * time.Second
)

// write puts an object where one with this ETag stands, or none where it is empty. Where S3 says that the condition
// does not hold, settle says what that means: the object is written, or is to be written over another ETag, or an
// error.
func (s *Store) write(ctx context.Context, key string, body []byte, etag string, settle func() (string, *written, error)) (*written, error) {
	pause := &backoff.ExponentialBackOff{InitialInterval: firstPause, MaxInterval: longerPause, Multiplier: 2, RandomizationFactor: 0.5}
	done, err := backoff.Retry(ctx, func() (*written, error) {
		input := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body), ContentType: aws.String("application/json")}
		if etag == "" {
			input.IfNoneMatch = aws.String("*")
		} else {
			input.IfMatch = &etag
		}
		out, err := s.client.PutObject(ctx, input)
		if err == nil {
			at, _ := middleware.GetServerTime(out.ResultMetadata) // the answer's Date
			return &written{etag: aws.ToString(out.ETag), at: at}, nil
		}
		switch status := statusOf(err); {
		case status == http.StatusPreconditionFailed:
			over, done, err := settle()
			if err != nil {
				return nil, backoff.Permanent(err)
			}
			if done != nil {
				return done, nil
			}
			etag = over
			return nil, errors.New("an earlier write of this attempt came between")
		case status == http.StatusConflict:
			// Another write on condition is under way: S3 asks to try again.
			return nil, err
		case status >= 400 && status < 500:
			return nil, backoff.Permanent(err)
		default:
			// It may have gone through. If so, the next try is told that the condition does not hold.
			return nil, err
		}
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(writeTries))
	if err != nil {
		return nil, fmt.Errorf("put s3://%s/%s: %w", s.bucket, key, err)
	}
	return done, nil
}

func (s *Store) read(ctx context.Context, key string) (*standing, error) {
	fail := func(err error) (*standing, error) { return nil, fmt.Errorf("get s3://%s/%s: %w", s.bucket, key, err) }
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return fail(err)
	}
	defer func() { _ = out.Body.Close() }()
	data, err := io.ReadAll(out.Body)
	if err != nil {
		return fail(err)
	}
	tick, err := DecodeTick(data)
	if err != nil {
		return fail(err)
	}
	return &standing{written{aws.ToString(out.ETag), aws.ToTime(out.LastModified)}, tick}, nil
}

// statusOf is the HTTP status of S3's answer, 0 where there was none.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}
