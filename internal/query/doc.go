// Package query reads pipeline.sql: the columns of the rows that it writes, and whether the judge may run it.
//
// The judge runs in SQLite (package engine) the text that Flink runs in the pipeline. The two engines do not agree on
// everything that both can parse (integer overflow, text comparison, implicit casts), so Compile takes only what they are
// known to agree on and refuses the rest with a reason: a query that the judge cannot compute as Flink does is never
// judged. What parse.go lets through of the syntax tree (package dialect) is that list.
package query
