package kpl_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/stream/kpl"
)

// TestAggregate: records survive packing and unpacking and get the aggregate's explicit hash key; Size is right; and
// the aggregate refuses exactly what would make it too large.
func TestAggregate(t *testing.T) {
	t.Parallel()
	var a kpl.Aggregate // reused, as a worker does
	rapid.Check(t, func(t *rapid.T) {
		hashKey := rapid.StringMatching(`0|[1-9][0-9]{0,37}`).Draw(t, "explicit hash key")
		longest := rapid.SampledFrom([]int{1, 200, 5000, kpl.MaxBytes}).Draw(t, "longest")
		record := rapid.Custom(func(t *rapid.T) kpl.Record {
			size := rapid.IntRange(0, longest).Draw(t, "size")
			return kpl.Record{
				PartitionKey: rapid.OneOf(rapid.SampledFrom([]string{"1", "2"}), rapid.StringMatching(`.{1,200}`)).Draw(t, "key"),
				// Bytes that differ enough to show a mixed-up place; drawing each would take minutes.
				Data:            bytes.Repeat([]byte{byte(size), byte(size >> 8), 0xf3}, size/3+1)[:size],
				ExplicitHashKey: hashKey,
			}
		})
		records := rapid.SliceOfN(record, 1, 300).Draw(t, "records")

		a.Reset(hashKey)
		var packed []kpl.Record
		for _, r := range records {
			if !a.Add(r.Data, []byte(r.PartitionKey)) {
				break
			}
			packed = append(packed, r)
		}
		if len(packed) > 0 {
			data := a.Append([]byte("before"))[len("before"):]
			got, ok, err := kpl.Deaggregate(data)
			if diff := cmp.Diff(packed, got); diff != "" || !ok || err != nil {
				t.Fatalf("records are an aggregate: %t (%v; -want +got):\n%s", ok, err, diff)
			}
			if a.Key != packed[0].PartitionKey {
				t.Fatalf("the aggregate's key is %q, want that of its first record, %q", a.Key, packed[0].PartitionKey)
			}
			if got := len(data) + len(a.Key); got != a.Size() || got > kpl.MaxBytes {
				t.Fatalf("the aggregate has %d bytes, Size says %d, want at most %d", got, a.Size(), kpl.MaxBytes)
			}
			spoiled := bytes.Clone(data)
			spoiled[rapid.IntRange(0, len(data)-1).Draw(t, "spoiled byte")]++
			if _, ok, _ := kpl.Deaggregate(spoiled); ok {
				t.Fatal("a spoiled aggregate is still one")
			}
		}
		if len(packed) < len(records) {
			// The refused record really would have made it too large.
			r := records[len(packed)]
			added := 2 + len(r.Data) + len(r.PartitionKey) + 6
			if a.Size()+added+16+4+len(hashKey)+20 < kpl.MaxBytes {
				t.Fatalf("a record of %d bytes was refused by an aggregate of %d", len(r.Data), a.Size())
			}
		}
	})
}

// TestAggregateLimit: the largest record that fits, and the next one.
func TestAggregateLimit(t *testing.T) {
	t.Parallel()
	var a kpl.Aggregate
	fits := func(size int) bool {
		a.Reset("12345")
		return a.Add(make([]byte, size), []byte("key"))
	}
	for size := range kpl.MaxBytes {
		if fits(size) {
			continue
		}
		fits(size - 1)
		if got := len(a.Append(nil)) + len("key"); got != kpl.MaxBytes {
			t.Errorf("the largest aggregate of one record has %d bytes, want %d", got, kpl.MaxBytes)
		}
		return
	}
	t.Error("every record fits")
}

func BenchmarkAggregate(b *testing.B) {
	record, key := bytes.Repeat([]byte("x"), 160), []byte("0123456789abcdef")
	for _, keys := range []int{1, 200} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			var a kpl.Aggregate
			var data []byte
			a.Reset("1")
			for i := 0; b.Loop(); i++ {
				key[0] = byte(i % keys)
				if !a.Add(record, key) {
					data = a.Append(data[:0])
					a.Reset("1")
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// FuzzRepack: any bytes are an aggregate, none, or an error; records that are packed again come out the same.
func FuzzRepack(f *testing.F) {
	data, err := os.ReadFile("../testdata/aggregate.json")
	if err != nil {
		f.Fatal(err)
	}
	var golden struct {
		Data string `json:"data"`
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		f.Fatal(err)
	}
	aggregated, err := base64.StdEncoding.DecodeString(golden.Data)
	if err != nil {
		f.Fatal(err)
	}
	message := aggregated[4 : len(aggregated)-md5.Size]
	f.Add(message)
	f.Add(message[:len(message)-1])
	f.Add([]byte{})
	f.Add([]byte("\x1a\x06\x08\x00\x10\x00\x1a\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if _, ok, err := kpl.Deaggregate(message); ok && err == nil && !bytes.HasPrefix(message, []byte("\xf3\x89\x9a\xc2")) {
			t.Fatal("an aggregate without the magic")
		}
		records, ok, err := kpl.Deaggregate(kpl.Pack(message))
		if !ok {
			t.Fatal("with its magic and its digest it is not an aggregate")
		}
		if err != nil || len(records) == 0 {
			return
		}
		var a kpl.Aggregate
		a.Reset(records[0].ExplicitHashKey)
		for _, r := range records {
			if r.ExplicitHashKey != records[0].ExplicitHashKey || !a.Add(r.Data, []byte(r.PartitionKey)) {
				return // not one that Aggregate would make
			}
		}
		again, ok, err := kpl.Deaggregate(a.Append(nil))
		if !ok || err != nil || len(again) != len(records) {
			t.Fatalf("packed again: %d of %d records, %t, %v", len(again), len(records), ok, err)
		}
		for i := range records {
			if again[i].PartitionKey != records[i].PartitionKey || !bytes.Equal(again[i].Data, records[i].Data) {
				t.Fatalf("record %d is %q and then %q", i, records[i], again[i])
			}
		}
	})
}
