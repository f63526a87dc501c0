package generator

import (
	"google.golang.org/protobuf/encoding/protowire"

	"streamproof/internal/stream/kpl"
)

// aggregates are the ways in which an aggregate is malformed, its checksum being right. In each, but for the fault, the
// aggregate has the row as its only record, with a partition key and an explicit hash key.
var aggregates = []spoiler{
	{fault: NoSuchKey, pack: func(row []byte) []byte { return kpl.Pack(message("0", oneRecord(row, 1))) }},
	{fault: NotHashKey, pack: func(row []byte) []byte { return kpl.Pack(message("none", oneRecord(row, 0))) }},
	{fault: EmptyAggregate, pack: func([]byte) []byte { return kpl.Pack(message("0")) }},
	{fault: MalformedAggregate, pack: func(row []byte) []byte {
		packed := message("0", oneRecord(row, 0))
		return kpl.Pack(packed[:len(packed)-1])
	}},
}

// message is an AggregatedRecord of one partition key, one explicit hash key and some records.
func message(hashKey string, records ...[]byte) []byte {
	message := appendBytes(appendBytes(nil, 1, []byte("1")), 2, []byte(hashKey))
	for _, record := range records {
		message = appendBytes(message, 3, record)
	}
	return message
}

// oneRecord is a Record with the partition key in that place of the table, and the first explicit hash key.
func oneRecord(data []byte, partitionKey uint64) []byte {
	record := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), partitionKey)
	record = protowire.AppendVarint(protowire.AppendTag(record, 2, protowire.VarintType), 0)
	return appendBytes(record, 3, data)
}

func appendBytes(message []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(message, field, protowire.BytesType), value)
}
