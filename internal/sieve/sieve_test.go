package sieve_test

import (
	"encoding/binary"
	"testing"

	"streamproof/internal/sieve"
)

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func TestSieve(t *testing.T) {
	t.Parallel()
	s := sieve.New(64 << 20)
	if s.MayHave(key(0)) {
		t.Error("an empty sieve may have a key")
	}
	const n = 1_000_000
	for i := range uint64(n) {
		s.Add(key(i))
	}
	for i := range uint64(n) {
		if !s.MayHave(key(i)) {
			t.Fatalf("key %d was added, and is said to be absent", i)
		}
	}
	passed := 0
	for i := range uint64(n) {
		if s.MayHave(key(n + i)) {
			passed++
		}
	}
	if most := n / 1000; passed > most {
		t.Errorf("%d of %d other keys pass, want %d at most", passed, n, most)
	}
}

func BenchmarkMayHave(b *testing.B) {
	s := sieve.New(64 << 20)
	k := key(0)
	for i := range b.N {
		binary.BigEndian.PutUint64(k, uint64(i))
		s.MayHave(k)
	}
}
