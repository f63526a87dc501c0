package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"streamproof/internal/proof"
)

// BackupsPrefix is where the originals of rewritten objects are kept. Nothing there is judged.
const BackupsPrefix = "ledger/backups/"

// BackupKey is where the version of an object with this ETag is kept.
func BackupKey(key, etag string) string {
	return BackupsPrefix + strings.Trim(etag, `"`) + "/" + key
}

// A Rewrite is an object that a repair writes again without some of its lines. What is left of it counts as written
// when the original was: a copy that a repair has not touched pays for what it has always paid for.
type Rewrite struct {
	Key string `json:"key"`
	// Before is the ETag of the object with these lines, and Written when its original was written, by the bucket's
	// clock.
	Before  string    `json:"before"`
	Written time.Time `json:"written"`
	// Lines are the numbers of those that are left out, ascending from 1, and Removed how many findings of which class
	// they were.
	Lines   []int64               `json:"lines"`
	Removed map[proof.Class]int64 `json:"removed"`
	// After is the ETag of the object without them. It is empty until that is known to be written, and Before if it never
	// was, because something else had been written there.
	After string `json:"after,omitempty"`
}

func (r *Rewrite) check() error {
	switch {
	case r.Key == "" || r.Before == "" || r.Written.IsZero():
		return errors.New("a rewritten object without a key, an ETag or a time")
	case len(r.Lines) == 0 || r.Lines[0] < 1 || !slices.IsSorted(r.Lines):
		return fmt.Errorf("the lines that are left out of %s are not in order", r.Key)
	}
	return nil
}

// Rewrites are all rewritten objects of a ledger, by key, the oldest rewrite of each first.
type Rewrites map[string][]Rewrite

// Add adds what a repair rewrites. The repairs are to be added in their order.
func (rs Rewrites) Add(r *Repair) {
	for _, one := range r.Rewrites {
		rs[one.Key] = append(rs[one.Key], one)
	}
}

// Original returns, of an object as it is listed, the ETag of its original and when that was written, if it is a
// version that a repair knows. An object of an open repair that is not as it was before is one.
func (rs Rewrites) Original(key, etag string) (before string, written time.Time, ok bool) {
	versions := rs[key]
	for i, r := range slices.Backward(versions) { // other content may have been rewritten to the same before
		switch {
		case etag == "": // a copy of the bucket has none
			return "", r.Written, true
		case etag == r.Before || etag == r.After || r.After == "":
			return first(versions[:i+1]), r.Written, true
		}
	}
	return etag, time.Time{}, false
}

// first is the ETag that the last of these rewrites goes back to.
func first(versions []Rewrite) string {
	etag := versions[len(versions)-1].Before
	for _, r := range slices.Backward(versions) {
		if r.After == etag {
			etag = r.Before
		}
	}
	return etag
}
