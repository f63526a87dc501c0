package ledger

import (
	"encoding/json"
	"fmt"
	"time"
)

// AcceptancesPrefix is where acceptances stand in the bucket.
const AcceptancesPrefix = "ledger/acceptances/"

// An Acceptance records that a person has accepted findings: up to Count of a class, found until a moment, are not held
// against later verdicts. What is found after that is.
type Acceptance struct {
	Version int    `json:"version"`
	Class   string `json:"class"`
	Count   int64  `json:"count"`
	// Until is by the bucket's clock: for missing rows when their tick was claimed, for others when their object was written.
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	Who    string    `json:"who"`
	At     time.Time `json:"at"`
}

// Key is where the acceptance stands.
func (a *Acceptance) Key() string {
	return AcceptancesPrefix + a.At.UTC().Format("20060102T150405.000Z") + "-" + a.Class + ".json"
}

// Encode gives the object's bytes.
func (a *Acceptance) Encode() ([]byte, error) {
	a.Version = Version
	if err := a.check(); err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// DecodeAcceptance reads an acceptance's object. It refuses one of a newer version and one that lacks something.
func DecodeAcceptance(data []byte) (*Acceptance, error) {
	var a Acceptance
	if err := decode(data, &a); err != nil {
		return nil, err
	}
	return &a, a.check()
}

func (a *Acceptance) check() error {
	if a.Class == "" || a.Count < 1 || a.Until.IsZero() || a.At.IsZero() || a.Reason == "" || a.Who == "" {
		return fmt.Errorf("an acceptance has a class, a count above 0, until, a reason, who and at")
	}
	return nil
}
