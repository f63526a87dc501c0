package report

import (
	"fmt"
	"strings"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

// A Hop is where a row was last.
type Hop string

// The hops, in the order in which a row passes them.
const (
	NotInStream      Hop = "not in the stream"
	RetentionOver    Hop = "retention over"
	InStream         Hop = "in the stream"
	Rejected         Hop = "among the rejects"
	ProcessingFailed Hop = "under processing-failed"
	Delivered        Hop = "in the data"
	NotFound         Hop = "unknown"
)

// A Finding says where one missing or failed row of a tick, or several equal ones, were last. Package explain makes
// them.
type Finding struct {
	Class proof.Class `json:"class"`
	// Row is as in the samples: a row as CSV, or a quoted line that was malformed on purpose.
	Row   string    `json:"row"`
	Count int64     `json:"count"`
	Tick  time.Time `json:"tick"`
	Hop   Hop       `json:"hop"`
	// Text says it in a sentence.
	Text string `json:"text"`
	// Candidates is how many records of the tick give this row; Records are the first of them. If there are more than
	// Count, it may be any of them.
	Candidates int      `json:"candidates"`
	Records    []Record `json:"records,omitempty"`
	// Object, Line (from 1) and Reason locate the row under an error prefix, or in the data.
	Object string `json:"object,omitempty"`
	Line   int64  `json:"line,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// A Record is one record of a tick.
type Record struct {
	Index        int            `json:"index"` // from 0
	PartitionKey string         `json:"partitionKey"`
	Outcome      ledger.Outcome `json:"outcome,omitempty"` // empty in an audit: the stream holds it
	// Places are the copies in the stream. There are several only if an attempt of unknown outcome was stored too.
	Places []Place `json:"places,omitempty"`
}

// A Place is one copy in the stream.
type Place struct {
	Shard          string `json:"shard"`
	SequenceNumber string `json:"sequenceNumber"`
	// Arrival is when Kinesis accepted it, in an audit.
	Arrival time.Time `json:"arrival,omitzero"`
	// Aggregate is set if the copy is packed with others.
	Aggregate *Aggregate `json:"aggregate,omitempty"`
}

// An Aggregate is a record of the stream that packs others.
type Aggregate struct {
	PartitionKey    string `json:"partitionKey"` // the aggregate's own
	ExplicitHashKey string `json:"explicitHashKey,omitempty"`
	Position        int    `json:"position"` // from 1, of Records
	Records         int    `json:"records"`
}

// A MissingRow is one record of an audited stream that gives a missing row.
type MissingRow struct {
	// Row is as in the samples.
	Row string `json:"row"`
	// Missing is how many such rows are missing of those that arrived in the same second. If more records give the row,
	// it may be any of them.
	Missing      int64  `json:"missing"`
	PartitionKey string `json:"partitionKey"`
	Place
}

// LastSeenOf returns the findings of one sample, none if its rows were not looked for.
func (r *Report) LastSeenOf(class proof.Class, s proof.Sample) (found []Finding) {
	for _, f := range r.LastSeen {
		same := f.Class == class && f.Row == s.Row && s.Tick != nil && f.Tick.Equal(*s.Tick)
		if same && (class == proof.Missing || f.Object == s.Object && f.Line == s.Line) {
			found = append(found, f)
		}
	}
	return found
}

// hops sums up where the rows of a class were last, as "3 in the stream, 1 among the rejects", and how many rows that
// covers.
func (r *Report) hops(class proof.Class) (text string, of int64) {
	counts := map[Hop]int64{}
	for _, f := range r.LastSeen {
		if f.Class == class {
			counts[f.Hop] += f.Count
			of += f.Count
		}
	}
	var parts []string
	for _, hop := range []Hop{InStream, NotInStream, Rejected, ProcessingFailed, Delivered, RetentionOver, NotFound} {
		text := string(hop)
		switch hop {
		case RetentionOver:
			text = "older than what the stream keeps"
		case NotFound:
			text = "of unknown whereabouts"
		}
		if counts[hop] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", comma(counts[hop]), text))
		}
	}
	return strings.Join(parts, ", "), of
}

// Lines describe a finding's records and where the stream holds them.
func (f Finding) Lines() (lines []string) {
	for _, r := range f.Records {
		line := fmt.Sprintf("record %d, partition key %s", r.Index, r.PartitionKey)
		if r.Outcome == "" { // of an audit, which knows no producer's records
			line = "partition key " + r.PartitionKey
		}
		for _, p := range r.Places {
			line += fmt.Sprintf(", %s, sequence number %s", p.Shard, p.SequenceNumber)
			if !p.Arrival.IsZero() {
				line += ", arrived " + p.Arrival.UTC().Format("2006-01-02 15:04:05.000")
			}
			if a := p.Aggregate; a != nil {
				line += fmt.Sprintf(" (%d of %d in an aggregate)", a.Position, a.Records)
			}
		}
		lines = append(lines, line)
	}
	if more := f.Candidates - len(f.Records); more > 0 {
		lines = append(lines, fmt.Sprintf("and %s that give this row", many(int64(more), "more record")))
	}
	return lines
}
