// Package verifier judges a bucket: it takes the claims of the ledger (see package replay), reads every object under
// the data prefix and the error prefixes, and has package proof count the one against the other.
//
// It does not trust what the pipeline says of itself. What it cannot read or reproduce makes the verdict UNDECIDED,
// with the reason.
//
// A verification resumes from the last checkpoint, from the archive, or from nothing; type resumption decides which.
// Start reading at Judge, then resumption.loop and verification.run.
package verifier
