package verifier

import (
	"context"

	"streamproof/internal/bucket"
	"streamproof/internal/report"
)

// judgeFrom verifies from a checkpoint and an archive, either of which may be nil, and returns the next checkpoint.
func judgeFrom(ctx context.Context, b bucket.Bucket, opts Options, last *checkpoint, archive *archive) (*report.Report, *checkpoint) {
	return (&resumption{bucket: b, opts: opts, checkpoint: last, archive: archive}).loop(ctx)
}
