package report

import (
	"fmt"
	"slices"
	"time"
)

// An Audit is what a report says of the stream that it judges by. A report of a stack has none.
type Audit struct {
	Stream string `json:"stream"`
	// From and To are the window: the arrival times of the records that are owed. Asked is the start that was asked
	// for, where the stream no longer holds all of it.
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Asked time.Time `json:"askedFrom,omitzero"`
	// SkewSeconds is by how much the clocks of Kinesis and S3 may differ.
	SkewSeconds float64      `json:"skewSeconds"`
	Shards      []AuditShard `json:"shards,omitempty"`
	HotKeys     []HotKey     `json:"hotKeys,omitempty"` // the ten partition keys with the most bytes, most first
	// Repeated counts records with the bytes of one of the about MaxRepeated records before them: their producer has
	// put them twice. Each is owed.
	Repeated int64 `json:"repeated"`
	// Glued counts JSON objects that follow another one in the same line, and Blank lines that hold nothing. They
	// accuse nobody.
	Glued int64 `json:"glued"`
	Blank int64 `json:"blank"`
	// Refused counts lines of records that the schema refuses. They owe nothing.
	Refused int64 `json:"refused"`
	// Edge counts rows of records from before or after the window in objects of the window.
	Edge int64 `json:"edge"`
	// Gaps are spans of which nothing can be said any more: an audit that is continued had not read them when the
	// stream's retention was over. With a gap nothing is PROVEN.
	Gaps []Gap `json:"gaps,omitempty"`
}

// A Gap is a span of arrival times that was never read.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Reason says what a gap means for a verdict.
func (g Gap) Reason() string {
	return fmt.Sprintf("records that arrived from %s to %s were never read, and the stream's retention is over: nothing can be proven of them any more",
		g.From.UTC().Format(time.RFC3339), g.To.UTC().Format(time.RFC3339))
}

// InGap reports whether a record that arrived then was never read.
func (a *Audit) InGap(arrival time.Time) bool {
	return slices.ContainsFunc(a.Gaps, func(g Gap) bool { return arrival.After(g.From) && arrival.Before(g.To) })
}

// An AuditShard is what was read of one shard, of records that are in the window.
type AuditShard struct {
	Shard   string `json:"shard"`
	Records int64  `json:"records"` // aggregates counted once
	Bytes   int64  `json:"bytes"`
	// Aggregates are the records in the Kinesis Producer Library's format, Malformed those of them that cannot be taken
	// apart, and Inner the records that the others hold. OutOfRange are those whose key belongs to another shard: the
	// Kinesis Client Library drops these.
	Aggregates int64 `json:"aggregates,omitempty"`
	Malformed  int64 `json:"malformed,omitempty"`
	Inner      int64 `json:"inner,omitempty"`
	OutOfRange int64 `json:"outOfRange,omitempty"`
	// Read is up to which arrival time the shard was read.
	Read time.Time `json:"read,omitzero"`
	// MostRecords and MostBytes are the most that the shard took in one second, of 1,000 and 1 MiB.
	MostRecords int64 `json:"mostRecordsPerSecond"`
	MostBytes   int64 `json:"mostBytesPerSecond"`
}

// A HotKey is a partition key with a large part of the stream's bytes.
type HotKey struct {
	Key     string `json:"key"`
	Shard   string `json:"shard"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
	// Share is the part of its shard's bytes, from 0 to 1.
	Share float64 `json:"share"`
}

// Percent is the share in whole percents.
func (k HotKey) Percent() int64 { return int64(100*k.Share + 0.5) }

// Unit is what the report's Ticks are.
func (r *Report) Unit() string {
	if r.Audit != nil {
		return "minute"
	}
	return "tick"
}

func (r *Report) delayNote() string {
	from := "a tick's claim"
	if r.Audit != nil {
		from = "the record's arrival"
	}
	return "From " + from + " to the object with the row. Each bar ends at the delay below it."
}

// auditSteps says what to do about each class in an audit, in the order in which to do it.
var auditSteps = []Step{
	{
		Class: "missing", Commands: []string{"streamproof explain", "streamproof repair"}, See: "docs/repair.md",
		Text: "Find out what dropped these rows: the samples name the records. If they do not arrive by themselves, have the rows made again while the stream holds the records. Give both commands the flags of the audit.",
	},
	{
		Class: "failed", Commands: []string{"streamproof repair"}, See: "docs/repair.md",
		Text: "Nothing is lost: Firehose kept the records below the error prefix. Find out why they failed, and have the rows made again, with the flags of the audit.",
	},
	{
		Class: "duplicated", Commands: []string{"streamproof repair --duplicates"}, See: "docs/repair.md",
		Text: "A retry between the stream and S3 can write rows twice. Have the second copies taken out of their objects, with the flags of the audit, or have readers leave them out.",
	},
	{
		Class: "corrupt", Commands: []string{"streamproof audit --json", "streamproof repair --corrupt"}, See: "docs/repair.md",
		Text: "Look at the lines in their objects. Is this the query that the pipeline runs? If it is, have the lines taken out, with the flags of the audit.",
	},
	{Class: "leaked", Text: "The pipeline lets rows through that the query leaves out. Is this the query that it runs?"},
	{Class: "unexpected", Commands: []string{"streamproof audit --json"}, Text: "Something else writes into the prefix, or the rows are of records from long before the window: begin it earlier with --from."},
	{Class: "in flight", Text: "The deadline of these rows is not over. Audit again when it is."},
	{Class: "late", Text: "These rows came after the deadline. If they always take that long, raise it with --deadline."},
	{Class: "foreign", Commands: []string{"streamproof audit --json"}, Text: "These lines below the error prefix are of no record of the window. The samples say what they are."},
}

// auditAgain is what to do about an audit that is undecided.
var auditAgain = Step{Class: "undecided", Text: "Fix what the reasons name, and audit again.", See: "docs/audit.md"}
