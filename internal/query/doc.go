// Package query reads pipeline.sql: the columns of the rows that it writes, and whether the verifier can compute them.
//
// The verifier computes (package engine) the query that Flink runs in the pipeline. Engines disagree on much that they
// can all parse: integer overflow, text comparison, implicit casts. So Compile accepts only what the verifier is known
// to compute as Flink does. It refuses the rest with a reason: a query whose result cannot be reproduced gets no
// verdict. forms.go is the list. Compile walks the syntax tree (package dialect), gives each part its type in Flink,
// and makes an expression of it as the list has it.
//
// testdata/expressions.json has expressions of every form. A test of the Flink job computes them into
// testdata/flink.golden, and a test here compares the verifier's results. docs/decisions/0015 lists the differences.
package query
