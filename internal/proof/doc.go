// Package proof counts what was found against what is owed and says what is missing, what came twice and what is
// broken.
//
// Rows carry no id, so everything is counted per distinct row, in the order of time: a tick's claim opens what its
// records owe, and a copy pays for what is open. A copy can pay only for a record whose tick was claimed by the time
// the copy's object was written, so an old double never pays for a later loss.
//
// The package depends neither on S3 nor on SQL nor on what a row holds: a row is a key (see package row). The caller
// passes claims and objects to a Judge in the order of their times, claims first if the times are equal.
package proof
