package verifier

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

// PartsPrefix is where the parts of a run keep what they have counted.
const PartsPrefix = "ledger/parts/"

// MaxParts is how many parts a run has at most.
const MaxParts = 100

// maxTicks is how many ticks a part reads at once, so that a function has the memory and the time for them.
const maxTicks = 20_000

// A Run judges a history that is too large for one function. Its rows are divided into parts. Each part counts its own
// rows of the complete history, as far at once as the time of a function allows, and resumes from there. A verification
// then resumes from all of them together, as from a checkpoint.
type Run struct {
	ID string `json:"id"`
	Of int    `json:"of"` // the number of parts
	// Until is up to when the parts count, by the bucket's clock.
	Until time.Time `json:"until"`
	// Listed is a hash of all that was claimed and written up to then. Each part has to find the same each time: else
	// something has changed that it may have counted.
	Listed string `json:"listed"`
}

// A Plan is a run and the first order for each of its parts.
type Plan struct {
	Run   Run         `json:"run"`
	Parts []PartOrder `json:"parts"`
}

// A PartOrder has a part count from where it stands. It is also the answer, which is the next order unless it is done.
type PartOrder struct {
	Run    Run       `json:"run"`
	Index  int       `json:"index"`
	Judged time.Time `json:"judged,omitzero"` // up to when it has counted
	Done   bool      `json:"done"`
}

func (r Run) key(index int) string {
	return fmt.Sprintf("%s%d-of-%d.json.gz", PartsPrefix, index+1, r.Of)
}

func (r Run) check() error {
	if r.ID == "" || r.Of < 0 || r.Of > MaxParts || r.Until.IsZero() {
		return fmt.Errorf("run %q of %d parts until %s is not one that was planned", r.ID, r.Of, r.Until.Format(time.RFC3339))
	}
	return nil
}

// A stretch is what one invocation counts of a part.
type stretch struct {
	run  Run
	part proof.Part // of the rows
	// enough reports whether to stop before the next moment of the history.
	enough func() bool

	until     time.Time // up to when it counts, if it does not pause
	listing   hash.Hash
	madeLater bool      // whether a repair has made an object after the run's end
	reached   time.Time // the moment of what was counted last
	paused    bool
}

func newStretch(run Run, index int, enough func() bool) *stretch {
	return &stretch{run: run, part: proof.Part{Index: index, Of: run.Of}, enough: enough, listing: sha256.New()}
}

// see takes note of objects that are listed, and drops those that the part has counted.
func (s *stretch) see(listed []bucket.Object, v *verification) (fresh []bucket.Object) {
	own := v.base
	if own != nil && own.archived {
		own = nil // which the caller has seen to
	}
	for _, o := range listed {
		if !o.LastModified.After(s.run.Until) {
			_, _ = fmt.Fprintln(s.listing, strconv.Quote(o.Key), o.ETag, o.LastModified.UTC().Format(time.RFC3339Nano))
		} else if _, made := v.rewrites.Made[o.Key]; made {
			s.madeLater = true
		}
		if own != nil {
			if _, counted := own.Objects[o.Key]; counted || !o.LastModified.After(own.Watermark) {
				continue
			}
		}
		fresh = append(fresh, o)
	}
	return fresh
}

// listed is the hash of what was seen, the ledger's repairs and the archive among it.
func (s *stretch) listed(v *verification) string {
	_, _ = fmt.Fprintln(s.listing, v.rewrites.Closed)
	if archived := v.archive.baseline(); archived != nil {
		_, _ = fmt.Fprintln(s.listing, archived.Watermark.UTC())
	}
	return hex.EncodeToString(s.listing.Sum(nil))
}

// first returns those of the ticks that are read now, at most about so many. It ends the stretch where everything that
// was claimed is among them, later than what was counted before.
func (s *stretch) first(ticks []bucket.Object, most int, counted time.Time) []bucket.Object {
	for ; most < len(ticks); most *= 2 {
		// Ticks are listed by their times, and none is claimed earlier than two margins before its time.
		next, _ := ledger.TickOfKey(ticks[most].Key)
		if until := next.Add(-2 * margin); until.After(counted) && until.Before(s.run.Until) {
			s.until = until
			return ticks[:most]
		}
	}
	s.until = s.run.Until
	return ticks
}

// pauses reports whether to stop before what is of a moment. Everything of one moment is counted together.
func (s *stretch) pauses(at time.Time) bool {
	if s == nil || s.paused || !at.After(s.reached) {
		return s != nil && s.paused
	}
	if s.paused = !s.reached.IsZero() && s.enough(); !s.paused {
		s.reached = at
	}
	return s.paused
}

// checkpoint is what the part has counted.
func (s *stretch) checkpoint(v *verification) *checkpoint {
	until := s.until
	if s.paused {
		until = s.reached
	}
	next := v.takeCheckpoint(until)
	if next.Run = s.run.ID; s.madeLater && !until.Before(s.run.Until) {
		next.Repairs = uncounted
	}
	return next
}

// plan plans a run of so many parts. It has none if there is nothing yet that they could count.
func (r *resumption) plan(ctx context.Context, parts int) (*Plan, error) {
	v, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	objects, errorObjects, now, ok := v.listObjects(ctx)
	ticks, _, also := v.list(ctx, "the ledger", ledger.TicksPrefix)
	if ok && also {
		v.claims = v.readTicks(ctx, slices.DeleteFunc(slices.Clone(ticks), func(o bucket.Object) bool { return now.Sub(o.LastModified) > finalAfter }))
	}
	if v.stopped(ctx) {
		return nil, v.failure()
	}
	run := Run{ID: rand.Text(), Of: parts, Until: v.watermark(now)}
	if !slices.ContainsFunc(ticks, func(o bucket.Object) bool { return !o.LastModified.After(run.Until) }) {
		run.Of = 0
	}
	s := newStretch(run, 0, nil)
	for _, listed := range [][]bucket.Object{objects, errorObjects, ticks} {
		s.see(listed, v)
	}
	run.Listed = s.listed(v)
	p := &Plan{Run: run, Parts: []PartOrder{}}
	for i := range run.Of {
		p.Parts = append(p.Parts, PartOrder{Run: run, Index: i})
	}
	return p, nil
}

// stretch counts one part as far as it gets.
func (r *resumption) stretch(ctx context.Context, run Run, index int, enough func() bool) (*checkpoint, error) {
	v, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	v.stretch = newStretch(run, index, enough)
	if v.run(ctx); v.stopped(ctx) {
		return nil, v.failure()
	}
	return v.next, nil
}

// failure is why a part cannot be counted.
func (v *verification) failure() error {
	if v.belated {
		v.undecided("something has come to light that is older than what was counted: start another run")
	}
	return errors.New(strings.Join(v.report.Reasons, "; "))
}

// of is what one part of all rows has of a checkpoint. What was counted is the first part's.
func (s *checkpoint) of(p proof.Part) *checkpoint {
	part := *s
	part.Epochs = slices.Clone(s.Epochs)
	for i := range part.Epochs {
		if e := &part.Epochs[i]; e.Judge != nil {
			e.Judge = e.Judge.Part(p)
		}
	}
	return &part
}

// mergeParts makes one checkpoint of those of all parts of a run.
func mergeParts(parts []*checkpoint) (*checkpoint, error) {
	all := *parts[0]
	all.Epochs = slices.Clone(all.Epochs)
	for i := range all.Epochs {
		e := &all.Epochs[i]
		var judges []*proof.State
		for _, p := range parts {
			if len(p.Epochs) != len(all.Epochs) || (p.Epochs[i].Judge == nil) != (e.Judge == nil) {
				return nil, errors.New("the parts are not of the same epochs")
			}
			if e.Judge != nil {
				judges = append(judges, p.Epochs[i].Judge)
			}
		}
		if e.Judge == nil {
			continue // every part has counted it
		}
		var err error
		if e.Judge, err = proof.Merge(judges); err != nil {
			return nil, err
		}
	}
	return &all, nil
}

// plan plans a run.
func (h *Handler) plan(ctx context.Context, parts int) (*Plan, error) {
	if parts < 1 || parts > MaxParts {
		return nil, fmt.Errorf("%d parts: 1 to %d can be counted", parts, MaxParts)
	}
	last, _, _ := loadCheckpoint(ctx, h.bucket) // only to learn whether an archive must exist
	archive, err := loadArchive(ctx, h.bucket, last)
	if err != nil {
		return nil, err
	}
	return (&resumption{bucket: h.bucket, opts: h.options(), archive: archive}).plan(ctx, parts)
}

// judgePart counts a part as far as half of the function's time goes, and keeps what it has counted. The other half is
// for the end: unmatched rows are classified, and what is open is written.
func (h *Handler) judgePart(ctx context.Context, o PartOrder, enough func() bool) (*PartOrder, error) {
	if err := o.Run.check(); err != nil || o.Index < 0 || o.Index >= o.Run.Of {
		return nil, cmp.Or(err, fmt.Errorf("there is no part %d of %d", o.Index, o.Run.Of))
	}
	key := o.Run.key(o.Index)
	saved, etag, err := loadPart(ctx, h.bucket, key, o.Run)
	if err != nil {
		return nil, err
	}
	if saved == nil && !o.Judged.IsZero() || saved != nil && saved.Watermark.Before(o.Judged) {
		return nil, fmt.Errorf("%s is not what this run has left there: another run has begun", key)
	}
	archive, err := loadArchive(ctx, h.bucket, saved)
	if err != nil {
		return nil, err
	}
	r := &resumption{bucket: h.bucket, opts: h.options(), checkpoint: saved, only: saved != nil, archive: archive}
	next, err := r.stretch(ctx, o.Run, o.Index, enough)
	if err != nil {
		return nil, err
	}
	if !next.Watermark.After(o.Judged) {
		return nil, fmt.Errorf("part %d gets no further than %s", o.Index, o.Judged) // rather than try for ever
	}
	data, err := next.encode()
	if err == nil {
		err = h.replace(ctx, key, data, etag)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", key, err)
	}
	o.Judged, o.Done = next.Watermark, !next.Watermark.Before(o.Run.Until)
	h.log.InfoContext(ctx, "counted", "part", o.Index, "of", o.Run.Of, "until", o.Judged)
	return &o, nil
}

// half reports, from when half of the time is over that is left until the deadline of ctx, true.
func half(ctx context.Context) func() bool {
	end, limited := ctx.Deadline()
	stop := time.Now().Add(time.Until(end) / 2)
	return func() bool { return limited && time.Now().After(stop) }
}

// loadPart reads what a part has counted in a run, nil if there is nothing, and the object's ETag, whatever run it is
// of.
func loadPart(ctx context.Context, b bucket.Bucket, key string, run Run) (*checkpoint, string, error) {
	object, data, err := bucket.Get(ctx, b, key)
	if err != nil || object == nil {
		return nil, "", err
	}
	if s, err := decodeCheckpoint(data); err == nil && s.Run == run.ID {
		return s, object.ETag, nil
	}
	return nil, object.ETag, nil // of another run, perhaps of another version
}

// merged reads what the parts of a run have counted, as one checkpoint; nil if it has none.
func (h *Handler) merged(ctx context.Context, run Run) (*checkpoint, error) {
	if err := run.check(); err != nil {
		return nil, err
	}
	var parts []*checkpoint
	for i := range run.Of {
		s, _, err := loadPart(ctx, h.bucket, run.key(i), run)
		if err != nil {
			return nil, err
		}
		if s == nil || s.Watermark.Before(run.Until) {
			return nil, fmt.Errorf("%s is not what this run has left there: another run has begun", run.key(i))
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	all, err := mergeParts(parts)
	if err != nil {
		return nil, fmt.Errorf("merge what the parts have counted: %w", err)
	}
	all.Run = ""
	return all, nil
}
