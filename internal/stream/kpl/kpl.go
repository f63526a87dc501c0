// Package kpl packs records into aggregates and unpacks them, in the format of the Kinesis Producer Library
// (aggregation-format.md of awslabs/amazon-kinesis-producer). The analytics application unpacks by the same rules, in
// Java; the table testdata/aggregates.json holds both to the same answers.
package kpl

import (
	"bytes"
	"crypto/md5"
	"math/big"
	"regexp"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// An Error is why an aggregate has no records, in the words with which the analytics application rejects it.
type Error string

// The errors.
const (
	ErrMalformed  Error = "malformed aggregate"
	ErrEmpty      Error = "aggregate without records"
	ErrNoSuchKey  Error = "no such key in the aggregate"
	ErrNotHashKey Error = "not a hash key"
)

func (e Error) Error() string { return string(e) }

// A Record is a record of an aggregate.
type Record struct {
	PartitionKey, ExplicitHashKey string // the latter may be empty
	Data                          []byte
}

// Magic begins an aggregate. The message AggregatedRecord and the message's MD5 follow.
const Magic = "\xf3\x89\x9a\xc2"

const (
	// Fields of AggregatedRecord: two tables of strings, and messages.
	fieldKeyTable     = 1 // partition_key_table
	fieldHashKeyTable = 2 // explicit_hash_key_table
	fieldRecords      = 3 // records

	// Fields of Record: two indexes in the tables, bytes, and messages that mean nothing here.
	fieldKeyIndex     = 1 // partition_key_index
	fieldHashKeyIndex = 2 // explicit_hash_key_index
	fieldData         = 3 // data
	fieldTags         = 4 // tags
)

// Deaggregate unpacks an aggregate. ok reports whether the data is one; if any part of it does not follow the format,
// the error is an Error. Tags are left out.
func Deaggregate(data []byte) (records []Record, ok bool, err error) {
	message, ok := bytes.CutPrefix(data, []byte(Magic))
	if !ok || len(message) < md5.Size {
		return nil, false, nil
	}
	message, digest := message[:len(message)-md5.Size], message[len(message)-md5.Size:]
	if md5.Sum(message) != [md5.Size]byte(digest) {
		return nil, false, nil
	}
	var partitionKeys, hashKeys []string
	var packed [][]byte
	err = fields(message, func(field protowire.Number, _ uint64, value []byte) error {
		switch {
		case field == fieldRecords && value != nil:
			packed = append(packed, value)
		case !utf8.Valid(value):
			return ErrMalformed
		case field == fieldKeyTable && value != nil:
			partitionKeys = append(partitionKeys, string(value))
		case field == fieldHashKeyTable && value != nil:
			hashKeys = append(hashKeys, string(value))
		default:
			return ErrMalformed
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, true, err
	case len(packed) == 0:
		return nil, true, ErrEmpty
	}
	for _, one := range packed {
		record, err := parse(one, partitionKeys, hashKeys)
		if err != nil {
			return nil, true, err
		}
		records = append(records, record)
	}
	return records, true, nil
}

// parse reads a message Record, whose numbers are indexes in the tables of keys.
func parse(message []byte, partitionKeys, hashKeys []string) (r Record, err error) {
	var partitionKey, hashKey *uint64
	err = fields(message, func(field protowire.Number, n uint64, value []byte) error {
		switch {
		case field == fieldKeyIndex && value == nil && partitionKey == nil:
			partitionKey = &n
		case field == fieldHashKeyIndex && value == nil && hashKey == nil:
			hashKey = &n
		case field == fieldData && value != nil && r.Data == nil:
			r.Data = value
		case field == fieldTags && value != nil:
		default:
			return ErrMalformed
		}
		return nil
	})
	switch {
	case err != nil:
		return r, err
	case partitionKey == nil || r.Data == nil:
		return r, ErrMalformed
	case *partitionKey >= uint64(len(partitionKeys)):
		return r, ErrNoSuchKey
	}
	r.PartitionKey = partitionKeys[*partitionKey]
	if hashKey == nil {
		return r, nil
	}
	if *hashKey >= uint64(len(hashKeys)) {
		return r, ErrNoSuchKey
	}
	r.ExplicitHashKey = hashKeys[*hashKey]
	if !isHashKey(r.ExplicitHashKey) {
		return r, ErrNotHashKey
	}
	return r, nil
}

// hashKey is the form in which Kinesis itself takes an explicit hash key.
var hashKey = regexp.MustCompile(`^(0|[1-9][0-9]{0,38})$`)

// isHashKey reports whether the text is a decimal number below 2^128.
func isHashKey(text string) bool {
	if !hashKey.MatchString(text) {
		return false
	}
	n, _ := new(big.Int).SetString(text, 10)
	return n.BitLen() <= 128
}

// fields reads the fields of a message: value is nil where a field is a number.
func fields(message []byte, field func(field protowire.Number, n uint64, value []byte) error) error {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return ErrMalformed
		}
		message = message[size:]
		var n uint64
		var value []byte
		switch kind {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(message)
			value = append([]byte{}, value...)
		default:
			return ErrMalformed
		}
		if size < 0 {
			return ErrMalformed
		}
		message = message[size:]
		if err := field(number, n, value); err != nil {
			return err
		}
	}
	return nil
}
