package verifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
)

// ArchiveKey is where the archive stands in the bucket.
const ArchiveKey = "ledger/archive.json.gz"

// The tag of an object that the archive has folded in: a lifecycle rule may delete what has it.
const (
	SettledTag   = "streamproof"
	SettledValue = "settled"
)

const (
	// archiveEvery is how far a state has to be ahead of the one before to be kept in the archive.
	archiveEvery = 6 * time.Hour
	// mostTags is how many objects a verification tags; the next one goes on.
	mostTags     = 20_000
	parallelTags = 16
	// tagReserve is how much of the function's time is left for what comes after the tagging.
	tagReserve = 20 * time.Second
	// readAgain and countAgain are how many objects and rows are read once more when the first archive is made.
	readAgain  = 100_000
	countAgain = 100_000_000
)

// An archive is what a verification of everything begins from, once objects may be deleted. It is a state like any other:
// it carries the open balances of what is not settled, so whatever it has counted is of no more use to a later verification
// but to be compared with what stands there still.
//
// Only what Base has folded in is ever tagged, and only what no increment from Base lists. In this order: Base is written; a
// state is written that says that there is an archive; the tags; that they are set. A verifier that is killed in between
// leaves something to do, and nothing that is wrong.
//
// Base is never the newest state: Next, which follows it, is that of six hours ago or more when it becomes Base. So a full
// verification has always six hours to judge again, and what comes to light a little late is still counted in its place.
type archive struct {
	Version int    `json:"version"`
	Base    *state `json:"base,omitempty"` // nil until there is one that is old enough
	Next    *state `json:"next,omitempty"`

	etag string
	lost string // why Base is not what something may have been deleted by, empty where it is
}

func (a *archive) encode() ([]byte, error) {
	a.Version = stateVersion
	for _, s := range []*state{a.Base, a.Next} {
		if s != nil {
			s.Version = stateVersion
		}
	}
	return encode(a)
}

func decodeArchive(data []byte) (*archive, error) {
	var a archive
	version, err := decode(data, &a)
	switch {
	case err != nil:
		return nil, err
	case version < 2:
		return nil, fmt.Errorf("version %d never was one of an archive", version)
	case a.Base == nil && a.Next == nil:
		return nil, errors.New("it holds nothing")
	}
	for _, s := range []*state{a.Base, a.Next} {
		if s == nil {
			continue
		}
		if err := s.check(); err != nil {
			return nil, err
		}
		if version < 4 {
			s.Judge.NameFindings(ArchiveKey)
		}
	}
	if a.Base != nil {
		a.Base.archived = true
	}
	return &a, nil
}

// loadArchive reads the archive, nil where there is none. Where it is not as new as a state that was read before it says, it
// is lost.
func loadArchive(ctx context.Context, b bucket.Bucket, known *state) (*archive, error) {
	object, data, err := bucket.Get(ctx, b, ArchiveKey)
	if err != nil {
		return nil, fmt.Errorf("the archive cannot be read: %w", err)
	}
	var until time.Time
	if known != nil {
		until = known.Covers.ArchivedUntil
	}
	if object == nil {
		if until.IsZero() {
			return nil, nil
		}
		return &archive{lost: fmt.Sprintf("%s is gone, and what it had folded in may be gone, too: restore the former version of %s", ArchiveKey, ArchiveKey)}, nil
	}
	a, err := decodeArchive(data)
	if err != nil {
		return nil, fmt.Errorf("the archive cannot be read: %s: %w: restore its former version", ArchiveKey, err)
	}
	a.etag = object.ETag
	if a.Base == nil && !until.IsZero() || a.Base != nil && a.Base.Horizon.Before(until) {
		a.lost = fmt.Sprintf("%s is older than the one that went until %s, and what that had folded in may be gone: restore the latest version of %s",
			ArchiveKey, until.UTC().Format(time.RFC3339), ArchiveKey)
	}
	return a, nil
}

// begin is the state that a verification of everything begins from, nil for nothing.
func (a *archive) begin() *state {
	if a == nil || a.lost != "" {
		return nil
	}
	return a.Base
}

// gap is why nothing can be said of everything.
func (a *archive) gap() string {
	if a == nil {
		return ""
	}
	return a.lost
}

// until is the moment until which what a verification goes on from says that there is an archive. It never goes back.
func (a *archive) until(base *state) time.Time {
	until := base.Covers.ArchivedUntil
	if begin := a.begin(); begin != nil && begin.Horizon.After(until) {
		until = begin.Horizon
	}
	return until
}

// strays are what is kept of before the reach.
func (s *state) strays() map[string]counted {
	if s == nil {
		return nil
	}
	return s.Objects
}

// key is where the state stands, and anew what helps where it is broken.
func (s *state) key() string {
	if s.archived {
		return "the archive " + ArchiveKey
	}
	return "the state " + StateKey
}

func (s *state) anew() string {
	if s.archived {
		return "restore its former version"
	}
	return "verify --full"
}

// whole says whether the state knows the key of all that it has folded in.
func (s *state) whole() bool {
	return !slices.ContainsFunc(slices.Collect(maps.Values(s.Reach)), func(key string) bool { return key != "" })
}

// small says whether all that the state has folded in can be read again in passing.
func (s *state) small() bool {
	return s.Covers.Ticks+s.Covers.Objects+s.Covers.ErrorObjects <= readAgain && s.Covers.Records+s.Covers.Rows <= countAgain
}

// overtaken says whether the archive has meanwhile gone on beyond what this verification began from: then something that it
// should have listed may have been deleted before it could.
func (v *verification) overtaken(ctx context.Context) (bool, error) {
	if v.kept == nil && !v.opts.expire {
		return false, nil
	}
	listed, err := bucket.Find(ctx, v.bucket, ArchiveKey)
	if err != nil || listed == nil || v.kept != nil && listed.ETag == v.kept.etag {
		return false, err
	}
	now, err := loadArchive(ctx, v.bucket, nil)
	begin := now.begin()
	return begin != nil && (v.base == nil || v.base.Horizon.Before(begin.Horizon)), err
}

type tagger interface {
	PutObjectTagging(context.Context, *s3.PutObjectTaggingInput, ...func(*s3.Options)) (*s3.PutObjectTaggingOutput, error)
}

var _ tagger = (*s3.Client)(nil)

// keepArchive does the next thing that is to be done for the archive that was read before the state was saved: it tags what
// is not tagged yet, or goes on to a newer state. Whatever becomes of it, the verdict stands.
func (h *Handler) keepArchive(ctx context.Context, kept *archive, saved *state) error {
	if kept == nil {
		kept = &archive{}
	}
	if base := kept.begin(); base != nil && base.toTag() {
		return h.tagSettled(ctx, kept)
	}
	next := archive{Base: kept.Base, Next: saved, etag: kept.etag}
	switch {
	case kept.lost != "":
		// The state has folded in all that the archive had, and knows what of it is not tagged.
		next.Base = saved
	case kept.Next == nil || kept.Next.Origin != saved.Origin || !kept.Next.samePrefixes(saved) || kept.Next.Horizon.After(saved.Horizon):
		// Everything was read again since: what the next state says is no longer what the increments go on from.
	case saved.Horizon.Sub(kept.Next.Horizon) < archiveEvery:
		return nil
	default:
		next.Base = kept.Next
		if kept.Base != nil {
			next.Base.trim(kept.Base.Reach, kept.Base.Objects)
		}
	}
	return h.saveArchive(ctx, &next)
}

func (s *state) samePrefixes(other *state) bool {
	return s.DataPrefix == other.DataPrefix && s.ErrorsPrefix == other.ErrorsPrefix
}

// toTag says whether there is something before the window that may be left to tag.
func (s *state) toTag() bool {
	for prefix, after := range s.windows() {
		if s.Reach[prefix] < after {
			return true
		}
	}
	return false
}

func (h *Handler) saveArchive(ctx context.Context, a *archive) error {
	data, err := a.encode()
	if err != nil {
		return err
	}
	return h.replace(ctx, ArchiveKey, data, a.etag)
}

// tagSettled tags what the archive's base has counted and no increment from it lists, and then writes how far it has come. Under
// the error prefixes nothing is tagged: what stands there is little, and is what a person looks for.
func (h *Handler) tagSettled(ctx context.Context, kept *archive) error {
	base, left := kept.Base, h.mostTags
	opts := Options{DataPrefix: base.DataPrefix, ErrorsPrefix: base.ErrorsPrefix}
	reach, strays := map[string]string{}, map[string]counted{}
	var errs []error
	for prefix, layout := range opts.layouts() {
		until := base.after(prefix, layout)
		if base.Reach[prefix] >= until {
			continue
		}
		listed, _, err := h.bucket.ListAfter(ctx, prefix, base.Reach[prefix])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		keys, end, err := base.settled(prefix, layout, listed, strays)
		if err != nil {
			errs = append(errs, err)
		}
		reach[prefix] = end
		if prefix != opts.DataPrefix && prefix != ledger.TicksPrefix {
			continue
		}
		if len(keys) > left {
			keys, reach[prefix] = keys[:left], ""
			if left > 0 {
				reach[prefix] = keys[left-1]
			}
		}
		left -= len(keys)
		done, err := h.tagAll(ctx, keys)
		if err != nil {
			errs = append(errs, err)
			if reach[prefix] = ""; done > 0 {
				reach[prefix] = keys[done-1]
			}
		}
	}
	before := maps.Clone(base.Reach)
	if base.trim(reach, strays); !maps.Equal(before, base.Reach) {
		errs = append(errs, h.saveArchive(ctx, kept))
	}
	return errors.Join(errs...)
}

// settled are the keys of before the window that the state has counted, in their order, and how far there are no others; the
// strays of them are added to those. What was not counted is not tagged; and where that is not told by its times, nothing
// after it is, so that a full verification still knows it from what was.
func (s *state) settled(prefix, layout string, listed []bucket.Object, strays map[string]counted) (keys []string, end string, err error) {
	end = s.after(prefix, layout)
	last := s.Reach[prefix]
	for _, o := range listed {
		if o.Key > end {
			break
		}
		before, folded := s.Objects[o.Key]
		same := folded && before.etag == o.ETag
		switch {
		case same && stray(prefix, layout, o):
			strays[o.Key] = before
		case !folded && isForeign(prefix, o):
		case !same && !stray(prefix, layout, o):
			return keys, last, fmt.Errorf("%s is not counted as it stands there, and nothing after it is tagged: verify --full", o.Key)
		}
		if last = o.Key; same {
			keys = append(keys, o.Key)
		}
	}
	return keys, end, nil
}

// tagAll tags these objects, and gives how many are surely tagged, from the first on. A tag is of the version that stands there
// at that moment: of an object that is written over since it was listed it would be the new one's. The bucket keeps both.
func (h *Handler) tagAll(ctx context.Context, keys []string) (done int, err error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-tagReserve))
		defer cancel()
	}
	tagged := make([]bool, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelTags)
	for i, key := range keys {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			_, err := h.tag.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
				Bucket: &h.config.Bucket, Key: &key,
				Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(SettledTag), Value: aws.String(SettledValue)}}},
			})
			if err != nil {
				return fmt.Errorf("tag %s/%s: %w", h.bucket.Name(), key, err)
			}
			tagged[i] = true
			return nil
		})
	}
	err = group.Wait()
	if done = slices.Index(tagged, false); done < 0 {
		done = len(keys)
	}
	return done, err
}

// replace writes over the version with this ETag, and no other; with none, only where nothing stands.
func (h *Handler) replace(ctx context.Context, key string, data []byte, etag string) error {
	input := &s3.PutObjectInput{Bucket: &h.config.Bucket, Key: &key, Body: bytes.NewReader(data), ContentType: aws.String("application/gzip")}
	if etag == "" {
		input.IfNoneMatch = aws.String("*")
	} else {
		input.IfMatch = &etag
	}
	_, err := h.put.PutObject(ctx, input)
	return err
}
