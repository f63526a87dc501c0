// Package explain finds where a row was lost.
//
// For each missing or failed row that a report names, it regenerates the records of the tick that owes it, to find
// those that give this row. It reads the stream back between the sequence numbers that the ledger has for that tick, to
// find the records there, and searches what has been written to the bucket since. So it can say which hop had the row
// last.
//
// Rows carry no id: if several records of a tick give the same row and not all of them are missing, it names them all.
//
// The verifier uses it for its report, and so does streamproof explain. It only reads. It needs the stream and the
// bucket as they are now: it cannot say anything about what is past the stream's retention.
package explain
