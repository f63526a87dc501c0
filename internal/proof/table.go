package proof

import (
	"encoding/binary"
	"runtime"
	"slices"

	"streamproof/internal/fingerprint"
	"streamproof/internal/hugepage"
)

// table has the accounts. It finds that of a row by the fingerprint of its key, or of a line that it was read from.
type table struct {
	byKey    index
	byLine   index
	accounts []*chunk // all full but the last
	size     int      // accounts
	keys     [][]byte // of all accounts, in pages
	closed   int      // accounts of which nothing is open
	touched  int      // see touch
}

// chunk is accounts that stand together.
type chunk [1 << 12]account

// The most chunks that are allocated at once, and the size of most pages of keys, in bytes.
const (
	maxChunks = 16
	keyPage   = 64 << 10
)

func newTable() table { return table{byKey: newIndex(0), byLine: newIndex(0)} }

func (t *table) key(a *account) []byte { return keyIn(t.keys, a) }

func keyIn(pages [][]byte, a *account) []byte {
	key := pages[a.page][a.byte:]
	length, n := binary.Uvarint(key)
	return key[n:][:length]
}

// at returns the account at a place, from 1; nil for 0.
func (t *table) at(place uint32) *account {
	if place == 0 {
		return nil
	}
	return &t.accounts[(place-1)/uint32(len(chunk{}))][(place-1)%uint32(len(chunk{}))]
}

// touch has the accounts at these places be in the cache: the processor waits for all of them at once.
func (t *table) touch(places []uint32) {
	open := 0 // kept, so that the compiler does not leave the reads out
	for _, place := range places {
		if place > 0 {
			open += int(t.at(place).open)
		}
	}
	t.touched = open
}

// all yields the accounts.
func (t *table) all(yield func(*account) bool) {
	for place := range t.size {
		if !yield(t.at(uint32(place + 1))) {
			return
		}
	}
}

// add makes the account of a key that has none.
func (t *table) add(key []byte, p fingerprint.Print) (place uint32) {
	if t.size == len(t.accounts)*len(chunk{}) {
		t.allocate()
	}
	t.size++
	place = uint32(t.size)
	a := t.at(place)
	*a = account{}
	a.page, a.byte = t.keep(key)
	t.byKey.set(p, place)
	return place
}

// allocate makes as many chunks as there are already, within bounds.
func (t *table) allocate() {
	n := max(1, min(len(t.accounts), maxChunks))
	accounts := make([]account, n*len(chunk{}))
	hugepage.Advise(accounts)
	for some := range slices.Chunk(accounts, len(chunk{})) {
		t.accounts = append(t.accounts, (*chunk)(some))
	}
}

// learn has an account be found by a line that its row was read from, the second time that this happens: most rows that
// come once never come again.
func (t *table) learn(place uint32, line fingerprint.Print) {
	a := t.at(place)
	if !a.read {
		a.read = true
		return
	}
	if t.byLine.used >= 2*t.size+leastLines { // because each row comes in ever new lines
		t.byLine = newIndex(0)
	}
	t.byLine.set(line, place)
}

// leastLines is how many lines may be known beside two for each row.
const leastLines = 1 << 10

// keep keeps a key and returns where it stands: the page, and from which byte on.
func (t *table) keep(key []byte) (number uint32, at uint16) {
	last, size := len(t.keys)-1, len(key)+binary.MaxVarintLen64
	if last < 0 || len(t.keys[last])+size > cap(t.keys[last]) {
		t.keys = append(t.keys, make([]byte, 0, max(keyPage, size)))
		last++
	}
	page := &t.keys[last]
	at = uint16(len(*page))
	*page = append(binary.AppendUvarint(*page, uint64(len(key))), key...)
	return uint32(last), at
}

// shrinkAt is from how many accounts on it pays to leave out the closed ones.
const shrinkAt = 1 << 16

// collectAt is from how many accounts on what they took is collected at once, before more memory is taken: the next
// collection may be far away.
const collectAt = 1 << 18

// shrink leaves out the closed accounts once they are more than half, so that memory goes by what is open and not by
// what was. Accounts change their places.
func (t *table) shrink() {
	if t.size < shrinkAt || t.closed <= t.size/2 {
		return
	}
	keys, open, moved := t.keys, 0, make([]uint32, t.size+1)
	t.keys = nil
	for place := range t.size {
		a := t.at(uint32(place + 1))
		if !a.isOpen() {
			continue
		}
		open++
		moved[place+1] = uint32(open)
		to := t.at(uint32(open))
		*to = *a
		to.page, to.byte = t.keep(keyIn(keys, a))
	}
	t.size, t.closed = open, 0
	t.accounts = slices.Delete(t.accounts, (open+len(chunk{})-1)/len(chunk{}), len(t.accounts))
	if len(moved) > collectAt {
		runtime.GC()
	}
	for _, x := range []*index{&t.byKey, &t.byLine} {
		x.rebuild(min(open, x.used), func(place uint32) uint32 { return moved[place] })
	}
}
