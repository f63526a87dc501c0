package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// Where repairs stand in the bucket.
const (
	// RepairKey is the last repair. Only one is open at a time.
	RepairKey = "ledger/repair.json"
	// RepairsPrefix is where closed repairs stand, by their serial number.
	RepairsPrefix = "ledger/repairs/"
)

// repairVersion is the version of the repairs that this package writes.
const repairVersion = 1

// A Repair claims what it is going to write, before it writes any of it. Whoever finds it open finishes it.
type Repair struct {
	Version int `json:"version"`
	// Serial numbers the repairs of a ledger, from 1.
	Serial int `json:"serial"`
	// Owner is a random token of the attempt that claimed it, and Claimed when that was.
	Owner   string    `json:"owner"`
	Claimed time.Time `json:"claimed"`
	// Closed is whether everything is written.
	Closed bool `json:"closed"`
	// Writes are new objects, of missing and failed rows.
	Writes []Write `json:"writes,omitempty"`
	// Rewrites are the objects that are written again without some of their lines.
	Rewrites []Rewrite `json:"rewrites,omitempty"`

	etag string // of what was read or written
}

// Key is where the repair stands once it is closed.
func (r *Repair) Key() string { return fmt.Sprintf("%s%06d.json", RepairsPrefix, r.Serial) }

// IsRepairKey reports whether a key may be one of a closed repair.
func IsRepairKey(key string) bool {
	name, ok := strings.CutPrefix(key, RepairsPrefix)
	return ok && strings.HasSuffix(name, ".json") && !strings.Contains(name, "/")
}

// Encode gives the object's bytes.
func (r *Repair) Encode() ([]byte, error) {
	r.Version = repairVersion
	if err := r.check(); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// DecodeRepair reads the object. It refuses one of a newer version and one that contradicts itself.
func DecodeRepair(data []byte) (*Repair, error) {
	var r Repair
	if err := decodeUpTo(repairVersion, data, &r); err != nil {
		return nil, err
	}
	return &r, r.check()
}

func (r *Repair) check() error {
	if r.Serial < 1 || r.Owner == "" || r.Claimed.IsZero() {
		return errors.New("a repair without a serial number, an owner or a time")
	}
	for i := range r.Writes {
		if err := r.Writes[i].check(); err != nil {
			return err
		}
	}
	for i := range r.Rewrites {
		if err := r.Rewrites[i].check(); err != nil {
			return err
		}
		if r.Closed && r.Rewrites[i].After == "" {
			return fmt.Errorf("repair %d is closed, and %s is not written", r.Serial, r.Rewrites[i].Key)
		}
	}
	return nil
}

// Repair reads the last repair, nil if there was none. It needs s3:GetObject on RepairKey, and s3:ListBucket if that
// may be missing.
func (s *Store) Repair(ctx context.Context) (*Repair, error) {
	data, etag, _, err := s.get(ctx, RepairKey)
	if api := smithy.APIError(nil); errors.As(err, &api) && api.ErrorCode() == "NoSuchKey" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := DecodeRepair(data)
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", s.bucket, RepairKey, err)
	}
	r.etag = etag
	return r, nil
}

// ErrRepairChanged says that another repair has been claimed or closed since the last one was read.
var ErrRepairChanged = errors.New("another repair has come between: run this again")

// SetRepair claims or closes a repair, over the last one as it was read, nil for none. Before the next one is claimed,
// the last one is filed under its own key. If something else stands there, the error wraps ErrRepairChanged and nothing
// is claimed or closed. It needs s3:GetObject and s3:PutObject on RepairKey and RepairsPrefix.
func (s *Store) SetRepair(ctx context.Context, next, over *Repair) error {
	etag := ""
	if over != nil {
		etag = over.etag
	}
	if over != nil && over.Serial != next.Serial {
		if _, err := s.put(ctx, over.Key(), "", over); err != nil {
			return err
		}
	}
	etag, err := s.put(ctx, RepairKey, etag, next)
	next.etag = etag
	return err
}

// put writes a repair over the version with this ETag, and succeeds where it stands already.
func (s *Store) put(ctx context.Context, key, over string, r *Repair) (etag string, err error) {
	body, err := r.Encode()
	if err != nil {
		return "", fmt.Errorf("encode repair %d: %w", r.Serial, err)
	}
	done, err := s.write(ctx, key, body, over, func() (string, *written, error) {
		stands, standsETag, at, err := s.get(ctx, key)
		switch {
		case err != nil:
			return "", nil, fmt.Errorf("read what stands there: %w", err)
		case bytes.Equal(stands, body):
			return "", &written{etag: standsETag, at: at}, nil
		}
		return "", nil, ErrRepairChanged
	})
	if err != nil {
		return "", fmt.Errorf("write repair %d: %w", r.Serial, err)
	}
	return done.etag, nil
}
