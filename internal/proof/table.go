package proof

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// table finds the account of a row by its key. It is a hash table with open addressing, made for one thing: when many
// rows are looked up one after the other, the memory that each needs is asked for before any of it is waited for (see
// fetch). A map would wait for three cache misses in a row for every row.
type table struct {
	seed     maphash.Seed
	slots    []slot // a power of two, at most half of them used
	accounts []account
	keys     []byte // of all accounts, one after the other
	closed   int    // accounts of which nothing is open
	fetched  byte   // means nothing; it keeps fetch's reads from being left out
}

// slot is empty where account is 0, and else points to accounts[account-1].
type slot struct {
	hash    uint32 // the upper half; the lower half says where to look
	account uint32
}

// account is what is open of one distinct row.
type account struct {
	keyAt  uint64
	keyLen uint32
	owed   queue // lo
	spare  queue // hi − lo
}

// open reports whether anything could be paid for.
func (a *account) open() bool { return a.owed.open() || a.spare.open() }

func newTable() table {
	return table{seed: maphash.MakeSeed(), slots: make([]slot, 1<<10)}
}

func (t *table) hash(key []byte) uint64 { return maphash.Bytes(t.seed, key) }

func (t *table) key(a *account) []byte { return t.keys[a.keyAt : a.keyAt+uint64(a.keyLen)] }

// get finds the account of a key, or nil. The account stays where it is until the next add.
func (t *table) get(key []byte, hash uint64) *account {
	for at := hash; ; at++ {
		s := t.slots[at&uint64(len(t.slots)-1)]
		if s.account == 0 {
			return nil
		}
		if s.hash == uint32(hash>>32) {
			if a := &t.accounts[s.account-1]; bytes.Equal(t.key(a), key) {
				return a
			}
		}
	}
}

// add makes the account of a key that has none.
func (t *table) add(key []byte, hash uint64) *account {
	if len(t.accounts) >= len(t.slots)/2 {
		t.grow()
	}
	t.accounts = append(t.accounts, account{keyAt: uint64(len(t.keys)), keyLen: uint32(len(key))})
	t.keys = append(t.keys, key...)
	t.place(hash, len(t.accounts))
	return &t.accounts[len(t.accounts)-1]
}

func (t *table) place(hash uint64, account int) {
	for at := hash; ; at++ {
		if s := &t.slots[at&uint64(len(t.slots)-1)]; s.account == 0 {
			*s = slot{hash: uint32(hash >> 32), account: uint32(account)}
			return
		}
	}
}

func (t *table) grow() {
	t.slots = make([]slot, 2*len(t.slots))
	for i := range t.accounts {
		t.place(t.hash(t.key(&t.accounts[i])), i+1)
	}
}

// shrinkAt is from how many accounts on it pays to leave out the closed ones.
const shrinkAt = 1 << 16

// shrink leaves out the closed accounts once they are more than half, so that memory goes by what is open and not by
// what was. Accounts change their places.
func (t *table) shrink() {
	if len(t.accounts) < shrinkAt || t.closed <= len(t.accounts)/2 {
		return
	}
	open := t.accounts[:0]
	keys := t.keys[:0]
	for i := range t.accounts {
		a := t.accounts[i]
		if !a.open() {
			continue
		}
		key := t.key(&a)
		a.keyAt = uint64(len(keys))
		keys = append(keys, key...) // in place: no key moves up
		open = append(open, a)
	}
	clear(t.accounts[len(open):])
	t.accounts, t.keys, t.closed = open, keys, 0
	// Memory that was for many more is given back.
	if size := max(len(open), shrinkAt); cap(open) > 4*size {
		t.accounts = append(make([]account, 0, 2*size), open...)
		t.keys = append(make([]byte, 0, 2*len(keys)), keys...)
		t.slots = make([]slot, slotsFor(2*size))
	}
	clear(t.slots)
	for i := range t.accounts {
		t.place(t.hash(t.key(&t.accounts[i])), i+1)
	}
}

// slotsFor gives how many slots so many accounts need.
func slotsFor(accounts int) int { return 1 << bits.Len(uint(2*accounts)) }

// batch is how many rows wait to be looked up together.
const batch = 128

// fetch brings what get will read for up to batch keys into the cache, and gives their hashes. The turns of each loop
// do not depend on one another, so the processor waits for the memory of many keys at once.
func (t *table) fetch(keys [][]byte, hashes *[batch]uint64) {
	var at [batch]uint64
	mask := uint64(len(t.slots) - 1)
	for i, key := range keys {
		hashes[i] = t.hash(key)
	}
	for i := range keys {
		at[i] = uint64(t.slots[hashes[i]&mask].account)
	}
	for i := range keys {
		if at[i] > 0 {
			at[i] = t.accounts[at[i]-1].keyAt + 1
		}
	}
	for i := range keys {
		if at[i] > 0 {
			t.fetched += t.keys[at[i]-1]
		}
	}
}
