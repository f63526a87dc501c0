package verifier

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/rewrite"
)

// window is how far back an incremental verification lists: Firehose tries to deliver for 24 hours and names objects
// after the arrival of their oldest record, and the producer takes no older tick (producer.OldestTick).
const window = 26 * time.Hour

// How keys continue after a prefix, with the hour or day that they are listed by.
const (
	hourLayout = "2006/01/02/15"
	dayLayout  = "2006/01/02"
)

// layouts are all prefixes that are listed, each with its layout.
func (o Options) layouts() map[string]string {
	return map[string]string{
		o.DataPrefix:       hourLayout,
		o.ErrorsPrefix:     hourLayout,
		o.FailedPrefix():   hourLayout,
		ledger.TicksPrefix: dayLayout,
	}
}

// windowAt is the key after which a prefix is listed if everything up to the watermark is counted.
func windowAt(prefix, layout string, watermark time.Time) string {
	return prefix + watermark.UTC().Add(-window).Format(layout)
}

// isStray reports whether an object was before the window already when it was written, so that no increment ever lists
// it.
func isStray(prefix, layout string, o bucket.Object) bool {
	return o.Key <= windowAt(prefix, layout, o.LastModified)
}

// after is the key after which an increment lists a prefix, empty for all of it.
func (s *checkpoint) after(prefix, layout string) string {
	if s == nil {
		return ""
	}
	return windowAt(prefix, layout, s.Watermark)
}

// windows are the keys where the windows of all prefixes start.
func (s *checkpoint) windows() map[string]string {
	windows := map[string]string{}
	for prefix, layout := range (Options{DataPrefix: s.DataPrefix, ErrorsPrefix: s.ErrorsPrefix}).layouts() {
		windows[prefix] = s.after(prefix, layout)
	}
	return windows
}

// trim drops from Objects the keys up to these, by prefix. It keeps the strays: only Objects tells whether they were
// counted.
func (s *checkpoint) trim(reach map[string]string, strays map[string]counted) {
	for prefix, until := range reach {
		if until <= s.Reach[prefix] {
			continue
		}
		maps.DeleteFunc(s.Objects, func(key string, _ counted) bool {
			_, keep := strays[key]
			return strings.HasPrefix(key, prefix) && key > s.Reach[prefix] && key <= until && !keep
		})
		s.Reach[prefix] = until
	}
}

// strays are the keys from before the reach that are kept.
func (s *checkpoint) strays() map[string]counted {
	if s == nil {
		return nil
	}
	return s.Objects
}

// fresh returns the listed objects that are not counted. Faults say what is wrong with the others. Belated reports
// whether the order of time was broken, so that everything has to be read again: by an object that should have been
// listed last time, one that is gone, one that a repair has rewritten, or one whose time has moved because it was
// copied onto itself or put back. What the archive has counted stays counted at its former time, since verifications
// of everything resume from there, too.
func (s *checkpoint) fresh(prefix, layout string, listed []bucket.Object, rewrites rewrite.History) (fresh []bucket.Object, faults []string, belated bool) {
	if s == nil {
		return listed, nil, false
	}
	after := s.after(prefix, layout)
	there := map[string]bool{}
	for _, o := range listed {
		there[o.Key] = true
		before, known := s.Objects[o.Key]
		_, made := rewrites.Made[o.Key]
		switch late := !o.LastModified.After(s.Watermark); {
		case known && !s.archived && before.etag != o.ETag && rewrites.Same(o, before.etag):
			belated = true
		case known && o.ETag != "" && before.etag != o.ETag:
			faults = append(faults, fmt.Sprintf("%s was changed after it had been counted: %s", o.Key, s.remedy()))
		case known && s.archived:
			s.Objects[o.Key] = countedAs(o) // or the next increment would find that it has moved
		case known:
			belated = belated || before != countedAs(o)
		case o.Key <= s.Reach[prefix] && !isStray(prefix, layout, o):
			// It was counted and is tagged: it was written before the watermark, and an increment listed it then.
		case o.Key <= after && made && !late:
			fresh = append(fresh, o) // of rows that were due before the window
		case o.Key <= after:
			faults = append(faults, fmt.Sprintf("%s is named for a time before the window of %s, which has not counted it: %s",
				o.Key, ArchiveKey, moveAway(prefix, "move it to a key of the current hour")))
		case late && s.archived:
			faults = append(faults, fmt.Sprintf("%s was written by %s and is not counted in %s, which goes until %s: %s",
				o.Key, o.LastModified.UTC().Format(time.RFC3339), ArchiveKey, s.Watermark.UTC().Format(time.RFC3339),
				moveAway(prefix, "copy it onto itself")))
		default:
			fresh = append(fresh, o)
			belated = belated || late
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Objects)) {
		if !strings.HasPrefix(key, prefix) || key <= after || there[key] {
			continue
		}
		if belated = true; s.archived {
			faults = append(faults, fmt.Sprintf("%s is gone after it had been counted: %s", key, s.remedy()))
		}
	}
	return fresh, faults, belated
}

// moveAway says what to do with an object that can no longer be counted in the order of time.
func moveAway(prefix, again string) string {
	if prefix == ledger.TicksPrefix {
		return "move it out of the ledger"
	}
	return again + ", and it is counted as written then, or out of " + prefix
}
