package audit

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/aws/smithy-go"

	"streamproof/internal/bucket"
	"streamproof/internal/encoding"
	"streamproof/internal/stream"
)

// What reading needs on AWS.
const (
	streamPermissions = "kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords on the stream"
	bucketPermissions = "s3:ListBucket on the bucket and s3:GetObject on its objects"
)

// A formatError says that an object is of a format that is not read.
type formatError string

func (f formatError) Error() string {
	return fmt.Sprintf("%s is not read: only lines of text are, gzip or not", string(f))
}

// suffixes name the formats that cannot be told by their first bytes, as Firehose and others name their objects.
var suffixes = map[string]string{
	".snappy": "Snappy", ".hsnappy": "Snappy", ".zip": "ZIP", ".parquet": "Parquet", ".orc": "ORC", ".avro": "Avro", ".bz2": "bzip2", ".zst": "Zstandard",
}

// formatOf gives the format of an object that is no lines of text; empty where it may be.
func formatOf(key string, head []byte) string {
	if name := encoding.Format(head); name != "" {
		return name
	}
	return suffixes[strings.ToLower(path.Ext(key))]
}

// plain says in a sentence why something cannot be read, and what to do about it.
func plain(err error, permissions string) string {
	var api smithy.APIError
	switch {
	case errors.Is(err, bucket.ErrRewritten):
		return "it was written again after it was listed: audit again"
	case errors.Is(err, stream.ErrTrimmed):
		return "a shard, or a part of it, is gone since its retention is over: start the window later, or keep records for longer"
	case !errors.As(err, &api):
		return err.Error()
	}
	code, message := api.ErrorCode(), api.ErrorMessage()
	says := func(what string) bool { return strings.Contains(strings.ToLower(message), what) }
	var why string
	switch {
	case strings.HasPrefix(code, "KMS"), strings.HasPrefix(code, "AccessDenied") && says("kms"):
		why = "it is encrypted with a KMS key that these credentials cannot use: they need kms:Decrypt on a key that is enabled"
	case strings.HasPrefix(code, "AccessDenied"):
		why = "access is denied: these credentials need " + permissions
	case code == "InvalidRequest" && (says("encryption") || says("customer-key")):
		why = "it is encrypted with a key that only its writer holds (SSE-C), so nobody else can read it"
	case code == "InvalidObjectState":
		why = "it is archived: restore it from its storage class first"
	case code == "NoSuchKey":
		why = "it was deleted after it was listed: audit again, or start the window after what a lifecycle rule deletes"
	case code == "NoSuchBucket":
		why = "there is no such bucket"
	case code == "PermanentRedirect":
		why = "the bucket is in another region: name it with --region"
	case code == "ResourceNotFoundException":
		why = "there is no such stream, or it loses its shards, in this region and account"
	default:
		return err.Error()
	}
	return fmt.Sprintf("%s (%s: %s)", why, code, message)
}

// streamFault says why the stream cannot be read, or what its records owe is not known.
func (a *audit) streamFault(err error) string {
	if ask := (*askError)(nil); errors.As(err, &ask) {
		return ask.Error()
	}
	return fmt.Sprintf("read stream %s: %s", a.stream.Name(), plain(err, streamPermissions))
}

// An unread is objects that cannot be read for the same cause.
type unread struct {
	first   string // key
	objects int
	reason  int // its place among the report's reasons
}

// cannotRead makes one reason of all objects with the same cause.
func (a *audit) cannotRead(o bucket.Object, err error) {
	cause := plain(err, bucketPermissions)
	u, known := a.unread[cause]
	if !known {
		u = &unread{first: o.Key, reason: len(a.report.Reasons)}
		a.unread[cause] = u
		a.undecided("read %s/%s: %s", a.bucket.Name(), o.Key, cause)
	}
	if u.objects++; u.objects > 1 {
		a.report.Reasons[u.reason] = fmt.Sprintf("read %d objects, such as %s/%s: %s", u.objects, a.bucket.Name(), u.first, cause)
	}
}
