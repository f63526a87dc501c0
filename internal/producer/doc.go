// Package producer is the function that sends a tick of records and keeps its ledger.
//
// One event is one tick: it is claimed in the ledger, its records are sent, and the outcome of each is written as the
// tick's manifest. A second event for the same tick succeeds, sends nothing and answers with what the ledger says. It
// may come from a scheduler that delivers at least once, from Lambda's retries or from a command line that asks again.
// A tick is never sent twice: if an attempt dies, the tick is closed as crashed when the attempt's lease is over.
//
// Package generator makes the records, package stream sends them.
package producer
