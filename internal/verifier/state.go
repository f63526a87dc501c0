package verifier

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/row"
	"streamproof/pipeline"
)

// StateKey is where the state stands in the bucket.
const StateKey = "ledger/verification.json.gz"

// stateVersion is the version of the state that this package writes. Older ones are read, newer ones are refused.
const stateVersion = 1

const (
	// margin is how old something is before it is folded into the state: long enough for S3 to have listed it.
	margin = 5 * time.Minute
	// longestRun is how long a producer may run after its claim, whatever its clock says: Lambda's longest time-out.
	longestRun = 15 * time.Minute
	// window is how far back an incremental verification lists: Firehose tries to deliver for 24 hours and names objects
	// after the arrival of their oldest record, and the producer takes no tick that is older (producer.OldestTick).
	window = 26 * time.Hour
)

// A state is what verifications until now have folded in: all that was claimed and written until the horizon. It is an
// economy and no authority: without it, a verification reads everything, and says the same.
type state struct {
	Version int `json:"version"`
	// The next three have to be those of the verification that goes on from here, or it begins anew.
	DataPrefix      string `json:"dataPrefix"`
	ErrorsPrefix    string `json:"errorsPrefix"`
	DeadlineSeconds int    `json:"deadlineSeconds"`

	Output []column `json:"output"`

	Horizon time.Time `json:"horizon"` // by the bucket's clock
	// Objects are the ETags of what is folded in and is listed again, by key: ticks too.
	Objects map[string]string    `json:"objects"`
	Covers  report.Coverage      `json:"covers"`
	Rejects []report.Rejects     `json:"rejects,omitempty"`
	Shards  map[string]int64     `json:"shards,omitempty"`
	Ticks   map[string]tickState `json:"ticks,omitempty"` // what a report says of those that the judge has, by time
	Judge   *proof.State         `json:"judge"`
}

type column struct {
	Name  string `json:"name"`
	Alias string `json:"alias"`
	Type  string `json:"type"`
}

type tickState struct {
	State   ledger.State `json:"state"`
	Records int          `json:"records"`
}

func tickName(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }

// describe writes a result's columns, so that rows of another form are not taken for these.
func describe(output row.Schema) (columns []column) {
	for _, c := range output {
		columns = append(columns, column{c.Name, c.Alias, c.Type.String()})
	}
	return columns
}

func parseOutput(columns []column) (row.Schema, error) {
	var output row.Schema
	for _, c := range columns {
		t, err := pipeline.ParseType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		output = append(output, row.Column{Name: c.Name, Alias: c.Alias, Type: t})
	}
	if len(output) == 0 {
		return nil, errors.New("it names no columns")
	}
	return output, nil
}

func (s *state) encode() ([]byte, error) {
	s.Version = stateVersion
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if err := json.NewEncoder(zip).Encode(s); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// decodeState reads a state; gzip's checksum tells one that was cut or changed.
func decodeState(data []byte) (*state, error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		return nil, err
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	if head.Version < 1 || head.Version > stateVersion {
		return nil, fmt.Errorf("version %d is not one that this program knows (%d); use a newer streamproof, or verify --full", head.Version, stateVersion)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var s state
	if err := decoder.Decode(&s); err != nil {
		return nil, err
	}
	if s.Judge == nil || s.Horizon.IsZero() {
		return nil, fmt.Errorf("it has no horizon or no balance")
	}
	return &s, nil
}

// goesOn says whether a verification with these options can go on from the state.
func (s *state) goesOn(o Options) bool {
	return s.DataPrefix == o.DataPrefix && s.ErrorsPrefix == o.ErrorsPrefix && s.DeadlineSeconds == int(o.DeliveryDeadline/time.Second)
}

// layouts are how keys go on after a prefix, for the hours and days of which they are listed.
const (
	hourLayout = "2006/01/02/15"
	dayLayout  = "2006/01/02"
)

// after is the key from which on a prefix is listed, empty for all of it.
func (s *state) after(prefix, layout string) string {
	if s == nil {
		return ""
	}
	return prefix + s.Horizon.UTC().Add(-window).Format(layout)
}

// fresh are the objects that are not folded in, of those that were listed. It says what is wrong with the others: changed
// since, or gone; and whether there are some that should have been there at the last time.
func (s *state) fresh(prefix string, listed []bucket.Object) (fresh []bucket.Object, faults []string, belated bool) {
	if s == nil {
		return listed, nil, false
	}
	there := map[string]bool{}
	for _, o := range listed {
		there[o.Key] = true
		etag, folded := s.Objects[o.Key]
		switch {
		case !folded:
			fresh = append(fresh, o)
			belated = belated || !o.LastModified.After(s.Horizon)
		case etag != o.ETag:
			faults = append(faults, fmt.Sprintf("%s was changed after it had been counted: verify --full", o.Key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Objects)) {
		if strings.HasPrefix(key, prefix) && !there[key] {
			faults = append(faults, fmt.Sprintf("%s is gone after it had been counted: verify --full", key))
		}
	}
	return fresh, faults, belated
}
