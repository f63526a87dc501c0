// Package query is the judge's own SQL engine: it runs the text of pipeline.sql, which Flink runs in the pipeline, over
// the records that the ledger owes, in SQLite, and gives the rows that ought to be in S3.
//
// The two engines do not agree on everything that both can parse (integer overflow, text comparison, implicit casts), so
// Compile takes only what they are known to agree on and refuses the rest with a reason: a query that the judge cannot
// compute as Flink does is never judged. The grammar in parse.go is that list.
package query
