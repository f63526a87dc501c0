// Package kpl takes apart what was packed in the format of the Kinesis Producer Library (aggregation-format.md of
// awslabs/amazon-kinesis-producer). Packing is package stream's.
package kpl

import (
	"crypto/md5"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Record is a record out of an aggregate.
type Record struct {
	PartitionKey, ExplicitHashKey string
	Data                          []byte
}

// Hash is the number that decides which shard a record belongs to: the explicit hash key, or else the MD5 of the partition
// key. It is nil where the explicit hash key is no decimal number.
func (r Record) Hash() *big.Int {
	if r.ExplicitHashKey == "" {
		sum := md5.Sum([]byte(r.PartitionKey))
		return new(big.Int).SetBytes(sum[:])
	}
	n, ok := new(big.Int).SetString(r.ExplicitHashKey, 10)
	if !ok {
		return nil
	}
	return n
}

// Deaggregate takes an aggregate in the format of the Kinesis Producer Library apart. ok is false where the data is not
// one; what is, but with anything in it that the format does not know, is an error. A record may do without an explicit hash
// key; its tags are left out.
func Deaggregate(data []byte) (records []Record, ok bool, err error) {
	const magic = "\xf3\x89\x9a\xc2"
	if !strings.HasPrefix(string(data), magic) || len(data) < len(magic)+md5.Size {
		return nil, false, nil
	}
	message, digest := data[len(magic):len(data)-md5.Size], data[len(data)-md5.Size:]
	if sum := md5.Sum(message); string(sum[:]) != string(digest) {
		return nil, false, nil
	}
	var tables [2][]string
	var places [][2]*uint64
	err = fields(message, func(field protowire.Number, _ uint64, value []byte) error {
		switch {
		case value == nil || field > 3:
			return fmt.Errorf("aggregated record: field %d", field)
		case field < 3:
			tables[field-1] = append(tables[field-1], string(value))
			return nil
		}
		r, place, data := Record{}, [2]*uint64{}, 0
		err := fields(value, func(field protowire.Number, n uint64, value []byte) error {
			switch {
			case field == 3 && value != nil:
				r.Data = value
				data++
			case field < 3 && value == nil && place[field-1] == nil:
				place[field-1] = &n
			case field == 4 && value != nil: // a tag
			default:
				return fmt.Errorf("record: field %d", field)
			}
			return nil
		})
		if err == nil && (place[0] == nil || data != 1) {
			err = errors.New("a record has not its partition key and its data once")
		}
		records, places = append(records, r), append(places, place)
		return err
	})
	if err != nil {
		return nil, true, err
	}
	for i, place := range places {
		for table, into := range []*string{&records[i].PartitionKey, &records[i].ExplicitHashKey} {
			if place[table] == nil {
				continue
			}
			if *place[table] >= uint64(len(tables[table])) {
				return nil, true, fmt.Errorf("a record has key %d of %d", *place[table], len(tables[table]))
			}
			*into = tables[table][*place[table]]
		}
	}
	return records, true, nil
}

// fields reads the fields of a message: value is nil where a field is a number.
func fields(message []byte, field func(field protowire.Number, n uint64, value []byte) error) error {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return protowire.ParseError(size)
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
			return fmt.Errorf("field %d is of wire type %d", number, kind)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		message = message[size:]
		if err := field(number, n, value); err != nil {
			return err
		}
	}
	return nil
}
