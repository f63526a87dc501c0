// Package stream sends the records of a tick to a Kinesis stream and keeps account of what became of each.
//
// Records go in full batches, several at a time, paced over the tick's spread. This package's loop is the only one that
// retries, so that every attempt is seen; only the entries that were not acknowledged are sent again. A record is made
// when it is sent and held only until it is settled, so memory does not grow with the number of records: only with that of
// the runs of equal outcomes, of which a tick without faults has one.
//
// Records go as they are or, where asked, packed as the Kinesis Producer Library packs them: many to an entry of 25,000 bytes,
// of which Kinesis stores all or none, so that an entry's outcome is that of each record in it.
//
// It promises bounds, not success: for each record, how many copies of it the stream may hold. What is owed, and to
// whom, is the ledger's business.
package stream
