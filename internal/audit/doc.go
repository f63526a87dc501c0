// Package audit proves delivery for a pipeline that somebody else built: what a Kinesis stream holds is owed once, and
// what stands under a prefix in S3 has to pay for it.
//
// It gives the judge (package proof) claims out of the stream, where package replay gives them out of a ledger. A
// claim is all records that arrived within one second. A copy can pay for a record if record's arrival ≤ object's
// LastModified + skew: the two times come from two services. Sequence numbers have gaps by design, so what is owed is
// read and never inferred.
package audit
