package ledger

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/zipped"
)

// Where acceptances and what belongs to them stand in the bucket.
const (
	AcceptancesPrefix = "ledger/acceptances/"
	// FindingsPrefix is where the findings of an acceptance stand that has many, under their hash.
	FindingsPrefix = "ledger/findings/"
	// UsedKey is the object that says which findings of which acceptances are used up.
	UsedKey = "ledger/acceptances-used.json.gz"
)

// acceptanceVersion is the version of the acceptances that this package writes. Older ones are read, newer ones are
// refused.
//
//	2  the first
//	3  it has rows
//	4  it names all its findings, and covers no others
const acceptanceVersion = 4

// findingsVersion is the version of FindingsPrefix's objects and of UsedKey.
const findingsVersion = 1

// maxInline is how many names an acceptance holds itself. More are kept in an object of their own.
const maxInline = 100

// An Acceptance records that a person has accepted findings: those that it names, and no others, are not held against
// later verdicts, as long as they are there. A finding that is gone is used up: if it comes back, it is another one.
type Acceptance struct {
	Version int    `json:"version"`
	Class   string `json:"class"`
	// Count is how many findings the person accepted. Until version 3 the number alone was accepted.
	Count int64 `json:"count"`
	// Until is when the findings were judged, by the bucket's clock.
	Until time.Time `json:"until"`
	// Findings are all that is accepted, if they are few; else they stand in the object FindingsKey.
	Findings    []proof.Group `json:"findings,omitempty"`
	FindingsKey string        `json:"findingsKey,omitempty"`
	// Rows are up to 20 samples of them, in clear.
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

// Key is where the acceptance stands.
func (a *Acceptance) Key() string {
	return AcceptancesPrefix + a.At.UTC().Format("20060102T150405.000Z") + "-" + a.Class + ".json"
}

// Name sets the findings that are accepted. If they are too many for the acceptance itself, it gives the object that is
// to be written under FindingsKey before the acceptance is.
func (a *Acceptance) Name(groups []proof.Group) (object []byte, err error) {
	a.Count = 0
	names := 0
	for _, g := range groups {
		a.Count += g.Count
		names += 1 + len(g.Rows)
	}
	if a.Findings, a.FindingsKey = groups, ""; names <= maxInline {
		return nil, nil
	}
	object, err = EncodeFindings(groups)
	a.Findings, a.FindingsKey = nil, findingsKey(object)
	return object, err
}

// Named gives the findings that the acceptance covers. The object is that of FindingsKey, nil if there is no such key.
// What a version before 4 has accepted was a number: it covers the rows that it has, with their ticks or objects, if
// the number is not smaller, so that any of them may have been meant.
func (a *Acceptance) Named(object []byte) ([]proof.Group, error) {
	switch {
	case a.Version < 4:
		return a.namedByRows(), nil
	case a.FindingsKey == "":
		return a.Findings, nil
	case findingsKey(object) != a.FindingsKey:
		return nil, fmt.Errorf("%s does not hold what it is named for", a.FindingsKey)
	}
	groups, err := DecodeFindings(object)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.FindingsKey, err)
	}
	return groups, a.checkFindings(groups)
}

func (a *Acceptance) namedByRows() (groups []proof.Group) {
	var sum int64
	at := map[proof.Place]int{}
	for _, row := range a.Rows {
		place := proof.Place{Object: row.Object}
		if class := proof.Class(a.Class); class == proof.Missing || class == proof.Failed {
			place = proof.Place{Tick: row.Tick.UTC()}
		}
		if place == (proof.Place{}) {
			continue
		}
		i, ok := at[place]
		if !ok {
			i = len(groups)
			at[place] = i
			groups = append(groups, proof.Group{Class: proof.Class(a.Class), Place: place, Rows: map[proof.Name]int64{}})
		}
		groups[i].Add(proof.NameOf(row.Row), row.Count)
		sum += row.Count
	}
	if sum > a.Count {
		return nil
	}
	return groups
}

// IsAcceptanceKey reports whether a key may be one of an acceptance's object, whichever version has named it.
func IsAcceptanceKey(key string) bool {
	name, ok := strings.CutPrefix(key, AcceptancesPrefix)
	return ok && strings.HasSuffix(name, ".json") && !strings.HasPrefix(name, ".") && !strings.Contains(name, "/")
}

// Encode gives the object's bytes.
func (a *Acceptance) Encode() ([]byte, error) {
	a.Version = acceptanceVersion
	if err := a.check(); err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// WriteFolder writes the acceptance to a folder, as to a bucket, after the object with its findings if it has one. It
// replaces none.
func (a *Acceptance) WriteFolder(folder string, findings []byte) error {
	data, err := a.Encode()
	if err != nil {
		return err
	}
	write := func(key string, data []byte) error {
		name := filepath.Join(folder, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = file.Write(data)
		return errors.Join(err, file.Close())
	}
	if a.FindingsKey != "" {
		if err := write(a.FindingsKey, findings); err != nil && !errors.Is(err, fs.ErrExist) { // the key is its hash
			return fmt.Errorf("write the accepted findings: %w", err)
		}
	}
	if err := write(a.Key(), data); err != nil {
		return fmt.Errorf("write the acceptance: %w", err)
	}
	return nil
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
	switch named := len(a.Findings) > 0 || a.FindingsKey != ""; {
	case a.Version < 4 && named:
		return fmt.Errorf("findings stand in version %d of an acceptance, which has none", a.Version)
	case a.Version < 4:
		return nil
	case (len(a.Findings) > 0) == (a.FindingsKey != ""):
		return errors.New("an acceptance has either findings or the key of their object")
	case a.FindingsKey != "":
		return nil
	}
	return a.checkFindings(a.Findings)
}

func (a *Acceptance) checkFindings(groups []proof.Group) error {
	var sum int64
	for i := range groups {
		if err := groups[i].Check(); err != nil {
			return err
		}
		if groups[i].Class != proof.Class(a.Class) {
			return fmt.Errorf("an acceptance of %s findings has %s ones", a.Class, groups[i].Class)
		}
		sum += groups[i].Count
	}
	if sum != a.Count {
		return fmt.Errorf("an acceptance of %d findings names %d", a.Count, sum)
	}
	return nil
}

// findings is the form of an object of findings.
type findings struct {
	Version int           `json:"version"`
	Groups  []proof.Group `json:"groups"`
}

// findingsKey is where an object of findings stands.
func findingsKey(object []byte) string {
	return fmt.Sprintf("%s%x.json.gz", FindingsPrefix, sha256.Sum256(object))
}

// EncodeFindings gives the object of findings: zipped JSON.
func EncodeFindings(groups []proof.Group) ([]byte, error) {
	return zipped.Encode(findings{findingsVersion, groups})
}

// DecodeFindings reads what EncodeFindings gave.
func DecodeFindings(data []byte) ([]proof.Group, error) {
	var f findings
	if err := unzip(data, &f); err != nil {
		return nil, err
	}
	for i := range f.Groups {
		if err := f.Groups[i].Check(); err != nil {
			return nil, err
		}
	}
	return f.Groups, nil
}

// Used is what is left of the acceptances of which something is used up, by the key of the acceptance. It only ever
// gets less.
type Used struct {
	Version int                      `json:"version"`
	Left    map[string][]proof.Group `json:"left"`
}

// Encode gives the object's bytes: zipped JSON.
func (u *Used) Encode() ([]byte, error) {
	u.Version = findingsVersion
	return zipped.Encode(u)
}

// DecodeUsed reads what Encode gave.
func DecodeUsed(data []byte) (*Used, error) {
	var u Used
	if err := unzip(data, &u); err != nil {
		return nil, err
	}
	for _, groups := range u.Left {
		for i := range groups {
			if err := groups[i].Check(); err != nil {
				return nil, err
			}
		}
	}
	return &u, nil
}

func unzip(data []byte, into any) error {
	text, err := zipped.Text(data)
	if err != nil {
		return err
	}
	return decodeUpTo(findingsVersion, text, into)
}
