package stream

import (
	"crypto/md5"
	"math/big"

	"streamproof/internal/generator"
	"streamproof/internal/stream/kpl"
)

// A packer makes aggregates of a tick's records.
type packer struct {
	aggregate   kpl.Aggregate
	record, key []byte // scratch
}

// pack makes an aggregate of as many of the records [first, last) as fit and returns their number: 0 if the first is
// too large for an aggregate, or must be sent as it is.
func (p *packer) pack(g *generator.Generator, tick generator.Tick, key generator.Key, first, last int) int {
	uniform, _ := g.KeyOf(generator.Uniform) // never an error
	p.key = g.AppendKey(p.key[:0], tick, first, uniform)
	// Spread as evenly as these keys, and the same in every attempt.
	hash := md5.Sum(p.key)
	p.aggregate.Reset(new(big.Int).SetBytes(hash[:]).String())
	for i := first; i < last; i++ {
		if tick.Aggregates && g.FaultOf(tick, i).OfAggregate() {
			return i - first // it is an aggregate itself
		}
		p.record = g.Append(p.record[:0], tick, i)
		// A uniform key says nothing about its record: the first one serves all, and is stored once.
		if key != uniform {
			p.key = g.AppendKey(p.key[:0], tick, i, key)
		}
		if !p.aggregate.Add(p.record, p.key) {
			return i - first
		}
	}
	return last - first
}
