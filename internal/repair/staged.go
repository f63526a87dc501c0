package repair

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
)

// Stage keeps an object of missing rows for a repair until that is claimed.
func (r *Repairer) Stage(ctx context.Context, serial int, w *ledger.Write, body []byte) error {
	key := w.Staged(serial)
	if _, err := r.Client.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.Bucket, Key: &key, Body: bytes.NewReader(body)}); err != nil {
		return fmt.Errorf("stage s3://%s/%s: %w", r.Bucket, key, err)
	}
	return nil
}

// put writes a staged object under its key, unless it is there already.
func (r *Repairer) put(ctx context.Context, serial int, w *ledger.Write) error {
	_, body, err := bucket.Get(ctx, r.Read, w.Staged(serial))
	if err != nil {
		return fmt.Errorf("read s3://%s/%s: %w", r.Bucket, w.Staged(serial), err)
	}
	if body == nil {
		return nil // another repairer has written it and closed the repair; or else its rows are still missing, for the next one
	}
	if err := check(body, w); err != nil {
		return fmt.Errorf("s3://%s/%s: %w: remove it, and repair again", r.Bucket, w.Staged(serial), err)
	}
	for try := 1; ; try++ {
		_, err := r.Client.PutObject(ctx, &s3.PutObjectInput{Bucket: &r.Bucket, Key: &w.Key, Body: bytes.NewReader(body), IfNoneMatch: aws.String("*")})
		switch status := statusOf(err); {
		case err == nil, status == http.StatusPreconditionFailed: // an earlier try, or another repairer, has written it
			return nil
		case status == http.StatusConflict && try < tries:
		default:
			return fmt.Errorf("write s3://%s/%s: %w", r.Bucket, w.Key, err)
		}
	}
}

// check checks that a staged object holds what its claim says.
func check(body []byte, w *ledger.Write) error {
	text, err := bucket.Unzip(bytes.NewReader(body))
	if err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, text); err != nil {
		return err
	}
	if hex.EncodeToString(hash.Sum(nil)) != w.SHA256 {
		return errors.New("it does not hold what it is named for")
	}
	return nil
}

// sweep removes what is staged for repairs up to this one, which is closed.
func (r *Repairer) sweep(ctx context.Context, serial int) error {
	staged, _, err := r.Read.List(ctx, ledger.StagedPrefix)
	if err != nil {
		return fmt.Errorf("list %s: %w", ledger.StagedPrefix, err)
	}
	for _, o := range staged {
		if o.Key >= ledger.StagedFor(serial+1) {
			break
		}
		if _, err := r.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &r.Bucket, Key: &o.Key}); err != nil {
			return fmt.Errorf("remove s3://%s/%s: %w", r.Bucket, o.Key, err)
		}
	}
	return nil
}
