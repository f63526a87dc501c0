// Package discover proposes a schema for records that nobody has described yet: their format, and for each column its
// name, type, pattern and whether it may be NULL, with how many of the sampled values agree.
//
// It promises that what it proposes reads every row that was sampled, but for those that it lists as faults, each with
// its place: it reads the sample again as the job will, before it answers. It proposes a narrow type only where the
// Flink job and the judge read the values alike; where the sample does not say which of two meanings is right (the
// order of day and month), it proposes text and says so. What a sample does not show it cannot know: a person has the
// last word, in schema.json, and Merge keeps it.
//
// It is a function of bytes. Where these come from is package sample's business.
package discover
