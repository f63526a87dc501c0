package verifier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/zipped"
)

// ArchiveKey is where the archive stands in the bucket.
const ArchiveKey = "ledger/archive.json.gz"

const (
	// archiveEvery is how far a checkpoint has to be ahead of the last one in the archive to be added.
	archiveEvery = 6 * time.Hour
	// A history of at most so many objects and rows is read once more when the first archive is made.
	maxRereadObjects = 100_000
	maxRereadRows    = 100_000_000
)

// An archive is what a full verification resumes from once objects may expire. Its parts are ordinary checkpoints: they
// carry the open balances of what is not settled, so a later verification needs what they have counted only to compare
// it with what still stands there.
//
// Only what Base has counted, and what no increment from Base lists, is ever tagged. The order is: Base is written;
// then a checkpoint that says that there is an archive; then the tags; then that they are set. A verifier that is
// killed in between leaves work to do, and nothing wrong.
//
// Base is never the newest checkpoint: it was Next, taken at least six hours before the checkpoint that replaces it. So
// a full verification always has six hours to judge again, and what comes to light a little late is still counted in
// its place. For example, with checkpoints every five minutes from 00:00 on, Next is that of 00:00; at 06:00 it becomes
// Base, and Next is that of 06:00.
type archive struct {
	Version int         `json:"version"`
	Base    *checkpoint `json:"base,omitempty"` // nil until there is one that is old enough
	Next    *checkpoint `json:"next,omitempty"`

	etag string
	lost string // why something may have expired that Base has not counted; empty if nothing has
}

func (a *archive) encode() ([]byte, error) {
	a.Version = formatVersion
	for _, s := range []*checkpoint{a.Base, a.Next} {
		if s != nil {
			s.Version = formatVersion
		}
	}
	return zipped.Encode(a)
}

func decodeArchive(data []byte) (*archive, error) {
	var a archive
	err := decode(data, &a, &a.Version)
	switch {
	case err != nil:
		return nil, err
	case a.Version < 2:
		return nil, fmt.Errorf("version %d is not one of an archive", a.Version)
	case a.Base == nil && a.Next == nil:
		return nil, errors.New("it holds nothing")
	}
	for _, s := range []*checkpoint{a.Base, a.Next} {
		if s == nil {
			continue
		}
		if err := s.check(); err != nil {
			return nil, err
		}
		if a.Version < 4 {
			s.Epochs[0].Judge.NameFindings(ArchiveKey)
		}
	}
	if a.Base != nil {
		a.Base.archived = true
	}
	return &a, nil
}

// loadArchive reads the archive, nil if there is none. If it is older than the last checkpoint says, it is lost.
func loadArchive(ctx context.Context, b bucket.Bucket, last *checkpoint) (*archive, error) {
	object, data, err := bucket.Get(ctx, b, ArchiveKey)
	if err != nil {
		return nil, fmt.Errorf("the archive cannot be read: %w", err)
	}
	var until time.Time
	if last != nil {
		until = last.Covers.ArchivedUntil
	}
	if object == nil {
		if until.IsZero() {
			return nil, nil
		}
		return &archive{lost: fmt.Sprintf("%s is gone, and what it had counted may have expired: restore the former version of %s", ArchiveKey, ArchiveKey)}, nil
	}
	a, err := decodeArchive(data)
	if err != nil {
		return nil, fmt.Errorf("the archive cannot be read: %s: %w: restore its former version", ArchiveKey, err)
	}
	a.etag = object.ETag
	if a.Base == nil && !until.IsZero() || a.Base != nil && a.Base.Watermark.Before(until) {
		a.lost = fmt.Sprintf("%s is older than the one that went until %s, and what that had counted may have expired: restore the latest version of %s",
			ArchiveKey, until.UTC().Format(time.RFC3339), ArchiveKey)
	}
	return a, nil
}

// baseline is the checkpoint that a full verification resumes from, nil for none.
func (a *archive) baseline() *checkpoint {
	if a == nil || a.lost != "" {
		return nil
	}
	return a.Base
}

// lostReason says why the complete history cannot be judged; it is empty if it can.
func (a *archive) lostReason() string {
	if a == nil {
		return ""
	}
	return a.lost
}

// until is the moment until which there is an archive, by what a verification resumes from. It never goes back.
func (a *archive) until(base *checkpoint) time.Time {
	until := base.Covers.ArchivedUntil
	if archived := a.baseline(); archived != nil && archived.Watermark.After(until) {
		until = archived.Watermark
	}
	return until
}

// small reports whether everything that the checkpoint has counted can be read again in passing.
func (s *checkpoint) small() bool {
	c := s.Covers
	return c.Ticks+c.Objects+c.ErrorObjects <= maxRereadObjects && c.Records+c.Rows <= maxRereadRows
}

// overtaken reports whether the archive has moved beyond the baseline of this verification meanwhile: then something
// may have expired before it was listed.
func (v *verification) overtaken(ctx context.Context) (bool, error) {
	if v.archive == nil && !v.opts.expire {
		return false, nil
	}
	listed, err := bucket.Find(ctx, v.bucket, ArchiveKey)
	if err != nil || listed == nil || v.archive != nil && listed.ETag == v.archive.etag {
		return false, err
	}
	now, err := loadArchive(ctx, v.bucket, nil)
	archived := now.baseline()
	return archived != nil && (v.base == nil || v.base.Watermark.Before(archived.Watermark)), err
}

// keepArchive does the next thing for the archive that was read before the checkpoint was saved: it tags what is not
// tagged yet, or moves on to a newer checkpoint. Whatever becomes of it, the verdict stands.
func (h *Handler) keepArchive(ctx context.Context, a *archive, saved *checkpoint) error {
	if a == nil {
		a = &archive{}
	}
	if base := a.baseline(); base != nil && base.hasUntagged() {
		return h.tagSettled(ctx, a)
	}
	next := archive{Base: a.Base, Next: saved, etag: a.etag}
	switch {
	case a.lost != "":
		// The checkpoint has counted everything that the archive had, and knows what of it is not tagged.
		next.Base = saved
	case a.Next == nil || a.Next.Origin != saved.Origin || a.Next.DataPrefix != saved.DataPrefix || a.Next.ErrorsPrefix != saved.ErrorsPrefix,
		a.Next.Watermark.After(saved.Watermark):
		// Everything was read again since: the increments no longer resume from Next.
	case saved.Watermark.Sub(a.Next.Watermark) < archiveEvery:
		return nil
	default:
		next.Base = a.Next
		if a.Base != nil {
			next.Base.trim(a.Base.Reach, a.Base.Objects)
		}
	}
	return h.saveArchive(ctx, &next)
}

func (h *Handler) saveArchive(ctx context.Context, a *archive) error {
	data, err := a.encode()
	if err != nil {
		return err
	}
	return h.replace(ctx, ArchiveKey, data, a.etag)
}
