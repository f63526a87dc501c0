package kinesistest

import "streamproof/internal/stream/kpl"

// A Record is a record out of an aggregate.
type Record = kpl.Record

// Deaggregate is that of package kpl.
func Deaggregate(data []byte) (records []Record, ok bool, err error) { return kpl.Deaggregate(data) }
