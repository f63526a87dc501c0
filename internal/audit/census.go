package audit

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"streamproof/internal/report"
)

const (
	hotKeys = 10
	// remembered is about how many records are remembered, to see whether their producer has put them again.
	remembered = 1 << 20
	// A record can be in one of so many places, so that they are all in use before one is used again.
	places = 4
	// So many sets of places come to be at once, when the first record is remembered in one of them.
	pageSets = 64
)

// A census counts what the stream holds in the window, in bounded memory.
type census struct {
	shards map[string]*shardCount
	keys   Keys

	seed maphash.Seed
	// Hashes of the last records, by their lowest bits; the latest first.
	last     [remembered / places / pageSets]*[pageSets][places]uint64
	hashes   []uint64 // scratch
	repeated int64
	endless  int64 // records that do not end with a newline, and not with the brace of a JSON object
}

// shardCount is a shard with what it took in the last second.
type shardCount struct {
	report.AuditShard
	second         time.Time
	records, bytes int64
	aggregate      string // the sequence number of the aggregate that came last
}

func newCensus() *census {
	return &census{shards: map[string]*shardCount{}, seed: maphash.MakeSeed()}
}

// take counts records that arrived in the same second.
func (c *census) take(records []Record) {
	c.hashes = c.hashes[:0]
	for i := range records {
		c.hashes = append(c.hashes, maphash.Bytes(c.seed, records[i].Data))
	}
	for _, hash := range c.hashes { // a loop of its own, so that the memory of many is waited for at once
		if c.isRepeated(hash) {
			c.repeated++
		}
	}
	for i := range records {
		r := &records[i]
		c.shard(r)
		c.keys.Add(r.PartitionKey, r.Shard, 1, int64(len(r.Data)+len(r.PartitionKey)))
		data, _ := r.owes()
		if n := len(data); n > 0 && data[n-1] != '\n' && (data[0] != '{' || data[n-1] != '}') {
			c.endless++
		}
	}
}

func (c *census) shard(r *Record) {
	s := c.shards[r.Shard]
	if s == nil {
		s = &shardCount{AuditShard: report.AuditShard{Shard: r.Shard}}
		c.shards[r.Shard] = s
	}
	if second := r.Arrival.Truncate(time.Second); !second.Equal(s.second) {
		s.second, s.records, s.bytes = second, 0, 0
	}
	size := int64(len(r.Data) + len(r.PartitionKey))
	s.Bytes += size
	s.bytes += size
	if r.Malformed != nil {
		s.Malformed++
	}
	inner := r.Aggregate != nil
	if inner {
		s.Inner++
		if r.Aggregate.OutOfRange {
			s.OutOfRange++
		}
	}
	if !inner || s.aggregate != r.SequenceNumber {
		s.Records++
		s.records++
		if inner {
			s.Aggregates++
			s.aggregate = r.SequenceNumber
		}
	}
	s.MostRecords, s.MostBytes = max(s.MostRecords, s.records), max(s.MostBytes, s.bytes)
	s.Read = r.Arrival
}

// isRepeated reports whether a record with this hash is among those remembered, and remembers it.
func (c *census) isRepeated(hash uint64) bool {
	at := hash % (remembered / places)
	page := &c.last[at/pageSets]
	if *page == nil {
		*page = new([pageSets][places]uint64)
	}
	set := &(*page)[at%pageSets]
	if slices.Contains(set[:], hash) {
		return true
	}
	copy(set[1:], set[:])
	set[0] = hash
	return false
}

// report adds what was counted to the report.
func (c *census) report(a *report.Audit) {
	for _, id := range slices.Sorted(maps.Keys(c.shards)) {
		a.Shards = append(a.Shards, c.shards[id].AuditShard)
	}
	a.HotKeys = append(a.HotKeys, c.keys.Hottest(hotKeys, func(shard string) int64 { return c.shards[shard].Bytes })...)
	a.Repeated = c.repeated
}

// save keeps the census in a state: the largest of its partition keys, and not which records were put again.
func (c *census) save(s *State) {
	s.Audit.Shards, s.Endless, s.Audit.Repeated = nil, c.endless, c.repeated
	for _, id := range slices.Sorted(maps.Keys(c.shards)) {
		s.Audit.Shards = append(s.Audit.Shards, c.shards[id].AuditShard)
	}
	keys := c.keys.sorted()
	for _, k := range keys[:min(len(keys), stateKeys)] {
		s.Keys = append(s.Keys, *k)
	}
}

// restore adds what a state has kept.
func (c *census) restore(s *State) {
	c.endless, c.repeated = s.Endless, s.Audit.Repeated
	for _, shard := range s.Audit.Shards {
		c.shards[shard.Shard] = &shardCount{AuditShard: shard}
	}
	for _, k := range s.Keys {
		c.keys.Add(k.Key, k.Shard, k.Records, k.Bytes)
	}
}
