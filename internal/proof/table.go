package proof

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"streamproof/internal/fingerprint"
	"streamproof/internal/hugepage"
)

// table finds the account of a row by the fingerprint of its key, or of the line that it was read from. It is a hash
// table with open addressing, made for one thing: when many rows are looked up one after the other, the memory that
// each needs is asked for before any of it is waited for (see find). A map would wait for three cache misses in a row
// for every row.
type table struct {
	slots    []slot   // a power of two, at most three quarters of them used
	used     int      // slots, among them those of lines that an account is no longer known by
	accounts []*chunk // all full but the last; they stay where they are
	size     int      // accounts
	keys     [][]byte // of all accounts, in pages
	closed   int      // accounts of which nothing is open
}

// slot is empty where place is 0, and else that of an account.
type slot struct {
	tag   uint32 // the upper half of the fingerprint's Slot; the lower half says where to look
	place uint32
}

// chunk is accounts that stand together.
type chunk [1 << 12]account

// The most chunks that are allocated at once, and the size of most pages of keys, in bytes.
const (
	maxChunks = 8
	keyPage   = 64 << 10
)

func newTable() table { return table{slots: make([]slot, 1<<10)} }

func (t *table) key(a *account) []byte { return keyIn(t.keys, a) }

func keyIn(pages [][]byte, a *account) []byte {
	key := pages[a.keyAt>>32][uint32(a.keyAt):]
	length, n := binary.Uvarint(key)
	return key[n:][:length]
}

// get returns the place of the account of a key or line, 0 if there is none.
func (t *table) get(p fingerprint.Print) uint32 {
	hash := p.Slot()
	for at := hash; ; at++ {
		s := t.slots[at&uint64(len(t.slots)-1)]
		if s.place == 0 || s.tag == uint32(hash>>32) && t.at(s.place).is(p) {
			return s.place
		}
	}
}

// likely is get without a look at the account, which is wrong for one row in a thousand million.
func (t *table) likely(p fingerprint.Print) uint32 {
	hash := p.Slot()
	for at := hash; ; at++ {
		s := t.slots[at&uint64(len(t.slots)-1)]
		if s.place == 0 || s.tag == uint32(hash>>32) {
			return s.place
		}
	}
}

// at returns the account at a place, from 1; nil for 0.
func (t *table) at(place uint32) *account {
	if place == 0 {
		return nil
	}
	return &t.accounts[(place-1)/uint32(len(chunk{}))][(place-1)%uint32(len(chunk{}))]
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
	*t.at(place) = account{key: p, keyAt: t.keep(key)}
	t.place(p, place)
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
	a.line = line
	t.place(line, place)
}

// keep keeps a key and returns where it stands: the page, and in the lower half the byte.
func (t *table) keep(key []byte) (at uint64) {
	last, size := len(t.keys)-1, len(key)+binary.MaxVarintLen64
	if last < 0 || len(t.keys[last])+size > cap(t.keys[last]) {
		t.keys = append(t.keys, make([]byte, 0, max(keyPage, size)))
		last++
	}
	page := &t.keys[last]
	at = uint64(last)<<32 | uint64(len(*page))
	*page = append(binary.AppendUvarint(*page, uint64(len(key))), key...)
	return at
}

func (t *table) place(p fingerprint.Print, place uint32) {
	if t.used >= len(t.slots)/4*3 {
		t.rebuild() // finds what is to be placed among the accounts
		return
	}
	t.used++
	hash := p.Slot()
	for at := hash; ; at++ {
		if s := &t.slots[at&uint64(len(t.slots)-1)]; s.place == 0 {
			*s = slot{uint32(hash >> 32), place}
			return
		}
	}
}

// rebuild places all accounts in as many slots as they need.
func (t *table) rebuild() {
	prints := t.size
	for a := range t.all {
		if a.line != (fingerprint.Print{}) {
			prints++
		}
	}
	if size := max(1<<10, 1<<bits.Len(uint(2*prints))); size == len(t.slots) {
		clear(t.slots)
	} else {
		t.slots = make([]slot, size)
		hugepage.Advise(t.slots)
	}
	t.used = 0
	for place := range uint32(t.size) {
		a := t.at(place + 1)
		t.place(a.key, place+1)
		if a.line != (fingerprint.Print{}) {
			t.place(a.line, place+1)
		}
	}
}

// shrinkAt is from how many accounts on it pays to leave out the closed ones.
const shrinkAt = 1 << 16

// shrink leaves out the closed accounts once they are more than half, so that memory goes by what is open and not by
// what was. Accounts change their places.
func (t *table) shrink() {
	if t.size < shrinkAt || t.closed <= t.size/2 {
		return
	}
	keys, open := t.keys, 0
	t.keys = nil
	for a := range t.all {
		if !a.open() {
			continue
		}
		open++
		moved := t.at(uint32(open))
		*moved = *a
		moved.keyAt = t.keep(keyIn(keys, a))
	}
	t.size, t.closed = open, 0
	t.accounts = slices.Delete(t.accounts, (open+len(chunk{})-1)/len(chunk{}), len(t.accounts))
	t.rebuild()
}

// batch is how many rows are looked up together.
const batch = 128

// find sets found to the places of the accounts of so many keys or lines, as get would find them, or to 0. The turns of
// each loop do not depend on one another, so the processor waits for the memory of many rows at once.
func (t *table) find(prints []fingerprint.Print, found *[batch]uint32) {
	mask := uint64(len(t.slots) - 1)
	for i := range prints {
		found[i] = t.slots[prints[i].Slot()&mask].place
	}
	for i := range prints {
		if found[i] > 0 {
			found[i] = t.likely(prints[i])
		}
	}
	for i := range prints {
		if found[i] > 0 && !t.at(found[i]).is(prints[i]) {
			found[i] = t.get(prints[i])
		}
	}
}
