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
	indexes  [kinds]index
	accounts []*chunk // all full but the last
	size     int      // accounts
	keys     [][]byte // of all accounts, in pages
	closed   int      // accounts of which nothing is open
}

// chunk is accounts that stand together.
type chunk [1 << 9]account

// The most chunks that are allocated at once, and the size of most pages of keys, in bytes.
const (
	maxChunks = 128
	keyPage   = 64 << 10
)

func newTable() (t table) {
	for kind := range t.indexes {
		t.indexes[kind] = newIndex(0)
	}
	return t
}

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

// get returns the place of the account with a fingerprint, 0 if there is none.
func (t *table) get(kind int, p fingerprint.Print) (place uint32) {
	return t.indexes[kind].get(p, func(place uint32) bool { return t.at(place).prints[kind] == p })
}

// find sets found to the places of so many fingerprints, as get would find them, faster.
func (t *table) find(kind int, prints []fingerprint.Print, found *[batch]uint32) {
	t.indexes[kind].find(prints, found)
	for i, p := range prints {
		if place := found[i]; place == 0 || t.at(place).prints[kind] != p {
			found[i] = t.get(kind, p)
		}
	}
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
	*a = account{prints: [kinds]fingerprint.Print{keyKind: p, lineKind: fingerprint.None}}
	a.page, a.byte = t.keep(key)
	t.index(keyKind, place)
	return place
}

// index has an account be found by its fingerprint of a kind.
func (t *table) index(kind int, place uint32) {
	if x := &t.indexes[kind]; x.full() {
		t.reindex(kind, 2*x.used)
	} else {
		x.add(t.at(place).prints[kind], place)
	}
}

// reindex makes an index of all accounts, with room for so many.
func (t *table) reindex(kind, room int) {
	x := newIndex(room)
	for i := range t.size {
		place := uint32(i + 1)
		if p := t.at(place).prints[kind]; p != fingerprint.None {
			x.add(p, place)
		}
	}
	t.indexes[kind] = x
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
// come once never come again. Where a row comes in other lines, too, those are not known.
func (t *table) learn(place uint32, line fingerprint.Print) {
	switch a := t.at(place); {
	case !a.read:
		a.read = true
	case a.prints[lineKind] == fingerprint.None:
		a.prints[lineKind] = line
		t.index(lineKind, place)
	}
}

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
	keys, size, open := t.keys, t.size, 0
	t.keys = nil
	for place := range size {
		a := t.at(uint32(place + 1))
		if !a.isOpen() {
			continue
		}
		open++
		to := t.at(uint32(open))
		*to = *a
		to.page, to.byte = t.keep(keyIn(keys, a))
	}
	t.size, t.closed = open, 0
	t.accounts = slices.Delete(t.accounts, (open+len(chunk{})-1)/len(chunk{}), len(t.accounts))
	if size > collectAt {
		runtime.GC()
	}
	for kind, x := range t.indexes {
		t.reindex(kind, min(open, x.used))
	}
}
