package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"streamproof/internal/pipeline"
)

// CurrentKey is where the current pipeline is named in the bucket.
const CurrentKey = "ledger/pipeline.json"

// How a pipeline became the current one.
const (
	ByDeploy = "deploy"
	BySQLRun = "sql run"
)

// A Current says which pipeline the application runs: the one that ticks are claimed for.
type Current struct {
	Version  int    `json:"version"`
	Pipeline string `json:"pipeline"` // its hash
	// Since is when it became the current one, By how: ByDeploy or BySQLRun.
	Since time.Time `json:"since"`
	By    string    `json:"by"`
	// Deployed is the hash of the pipeline of the last deploy.
	Deployed string `json:"deployed"`
	// Epochs are the changes of the query, the oldest first. None is taken away. Those from before they were recorded are
	// not among them.
	Epochs []Epoch `json:"epochs,omitempty"`
	// Drained is since when nothing is on its way, by S3's clock: everything that was claimed by then is delivered, and
	// the application is stopped. It is zero otherwise.
	Drained time.Time `json:"drained,omitzero"`
	// Rollbacks are all that ever were, the oldest first. None is taken away: what was judged depends on them.
	Rollbacks []Rollback `json:"rollbacks,omitempty"`
	// Change is an unfinished change of the query, nil if there is none. Pipeline stays current until it ends, but the
	// application may already run the other one, so no tick is claimed meanwhile.
	Change *Change `json:"change,omitempty"`
	// Paused reports whether the schedule was disabled before a change of the query that has not finished: whoever
	// finishes it leaves the schedule disabled.
	Paused bool `json:"paused,omitempty"`

	etag string    // of what was read
	at   time.Time // when it was read or written
}

// An Epoch begins when another pipeline becomes the current one.
type Epoch struct {
	Pipeline string `json:"pipeline"` // its hash
	// From is when it began, by S3's clock: no row of it was written before. It is zero for a stack's first.
	From time.Time `json:"from,omitzero"`
	// Drained is Current.Drained at that moment: the change was clean unless a tick was claimed since. It is zero if the
	// change was forced.
	Drained time.Time `json:"drained,omitzero"`
}

// At is when the object was read or written last, by S3's clock in whole seconds; zero if that is not known.
func (c *Current) At() time.Time { return c.at.UTC().Truncate(time.Second) }

// Begin makes a pipeline the current one from a moment on, in a new epoch unless it is the current one already.
func (c *Current) Begin(pipeline string, from time.Time) {
	if c.Pipeline != pipeline {
		c.Epochs = append(slices.Clone(c.Epochs), Epoch{Pipeline: pipeline, From: from, Drained: c.Drained})
	}
	c.Pipeline, c.Drained = pipeline, time.Time{}
}

// A Change replaces the current pipeline by another. It is written before the application is updated, so that a change
// that was interrupted can be undone later.
type Change struct {
	To    string    `json:"to"` // the hash of what the application may have been told
	Begun time.Time `json:"begun"`
	// Snapshot is the name of the one that the current pipeline goes on from, empty for the latest.
	Snapshot string `json:"snapshot,omitempty"`
	// Paused is Current.Paused as earlier versions have written it.
	Paused bool `json:"paused,omitempty"`
}

// Pending says that a change has not ended, and what to do about it; it is empty where there is none.
func (c *Current) Pending() string {
	if c == nil || c.Change == nil {
		return ""
	}
	return fmt.Sprintf("a change of the query from pipeline %.12s to %.12s began at %s and has not ended, and no tick is sent until it has: "+
		"where its `streamproof sql run` does not run any more, bring the query back with `streamproof resume`",
		c.Pipeline, c.Change.To, c.Change.Begun.UTC().Format(time.RFC3339))
}

// A Rollback records that a pipeline was current for a while and failed. The records of the ticks claimed for it were
// read again by another one.
type Rollback struct {
	Failed string `json:"failed"` // the hash that the ticks name
	// From and Until bound, both included and by S3's clock, when those ticks were claimed.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// JudgedBy is the hash of the pipeline that has read their records in the end, and that they are judged by.
	JudgedBy string `json:"judgedBy"`
	// Why is what the job said.
	Why string `json:"why,omitempty"`
}

// RolledBack returns the hash of the pipeline that judges a tick if the tick's own was rolled back.
func (c *Current) RolledBack(hash string, claimed time.Time) (judgedBy string, ok bool) {
	if c == nil {
		return "", false
	}
	for _, r := range c.Rollbacks {
		if r.Failed == hash && !claimed.Before(r.From) && !claimed.After(r.Until) {
			return r.JudgedBy, true
		}
	}
	return "", false
}

// Encode gives the object's bytes.
func (c *Current) Encode() ([]byte, error) {
	c.Version = Version
	if err := c.check(); err != nil {
		return nil, err
	}
	return json.Marshal(c)
}

// DecodeCurrent reads the object. It refuses one of a newer version and one that contradicts itself.
func DecodeCurrent(data []byte) (*Current, error) {
	var c Current
	if err := decode(data, &c); err != nil {
		return nil, err
	}
	if c.Change != nil && c.Change.Paused {
		c.Paused, c.Change.Paused = true, false
	}
	return &c, c.check()
}

func (c *Current) check() error {
	switch {
	case c.Pipeline == "" || c.Deployed == "" || c.Since.IsZero():
		return errors.New("pipeline, deployed or since is missing")
	case c.By != ByDeploy && c.By != BySQLRun:
		return fmt.Errorf("by is %q, and no pipeline becomes current in that way", c.By)
	case c.By == ByDeploy && c.Pipeline != c.Deployed:
		return fmt.Errorf("the pipeline %s is current by a deploy, which was one of %s", c.Pipeline, c.Deployed)
	}
	if c.Change != nil && (c.Change.To == "" || c.Change.Begun.IsZero()) {
		return errors.New("of the change, to or begun is missing")
	}
	for i, e := range c.Epochs {
		if e.Pipeline == "" || i > 0 && e.From.Before(c.Epochs[i-1].From) || e.Drained.After(e.From) {
			return fmt.Errorf("epochs[%d] (%s from %s, drained %s) contradicts itself or the one before", i, e.Pipeline, e.From, e.Drained)
		}
	}
	for i, r := range c.Rollbacks {
		if r.Failed == "" || r.JudgedBy == "" || r.Failed == r.JudgedBy || r.From.IsZero() || r.Until.Before(r.From) {
			return fmt.Errorf("rollbacks[%d] (%s judged by %s, from %s until %s) is none", i, r.Failed, r.JudgedBy, r.From, r.Until)
		}
	}
	return nil
}

// Current reads which pipeline is current, nil if none is recorded. It needs s3:GetObject on CurrentKey, and
// s3:ListBucket if that may be missing.
func (s *Store) Current(ctx context.Context) (*Current, error) {
	data, etag, at, err := s.get(ctx, CurrentKey)
	if api := smithy.APIError(nil); errors.As(err, &api) && api.ErrorCode() == "NoSuchKey" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := DecodeCurrent(data)
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.bucket, CurrentKey, err)
	}
	c.etag, c.at = etag, at
	return c, nil
}

// SetCurrent replaces the version that was read, nil if there was none, and returns S3's clock. If it was written again
// since, SetCurrent writes nothing and fails.
func (s *Store) SetCurrent(ctx context.Context, next, over *Current) (at time.Time, err error) {
	body, err := next.Encode()
	if err != nil {
		return at, fmt.Errorf("encode the current pipeline: %w", err)
	}
	etag := ""
	if over != nil {
		etag = over.etag
	}
	done, err := s.write(ctx, CurrentKey, body, etag, func() (string, *written, error) {
		stands, standsETag, at, err := s.get(ctx, CurrentKey)
		switch {
		case err != nil:
			return "", nil, fmt.Errorf("read what stands there: %w", err)
		case bytes.Equal(stands, body):
			// An earlier try of this very write went through, and its answer was lost.
			return "", &written{etag: standsETag, at: at}, nil
		}
		return "", nil, errors.New("somebody else has changed it meanwhile: look at it with `streamproof sql show`, and run this again")
	})
	if err != nil {
		return at, fmt.Errorf("set the current pipeline: %w", err)
	}
	next.etag, next.at = done.etag, done.at
	return done.at, nil
}

// Pipeline reads the pipeline that is published under a hash.
func (s *Store) Pipeline(ctx context.Context, hash string) (*pipeline.Pipeline, error) {
	data, _, _, err := s.get(ctx, PipelineKey(hash))
	if err != nil {
		return nil, err
	}
	p, err := DecodePipeline(data, hash)
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.bucket, PipelineKey(hash), err)
	}
	return p, nil
}

// get reads an object, with its ETag and when it was read, by S3's clock.
func (s *Store) get(ctx context.Context, key string) (data []byte, etag string, at time.Time, err error) {
	fail := func(err error) ([]byte, string, time.Time, error) {
		return nil, "", time.Time{}, fmt.Errorf("get s3://%s/%s: %w", s.bucket, key, err)
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return fail(err)
	}
	defer func() { _ = out.Body.Close() }()
	if data, err = io.ReadAll(out.Body); err != nil {
		return fail(err)
	}
	at, _ = middleware.GetServerTime(out.ResultMetadata)
	return data, aws.ToString(out.ETag), at, nil
}
