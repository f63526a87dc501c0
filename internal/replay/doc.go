// Package replay turns the ticks of the ledger into claims: what each owes, and the records and rows behind it.
//
// A record is a pure function of its tick, so nothing that was sent has to be stored. A claim regenerates its records
// and runs over them the query of the pipeline that has read them. If that pipeline replaced one that was rolled back,
// the rows that the failed one may have delivered are allowed as well.
//
// A claim knows neither objects nor verdicts. What package verifier uses of it to count (its moments, Owe, Rows, Lines
// and RowsOf) holds for any source of owed rows.
package replay
