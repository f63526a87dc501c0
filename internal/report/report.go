// Package report is the result of a verification: its JSON form, its page, its metrics, and its last line for a
// terminal.
package report

import (
	"fmt"
	"strings"
	"time"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

// Version is the version of the JSON form.
const Version = 1

// A Report is one verification of a bucket.
type Report struct {
	Version int           `json:"version"`
	Verdict proof.Verdict `json:"verdict"`
	// Reasons are sentences: what is not as owed, or what keeps the verifier from judging.
	Reasons []string `json:"reasons,omitempty"`
	// Notes are observations that do not influence the verdict.
	Notes    []string  `json:"notes,omitempty"`
	JudgedAt time.Time `json:"judgedAt"` // by the bucket's clock
	Bucket   string    `json:"bucket"`
	Prefix   string    `json:"prefix"`
	// Key is the object that the report was written to, empty if it was not.
	Key string `json:"key,omitempty"`
	// Findings is the object with all findings that are not accepted yet, if they were asked for.
	Findings string   `json:"findings,omitempty"`
	Covers   Coverage `json:"covers"`
	// Partial reports whether the reasons ended the counting: then Counts are what was counted until then, and nothing is
	// known of what is missing, in flight or unknown.
	Partial bool                           `json:"partial,omitempty"`
	Counts  proof.Counts                   `json:"counts"`
	Samples map[proof.Class][]proof.Sample `json:"samples,omitempty"`
	// LastSeen says where the missing and failed rows of Samples were last, if they were looked for. In an UNDECIDED
	// report it is the previous report's.
	LastSeen []Finding `json:"lastSeen,omitempty"`
	// Rejects are all lines under the error prefixes, expected or not, by prefix and reason.
	Rejects []Rejects `json:"rejects,omitempty"`
	// Ticks are the last MaxTicks, in the order of their claims.
	Ticks []Tick `json:"ticks,omitempty"`
	Delay Delay  `json:"delay,omitzero"`
	// Shards are the records that each shard acknowledged, by shard ID.
	Shards map[string]int64 `json:"shards,omitempty"`
	// Accepted are the findings that a person has accepted. DuplicatesAllowed is how many duplicates a parameter allows.
	Accepted          []Accepted `json:"accepted,omitempty"`
	DuplicatesAllowed int64      `json:"duplicatesAllowed,omitempty"`
	// RepairedTwice is how many of the duplicated rows have a copy that a repair made.
	RepairedTwice int64 `json:"repairedTwice,omitempty"`
	// Epochs are the periods of the queries, in the order in which they began, if there are several or one is not judged.
	// Everything above is of those that are judged.
	Epochs []Epoch `json:"epochs,omitempty"`
	// Audit is set where the rows are owed by a stream and not by a ledger.
	Audit *Audit `json:"audit,omitempty"`
}

// MaxTicks is how many ticks a report lists: a day's, at one a minute.
const MaxTicks = 1440

// A Tick is the outcome of one tick's rows. Owed = Delivered + Rejects + Failed + Missing + InFlight, except for what
// paid for records of unknown outcome.
type Tick struct {
	Tick      time.Time    `json:"tick"`
	State     ledger.State `json:"state"`
	Records   int          `json:"records"`
	Owed      int64        `json:"owed"`
	Delivered int64        `json:"delivered"`
	Rejects   int64        `json:"rejects"`
	Failed    int64        `json:"failed"`
	Missing   int64        `json:"missing"`
	InFlight  int64        `json:"inFlight"`
	Late      int64        `json:"late"`
	Undecided int64        `json:"undecided,omitempty"`
}

// Accepted is an acceptance by a person. The findings that it names do not count against the verdict as long as they
// exist.
type Accepted struct {
	Class  proof.Class `json:"class"`
	Count  int64       `json:"count"`
	Until  time.Time   `json:"until"` // when they were judged
	Reason string      `json:"reason"`
	Who    string      `json:"who"`
	At     time.Time   `json:"at"`
	// Rows are samples of what the person saw.
	Rows []ledger.AcceptedRow `json:"rows,omitempty"`
	// Named is how many findings it names. Acceptances before version 4 name only what they have samples of, which can be
	// fewer than Count.
	Named int64 `json:"named"`
	// Used is how many findings it covers in this report.
	Used int64 `json:"used"`
	// UsedUp is how many of them are gone, and will not be covered again.
	UsedUp int64 `json:"usedUp,omitempty"`
}

// Rejects are lines under one error prefix with the same reason.
type Rejects struct {
	Prefix string `json:"prefix"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Coverage is what a verdict is about.
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
	ErrorObjects            int       `json:"errorObjects"` // under the error prefixes; not in Objects and Bytes
	Pipelines               []string  `json:"pipelines,omitempty"`
	DeliveryDeadlineSeconds int       `json:"deliveryDeadlineSeconds"`
	// ArchivedUntil is until when history is archived, zero if it is not. Earlier ticks and rows may have expired, and a
	// full verification starts there.
	ArchivedUntil time.Time `json:"archivedUntil,omitzero"`
}

// Counted reports whether the counts mean anything. If something kept the verifier from counting, they are all 0.
func (r *Report) Counted() bool { return r.Verdict != proof.Undecided || r.Counts != (proof.Counts{}) }

// Balanced reports whether the counts are those of everything that is judged. Those of an UNDECIDED report are, if only
// the current epoch is not judged.
func (r *Report) Balanced() bool {
	reached := r.Verdict == proof.Proven || r.Verdict == proof.NotProven
	return (reached || r.Counts != proof.Counts{}) && !r.Partial
}

// TwiceText is what a reason adds if of so many duplicated rows a repair made a copy.
func TwiceText(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; of %d of them a repair made a copy and the original came after all: streamproof repair --duplicates takes the copies back", n)
}

// LastLine is the verdict and its counts on one line, or what was read if there are no counts.
func (r *Report) LastLine() string {
	if !r.Counted() && r.Audit != nil {
		return fmt.Sprintf("%s: nothing was counted", r.Verdict)
	}
	if !r.Counted() {
		return fmt.Sprintf("%s: nothing was counted; %d ticks of the ledger and %d objects with %d rows were read%s",
			r.Verdict, r.Covers.Ticks, r.Covers.Objects, r.Covers.Rows, r.notJudged())
	}
	c := r.Counts
	if r.Partial {
		return fmt.Sprintf("%s: counted so far: owed %d, delivered %d, rejects %d, failed %d, duplicated %d, corrupt %d, leaked %d, unexpected %d%s",
			r.Verdict, c.Owed, c.Delivered, c.Rejects, c.Failed, c.Duplicated, c.Corrupt, c.Leaked, c.Unexpected, r.notJudged())
	}
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
	if c.Repaired > 0 {
		parts = append(parts, fmt.Sprintf("repaired %d", c.Repaired))
	}
	if c.Undecided > 0 {
		parts = append(parts, fmt.Sprintf("undecided %d", c.Undecided))
	}
	return fmt.Sprintf("%s: %s%s", r.Verdict, strings.Join(parts, ", "), r.notJudged())
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
