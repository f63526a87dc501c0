// Package producer is the function that sends a tick of records and keeps the ledger of it.
//
// One event is one tick: it is claimed in the ledger, its records are sent, and what became of each is written as its
// manifest. A second event for the same tick, from a scheduler that delivers at least once, from Lambda's own retries or
// from a command line that asks again, is a success that sends nothing and answers with what the ledger says. Nobody
// ever sends a tick again: an attempt that dies leaves a tick that is closed as crashed when its lease is over.
//
// What a record holds is package generator's, how it is sent package stream's.
package producer
