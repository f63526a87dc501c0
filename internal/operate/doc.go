// Package operate carries out the operations on a deployed stack that take several steps: pause it, resume it, and
// change its query. Package stack makes the single calls; this package decides their order, waits between them, and
// puts things back when one fails.
//
// Each operation can be repeated, and each can be killed at any point: what it is about to change is written to the
// ledger first, so that Resume, or the next change of the query, can put the stack right.
//
// A callback reports every step as it begins, proceeds and ends, and the result says in sentences what was done. How
// these are shown is up to the caller.
package operate
