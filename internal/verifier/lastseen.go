package verifier

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/explain"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

const (
	// lookFor is how long a verification looks for where missing rows were last, at most.
	lookFor = time.Minute
	// reportReserve is how much of the function's time is left for the report.
	reportReserve = 20 * time.Second
)

// lookBack adds to the report where its sampled missing and failed rows were last. What the report before said of the
// same rows stands: they are looked for once, not by every verification. A loss that cannot be looked for is still
// reported.
func (h *Handler) lookBack(ctx context.Context, r *report.Report) {
	defer func() {
		slices.SortStableFunc(r.LastSeen, func(a, b report.Finding) int {
			return cmp.Or(a.Tick.Compare(b.Tick), cmp.Compare(b.Class, a.Class), cmp.Compare(a.Row, b.Row)) // missing before failed
		})
	}()
	before := h.lastReport(ctx, r)
	if !r.Balanced() && before != nil {
		r.LastSeen = before.LastSeen // for the next one, whose stream may not keep it any more
		return
	}
	unseen := map[proof.Class][]proof.Sample{}
	for _, class := range []proof.Class{proof.Missing, proof.Failed} {
		for _, s := range r.Samples[class] {
			if known := seenBefore(before, class, s); len(known) > 0 {
				r.LastSeen = append(r.LastSeen, known...)
			} else {
				unseen[class] = append(unseen[class], s)
			}
		}
	}
	if len(unseen) == 0 || h.stream == nil {
		return
	}
	until := time.Now().Add(lookFor)
	if end, ok := ctx.Deadline(); ok && end.Add(-reportReserve).Before(until) {
		until = end.Add(-reportReserve)
	}
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	of := *r
	of.Samples = unseen
	found, err := explain.Explain(ctx, h.bucket, h.stream, &of, explain.Options{
		DataPrefix: h.config.DataPrefix, ErrorsPrefix: h.config.ErrorsPrefix, FailedPrefix: Options{DataPrefix: h.config.DataPrefix}.FailedPrefix(),
		Unasked: true, Now: r.JudgedAt,
	})
	if err != nil {
		h.log.WarnContext(ctx, "cannot determine where the missing rows were last: see streamproof explain", "error", err.Error())
		return
	}
	r.LastSeen = append(r.LastSeen, found.Findings...)
}

// lastReport is the report of the verification before, nil if none can be read. It only saves work.
func (h *Handler) lastReport(ctx context.Context, r *report.Report) *report.Report {
	if r.Balanced() && len(r.Samples[proof.Missing])+len(r.Samples[proof.Failed]) == 0 {
		return nil
	}
	object, data, err := bucket.Get(ctx, h.bucket, LatestReport)
	if err != nil || object == nil {
		return nil
	}
	var before report.Report
	if err := json.Unmarshal(data, &before); err != nil || before.Version != report.Version {
		return nil
	}
	return &before
}

// seenBefore is what a report has said of all rows of a sample; nil if that may have changed.
func seenBefore(before *report.Report, class proof.Class, s proof.Sample) []report.Finding {
	if before == nil {
		return nil
	}
	found, left := before.LastSeenOf(class, s), s.Count
	for _, f := range found {
		if f.Hop == report.Delivered || f.Hop == report.NotFound {
			return nil
		}
		left -= f.Count
	}
	if left != 0 {
		return nil
	}
	return found
}
