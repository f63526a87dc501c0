package proof

import "slices"

// A step is what the books do next: they take the entries of a block, each its own, or something else.
type step struct {
	block *block
	do    func(*book)
}

func (s step) by(b *book) {
	if s.block == nil {
		s.do(b)
		return
	}
	for some := range slices.Chunk(s.block.rows[b.index], batch) {
		b.takeRows(some)
	}
}

// The books take what waits once it is maxWaiting bytes, so that starting goroutines takes no time beside it. What is
// less than worthwhile is taken without them.
const (
	maxWaiting = 4 << 20
	worthwhile = 16 << 10
)

// push has the books take a step. A single book takes it at once. Several take steps together, each in a goroutine of
// its own and all in the same order, while the judge is given what comes next.
func (j *Judge) push(s step) {
	if len(j.books) == 1 {
		s.by(j.books[0])
		if s.block != nil {
			j.free(s.block)
			j.relieve()
		}
		return
	}
	j.steps = append(j.steps, s)
	if j.waiting += entryBytes; s.block != nil {
		j.waiting += s.block.bytes()
	}
	if j.waiting >= maxWaiting {
		j.start()
	}
}

// each and first have all books, or the first one, do something in its turn.
func (j *Judge) each(do func(*book)) {
	j.flush()
	j.push(step{do: do})
}

func (j *Judge) first(do func(*book)) {
	j.each(func(b *book) {
		if b.index == 0 {
			do(b)
		}
	})
}

// start has the books take the steps that wait, once they have taken those before.
func (j *Judge) start() {
	j.wait()
	few := j.waiting < worthwhile
	j.steps, j.taken, j.waiting = j.taken, j.steps, 0
	for _, b := range j.books {
		take := func() {
			for _, s := range j.taken {
				s.by(b)
			}
		}
		if few {
			take()
		} else {
			j.keeping.Go(take)
		}
	}
}

// wait waits until the books have taken what they are taking.
func (j *Judge) wait() {
	j.keeping.Wait()
	for _, s := range j.taken {
		if s.block != nil {
			j.free(s.block)
		}
	}
	clear(j.taken)
	j.taken = j.taken[:0]
	j.relieve()
}

// settle waits until the books have taken everything.
func (j *Judge) settle() {
	j.flush()
	if len(j.steps) > 0 {
		j.start()
	}
	j.wait()
}

// bookOf returns the book of a row.
func (j *Judge) bookOf(key []byte) *book {
	return j.books[j.family.Of(keyKind, key).Part(len(j.books))]
}
