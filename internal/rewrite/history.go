package rewrite

import (
	"context"
	"fmt"
	"io"
	"slices"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
)

// A History is what the repairs of a ledger have written. Its zero value is that of no repair.
type History struct {
	// Objects are those that were written again.
	Objects ledger.Rewrites
	// Made are those that were made of missing and failed rows, by key.
	Made map[string]ledger.Write
	// Closed is the serial number of the last closed repair that wrote anything, 0 for none.
	Closed int
}

// ReadHistory reads the repairs of a ledger.
func ReadHistory(ctx context.Context, b bucket.Bucket) (History, error) {
	h := History{Objects: ledger.Rewrites{}, Made: map[string]ledger.Write{}}
	repairs, err := Repairs(ctx, b)
	for _, r := range repairs {
		h.Objects.Add(r)
		for _, w := range r.Writes {
			h.Made[w.Key] = w
		}
		if r.Closed && len(r.Writes)+len(r.Rewrites) > 0 {
			h.Closed = r.Serial
		}
	}
	return h, err
}

// Repairs returns all repairs of a ledger, the oldest first. Only the last may be open.
func Repairs(ctx context.Context, b bucket.Bucket) ([]*ledger.Repair, error) {
	const both = "ledger/repair" // RepairKey and RepairsPrefix
	closed, _, err := b.List(ctx, both)
	closed = slices.DeleteFunc(closed, func(o bucket.Object) bool { return o.Key != ledger.RepairKey && !ledger.IsRepairKey(o.Key) })
	if err != nil || len(closed) == 0 {
		return nil, err
	}
	object, data, err := bucket.Get(ctx, b, ledger.RepairKey)
	if err != nil {
		return nil, err
	}
	if object == nil {
		return nil, fmt.Errorf("%s is gone, and there are repairs under %s: restore it", ledger.RepairKey, ledger.RepairsPrefix)
	}
	last, err := ledger.DecodeRepair(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ledger.RepairKey, err)
	}
	closed = slices.DeleteFunc(closed, func(o bucket.Object) bool { return !ledger.IsRepairKey(o.Key) || o.Key >= last.Key() })
	if len(closed) != last.Serial-1 {
		return nil, fmt.Errorf("%s is repair %d, and %d of those before stand under %s: restore the others",
			ledger.RepairKey, last.Serial, len(closed), ledger.RepairsPrefix)
	}
	var all []*ledger.Repair
	for o, content := range bucket.ReadAhead(ctx, b, closed) {
		data, err := io.ReadAll(content)
		if err != nil {
			return nil, err
		}
		r, err := ledger.DecodeRepair(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Key, err)
		}
		all = append(all, r)
	}
	return append(all, last), nil
}

// See gives rewritten objects, in a listing, the times when their originals were written.
func (h History) See(listed []bucket.Object) {
	for i := range listed {
		o := &listed[i]
		if _, written, known := h.Objects.Original(o.Key, o.ETag); known {
			o.LastModified = written
		}
	}
}

// Original is the ETag that an object had before repairs rewrote it, or else its own.
func (h History) Original(o bucket.Object) string {
	etag, _, _ := h.Objects.Original(o.Key, o.ETag)
	return etag
}

// Same reports whether an object that had another ETag is the same, rewritten by repairs.
func (h History) Same(o bucket.Object, etag string) bool {
	before, _, known := h.Objects.Original(o.Key, etag)
	after, _, still := h.Objects.Original(o.Key, o.ETag)
	return known && still && before == after
}
