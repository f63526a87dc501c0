package stream

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/stream/kinesistest"
)

// TestAggregate: what is packed comes out again, as it was, with the aggregate's explicit hash key; an aggregate is as
// large as it thinks, and refuses what would make it too large, and nothing else.
func TestAggregate(t *testing.T) {
	t.Parallel()
	var a aggregate // used again, as a worker does
	rapid.Check(t, func(t *rapid.T) {
		hashKey := rapid.StringMatching(`0|[1-9][0-9]{0,37}`).Draw(t, "explicit hash key")
		longest := rapid.SampledFrom([]int{1, 200, 5000, maxAggregateBytes}).Draw(t, "longest")
		record := rapid.Custom(func(t *rapid.T) kinesistest.Record {
			size := rapid.IntRange(0, longest).Draw(t, "size")
			return kinesistest.Record{
				PartitionKey: rapid.OneOf(rapid.SampledFrom([]string{"1", "2"}), rapid.StringMatching(`.{1,200}`)).Draw(t, "key"),
				// So many different bytes that a place mixed up is seen; drawing each would take minutes.
				Data:            bytes.Repeat([]byte{byte(size), byte(size >> 8), 0xf3}, size/3+1)[:size],
				ExplicitHashKey: hashKey,
			}
		})
		records := rapid.SliceOfN(record, 1, 300).Draw(t, "records")

		a.begin(hashKey)
		var packed []kinesistest.Record
		for _, r := range records {
			if !a.add(r.Data, []byte(r.PartitionKey)) {
				break
			}
			packed = append(packed, r)
		}
		if len(packed) > 0 {
			data := a.append([]byte("before"))[len("before"):]
			got, ok, err := kinesistest.Deaggregate(data)
			if diff := cmp.Diff(packed, got); diff != "" || !ok || err != nil {
				t.Fatalf("records are an aggregate: %t (%v; -want +got):\n%s", ok, err, diff)
			}
			if a.key != packed[0].PartitionKey {
				t.Fatalf("the aggregate's key is %q, want that of its first record, %q", a.key, packed[0].PartitionKey)
			}
			if got := len(data) + len(a.key); got != a.size || got > maxAggregateBytes {
				t.Fatalf("the aggregate has %d bytes and thinks that it has %d, want at most %d", got, a.size, maxAggregateBytes)
			}
			spoiled := bytes.Clone(data)
			spoiled[rapid.IntRange(0, len(data)-1).Draw(t, "spoiled byte")]++
			if _, ok, _ := kinesistest.Deaggregate(spoiled); ok {
				t.Fatal("a spoiled aggregate is still one")
			}
		}
		if len(packed) < len(records) {
			// Without a limit, the refused one makes it too large.
			r := records[len(packed)]
			added := 2 + len(r.Data) + len(r.PartitionKey) + 6
			if a.size+added+16+4+len(hashKey)+20 < maxAggregateBytes {
				t.Fatalf("a record of %d bytes was refused by an aggregate of %d", len(r.Data), a.size)
			}
		}
	})
}

// TestAggregateLimit: the largest record that fits, and the next one.
func TestAggregateLimit(t *testing.T) {
	t.Parallel()
	var a aggregate
	fits := func(size int) bool {
		a.begin("12345")
		return a.add(make([]byte, size), []byte("key"))
	}
	for size := range maxAggregateBytes {
		if fits(size) {
			continue
		}
		fits(size - 1)
		if got := len(a.append(nil)) + len("key"); got != maxAggregateBytes {
			t.Errorf("the largest aggregate of one record has %d bytes, want %d", got, maxAggregateBytes)
		}
		return
	}
	t.Error("every record fits")
}

func BenchmarkAggregate(b *testing.B) {
	record, key := bytes.Repeat([]byte("x"), 160), []byte("0123456789abcdef")
	for _, keys := range []int{1, 200} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			var a aggregate
			var data []byte
			a.begin("1")
			for i := 0; b.Loop(); i++ {
				key[0] = byte(i % keys)
				if !a.add(record, key) {
					data = a.append(data[:0])
					a.begin("1")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
