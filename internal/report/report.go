// Package report holds what a verification says: its JSON form, its last line and its text for a terminal.
package report

import (
	"fmt"
	"strings"
	"time"

	"streamproof/internal/proof"
)

// Version is the version of the JSON form.
const Version = 1

// A Report is one verification of a bucket.
type Report struct {
	Version int           `json:"version"`
	Verdict proof.Verdict `json:"verdict"`
	// Reasons say why, in sentences: what is not as owed, or what keeps the verifier from judging.
	Reasons  []string  `json:"reasons,omitempty"`
	JudgedAt time.Time `json:"judgedAt"` // by the bucket's clock
	Bucket   string    `json:"bucket"`
	Prefix   string    `json:"prefix"`
	// Key is the object that the report was written to, empty where it was not.
	Key     string                         `json:"key,omitempty"`
	Covers  Coverage                       `json:"covers"`
	Counts  proof.Counts                   `json:"counts"`
	Samples map[proof.Class][]proof.Sample `json:"samples,omitempty"`
	// Rejects are all lines under the error prefixes, expected or not, by where they stand and why.
	Rejects []Rejects `json:"rejects,omitempty"`
}

// Rejects are lines under one error prefix that share their reason.
type Rejects struct {
	Prefix string `json:"prefix"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Coverage is what a verdict speaks of.
type Coverage struct {
	From                    time.Time `json:"from,omitzero"` // the first tick
	To                      time.Time `json:"to,omitzero"`   // the last tick
	Ticks                   int       `json:"ticks"`
	TicksUnsettled          int       `json:"ticksUnsettled"` // whose delivery deadline is not over
	TicksCrashed            int       `json:"ticksCrashed"`
	Records                 int64     `json:"records"`
	Objects                 int       `json:"objects"`
	Rows                    int64     `json:"rows"`
	Bytes                   int64     `json:"bytes"`        // as stored
	ErrorObjects            int       `json:"errorObjects"` // those under the error prefixes, which Objects and Bytes leave out
	Pipelines               []string  `json:"pipelines,omitempty"`
	DeliveryDeadlineSeconds int       `json:"deliveryDeadlineSeconds"`
}

// LastLine is the verdict and its counts in one line.
func (r *Report) LastLine() string {
	c := r.Counts
	parts := []string{
		fmt.Sprintf("owed %d", c.Owed),
		fmt.Sprintf("delivered %d", c.Delivered),
		fmt.Sprintf("rejects %d", c.Rejects),
	}
	for _, class := range proof.Classes {
		parts = append(parts, fmt.Sprintf("%s %d", class, c.Of(class)))
	}
	parts = append(parts,
		fmt.Sprintf("in flight %d", c.InFlight),
		fmt.Sprintf("unknown %d", c.Unknown),
		fmt.Sprintf("recovered %d", c.Recovered),
		fmt.Sprintf("late %d", c.Late),
		fmt.Sprintf("foreign %d", c.Foreign),
	)
	return fmt.Sprintf("%s: %s", r.Verdict, strings.Join(parts, ", "))
}

// ExitStatus is the command line's exit status for the verdict: 0 proven, 1 not proven, 3 undecided.
func (r *Report) ExitStatus() int {
	switch r.Verdict {
	case proof.Proven:
		return 0
	case proof.NotProven:
		return 1
	default:
		return 3
	}
}
