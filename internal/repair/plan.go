package repair

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
)

// Classes are those whose lines can be taken out of an object. Leaked and unexpected rows stay: where they come from is
// for people to find out.
var Classes = []proof.Class{proof.Duplicated, proof.Corrupt}

// Found collects where a verification finds surplus copies and broken lines.
type Found struct {
	// Open are the findings that are not accepted.
	Open  []proof.Group
	spots map[place][]spot
	made  map[proof.Name][]madeLine
	// glued are objects with several rows in a line, and earlier rows that may be those of records from before.
	glued   map[string]bool
	earlier map[proof.Name]bool
}

// A madeLine is a copy that a repair made of a row that is duplicated.
type madeLine struct {
	object string
	spot
}

type place struct {
	class  proof.Class
	object string
}

type spot struct {
	line    int64
	written time.Time
	etag    string
	name    proof.Name
}

// Watch starts again. It is verifier.Options.Watch.
func (f *Found) Watch() func(proof.Class, proof.Spot) {
	f.Reset()
	return f.Spot
}

// Reset starts again, with what is open.
func (f *Found) Reset() {
	*f = Found{
		Open: f.Open, spots: map[place][]spot{}, made: map[proof.Name][]madeLine{}, glued: map[string]bool{}, earlier: map[proof.Name]bool{},
	}
}

// Spot takes a finding.
func (f *Found) Spot(class proof.Class, s proof.Spot) {
	if slices.Contains(Classes, class) {
		at := place{class, s.Object}
		f.spots[at] = append(f.spots[at], spot{s.Line, s.Written, s.ETag, s.Name})
	}
}

// Glued takes an object with several rows in a line.
func (f *Found) Glued(object string) { f.glued[object] = true }

// Earlier takes a duplicated row that a record from before what was judged gives, too.
func (f *Found) Earlier(name proof.Name) { f.earlier[name] = true }

// Twice takes a copy that an earlier repair made of a duplicated row. It is verifier.Options.Twice.
func (f *Found) Twice(s proof.Spot) {
	f.made[s.Name] = append(f.made[s.Name], madeLine{s.Object, spot{s.Line, s.Written, s.ETag, s.Name}})
}

// takeBack is what is taken out for a surplus copy: a copy that a repair made, if it was there when this one was
// written, which then pays in its stead.
func (f *Found) takeBack(object string, s spot) (string, spot) {
	made := f.made[s.name]
	at := slices.IndexFunc(made, func(m madeLine) bool { return m.object == object && m.line == s.line })
	if at < 0 {
		at = slices.IndexFunc(made, func(m madeLine) bool { return !m.written.After(s.written) })
	}
	if at < 0 {
		return object, s
	}
	m := made[at]
	f.made[s.name] = slices.Delete(made, at, at+1)
	return m.object, m.spot
}

// A Plan is what a repair is going to rewrite.
type Plan struct {
	Objects []Object `json:"objects,omitempty"`
	// Made are the objects that it makes of missing and failed rows.
	Made
	// Removed are the lines that are taken out, by class, and Left those that are not, and why.
	Removed map[proof.Class]int64 `json:"removed,omitempty"`
	Left    []Left                `json:"left,omitempty"`

	claimed time.Time
}

// An Object is one that is rewritten.
type Object struct {
	ledger.Rewrite
	// Size is that of the original, in bytes as stored, and Backup the key that it is copied to.
	Size   int64  `json:"size"`
	Backup string `json:"backup"`
}

// A Left is what a repair leaves, and why.
type Left struct {
	Class proof.Class `json:"class"`
	Count int64       `json:"count"`
	Why   string      `json:"why"`
}

// Empty reports whether nothing is to be written.
func (p *Plan) Empty() bool { return len(p.Objects)+len(p.Writes) == 0 }

// Add adds what is made of missing and failed rows.
func (p *Plan) Add(m *Made) {
	p.Left = append(p.Left, m.Left...)
	p.Made = *m
	p.Made.Left = nil
}

// Why something is left.
const (
	whyAccepted = "accepted"
	whyUnnamed  = "too many to tell from those that are accepted"
	whyYoung    = "younger than the delivery deadline and the margin"
	whyChanged  = "in objects that have changed since the verdict"
	whyGlued    = "in objects with several rows in a line: only a line can be taken out"
	whyEarlier  = "equal to records from before the window, whose copies they may be: begin it earlier with --from"
	whyCounted  = "counted in the archive, which names no lines"
)

// NewPlan plans to take out what a verification has found and nobody has accepted, of objects from before settled.
// Listed are the objects below the judged prefixes, and rewrites what earlier repairs have made of them.
func NewPlan(
	r *report.Report, f *Found, classes []proof.Class, listed []bucket.Object, rewrites rewrite.History, settled time.Time,
) *Plan {
	p := &Plan{Removed: map[proof.Class]int64{}, claimed: r.JudgedAt}
	objects := map[string]bucket.Object{}
	for _, o := range listed {
		objects[o.Key] = o
	}
	planned := map[string]*Object{}
	// take takes a line out of an object that is as it was judged, and reports whether it is.
	take := func(class proof.Class, key string, s spot) bool {
		o, there := objects[key]
		if !there || rewrites.Original(o) != s.etag {
			return false
		}
		one := planned[key]
		if one == nil {
			one = &Object{Size: o.Size, Backup: ledger.BackupKey(o.Key, o.ETag), Rewrite: ledger.Rewrite{
				Key: o.Key, Before: o.ETag, Written: s.written, Removed: map[proof.Class]int64{},
			}}
			planned[key] = one
		}
		one.Lines = append(one.Lines, s.line)
		one.Removed[class]++
		return true
	}
	for _, class := range classes {
		left := map[string]int64{}
		told := int64(0)
		places := slices.DeleteFunc(slices.Collect(maps.Keys(f.spots)), func(at place) bool { return at.class != class })
		slices.SortFunc(places, func(a, b place) int { // first what repairs made: those copies are their own to take back
			_, madeA := rewrites.Made[a.object]
			_, madeB := rewrites.Made[b.object]
			if madeA != madeB {
				return map[bool]int{true: -1, false: 1}[madeA]
			}
			return cmp.Compare(a.object, b.object)
		})
		for _, at := range places {
			spots := f.spots[at]
			told += int64(len(spots))
			if !spots[0].written.Before(settled) {
				left[whyYoung] += int64(len(spots))
				continue
			}
			chosen, why := f.choose(at, spots, r.Open(class) == r.Counts.Of(class))
			left[why] += int64(len(spots) - len(chosen))
			for _, s := range chosen {
				key := at.object
				if class == proof.Duplicated {
					key, s = f.takeBack(key, s)
				}
				switch {
				case class == proof.Duplicated && f.earlier[s.name]:
					left[whyEarlier]++
				case f.glued[key]:
					left[whyGlued]++
				case take(class, key, s):
					p.Removed[class]++
				default:
					left[whyChanged]++
				}
			}
		}
		left[whyCounted] += r.Counts.Of(class) - told
		for _, why := range slices.Sorted(maps.Keys(left)) {
			if left[why] > 0 {
				p.Left = append(p.Left, Left{class, left[why], why})
			}
		}
	}
	for _, one := range planned {
		slices.Sort(one.Lines)
		p.Objects = append(p.Objects, *one)
	}
	slices.SortFunc(p.Objects, func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })
	return p
}

// choose gives those findings in an object that nobody has accepted: of equal ones, the later lines. Why
// is the reason for the others.
func (f *Found) choose(at place, spots []spot, none bool) (chosen []spot, why string) {
	open := proof.Group{Count: int64(len(spots))}
	if !none {
		open = proof.Group{}
		for _, g := range f.Open {
			if g.Class == at.class && g.Object == at.object {
				open = g
			}
		}
	}
	if open.Rows == nil && open.Count != 0 && open.Count != int64(len(spots)) {
		return nil, whyUnnamed
	}
	for _, s := range slices.Backward(spots) {
		switch {
		case open.Rows == nil && open.Count == 0:
		case open.Rows == nil:
			chosen = append(chosen, s)
		case open.Rows[s.name] > 0:
			open.Rows[s.name]--
			chosen = append(chosen, s)
		}
	}
	return chosen, whyAccepted
}
