package proof

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"streamproof/internal/fingerprint"
)

// TestIndex checks that an index finds what a map would find, one by one and in a batch, as it grows and shrinks.
func TestIndex(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		family := fingerprint.NewFamily()
		printOf := func(n int) fingerprint.Print { return family.Of(keyKind, binary.AppendVarint(nil, int64(n))) }
		x, want := newIndex(0), map[fingerprint.Print]uint32{}
		distinct := rapid.SampledFrom([]int{10, 200, 2_000}).Draw(t, "distinct")
		numbers := rapid.SliceOfN(rapid.IntRange(0, distinct), 0, 2*distinct)
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			for _, n := range numbers.Draw(t, "set") {
				place := uint32(n + 1)
				x.set(printOf(n), place)
				want[printOf(n)] = place
			}
			if every := rapid.Uint32Range(1, 4).Draw(t, "kept"); every > 1 { // one of so many, at another place
				moved := func(place uint32) uint32 {
					if place%every == 0 {
						return place / every
					}
					return 0
				}
				for p, place := range want {
					if want[p] = moved(place); want[p] == 0 {
						delete(want, p)
					}
				}
				x.rebuild(len(want), moved)
			}
			if x.used != len(want) {
				t.Fatalf("the index has %d prints, want %d", x.used, len(want))
			}
			for from := 0; from <= distinct; from += batch {
				var prints []fingerprint.Print
				for n := from; n < min(from+batch, distinct+1); n++ {
					prints = append(prints, printOf(n))
				}
				var found [batch]uint32
				x.find(prints, &found)
				for i, p := range prints {
					if found[i] != want[p] || x.get(p) != want[p] {
						t.Fatalf("number %d: found %d and got %d, want %d", from+i, found[i], x.get(p), want[p])
					}
				}
			}
		}
	})
}
