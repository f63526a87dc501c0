package kpl_test

import (
	"bytes"
	"crypto/md5"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"streamproof/internal/stream/kpl"
)

// packed is an aggregate with two partition keys and one explicit hash key, of these records.
func packed(records ...[]byte) []byte {
	var message []byte
	for _, key := range []string{"a", "b"} {
		message = protowire.AppendString(protowire.AppendTag(message, 1, protowire.BytesType), key)
	}
	message = protowire.AppendString(protowire.AppendTag(message, 2, protowire.BytesType), "7")
	for _, record := range records {
		message = protowire.AppendBytes(protowire.AppendTag(message, 3, protowire.BytesType), record)
	}
	sum := md5.Sum(message)
	return append(append([]byte("\xf3\x89\x9a\xc2"), message...), sum[:]...)
}

// one is a record whose numbers are those of the fields 1, 2, …, and whose data are in field 3.
func one(data string, numbers ...uint64) []byte {
	var record []byte
	for i, n := range numbers {
		record = protowire.AppendVarint(protowire.AppendTag(record, protowire.Number(i+1), protowire.VarintType), n)
	}
	return protowire.AppendString(protowire.AppendTag(record, 3, protowire.BytesType), data)
}

func TestDeaggregate(t *testing.T) {
	t.Parallel()
	tagged := protowire.AppendString(protowire.AppendTag(one("x", 1), 4, protowire.BytesType), "tag")
	tests := map[string]struct {
		data []byte
		want []kpl.Record
		ok   bool
		err  bool
	}{
		"both keys":                {data: packed(one("x", 0, 0)), want: []kpl.Record{{PartitionKey: "a", ExplicitHashKey: "7", Data: []byte("x")}}, ok: true},
		"no explicit hash key":     {data: packed(one("x", 1), one("y", 0)), want: []kpl.Record{{PartitionKey: "b", Data: []byte("x")}, {PartitionKey: "a", Data: []byte("y")}}, ok: true},
		"a tag":                    {data: packed(tagged), want: []kpl.Record{{PartitionKey: "b", Data: []byte("x")}}, ok: true},
		"no record":                {data: packed(), ok: true},
		"no partition key":         {data: packed(one("x")), ok: true, err: true},
		"a key that is not there":  {data: packed(one("x", 2)), ok: true, err: true},
		"data twice":               {data: packed(append(one("x", 0), one("y")...)), ok: true, err: true},
		"a partition key twice":    {data: packed(append(one("x", 0), one("y", 0)...)), ok: true, err: true},
		"a field of its own":       {data: packed(protowire.AppendVarint(protowire.AppendTag(one("x", 0), 9, protowire.VarintType), 1)), ok: true, err: true},
		"not an aggregate":         {data: []byte("1,2,3\n")},
		"another checksum":         {data: append(packed(one("x", 0)), 'x')},
		"only what it begins with": {data: []byte("\xf3\x89\x9a\xc2")},
	}
	for name, test := range tests {
		got, ok, err := kpl.Deaggregate(test.data)
		if diff := cmp.Diff(test.want, got); diff != "" && !test.err || ok != test.ok || (err != nil) != test.err {
			t.Errorf("%s: %t, %v, (-want +got):\n%s", name, ok, err, diff)
		}
	}
}

// FuzzDeaggregate: whatever is in an aggregate is records or an error.
func FuzzDeaggregate(f *testing.F) {
	f.Add(packed(one("x", 0, 0))[4:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, message []byte) {
		sum := md5.Sum(message)
		data := append(append([]byte("\xf3\x89\x9a\xc2"), message...), sum[:]...)
		records, ok, err := kpl.Deaggregate(bytes.Clone(data))
		if !ok || err != nil && records != nil {
			t.Errorf("got %v, %t, %v", records, ok, err)
		}
	})
}
