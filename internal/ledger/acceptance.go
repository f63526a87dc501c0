package ledger

import (
	"encoding/json"
	"fmt"
	"time"
)

// AcceptancesPrefix is where acceptances stand in the bucket.
const AcceptancesPrefix = "ledger/acceptances/"

// acceptanceVersion is the version of the acceptances that this package writes. Older ones are read, newer ones are refused.
//
//	2  the first
//	3  it has rows
const acceptanceVersion = 3

// An Acceptance records that a person has accepted findings: up to Count of a class, found until a moment, are not held
// against later verdicts. What is found after that is.
type Acceptance struct {
	Version int    `json:"version"`
	Class   string `json:"class"`
	Count   int64  `json:"count"`
	// Until is by the bucket's clock: for missing rows when their tick was claimed, for others when their object was written.
	Until time.Time `json:"until"`
	// Rows are what the person had before them: of the findings until then the samples, up to 20. Where there were more findings
	// than Count, any of them may be the ones.
	Rows   []AcceptedRow `json:"rows,omitempty"`
	Reason string        `json:"reason"`
	Who    string        `json:"who"`
	At     time.Time     `json:"at"`
}

// An AcceptedRow is one row, or run of equal rows, as the report had it.
type AcceptedRow struct {
	Row   string `json:"row"`
	Count int64  `json:"count"`
	// Tick is the tick that owes a missing or failed row; Object and Line (from 1) say where a row was found.
	Tick   time.Time `json:"tick,omitzero"`
	Object string    `json:"object,omitempty"`
	Line   int64     `json:"line,omitempty"`
}

// Place is the same without its count: what is one finding in two reports.
func (r AcceptedRow) Place() AcceptedRow {
	r.Count = 0
	return r
}

// Key is where the acceptance stands.
func (a *Acceptance) Key() string {
	return AcceptancesPrefix + a.At.UTC().Format("20060102T150405.000Z") + "-" + a.Class + ".json"
}

// Encode gives the object's bytes.
func (a *Acceptance) Encode() ([]byte, error) {
	a.Version = acceptanceVersion
	if err := a.check(); err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// DecodeAcceptance reads an acceptance's object. It refuses one of a newer version and one that lacks something.
func DecodeAcceptance(data []byte) (*Acceptance, error) {
	var a Acceptance
	if err := decodeUpTo(acceptanceVersion, data, &a); err != nil {
		return nil, err
	}
	return &a, a.check()
}

func (a *Acceptance) check() error {
	if a.Class == "" || a.Count < 1 || a.Until.IsZero() || a.At.IsZero() || a.Reason == "" || a.Who == "" {
		return fmt.Errorf("an acceptance has a class, a count above 0, until, a reason, who and at")
	}
	for _, row := range a.Rows {
		if row.Count < 1 {
			return fmt.Errorf("row %q of an acceptance has the count %d", row.Row, row.Count)
		}
	}
	return nil
}
