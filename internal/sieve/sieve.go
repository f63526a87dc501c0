// Package sieve tells, in fixed memory, which keys were surely never added to a set: a Bloom filter. Where it cannot
// tell, the caller has to ask whoever knows the set itself, so answers stay exact however full the sieve is.
package sieve

import "hash/maphash"

// size is the most that a sieve takes, in bytes. With 33 million keys it then lets through one foreign key in 250.
const size = 64 << 20

// blockWords is how many words a block has: as many as a cache line, so that a key costs one access to memory.
const blockWords = 8

// A Sieve is a set of keys of which only absence is certain.
type Sieve struct {
	seed   maphash.Seed
	blocks [][blockWords]uint64
}

// New makes an empty sieve for a caller that holds at most so many bytes of keys before it asks. It takes 64 MB, or 64
// times what is held if that is less.
func New(held int) *Sieve {
	return &Sieve{seed: maphash.MakeSeed(), blocks: make([][blockWords]uint64, max(1, min(size, 64*held)/8/blockWords))}
}

// Add adds a key.
func (s *Sieve) Add(key []byte) {
	block, bits := s.place(key)
	for _, bit := range bits {
		block[bit/64] |= 1 << (bit % 64)
	}
}

// MayHave reports whether the key may have been added. If it is false, it was not.
func (s *Sieve) MayHave(key []byte) bool {
	block, bits := s.place(key)
	for _, bit := range bits {
		if block[bit/64]&(1<<(bit%64)) == 0 {
			return false
		}
	}
	return true
}

// place gives the block of a key and its bits there. They come from different parts of the hash.
func (s *Sieve) place(key []byte) (*[blockWords]uint64, [4]uint64) {
	const mask = blockWords*64 - 1
	hash := maphash.Bytes(s.seed, key)
	return &s.blocks[(hash>>36)%uint64(len(s.blocks))], [4]uint64{hash & mask, hash >> 9 & mask, hash >> 18 & mask, hash >> 27 & mask}
}
