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
	f.spots = map[place][]spot{}
	return func(class proof.Class, s proof.Spot) {
		if slices.Contains(Classes, class) {
			at := place{class, s.Object}
			f.spots[at] = append(f.spots[at], spot{s.Line, s.Written, s.ETag, s.Name})
		}
	}
}

// A Plan is what a repair is going to rewrite.
type Plan struct {
	Objects []Object `json:"objects"`
	// Removed are the lines that are taken out, by class, and Left those that are not, and why.
	Removed map[proof.Class]int64 `json:"removed"`
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

// Bytes is how many bytes the objects have.
func (p *Plan) Bytes() (n int64) {
	for _, o := range p.Objects {
		n += o.Size
	}
	return n
}

// Why something is left.
const (
	whyAccepted = "accepted"
	whyUnnamed  = "too many to tell from those that are accepted"
	whyYoung    = "younger than the delivery deadline and the margin"
	whyChanged  = "in objects that have changed since the verdict"
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
	for _, class := range classes {
		left := map[string]int64{}
		taken, told := int64(0), int64(0)
		for at, spots := range f.spots {
			if at.class != class {
				continue
			}
			told += int64(len(spots))
			o, there := objects[at.object]
			chosen, why := f.choose(at, spots, r.Open(class) == r.Counts.Of(class))
			switch first := spots[0]; {
			case !there || rewrites.Original(o) != first.etag:
				chosen, why = nil, whyChanged
			case !first.written.Before(settled):
				chosen, why = nil, whyYoung
			}
			left[why] += int64(len(spots) - len(chosen))
			if len(chosen) == 0 {
				continue
			}
			taken += int64(len(chosen))
			one := planned[at.object]
			if one == nil {
				one = &Object{Size: o.Size, Backup: ledger.BackupKey(o.Key, o.ETag), Rewrite: ledger.Rewrite{
					Key: o.Key, Before: o.ETag, Written: spots[0].written, Removed: map[proof.Class]int64{},
				}}
				planned[at.object] = one
			}
			one.Lines = append(one.Lines, chosen...)
			one.Removed[class] += int64(len(chosen))
		}
		if taken > 0 {
			p.Removed[class] = taken
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

// choose gives the lines of those findings in an object that nobody has accepted: of equal ones, the later lines. Why
// is the reason for the others.
func (f *Found) choose(at place, spots []spot, none bool) (lines []int64, why string) {
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
			lines = append(lines, s.line)
		case open.Rows[s.name] > 0:
			open.Rows[s.name]--
			lines = append(lines, s.line)
		}
	}
	return lines, whyAccepted
}
