package proof

import (
	"slices"
	"time"

	"streamproof/internal/sieve"
)

// What an unmatched row takes beside its key, each further place of it, and each further line there, in bytes.
const (
	rowBytes   = 220
	placeBytes = 100
	lineBytes  = 16
)

// unmatched holds surplus copies that matched no account, until it is known which claims give such rows. Its memory is
// bounded however many there are: when it is full the claims are asked, and it starts again empty. As that takes a pass
// over all claims, the first one fills a sieve, and a row that no claim can give is not held any more but unexpected at
// once.
type unmatched struct {
	rows       []surplus // in the order in which they were found
	index      map[string]int
	bytes      int
	unresolved int // rows
}

// surplus is one unmatched row.
type surplus struct {
	key    string
	places []found // in the order of time
	// When the row was first owed by a tick, and when first given by the query without its WHERE; zero for never.
	owned, leaked time.Time
}

// resolved reports whether the class of every copy is certain, whatever other claims give.
func (s *surplus) resolved() bool {
	first := s.places[0].written
	return by(s.owned, first) || by(s.leaked, first)
}

func (s *surplus) class(f found) Class {
	switch {
	case by(s.owned, f.written):
		return Duplicated
	case by(s.leaked, f.written):
		return Leaked
	default:
		return Unexpected
	}
}

// by reports whether something was claimed by the time a copy was written.
func by(claimed, written time.Time) bool { return !claimed.IsZero() && !claimed.After(written) }

func (u *unmatched) add(key []byte, f found, watched bool) {
	at, ok := u.index[string(key)]
	if !ok {
		s := surplus{key: string(key), places: []found{f}}
		u.index[s.key] = len(u.rows)
		u.rows = append(u.rows, s)
		u.bytes += rowBytes + len(key)
		u.unresolved++
		return
	}
	places := u.rows[at].places
	if last := &places[len(places)-1]; last.object == f.object {
		if last.count++; watched {
			last.more = append(last.more, f.line)
			u.bytes += lineBytes
		}
		return
	}
	u.rows[at].places = append(places, f)
	u.bytes += placeBytes
}

// tell takes note of when a row is claimed: owned or leaked.
func (u *unmatched) tell(key []byte, claimed time.Time, since func(*surplus) *time.Time) {
	at, ok := u.index[string(key)]
	if !ok {
		return
	}
	s := &u.rows[at]
	before := s.resolved()
	if t := since(s); t.IsZero() || claimed.Before(*t) {
		*t = claimed
	}
	if !before && s.resolved() {
		u.unresolved--
	}
}

func (u *unmatched) clear() {
	u.rows, u.bytes, u.unresolved = u.rows[:0], 0, 0
	clear(u.index)
}

// Bound has the judge hold at most about so many bytes of copies that matched no account. When there are more, ask is
// called, in the middle of Find, soon: it tells Owned and Leaked, as before Close, and neither owes nor finds anything.
// Without Bound the memory goes by how many distinct rows such copies have.
func (j *Judge) Bound(bytes int, ask func()) { j.limit, j.ask = bytes, ask }

// wonder takes a copy that matched no account.
func (b *book) wonder(key []byte, line int64) {
	f := b.here(line, 1)
	if s := b.judge.sieve; s != nil && !s.MayHave(key) {
		b.surplus(Unexpected, key, f)
		return
	}
	b.unmatched.add(key, f, b.judge.watch != nil)
}

// relieve has the claims asked if the books hold too much. No book is being kept meanwhile.
func (j *Judge) relieve() {
	held := 0
	for _, b := range j.books {
		held += b.unmatched.bytes
	}
	if held == 0 || held < j.limit || j.ask == nil {
		return
	}
	if j.sieve == nil {
		j.sieve, j.learning = sieve.New(j.limit), true
	}
	j.ask()
	j.learning = false
	j.explainAll()
}

// HasUnmatched reports whether there are copies that matched no account. If so, Owned should be told of every row that
// a tick owes, and Leaked of every row that the query gives without its WHERE, while Unresolved is true, before Close
// or State.
func (j *Judge) HasUnmatched() bool {
	j.settle()
	return slices.ContainsFunc(j.books, func(b *book) bool { return len(b.unmatched.rows) > 0 })
}

// Unresolved reports whether Owned and Leaked have more to tell.
func (j *Judge) Unresolved() bool {
	return j.learning || slices.ContainsFunc(j.books, func(b *book) bool { return b.unmatched.unresolved > 0 })
}

// Owned says that a tick that was claimed then owes this row: another copy of it is a double.
func (j *Judge) Owned(key []byte, claimed time.Time) {
	j.tell(key, claimed, func(s *surplus) *time.Time { return &s.owned })
}

// Leaked says that a record of a tick that was claimed then gives this row once the query's WHERE is left out. It is to
// be told after Owned.
func (j *Judge) Leaked(key []byte, claimed time.Time) {
	j.tell(key, claimed, func(s *surplus) *time.Time { return &s.leaked })
}

func (j *Judge) tell(key []byte, claimed time.Time, since func(*surplus) *time.Time) {
	if j.learning {
		j.sieve.Add(key)
	}
	j.bookOf(key).unmatched.tell(key, claimed, since)
}

// explain sorts the unmatched copies into their classes.
func (j *Judge) explain() {
	j.settle()
	j.explainAll()
}

func (j *Judge) explainAll() {
	for _, b := range j.books {
		b.explain()
	}
}

func (b *book) explain() {
	for i := range b.unmatched.rows {
		s := &b.unmatched.rows[i]
		for _, f := range s.places {
			b.surplus(s.class(f), []byte(s.key), f)
		}
	}
	b.unmatched.clear()
}

// surplus counts copies of a row that nothing was open for.
func (b *book) surplus(class Class, key []byte, f found) {
	if f.excused || f.written.Before(b.judge.judgedFrom) {
		b.counts.Older += f.count
		return
	}
	switch class {
	case Duplicated:
		b.counts.Duplicated += f.count
	case Leaked:
		b.counts.Leaked += f.count
	default:
		b.counts.Unexpected += f.count
	}
	b.note(class, key, b.judge.format(key), f, "")
}
