package generator

// Records are some of a tick's records, one after the other, each column made when it is asked for. They are what
// package query reads.
type Records struct {
	generator *Generator
	tick      Tick
	at, last  int
	value     []byte
}

// Records gives the records first to last (both included) of a tick.
func (g *Generator) Records(tick Tick, first, last int) *Records {
	return &Records{generator: g, tick: tick, at: first - 1, last: last}
}

// Next moves to the next record, at first to the first one, and says whether there is one.
func (r *Records) Next() bool {
	r.at++
	return r.at <= r.last
}

// Field gives the value of a column (from 0) of the record; valid until the next call.
func (r *Records) Field(column int) []byte {
	r.value = r.generator.AppendColumn(r.value[:0], r.tick, r.at, column)
	return r.value
}
