package audit

import (
	"cmp"
	"maps"
	"slices"

	"streamproof/internal/report"
)

// manyKeys is how many partition keys are counted at once. Above that the smaller half is forgotten: a key that is
// worth naming has more.
const manyKeys = 20_000

// Keys count the bytes of partition keys, in bounded memory.
type Keys struct{ all map[string]*report.HotKey }

// Add counts records of a key.
func (k *Keys) Add(key, shard string, records, bytes int64) {
	one := k.all[key]
	if one == nil {
		if k.all == nil {
			k.all = map[string]*report.HotKey{}
		}
		if len(k.all) >= manyKeys {
			sorted := k.sorted()
			for _, small := range sorted[len(sorted)/2:] {
				delete(k.all, small.Key)
			}
		}
		one = &report.HotKey{Key: key, Shard: shard}
		k.all[key] = one
	}
	one.Records += records
	one.Bytes += bytes
}

func (k *Keys) sorted() []*report.HotKey {
	return slices.SortedFunc(maps.Values(k.all), func(a, b *report.HotKey) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Key, b.Key))
	})
}

// Hottest returns the keys with the most bytes, with their share of the bytes of their shards.
func (k *Keys) Hottest(most int, bytesOf func(shard string) int64) []report.HotKey {
	sorted := k.sorted()
	var hot []report.HotKey
	for _, one := range sorted[:min(len(sorted), most)] {
		if bytes := bytesOf(one.Shard); bytes > 0 {
			one.Share = float64(one.Bytes) / float64(bytes)
		}
		hot = append(hot, *one)
	}
	return hot
}
