package proof

import (
	"streamproof/internal/fingerprint"
	"streamproof/internal/hugepage"
)

// An index finds the places of accounts by fingerprints. It is a hash table with open addressing, made for one thing:
// when many are looked up one after the other, the memory that each needs is asked for before any of it is waited for
// (see find). A map would wait for several cache misses for each.
type index struct {
	buckets []bucket // a power of two
	used    int      // prints
}

// A bucket fills a cache line. Its places are 0 where there is no print, from some place on; the next bucket goes on
// where it is full.
type bucket struct {
	prints [bucketPrints]fingerprint.Print
	places [bucketPrints]uint32
	_      uint32
}

const (
	bucketPrints = 3
	leastBuckets = 1 << 6
)

// newIndex makes an index that has room for so many prints.
func newIndex(prints int) index {
	n := leastBuckets
	for mostPrints(n) < prints {
		n *= 2
	}
	x := index{buckets: make([]bucket, n)}
	hugepage.Advise(x.buckets)
	return x
}

// mostPrints is how many prints so many buckets may have: five of six, so that few lookups need a second bucket.
func mostPrints(buckets int) int { return buckets * bucketPrints * 5 / 6 }

// bucket returns the bucket in which to look for a print, after so many others.
func (x *index) bucket(p fingerprint.Print, others int) *bucket {
	return &x.buckets[(p.Slot()+uint64(others))&uint64(len(x.buckets)-1)]
}

// get returns the place of a print, 0 if there is none.
func (x *index) get(p fingerprint.Print) uint32 {
	for others := 0; ; others++ {
		b := x.bucket(p, others)
		if place, last := b.get(p); place > 0 || last {
			return place
		}
	}
}

// get returns the place of a print, 0 if it is not in the bucket, and whether it is in no bucket after it.
func (b *bucket) get(p fingerprint.Print) (place uint32, last bool) {
	// Without branches, since which of the three it is cannot be predicted.
	first, second, third := b.places[0], b.places[1], b.places[2]
	if b.prints[0].Differs(p) == 0 {
		place = first
	}
	if b.prints[1].Differs(p) == 0 {
		place = second
	}
	if b.prints[2].Differs(p) == 0 {
		place = third
	}
	return place, third == 0
}

// set gives a print a place.
func (x *index) set(p fingerprint.Print, place uint32) {
	if x.used >= mostPrints(len(x.buckets)) {
		x.rebuild(2*x.used, func(place uint32) uint32 { return place })
	}
	for others := 0; ; others++ {
		b := x.bucket(p, others)
		for i := range b.prints {
			if b.places[i] == 0 {
				x.used++
				b.prints[i] = p
			}
			if b.prints[i] == p {
				b.places[i] = place
				return
			}
		}
	}
}

// rebuild makes room for so many prints, and gives all of them new places. Those that get 0 are left out.
func (x *index) rebuild(prints int, moved func(place uint32) uint32) {
	old := x.buckets
	*x = newIndex(prints)
	for i := range old {
		for k, place := range old[i].places {
			if place == 0 {
				break
			}
			if place = moved(place); place > 0 {
				x.set(old[i].prints[k], place)
			}
		}
	}
}

// batch is how many are looked up together.
const batch = 128

// find sets found to the places of so many prints, as get would find them. The turns of each loop do not depend on one
// another, so the processor waits for the memory of many prints at once.
func (x *index) find(prints []fingerprint.Print, found *[batch]uint32) {
	var unknown [batch]uint8 // those that may be in another bucket
	for i := range prints {
		unknown[i] = uint8(i)
	}
	for others, n := 0, len(prints); n > 0; others++ {
		for _, i := range unknown[:n] {
			found[i] = x.bucket(prints[i], others).places[0]
		}
		left := 0
		for _, i := range unknown[:n] {
			place, last := x.bucket(prints[i], others).get(prints[i])
			found[i] = place
			unknown[left] = i
			if place == 0 && !last {
				left++
			}
		}
		n = left
	}
}
