// Package engine computes a checked query over the records that the ledger owes: the rows that S3 should hold.
//
// Two tests hold it: Flink's values of each form's expressions (decision 15), and SQLite, which computes the same
// expressions in its own way, for random ones (decision 35).
package engine
