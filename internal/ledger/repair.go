package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
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
	// Rewrites are the objects that are written again without some of their lines.
	Rewrites []Rewrite `json:"rewrites,omitempty"`
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
