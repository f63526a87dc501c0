package generator

import "streamproof/internal/stream/kpl"

// aggregates make malformed aggregates with a correct checksum. Apart from the fault, each has the row as its only
// record, with a partition key and an explicit hash key.
var aggregates = []spoiler{
	{fault: NoSuchKey, pack: func(row []byte) []byte { return kpl.Pack(kpl.AppendRecord(keys("0"), 1, 0, row)) }},
	{fault: NotHashKey, pack: func(row []byte) []byte { return kpl.Pack(kpl.AppendRecord(keys("none"), 0, 0, row)) }},
	{fault: EmptyAggregate, pack: func([]byte) []byte { return kpl.Pack(keys("0")) }},
	{fault: MalformedAggregate, pack: func(row []byte) []byte {
		message := kpl.AppendRecord(keys("0"), 0, 0, row)
		return kpl.Pack(message[:len(message)-1])
	}},
}

// keys returns a message with one partition key and one explicit hash key.
func keys(hashKey string) []byte {
	return kpl.AppendHashKey(kpl.AppendKey(nil, []byte("1")), []byte(hashKey))
}
