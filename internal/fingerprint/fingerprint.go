// Package fingerprint tells texts apart by 122 bits.
//
// A Family is drawn at random, so whoever writes the texts cannot know its fingerprints. Two different texts of up to
// 224 bytes have the same one with a probability of at most 2^-121, whatever they are; longer ones, of n blocks of 224
// bytes, with at most n²/2^121. That is a theorem (docs/decisions/0037), not an assumption about a hash function.
//
// A fingerprint has two halves, which are computed alike from random numbers of their own, modulo the prime 2^61-1. A
// block is the sum of the products of its pairs of words of seven bytes, to each of which the random number of its
// place is added first; and of the length times another, in the first block. The sums of the blocks are the
// coefficients of a polynomial at a random point.
package fingerprint

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

const (
	prime      = 1<<61 - 1
	wordBytes  = 7
	word       = 1<<(8*wordBytes) - 1 // as a mask
	pairBytes  = 2 * wordBytes
	blockPairs = 16
	blockBytes = blockPairs * pairBytes
)

// A Print is the fingerprint of a text.
type Print struct{ a, b uint64 }

// None is the fingerprint of no text.
var None = Print{a: prime}

// Slot gives 64 bits that look random even where only some of them are used.
func (p Print) Slot() uint64 {
	mixed := (p.a ^ bits.RotateLeft64(p.b, 32)) * 0x9e3779b97f4a7c15
	return mixed ^ mixed>>32
}

// Part divides prints evenly among n parts, of which it returns one from 0. It uses other bits than most of Slot's.
func (p Print) Part(n int) int {
	part, _ := bits.Mul64(p.b<<3, uint64(n))
	return int(part)
}

// A Family makes fingerprints. It is safe for concurrent use.
type Family struct {
	lead, point [2]uint64
	pairs       [blockPairs][2][2]uint64 // by place, half and word
}

// NewFamily draws a family.
func NewFamily() *Family {
	f := &Family{lead: [2]uint64{draw(), draw()}, point: [2]uint64{draw(), draw()}}
	for i := range f.pairs {
		f.pairs[i] = [2][2]uint64{{draw(), draw()}, {draw(), draw()}}
	}
	return f
}

// draw returns a random number below the prime, each with the same probability.
func draw() uint64 {
	var random [8]byte
	for {
		_, _ = rand.Read(random[:]) // never fails
		if n := binary.LittleEndian.Uint64(random[:]) >> 3; n < prime {
			return n
		}
	}
}

// Of returns the fingerprint of a text. Texts of different kinds, 0 or 1, differ even where their bytes are the same.
func (f *Family) Of(kind int, text []byte) Print {
	lead := uint64(2*len(text) + kind + 1)
	p := f.sum(&f.lead, lead, lead, text[:min(len(text), blockBytes)])
	for at := blockBytes; at < len(text); at += blockBytes {
		p = f.sum(&f.point, p.a, p.b, text[at:min(len(text), at+blockBytes)])
	}
	return p
}

// sum adds up the products of a block's pairs of words, and what was before the block times a factor of its own.
func (f *Family) sum(factor *[2]uint64, a, b uint64, block []byte) Print {
	aHigh, aLow := bits.Mul64(a, factor[0])
	bHigh, bLow := bits.Mul64(b, factor[1])
	next, rest := 0, block
	for ; len(rest) >= pairBytes; rest = rest[pairBytes:] {
		first, second := binary.LittleEndian.Uint64(rest)&word, binary.LittleEndian.Uint64(rest[pairBytes-8:])>>8
		pair := &f.pairs[next&(blockPairs-1)]
		aHigh, aLow = plusProduct(aHigh, aLow, first+pair[0][0], second+pair[0][1])
		bHigh, bLow = plusProduct(bHigh, bLow, first+pair[1][0], second+pair[1][1])
		next++
	}
	if len(rest) > 0 {
		var first, second uint64
		switch {
		case len(rest) > wordBytes:
			first = binary.LittleEndian.Uint64(rest) & word
			second = binary.LittleEndian.Uint64(rest[len(rest)-8:]) >> (8 * (pairBytes + 1 - len(rest)))
		case len(block) >= 8:
			first = binary.LittleEndian.Uint64(block[len(block)-8:]) >> (8 * (8 - len(rest)))
		default:
			for i, c := range rest {
				first |= uint64(c) << (8 * i)
			}
		}
		pair := &f.pairs[next&(blockPairs-1)]
		aHigh, aLow = plusProduct(aHigh, aLow, first+pair[0][0], second+pair[0][1])
		bHigh, bLow = plusProduct(bHigh, bLow, first+pair[1][0], second+pair[1][1])
	}
	return Print{reduced(aHigh, aLow), reduced(bHigh, bLow)}
}

// plusProduct adds x times y to a number of 128 bits.
func plusProduct(high, low, x, y uint64) (uint64, uint64) {
	productHigh, productLow := bits.Mul64(x, y)
	low, carry := bits.Add64(low, productLow, 0)
	return high + productHigh + carry, low
}

// reduced returns a number of 128 bits modulo the prime: 2^61 is 1 there, so the parts of 61 bits are added up.
func reduced(high, low uint64) uint64 {
	n := low&prime + (low>>61|high<<3)&prime + high>>58
	n = n&prime + n>>61
	if n >= prime {
		n -= prime
	}
	return n
}
