// Package explain finds out where a row was lost.
//
// Of each missing or failed row that a report names, it makes the records of the tick that owes it again, to find those that
// give this row; reads the stream back, between the sequence numbers that the ledger has of that tick, to find them there; and
// looks through what has been written to the bucket since. So it can say which hop had the row last.
//
// Rows carry no id: where several records of a tick give the same row, and not all of them are missing, it names them all.
//
// The verifier asks it for its report, and so does streamproof explain. It reads, and changes nothing. It needs the stream and the
// bucket as they are now: what the stream's retention is over for cannot be told any more.
package explain
