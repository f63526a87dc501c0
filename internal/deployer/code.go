package deployer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// JARName is the name of the application's JAR in the deployer's package.
const JARName = "streamproof-analytics.jar"

// CodePrefix is the prefix of the JARs in the bucket.
const CodePrefix = "code/"

var codeKey = regexp.MustCompile(`^` + CodePrefix + `[0-9a-f]{64}\.jar$`)

type uploader interface {
	Upload(ctx context.Context, in *s3.PutObjectInput, opts ...func(*manager.Uploader)) (*manager.UploadOutput, error)
}

var _ uploader = (*manager.Uploader)(nil)

// code answers for Custom::AnalyticsCode. The physical id is the JAR's key, so that new code replaces the resource.
func (d *Deployer) code(ctx context.Context, log *slog.Logger, event cfn.Event) (string, map[string]any, error) {
	props, err := properties(event, "Bucket")
	if err != nil {
		return "", nil, err
	}
	bucket := props["Bucket"]
	if event.RequestType == cfn.RequestDelete {
		return event.PhysicalResourceID, nil, d.deleteCode(ctx, log, bucket, event.PhysicalResourceID)
	}
	key, err := d.uploadCode(ctx, bucket)
	if err != nil {
		return "", nil, err
	}
	return key, map[string]any{"Key": key}, nil
}

// uploadCode uploads the JAR and returns its key. An object that is already under the key has the same bytes, and
// writing it again would store it twice in a bucket with versions.
func (d *Deployer) uploadCode(ctx context.Context, bucket string) (string, error) {
	jar, err := os.Open(d.JAR)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("no JAR built: the deployer's package holds no %s; run `sam build` (or `make build`) and deploy again", filepath.Base(d.JAR))
	}
	if err != nil {
		return "", fmt.Errorf("open the JAR: %w", err)
	}
	defer jar.Close()

	hash := sha256.New()
	if _, err := io.Copy(hash, jar); err != nil {
		return "", fmt.Errorf("read the JAR: %w", err)
	}
	if _, err := jar.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("read the JAR: %w", err)
	}
	key := CodePrefix + hex.EncodeToString(hash.Sum(nil)) + ".jar"
	_, err = d.Uploader.Upload(ctx, &s3.PutObjectInput{
		Bucket:      &bucket,
		Key:         &key,
		Body:        jar,
		ContentType: aws.String("application/java-archive"),
		IfNoneMatch: aws.String("*"),
	})
	if err != nil && !isCode(err, "PreconditionFailed") {
		return "", fmt.Errorf("upload the JAR to s3://%s/%s: %w", bucket, key, err)
	}
	return key, nil
}

// deleteCode deletes all versions of the JAR under this key. It deletes nothing for a resource that was never created,
// whose id is not a key.
func (d *Deployer) deleteCode(ctx context.Context, log *slog.Logger, bucket, key string) error {
	if !codeKey.MatchString(key) {
		return nil
	}
	c := contents{bucket: bucket, calls: d.Objects, log: log}
	err := c.purge(ctx, key, func(k string) bool { return k == key })
	if isCode(err, "NoSuchBucket") {
		return nil
	}
	return err
}
