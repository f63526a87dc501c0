package fingerprint

import (
	"encoding/binary"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// exact computes one half of a fingerprint with big numbers, as the package comment says.
func (f *Family) exact(half, kind int, text []byte) uint64 {
	p := big.NewInt(prime)
	number := func(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
	sum := number(uint64(2*len(text) + kind + 1))
	for first := true; first || len(text) > 0; first = false {
		if first {
			sum.Mul(sum, number(f.lead[half]))
		} else {
			sum.Mul(sum, number(f.point[half]))
		}
		for i := 0; i < blockPairs && len(text) > 0; i++ {
			product := number(1)
			for _, random := range f.pairs[i][half] {
				word := number(random)
				n := min(wordBytes, len(text))
				for at := range n {
					word.Add(word, new(big.Int).Lsh(number(uint64(text[at])), uint(8*at)))
				}
				text = text[n:]
				product.Mul(product, word)
			}
			sum.Add(sum, product)
		}
		sum.Mod(sum, p)
	}
	return sum.Uint64()
}

func TestFingerprintsAreWhatTheProofSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := NewFamily()
		edge := rapid.SampledFrom([]int{0, 1, 6, 7, 8, 9, 13, 14, 15, 21, 223, 224, 225, 231, 447, 448, 449}).Draw(t, "length")
		text := rapid.SliceOfN(rapid.Byte(), edge, edge+rapid.IntRange(0, 30).Draw(t, "more")).Draw(t, "text")
		kind := rapid.IntRange(0, 1).Draw(t, "kind")
		if rapid.Bool().Draw(t, "greatest") { // whatever can overflow
			for i := range text {
				text[i] = 0xff
			}
			greatest := [2]uint64{prime - 1, prime - 1}
			for i := range f.pairs {
				f.pairs[i] = [2][2]uint64{greatest, greatest}
			}
			f.lead, f.point = greatest, greatest
		}
		got, want := f.Of(kind, text), Print{f.exact(0, kind, text), f.exact(1, kind, text)}
		if got != want {
			t.Fatalf("%x of kind %d: got %x, want %x", text, kind, got, want)
		}
	})
}

// TestTextsThatDiffer checks that each bit, the length and the kind matter. A collision has a probability of 2^-120.
func TestTextsThatDiffer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := NewFamily()
		text := rapid.SliceOfN(rapid.Byte(), 1, 500).Draw(t, "text")
		one := f.Of(0, text)
		other := append([]byte{}, text...)
		other[rapid.IntRange(0, len(text)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		for _, different := range []Print{f.Of(0, other), f.Of(1, text), f.Of(0, append(text, 0)), f.Of(0, text[1:]), NewFamily().Of(0, text)} {
			if different.a == one.a || different.b == one.b {
				t.Fatalf("%x and a text that differs: %x and %x", text, one, different)
			}
		}
	})
}

// TestPartsAreEven checks that texts that are alike are divided evenly, whatever the family.
func TestPartsAreEven(t *testing.T) {
	t.Parallel()
	const texts = 60_000
	for _, n := range []int{1, 2, 3, 6, 64} {
		f, filled := NewFamily(), make([]int, n)
		for i := range texts {
			filled[f.Of(0, binary.BigEndian.AppendUint64([]byte{1}, uint64(i))).Part(n)]++
		}
		for part, got := range filled {
			if want := texts / n; got < want*9/10 || got > want*11/10 {
				t.Errorf("part %d of %d has %d texts, want about %d", part, n, got, want)
			}
		}
	}
}

func BenchmarkOf(b *testing.B) {
	f := NewFamily()
	for name, text := range map[string]string{
		"CSV":  "1,5,3.0,163.35",
		"trip": `{"VendorID":1,"passenger_count":5,"trip_distance":3,"total_amount":163.35}`,
		"JSON": `{"COL0":1,"COL3":5,"COL4":3.0,"COL18":163.35}`,
	} {
		b.Run(name, func(b *testing.B) {
			data, sum := []byte(text), uint64(0)
			for b.Loop() {
				sum += f.Of(0, data).Slot()
			}
			if sum == 0 {
				b.Fatal("no fingerprint")
			}
		})
	}
}
