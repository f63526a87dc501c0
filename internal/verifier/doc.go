// Package verifier judges a bucket: it makes the rows that the ledger owes again, reads every object under the data
// prefix and has package proof count the one against the other.
//
// It trusts nothing that the pipeline says of itself. What it cannot read, or does not know to compute, makes the
// verdict UNDECIDED, with the reason.
package verifier
