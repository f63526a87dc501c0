package kpl

import (
	"crypto/md5"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxBytes is the most that an Aggregate has, with its partition key. Kinesis bills records by units of 25 KB, a 40th
// of a megabyte by its price page, so a full one costs the least.
const MaxBytes = 25_000

// An Aggregate packs records into one.
//
// It has one explicit hash key, and so has each of its records. Consumers that split shards among them silently drop a
// record whose key is not in the shard's range (UserRecord of the Kinesis Client Library, which Flink's connector
// uses): with different keys, the shard's range would have to be known.
type Aggregate struct {
	Key     string // the aggregate's partition key: that of its first record
	HashKey string

	keys    map[string]int // indexes of the partition keys in their table
	tables  []byte
	records []byte
	size    int
}

// Reset empties the aggregate. The explicit hash key is a decimal number below 2¹²⁸.
func (a *Aggregate) Reset(hashKey string) {
	a.HashKey, a.size = hashKey, 0
	a.tables, a.records = a.tables[:0], a.records[:0]
	if a.keys == nil {
		a.keys = map[string]int{}
	}
	clear(a.keys)
}

// Size is that of the aggregate with its partition key, in bytes.
func (a *Aggregate) Size() int { return a.size }

// Add adds a record, unless the aggregate would then be too large.
func (a *Aggregate) Add(record, key []byte) bool {
	index, known := a.keys[string(key)]
	added := 0
	if !known {
		index = len(a.keys)
		added = fieldSize(fieldKeyTable, len(key))
	}
	if len(a.keys) == 0 {
		added += len(Magic) + fieldSize(fieldHashKeyTable, len(a.HashKey)) + md5.Size + len(key)
	}
	added += fieldSize(fieldRecords, recordSize(uint64(index), 0, len(record)))
	if a.size+added > MaxBytes {
		return false
	}
	a.size += added
	if !known {
		if index == 0 {
			a.Key = string(key)
		}
		a.keys[string(key)] = index
		a.tables = AppendKey(a.tables, key)
	}
	a.records = AppendRecord(a.records, uint64(index), 0, record)
	return true
}

// Append appends the aggregate's bytes.
func (a *Aggregate) Append(dst []byte) []byte {
	dst = append(dst, Magic...)
	message := len(dst)
	dst = append(dst, a.tables...)
	dst = AppendHashKey(dst, []byte(a.HashKey))
	dst = append(dst, a.records...)
	digest := md5.Sum(dst[message:])
	return append(dst, digest[:]...)
}

// Pack makes an aggregate of a message AggregatedRecord.
func Pack(message []byte) []byte {
	digest := md5.Sum(message)
	return append(append([]byte(Magic), message...), digest[:]...)
}

// AppendKey appends a partition key to the table of a message AggregatedRecord.
func AppendKey(message, key []byte) []byte { return appendBytes(message, fieldKeyTable, key) }

// AppendHashKey appends an explicit hash key to the table of a message AggregatedRecord.
func AppendHashKey(message, key []byte) []byte { return appendBytes(message, fieldHashKeyTable, key) }

// AppendRecord appends a record to a message AggregatedRecord, with the indexes of its keys in their tables.
func AppendRecord(message []byte, key, hashKey uint64, data []byte) []byte {
	message = protowire.AppendTag(message, fieldRecords, protowire.BytesType)
	message = protowire.AppendVarint(message, uint64(recordSize(key, hashKey, len(data))))
	message = protowire.AppendTag(message, fieldKeyIndex, protowire.VarintType)
	message = protowire.AppendVarint(message, key)
	message = protowire.AppendTag(message, fieldHashKeyIndex, protowire.VarintType)
	message = protowire.AppendVarint(message, hashKey)
	return appendBytes(message, fieldData, data)
}

func recordSize(key, hashKey uint64, data int) int {
	return protowire.SizeTag(fieldKeyIndex) + protowire.SizeVarint(key) +
		protowire.SizeTag(fieldHashKeyIndex) + protowire.SizeVarint(hashKey) + fieldSize(fieldData, data)
}

func fieldSize(field protowire.Number, length int) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(length)
}

func appendBytes(message []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(message, field, protowire.BytesType), value)
}
