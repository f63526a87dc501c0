// Package ledger keeps, in S3, what each tick of the producer owes.
//
// A tick is one S3 object, written three times at most and each time on condition: the claim (only where nothing
// stands), the progress of a long tick and the manifest (only over this attempt's own last write). The pipeline that a
// tick was made for is published once, under its hash, beside the ticks. A tick that was claimed is never sent again: a
// claim whose lease is over without a manifest is a crashed tick, and what it sent after its last progress is unknown.
//
// One object names the current pipeline: the one that the application runs, by the last deploy or set by hand, and that
// the next tick is claimed for. Where one failed and another has read its records, the object says so for good.
//
// A bucket is claimed once, for one stack: what two stacks owe and deliver in one place cannot be told apart.
//
// Nothing here knows what a record holds; see package generator for that.
package ledger
