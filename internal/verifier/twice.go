package verifier

import (
	"context"
	"maps"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
)

// maxMade is how many bytes of objects that repairs made are read to find out which duplicated rows they have.
const maxMade = 1 << 30

// findTwice finds out of how many duplicated rows a repair made a copy: the original came after all. It tells
// Options.Twice of each such line.
func (v *verification) findTwice(ctx context.Context) {
	if v.report.Counts.Duplicated == 0 || len(v.rewrites.Made) == 0 {
		return
	}
	wanted := map[*tally]map[proof.Name]int64{}
	for t := range v.judges {
		names := map[proof.Name]int64{}
		for _, g := range t.result.Findings(proof.Duplicated, func(time.Time) bool { return true }).Groups {
			for name, n := range g.Rows {
				names[name] += n
			}
		}
		if len(names) > 0 {
			wanted[t] = names
		}
	}
	var bytes int64
	for _, key := range slices.Sorted(maps.Keys(v.rewrites.Made)) {
		if bytes += v.rewrites.Made[key].Bytes; bytes > maxMade {
			v.note("repairs made more than can be read again: of some duplicated rows a repair may have made a copy without this saying so")
			return
		}
		if err := v.findTwiceIn(ctx, key, wanted); err != nil {
			v.note("whether a repair made a copy of the duplicated rows cannot be told: %s: %v", key, err)
			return
		}
	}
}

func (v *verification) findTwiceIn(ctx context.Context, key string, wanted map[*tally]map[proof.Name]int64) error {
	o, err := bucket.Find(ctx, v.bucket, key)
	if err != nil || o == nil {
		return err
	}
	listed := []bucket.Object{*o}
	v.rewrites.See(listed)
	t := v.live(listed[0])[0]
	names := wanted[t]
	if names == nil {
		return nil
	}
	in, err := v.bucket.Open(ctx, *o)
	if err != nil {
		return err
	}
	defer in.Close()
	var row []byte
	lines := bucket.NewLines(in, maxLine)
	for lines.Next() {
		if row, err = t.Output.Append(row[:0], lines.Text()); err != nil {
			continue // a reject
		}
		name := proof.NameOf(t.format(row))
		left, wanted := names[name]
		if !wanted {
			continue
		}
		if left > 0 {
			names[name]--
			v.report.RepairedTwice++
		}
		if v.opts.Twice != nil {
			v.opts.Twice(proof.Spot{
				Object: key, ETag: v.rewrites.Original(*o), Written: listed[0].LastModified, Line: lines.Number(), Name: name,
			})
		}
	}
	return lines.Err()
}
