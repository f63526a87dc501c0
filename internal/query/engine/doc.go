// Package engine is the judge's own SQL engine: it runs a checked query over the records that the ledger owes, in SQLite,
// and gives the rows that ought to be in S3.
package engine
