// Package discover proposes a schema for records that have none yet: the format, and for each column its name, type,
// pattern and nullability, with how many of the sampled values agree.
//
// It reads the sample again with the proposed schema, as the job will. Every sampled row is then either read or listed
// as a fault, with its place. A narrow type is proposed only if the Flink job and the verifier read its values alike.
// If the sample leaves a meaning open, such as the order of day and month, the column is text, with a note. schema.json
// stays editable by hand, and Merge keeps what was written there.
//
// Package sample reads the bytes.
package discover
