package generator

// Records iterates over the good rows of some of a tick's records for package query. A value is made when it is asked
// for, and no other. A well-formed record is one row; a poisoned one has 0 to 2 good rows.
type Records struct {
	generator *Generator
	tick      Tick
	states    tickState
	next      int // the record after this one
	first     int
	last      int
	ordinal   int // of the first poisoned record from next on,
	poisoned  int // and its index

	own   uint64 // the record's state,
	after bool   // whether it has another good line,
	state uint64 // the row's state
	value []byte
}

// Records returns the good rows of the records first to last, both included, of a tick.
func (g *Generator) Records(tick Tick, first, last int) *Records {
	r := &Records{generator: g, tick: tick, states: g.tickState(tick), first: first, last: last}
	r.Rewind()
	return r
}

// Rewind moves before the first row.
func (r *Records) Rewind() {
	r.next, r.after = r.first, false
	r.ordinal = r.tick.poisonedBefore(r.first)
	r.poisoned = r.tick.poisoned(r.ordinal)
}

// Next moves to the next row, initially to the first, and reports whether there is one.
func (r *Records) Next() bool {
	if r.after {
		r.after = false
		r.state = mix(r.own + lineAfter)
		return true
	}
	for r.next <= r.last {
		index := r.next
		r.next++
		r.own = r.states.record(index)
		if index != r.poisoned {
			r.state = r.own
			return true
		}
		spoilers := r.generator.spoilersOf(r.tick)
		spoiler := &spoilers[r.ordinal%len(spoilers)]
		r.ordinal++
		r.poisoned = r.tick.poisoned(r.ordinal)
		before, after := spoiler.goodRows(r.own)
		if before {
			r.state, r.after = mix(r.own+lineBefore), after
			return true
		}
		if after {
			r.state = mix(r.own + lineAfter)
			return true
		}
	}
	return false
}

// Field returns the value of a column, from 0, as text in SQL's form, or reports that it is NULL. The text is valid
// until the next call.
func (r *Records) Field(column int) (text []byte, null bool) {
	if r.generator.samples != nil {
		v := &r.generator.sample(r.state).values[column]
		return v.text, v.null
	}
	c := &r.generator.columns[column]
	var planned int64
	if c.isTime {
		planned = r.tick.plannedAt(r.next - 1)
	}
	r.value = c.make(c, r.value[:0], r.state, planned)
	return r.value, false
}
