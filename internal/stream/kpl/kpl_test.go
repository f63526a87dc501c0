package kpl_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"streamproof/internal/golden"
	"streamproof/internal/stream/kpl"
)

const table = "testdata/aggregates.json"

// packed is an aggregate with two partition keys and an explicit hash key, of these records.
func packed(records ...[]byte) []byte { return kpl.Pack(message("7", records...)) }

func message(hashKey string, records ...[]byte) []byte {
	var message []byte
	for _, key := range []string{"a", "b"} {
		message = text(message, 1, key)
	}
	message = text(message, 2, hashKey)
	for _, record := range records {
		message = text(message, 3, string(record))
	}
	return message
}

func text(message []byte, field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(message, field, protowire.BytesType), value)
}

func number(message []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(message, field, protowire.VarintType), n)
}

// one returns a message Record with these numbers in the fields 1, 2, …, and the data in field 3.
func one(data string, numbers ...uint64) []byte {
	var record []byte
	for i, n := range numbers {
		record = number(record, protowire.Number(i+1), n)
	}
	return text(record, 3, data)
}

// An aggregate of the table: a record of Kinesis, and what it holds.
type aggregate struct {
	Name string `json:"-"`
	Data []byte `json:"data"`
	// Plain: it is no aggregate, but data like all others.
	Plain   bool         `json:"plain,omitempty"`
	Records []kpl.Record `json:"records,omitempty"`
	Reason  string       `json:"reason,omitempty"`
}

func aggregates() []aggregate {
	most := "340282366920938463463374607431768211455" // 2^128 - 1
	var list []aggregate
	records := func(name string, data []byte, records ...kpl.Record) {
		list = append(list, aggregate{Name: name, Data: data, Records: records})
	}
	plain := func(name string, data []byte) { list = append(list, aggregate{Name: name, Data: data, Plain: true}) }
	bad := func(name string, reason kpl.Error, data []byte) {
		list = append(list, aggregate{Name: name, Data: data, Reason: string(reason)})
	}
	x := kpl.Record{PartitionKey: "a", Data: []byte("x")}
	xOf := func(hashKey string) kpl.Record {
		return kpl.Record{PartitionKey: "a", ExplicitHashKey: hashKey, Data: []byte("x")}
	}

	records("both keys", packed(one("x", 0, 0)), xOf("7"))
	records("no explicit hash key", packed(one("x", 0), one("y", 1)), x, kpl.Record{PartitionKey: "b", Data: []byte("y")})
	records("empty data", packed(one("", 1)), kpl.Record{PartitionKey: "b", Data: []byte{}})
	records("a tag", packed(text(one("x", 0), 4, "tag")), x)
	records("the fields in another order", kpl.Pack(text(text(nil, 3, string(number(text(nil, 3, "x"), 1, 0))), 1, "a")), x)
	records("a number that is longer than it need be", packed(append(one("x"), 0x08, 0x80, 0x80, 0x00)), x)
	records("the largest hash key", kpl.Pack(message(most, one("x", 0, 0))), xOf(most))
	records("a wrong hash key that no record has", kpl.Pack(message("x", one("x", 0))), x)
	records("an aggregate in an aggregate", packed(one(string(packed(one("y", 0))), 0)),
		kpl.Record{PartitionKey: "a", Data: packed(one("y", 0))})

	plain("not an aggregate", []byte("1,2,3\n"))
	plain("no data", []byte{})
	plain("another checksum", append(packed(one("x", 0)), 'x'))
	plain("only what it begins with", []byte("\xf3\x89\x9a\xc2"))
	plain("shorter than its checksum", packed()[:19])

	bad("no message", kpl.ErrEmpty, kpl.Pack(nil))
	bad("no record", kpl.ErrEmpty, packed())
	bad("a partition key that is not there", kpl.ErrNoSuchKey, packed(one("x", 2)))
	bad("the largest index of a partition key", kpl.ErrNoSuchKey, packed(one("x", 1<<64-1)))
	bad("an index that 32 bits would cut to 0", kpl.ErrNoSuchKey, packed(one("x", 1<<32)))
	bad("a good record before one with a bad index", kpl.ErrNoSuchKey, packed(one("x", 0), one("x", 5)))
	bad("a hash key that is not there", kpl.ErrNoSuchKey, packed(one("x", 0, 1)))
	for name, key := range map[string]string{
		"a hash key that is no number": "x", "an empty hash key": "", "a hash key with a sign": "+7", "a negative hash key": "-7",
		"a hash key with a zero in front": "07", "a hash key in other digits": "\u0667", "a hash key with a newline": "7\n",
		"2^128 as hash key": "340282366920938463463374607431768211456", "a hash key of forty digits": strings.Repeat("1", 40),
	} {
		bad(name, kpl.ErrNotHashKey, kpl.Pack(message(key, one("x", 0, 0))))
	}
	bad("no partition key", kpl.ErrMalformed, packed(text(nil, 3, "x")))
	bad("no data in a record", kpl.ErrMalformed, packed(number(nil, 1, 0)))
	bad("an empty record", kpl.ErrMalformed, packed(nil))
	bad("data twice", kpl.ErrMalformed, packed(append(one("x", 0), one("y")...)))
	bad("a partition key twice", kpl.ErrMalformed, packed(number(one("x", 0), 1, 0)))
	bad("a hash key twice", kpl.ErrMalformed, packed(number(one("x", 0, 0), 2, 0)))
	bad("another field of a record", kpl.ErrMalformed, packed(number(one("x", 0), 9, 1)))
	bad("another field", kpl.ErrMalformed, kpl.Pack(text(message("7", one("x", 0)), 4, "x")))
	bad("field 0", kpl.ErrMalformed, kpl.Pack(append(message("7", one("x", 0)), 0x02, 0x00)))
	bad("a number for a table", kpl.ErrMalformed, kpl.Pack(number(message("7", one("x", 0)), 1, 1)))
	bad("bytes for a number", kpl.ErrMalformed, packed(text(text(nil, 3, "x"), 1, "0")))
	bad("a group", kpl.ErrMalformed, kpl.Pack(append(message("7", one("x", 0)), 0x23, 0x24)))
	bad("a key that is not UTF-8", kpl.ErrMalformed, kpl.Pack(text(message("7", one("x", 0)), 1, "\xff")))
	bad("a record that ends early", kpl.ErrMalformed, packed(one("x", 0)[:3]))
	bad("a message that ends early", kpl.ErrMalformed, kpl.Pack(message("7", one("x", 0))[:8]))
	bad("bytes longer than the message", kpl.ErrMalformed, kpl.Pack([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}))
	bad("bytes of more than 2^63", kpl.ErrMalformed, kpl.Pack([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}))
	bad("a number of more than 64 bits", kpl.ErrMalformed, packed(append(one("x"), 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02)))
	bad("a number of eleven bytes", kpl.ErrMalformed, packed(append(one("x"), 0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00)))
	bad("not protobuf", kpl.ErrMalformed, kpl.Pack([]byte("1,2,3\n")))
	return list
}

// TestTable: what the records of the table hold, and that the table is written down for the application's test.
func TestTable(t *testing.T) {
	t.Parallel()
	list := aggregates()
	for _, want := range list {
		records, ok, err := kpl.Deaggregate(want.Data)
		got := aggregate{Name: want.Name, Data: want.Data, Plain: !ok, Records: records}
		if err != nil {
			got.Reason = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Name, diff)
		}
	}
	written := map[string]aggregate{}
	for _, one := range list {
		written[one.Name] = one
	}
	got, err := json.MarshalIndent(written, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	golden.Check(t, table, got)
}

// FuzzDeaggregate: an aggregate gives records or a reason, never both.
func FuzzDeaggregate(f *testing.F) {
	for _, one := range aggregates() {
		if !one.Plain {
			f.Add(one.Data[4 : len(one.Data)-16])
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		records, ok, err := kpl.Deaggregate(kpl.Pack(message))
		if _, known := err.(kpl.Error); !ok || err != nil && !known || (err == nil) != (len(records) > 0) { //nolint:errorlint // it is never wrapped
			t.Errorf("got %v, %t, %v", records, ok, err)
		}
	})
}
