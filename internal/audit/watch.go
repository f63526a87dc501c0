package audit

import (
	"context"
	"maps"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
)

// A Watcher is told what a repair needs to know of surplus copies and corrupt lines.
type Watcher interface {
	// Spot is told of each of them.
	Spot(class proof.Class, s proof.Spot)
	// Glued is told of an object with several rows in a line, of which none can be taken out by itself.
	Glued(object string)
	// Earlier is told of a row with surplus copies that a record from before the window gives, too: it may be its copy.
	Earlier(name proof.Name)
	// Twice is told of each copy that an earlier repair made of a row with surplus copies.
	Twice(s proof.Spot)
}

// watch has the judge tell the watcher, and remembers which rows have surplus copies.
func (a *audit) watch() {
	if a.opts.Watch == nil {
		return
	}
	a.surplus = map[proof.Name]bool{}
	a.judge.Watch(func(class proof.Class, s proof.Spot) {
		if class == proof.Duplicated {
			a.surplus[s.Name] = true
		}
		a.opts.Watch.Spot(class, s)
	})
}

// earlier tells which rows with surplus copies are those of records from before the window that may still have been
// delivered in it.
func (a *audit) earlier(ctx context.Context) error {
	if len(a.surplus) == 0 {
		return nil
	}
	end := a.from.Add(-a.edge())
	begin := end.Add(-payable)
	if held, err := a.stream.Held(ctx, a.now); err != nil {
		return err
	} else if held = held.Add(overlap); held.After(begin) { // the oldest go while they are read
		begin = held
	}
	for c, err := range a.group(a.stream.Records(ctx, begin, end)) {
		if err == nil {
			err = a.rows(c, true, func(key []byte) {
				if name := proof.NameOf(a.opts.Form.Format(key)); a.surplus[name] {
					delete(a.surplus, name)
					a.opts.Watch.Earlier(name)
				}
			})
		}
		if err != nil || len(a.surplus) == 0 {
			return err
		}
	}
	return nil
}

// maxMade is how many bytes of objects that repairs made are read to find out which duplicated rows they have.
const maxMade = 1 << 30

// findTwice finds out of how many duplicated rows a repair made a copy: the original came after all.
func (a *audit) findTwice(ctx context.Context, result *proof.Result) {
	if a.report.Counts.Duplicated == 0 || len(a.repairs.Made) == 0 {
		return
	}
	names := map[proof.Name]int64{}
	for _, g := range result.Findings(proof.Duplicated, func(time.Time) bool { return true }).Groups {
		for name, n := range g.Rows {
			names[name] += n
		}
	}
	var bytes int64
	for _, key := range slices.Sorted(maps.Keys(a.repairs.Made)) {
		o, err := bucket.Find(ctx, a.bucket, key)
		if err == nil && o != nil {
			if _, concerns, _ := a.concerns(*o); !concerns {
				continue
			}
			if bytes += o.Size; bytes > maxMade {
				a.note("repairs made more than can be read again: of some duplicated rows a repair may have made a copy without this saying so")
				return
			}
			err = a.findTwiceIn(ctx, *o, names)
		}
		if err != nil {
			a.note("whether a repair made a copy of the duplicated rows cannot be told: %s: %s", key, plain(err, bucketPermissions))
			return
		}
	}
}

func (a *audit) findTwiceIn(ctx context.Context, o bucket.Object, names map[proof.Name]int64) error {
	in, err := a.bucket.Open(ctx, o)
	if err != nil {
		return err
	}
	defer in.Close()
	listed := []bucket.Object{o}
	a.repairs.See(listed)
	var key []byte
	_, _, err = eachRow(o.Key, in, func(row []byte, line int64) {
		if key, err = a.opts.Form.Append(key[:0], row); err != nil {
			return // a reject
		}
		name := proof.NameOf(a.opts.Form.Format(key))
		left, wanted := names[name]
		if !wanted {
			return
		}
		if left > 0 {
			names[name]--
			a.report.RepairedTwice++
		}
		if a.opts.Watch != nil {
			a.opts.Watch.Twice(proof.Spot{Object: o.Key, ETag: a.repairs.Original(o), Written: listed[0].LastModified, Line: line, Name: name})
		}
	})
	return err
}
