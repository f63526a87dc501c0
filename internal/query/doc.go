// Package query reads pipeline.sql: the columns of the rows that it writes, and whether the judge may run it.
//
// The judge runs in SQLite (package engine) the query that Flink runs in the pipeline. The two engines do not agree on
// everything that both can parse (integer overflow, text comparison, implicit casts), so Compile takes only what they are
// known to agree on, or what SQLite can be made to compute as Flink does, and refuses the rest with a reason: a query that
// the judge cannot compute as Flink does is never judged. forms.go is that list. Compile walks the syntax tree (package
// dialect), gives each part the type that it has in Flink, and writes it as the list says.
//
// testdata/expressions.json has expressions of every form. Flink's job computes them in a test of its own, into
// testdata/flink.golden, and a test here sees that the judge gives the same. docs/engines.md says where the two differ.
package query
