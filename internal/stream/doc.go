// Package stream sends the records of a tick to a Kinesis stream and keeps account of what became of each.
//
// Records go in full batches, several at a time, paced over the tick's spread. This package's loop is the only one that
// retries, so that every attempt is seen; only the entries that were not acknowledged are sent again. A record is made
// when it is sent and held only until it is settled, so memory does not grow with the number of records: only with that of
// the runs of equal outcomes, of which a tick without faults has one.
//
// It promises bounds, not success: for each record, how many copies of it the stream may hold. What is owed, and to
// whom, is the ledger's business.
package stream
