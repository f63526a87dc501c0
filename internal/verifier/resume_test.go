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

// handle has a handler answer an event that asks for a report.
func handle(ctx context.Context, h *Handler, event []byte) (*report.Report, error) {
	answer, err := h.Handle(ctx, event)
	r, _ := answer.(*report.Report)
	return r, err
}
