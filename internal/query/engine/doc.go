// Package engine runs a checked query in SQLite over the records that the ledger owes. It returns the rows that S3
// should hold.
package engine
