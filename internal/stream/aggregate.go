package stream

import (
	"crypto/md5"
	"math/big"

	"google.golang.org/protobuf/encoding/protowire"

	"streamproof/internal/generator"
)

// maxAggregateBytes is the most that an aggregate has, its partition key included. Kinesis bills each record by units of
// 25 KB, or a 40th of a megabyte (its page of prices), so a full one costs the least.
const maxAggregateBytes = 25_000

// The parts of an aggregate: magic, the message AggregatedRecord, the message's MD5 (aggregation-format.md of
// awslabs/amazon-kinesis-producer).
const (
	magic = "\xf3\x89\x9a\xc2"

	// Fields of AggregatedRecord: two tables of strings, and messages.
	fieldKeyTable     = 1 // partition_key_table
	fieldHashKeyTable = 2 // explicit_hash_key_table
	fieldRecords      = 3 // records

	// Fields of Record: two places in the tables, and bytes.
	fieldKeyIndex     = 1 // partition_key_index
	fieldHashKeyIndex = 2 // explicit_hash_key_index
	fieldData         = 3 // data
)

// An aggregate packs records into one, in the format of the Kinesis Producer Library.
//
// It has one explicit hash key, which each of its records has, too. Consumers that split shards among them drop an
// aggregate without a word where the key of one of its records is not the shard's (UserRecord of the Kinesis Client
// Library, which is in Flink's connector): with keys that differ, a shard's range would have to be known.
type aggregate struct {
	hashKey string
	keys    map[string]int // the partition keys' places in their table
	key     string         // the first of them, which is the aggregate's own
	tables  []byte
	records []byte
	size    int // of the whole, with its partition key
}

// begin empties the aggregate. The explicit hash key is a decimal number below 2¹²⁸.
func (a *aggregate) begin(hashKey string) {
	a.hashKey, a.size = hashKey, 0
	a.tables, a.records = a.tables[:0], a.records[:0]
	if a.keys == nil {
		a.keys = map[string]int{}
	}
	clear(a.keys)
}

// add adds a record, unless the aggregate would then be too large.
func (a *aggregate) add(record, key []byte) bool {
	place, known := a.keys[string(key)]
	added := 0
	if !known {
		place = len(a.keys)
		added = fieldSize(fieldKeyTable, len(key))
	}
	if place == 0 && !known {
		added += len(magic) + fieldSize(fieldHashKeyTable, len(a.hashKey)) + md5.Size + len(key)
	}
	message := protowire.SizeTag(fieldKeyIndex) + protowire.SizeVarint(uint64(place)) +
		protowire.SizeTag(fieldHashKeyIndex) + protowire.SizeVarint(0) + fieldSize(fieldData, len(record))
	added += fieldSize(fieldRecords, message)
	if a.size+added > maxAggregateBytes {
		return false
	}
	a.size += added

	if !known {
		if place == 0 {
			a.key = string(key)
		}
		a.keys[string(key)] = place
		a.tables = protowire.AppendTag(a.tables, fieldKeyTable, protowire.BytesType)
		a.tables = protowire.AppendBytes(a.tables, key)
	}
	a.records = protowire.AppendTag(a.records, fieldRecords, protowire.BytesType)
	a.records = protowire.AppendVarint(a.records, uint64(message))
	a.records = protowire.AppendTag(a.records, fieldKeyIndex, protowire.VarintType)
	a.records = protowire.AppendVarint(a.records, uint64(place))
	a.records = protowire.AppendTag(a.records, fieldHashKeyIndex, protowire.VarintType)
	a.records = protowire.AppendVarint(a.records, 0)
	a.records = protowire.AppendTag(a.records, fieldData, protowire.BytesType)
	a.records = protowire.AppendBytes(a.records, record)
	return true
}

// append appends the aggregate's bytes.
func (a *aggregate) append(dst []byte) []byte {
	dst = append(dst, magic...)
	message := len(dst)
	dst = append(dst, a.tables...)
	dst = protowire.AppendTag(dst, fieldHashKeyTable, protowire.BytesType)
	dst = protowire.AppendString(dst, a.hashKey)
	dst = append(dst, a.records...)
	digest := md5.Sum(dst[message:])
	return append(dst, digest[:]...)
}

func fieldSize(field protowire.Number, length int) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(length)
}

// A packer makes aggregates of a tick's records.
type packer struct {
	aggregate   aggregate
	record, key []byte // those at hand
}

// pack makes an aggregate of the records from first on, at most to last (not included), and returns how many these are: 0
// where the first is too large for one, or is to be sent as it is.
func (p *packer) pack(g *generator.Generator, tick generator.Tick, key generator.Key, first, last int) int {
	uniform, _ := g.KeyOf(generator.Uniform) // never an error
	p.key = g.AppendKey(p.key[:0], tick, first, uniform)
	// As even as such keys are, and the same in every attempt.
	hash := md5.Sum(p.key)
	p.aggregate.begin(new(big.Int).SetBytes(hash[:]).String())
	for i := first; i < last; i++ {
		if tick.Aggregates && g.FaultOf(tick, i).OfAggregate() {
			return i - first // it is an aggregate itself
		}
		p.record = g.Append(p.record[:0], tick, i)
		// A uniform key says nothing of its record: the first one does for all, and is stored once.
		if key != uniform {
			p.key = g.AppendKey(p.key[:0], tick, i, key)
		}
		if !p.aggregate.add(p.record, p.key) {
			return i - first
		}
	}
	return last - first
}
