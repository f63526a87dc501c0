package proof

import (
	"math/bits"

	"streamproof/internal/fingerprint"
	"streamproof/internal/hugepage"
)

// An index finds the places of accounts by their fingerprints of one kind. It is a hash table with open addressing that
// keeps a byte of each fingerprint: an account has all of it, and is needed anyway. So the index is small, and much of
// it stays in the cache. When many are looked up one after the other, the memory that each needs is asked for before
// any of it is waited for (see find), where a map would wait for several cache misses for each.
type index struct {
	buckets []bucket // a power of two
	used    int      // places
}

// A bucket fills a cache line. Its places are 0 from some place on; the next bucket goes on where it is full.
type bucket struct {
	tags   [2]uint64 // a byte for each place
	places [bucketPlaces]uint32
}

const (
	bucketPlaces = 12
	leastBuckets = 1 << 6
)

// newIndex makes an index that has room for so many places.
func newIndex(places int) index {
	n := leastBuckets
	for mostPlaces(n) < places {
		n *= 2
	}
	x := index{buckets: make([]bucket, n)}
	hugepage.Advise(x.buckets)
	return x
}

// mostPlaces is how many places so many buckets may have: five of six, so that few lookups need a second bucket.
func mostPlaces(buckets int) int { return buckets * bucketPlaces * 5 / 6 }

// full reports whether it has no room for another place.
func (x *index) full() bool { return x.used >= mostPlaces(len(x.buckets)) }

// bucket returns the bucket in which to look for a print with this slot, after so many others.
func (x *index) bucket(slot uint64, others int) *bucket {
	return &x.buckets[(slot+uint64(others))&uint64(len(x.buckets)-1)]
}

// add adds a place of a print.
func (x *index) add(p fingerprint.Print, place uint32) {
	slot := p.Slot()
	for others := 0; ; others++ {
		b := x.bucket(slot, others)
		for i := range b.places {
			if b.places[i] == 0 {
				b.places[i] = place
				b.tags[i/8] |= tagOf(slot) << (i % 8 * 8)
				x.used++
				return
			}
		}
	}
}

// get returns the place of a print, 0 if there is none. It asks of some places whether they are the print's.
func (x *index) get(p fingerprint.Print, is func(place uint32) bool) uint32 {
	slot := p.Slot()
	for others := 0; ; others++ {
		b := x.bucket(slot, others)
		for found := b.match(tagOf(slot)); found != 0; found &= found - 1 {
			if place := b.places[first(found)]; place > 0 && is(place) {
				return place
			}
		}
		if b.places[bucketPlaces-1] == 0 {
			return 0
		}
	}
}

// tagOf is the byte that is kept of a print with this slot, whose bucket depends on other bits.
func tagOf(slot uint64) uint64 { return slot >> 56 }

// match marks the places that have a tag, each by one bit. Others may be marked after the first one that has it.
func (b *bucket) match(tag uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	early, late := b.tags[0]^tag*ones, b.tags[1]^tag*ones
	// A byte that was 0 has its highest bit set by the subtraction. The last four are marked beside the first eight.
	return (early-ones)&^early&high | ((late-ones)&^late&(high>>32))>>1
}

// first is the first place that match has marked.
func first(marked uint64) int {
	bit := bits.TrailingZeros64(marked)
	return bit>>3 | (bit&1^1)<<3
}

// batch is how many are looked up together.
const batch = 128

// find sets found to a place of each print, which is most often the right one; 0 if it has found none yet. The turns of
// each loop do not depend on one another, so the processor waits for the memory of many prints at once.
func (x *index) find(prints []fingerprint.Print, found *[batch]uint32) {
	var slots [batch]uint64
	for i, p := range prints {
		slots[i] = p.Slot()
		found[i] = uint32(x.bucket(slots[i], 0).tags[0])
	}
	for i, slot := range slots[:len(prints)] {
		b := x.bucket(slot, 0)
		if marked := b.match(tagOf(slot)); marked != 0 {
			found[i] = b.places[first(marked)]
		} else {
			found[i] = 0
		}
	}
}
