// Package stream writes to a Kinesis stream and reads it back.
//
// A Delivery sends the records of a tick and accounts for each. It promises bounds, not success: for each record, how
// many copies the stream may hold. What is owed is the ledger's business. Records go in full batches, several at a
// time, paced over the tick's spread. Its loop is the only one that retries, so every attempt is seen, and only entries
// that were not acknowledged are sent again. A record is generated when it is sent and held until it is settled, so
// memory grows only with the number of runs of equal outcomes; a tick without faults has one.
//
// Records go as they are or packed into aggregates (package kpl). Kinesis stores all of an aggregate or nothing, so the
// outcome of an entry is the outcome of each record in it.
//
// A Reader reads shards page by page, beside the stream's other readers.
package stream
