package proof

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"

	"streamproof/internal/fingerprint"
)

// TestTable checks that a table finds what maps would find, by key and by line, one by one and in a batch, as it grows
// and shrinks.
func TestTable(t *testing.T) {
	t.Parallel()
	family := fingerprint.NewFamily()
	rapid.Check(t, func(t *rapid.T) {
		table := newTable()
		var want [kinds]map[fingerprint.Print]uint32
		for kind := range want {
			want[kind] = map[fingerprint.Print]uint32{}
		}
		distinct := rapid.SampledFrom([]int{10, 200, 2_000}).Draw(t, "distinct")
		keyOf := func(n int) []byte { return binary.AppendVarint(nil, int64(n)) }
		numbers := rapid.SliceOfN(rapid.IntRange(0, distinct), 0, 2*distinct)
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			for _, n := range numbers.Draw(t, "rows") {
				key := keyOf(n)
				known, line := family.Of(keyKind, key), family.Of(lineKind, key)
				place := want[keyKind][known]
				if place == 0 {
					place = table.add(key, known)
					want[keyKind][known] = place
				}
				if table.at(place).read {
					want[lineKind][line] = place
				}
				table.learn(place, line)
			}
			for kind := range kinds {
				if got := table.indexes[kind].used; got != len(want[kind]) {
					t.Fatalf("the index %d has %d places, want %d", kind, got, len(want[kind]))
				}
				for from := 0; from <= distinct; from += batch {
					var prints []fingerprint.Print
					for n := from; n < min(from+batch, distinct+1); n++ {
						prints = append(prints, family.Of(kind, keyOf(n)))
					}
					var found [batch]uint32
					table.find(kind, prints, &found)
					for i, p := range prints {
						if place := want[kind][p]; found[i] != place || table.get(kind, p) != place {
							t.Fatalf("number %d: found %d and got %d, want %d", from+i, found[i], table.get(kind, p), place)
						}
					}
				}
			}
		}
	})
}

// TestMatchMarksEachPlace checks that a tag is found at each place of a bucket, and first there where the others have
// tags that are almost the same.
func TestMatchMarksEachPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SliceOfN(rapid.Uint64Range(0, 3), bucketPlaces, bucketPlaces).Draw(t, "tags")
		var b bucket
		for i, tag := range tags {
			b.tags[i/8] |= tag << (i % 8 * 8)
		}
		for tag := range uint64(4) {
			marked := map[int]bool{}
			for found := b.match(tag); found != 0; found &= found - 1 {
				if len(marked) == 0 && tags[first(found)] != tag {
					t.Fatalf("the first place for %d among %d is %d", tag, tags, first(found))
				}
				marked[first(found)] = true
			}
			for i := range tags {
				if tags[i] == tag && !marked[i] {
					t.Fatalf("place %d of %d is not marked for %d", i, tags, tag)
				}
			}
		}
	})
}
