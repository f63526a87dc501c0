package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// StagedPrefix is where the objects of a repair are kept from before it is claimed until it is closed. Nothing there is
// judged.
const StagedPrefix = "ledger/staged/"

// A Write is an object that a repair makes of missing and failed rows.
type Write struct {
	Key string `json:"key"`
	// SHA256 is that of the object's lines without compression, in hex. The key holds it, too, so that whoever writes the
	// object twice writes the same.
	SHA256 string `json:"sha256"`
	// Bytes are those of the object as it is stored, Lines without compression.
	Bytes int64 `json:"bytes"`
	Lines int64 `json:"lines"`
	// Missing and Failed are the lines, by what was wrong with them.
	Missing int64 `json:"missing,omitempty"`
	Failed  int64 `json:"failed,omitempty"`
	// First and Last are the seconds in which the first and the last of the rows' records arrived, where they were made
	// for an audit.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
	// Pipeline and Epoch say whose rows they are: the hash of the pipeline, and since when its epoch lasts. Written now,
	// they are not rows of the current one.
	Pipeline string    `json:"pipeline,omitempty"`
	Epoch    time.Time `json:"epoch,omitzero"`
}

// Staged is where the object is kept for a repair until it is under its own key.
func (w *Write) Staged(serial int) string { return StagedFor(serial) + w.SHA256 }

// StagedFor is the prefix of what is staged for a repair.
func StagedFor(serial int) string { return fmt.Sprintf("%s%06d/", StagedPrefix, serial) }

func (w *Write) check() error {
	if hash, err := hex.DecodeString(w.SHA256); err != nil || len(hash) != 32 {
		return fmt.Errorf("a written object has the SHA-256 %q", w.SHA256)
	}
	if w.Key == "" || w.Lines < 1 || w.Lines != w.Missing+w.Failed {
		return errors.New("a written object without a key or without rows")
	}
	return nil
}
