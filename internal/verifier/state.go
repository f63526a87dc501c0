package verifier

import (
	"bytes"
	"compress/gzip"
	"context"
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
	"streamproof/internal/schema"
)

// StateKey is where the state stands in the bucket.
const StateKey = "ledger/verification.json.gz"

// stateVersion is the version of the state and of the archive that this package writes. Older ones are read, newer ones are
// refused.
//
//	1  the first
//	2  a state has an origin and a reach
//	3  a state knows how many queries had been rolled back, without which ticks would be judged by one that has failed
//	4  it knows when each object was written, and names its findings
const stateVersion = 4

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
// economy and no authority: without it, a verification reads everything again that the archive has not folded in, and says
// the same.
type state struct {
	Version int `json:"version"`
	// The next three have to be those of the verification that goes on from here, or it begins anew.
	DataPrefix      string `json:"dataPrefix"`
	ErrorsPrefix    string `json:"errorsPrefix"`
	DeadlineSeconds int    `json:"deadlineSeconds"`

	// Origin names the verification of everything that the increments until here have gone on from.
	Origin string `json:"origin,omitempty"`

	Output []column `json:"output"`

	Horizon time.Time `json:"horizon"` // by the bucket's clock
	// Objects are what is folded in, by key, ticks too: of all keys after the Reach of their prefix, which is
	// where the window begins, or as far back as there is something to tag. Before that only strays are kept.
	Objects map[string]counted   `json:"objects"`
	Reach   map[string]string    `json:"reach,omitempty"`
	Covers  report.Coverage      `json:"covers"`
	Rejects []report.Rejects     `json:"rejects,omitempty"`
	Shards  map[string]int64     `json:"shards,omitempty"`
	Ticks   map[string]tickState `json:"ticks,omitempty"` // what a report says of those that the judge has, by time
	Judge   *proof.State         `json:"judge"`
	// Rollbacks is how many of the ledger's rollbacks its ticks were judged with. The ledger only adds to them.
	Rollbacks int `json:"rollbacks,omitempty"`

	archived bool // it is the archive's base: what it has folded in may be gone
}

// counted is the version of an object that was counted.
type counted struct {
	etag string
	// written is when it was written, in Unix seconds; 0 in a state of before version 4, which does not know it.
	written int64
}

func countedAs(o bucket.Object) counted { return counted{o.ETag, o.LastModified.Unix()} }

// MarshalJSON gives [ETag, seconds].
func (c counted) MarshalJSON() ([]byte, error) { return json.Marshal([]any{c.etag, c.written}) }

// UnmarshalJSON reads it, or the ETag alone.
func (c *counted) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &c.etag)
	}
	pair := [2]any{&c.etag, &c.written}
	return json.Unmarshal(data, &pair)
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
		t, err := schema.ParseType(c.Type)
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
	return encode(s)
}

// encode gives JSON, zipped; gzip's checksum tells one that was cut or changed.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if err := json.NewEncoder(zip).Encode(v); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// decode reads what encode wrote, of a version that this program knows, and gives the version.
func decode(data []byte, into any) (version int, err error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		return 0, err
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return 0, err
	}
	if head.Version < 1 || head.Version > stateVersion {
		return 0, fmt.Errorf("version %d is not one that this program knows (%d): use a newer streamproof", head.Version, stateVersion)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return head.Version, decoder.Decode(into)
}

func decodeState(data []byte) (*state, error) {
	var s state
	version, err := decode(data, &s)
	if err != nil {
		return nil, err
	}
	if version < 2 {
		s.Reach = s.windows()
	}
	s.Version = version
	return &s, s.check()
}

func (s *state) check() error {
	if s.Judge == nil || s.Horizon.IsZero() {
		return errors.New("it has no horizon or no balance")
	}
	if s.Reach == nil {
		s.Reach = map[string]string{}
	}
	return nil
}

// loadState reads the state, nil where there is none, and its ETag. It is listed first, because S3 tells only those who
// may list the whole bucket that an object is not there.
func loadState(ctx context.Context, b bucket.Bucket) (*state, string, error) {
	object, data, err := bucket.Get(ctx, b, StateKey)
	if err != nil || object == nil {
		return nil, "", err
	}
	s, err := decodeState(data)
	if err != nil {
		return nil, object.ETag, fmt.Errorf("%s: %w", StateKey, err)
	}
	return s, object.ETag, nil
}

// goesOn says whether a verification with these options can go on from the state. An older one knows neither the times
// of its objects nor the names of its findings, which all stand in the bucket.
func (s *state) goesOn(o Options) bool {
	return s.Version >= 4 && s.judges(o) && s.DeadlineSeconds == int(o.DeliveryDeadline/time.Second)
}

// judges says whether the state is of these prefixes.
func (s *state) judges(o Options) bool {
	return s.DataPrefix == o.DataPrefix && s.ErrorsPrefix == o.ErrorsPrefix
}

// knows says whether what the state has folded in was judged with all rollbacks that concern it; nil has folded in nothing.
func (s *state) knows(current *ledger.Current) bool {
	if s == nil {
		return true
	}
	var all []ledger.Rollback
	if current != nil {
		all = current.Rollbacks
	}
	if s.Rollbacks > len(all) {
		return false
	}
	return !slices.ContainsFunc(all[s.Rollbacks:], func(r ledger.Rollback) bool { return !r.From.After(s.Horizon) })
}

// layouts are how keys go on after a prefix, for the hours and days of which they are listed.
const (
	hourLayout = "2006/01/02/15"
	dayLayout  = "2006/01/02"
)

// layouts are all prefixes that are listed, each with its layout.
func (o Options) layouts() map[string]string {
	return map[string]string{o.DataPrefix: hourLayout, o.ErrorsPrefix: hourLayout, o.FailedPrefix(): hourLayout, ledger.TicksPrefix: dayLayout}
}

// windowAt is the key from which on a prefix is listed where everything until a moment is folded in.
func windowAt(prefix, layout string, horizon time.Time) string {
	return prefix + horizon.UTC().Add(-window).Format(layout)
}

// stray says whether an object was before the window already when it was written, so that no increment has ever listed it.
func stray(prefix, layout string, o bucket.Object) bool {
	return o.Key <= windowAt(prefix, layout, o.LastModified)
}

// after is the key from which on an increment lists a prefix, empty for all of it.
func (s *state) after(prefix, layout string) string {
	if s == nil {
		return ""
	}
	return windowAt(prefix, layout, s.Horizon)
}

// windows are where the windows of all prefixes begin.
func (s *state) windows() map[string]string {
	windows := map[string]string{}
	for prefix, layout := range (Options{DataPrefix: s.DataPrefix, ErrorsPrefix: s.ErrorsPrefix}).layouts() {
		windows[prefix] = s.after(prefix, layout)
	}
	return windows
}

// trim takes from Objects what is not after these keys, by prefix, but for the strays: whether those were counted cannot be
// told in another way.
func (s *state) trim(reach map[string]string, strays map[string]counted) {
	for prefix, until := range reach {
		if until <= s.Reach[prefix] {
			continue
		}
		maps.DeleteFunc(s.Objects, func(key string, _ counted) bool {
			_, keep := strays[key]
			return strings.HasPrefix(key, prefix) && key > s.Reach[prefix] && key <= until && !keep
		})
		s.Reach[prefix] = until
	}
}

// fresh are the objects that are not folded in, of those that were listed. It says what is wrong with the others, and
// whether the order of time was broken, so that everything has to be read again: by an object that should have been
// there at the last time, one that is gone, or one whose time has moved, because it was copied onto itself or put back.
// What the archive has folded in stays counted at its former time, since a verification of everything goes on from
// there, too.
func (s *state) fresh(prefix, layout string, listed []bucket.Object) (fresh []bucket.Object, faults []string, belated bool) {
	if s == nil {
		return listed, nil, false
	}
	const restore = "restore its former version"
	remedy := "verify --full"
	if s.archived {
		remedy = restore
	}
	after := s.after(prefix, layout)
	there := map[string]bool{}
	for _, o := range listed {
		there[o.Key] = true
		before, folded := s.Objects[o.Key]
		switch late := !o.LastModified.After(s.Horizon); {
		case folded && o.ETag != "" && before.etag != o.ETag:
			faults = append(faults, fmt.Sprintf("%s was changed after it had been counted: %s", o.Key, remedy))
		case folded && s.archived:
			s.Objects[o.Key] = countedAs(o) // so that no increment from here finds that it has moved
		case folded:
			belated = belated || before != countedAs(o)
		case o.Key <= s.Reach[prefix] && !stray(prefix, layout, o):
			// It was counted, and has been tagged: it was written by the horizon, and an increment has listed it then.
		case o.Key <= after:
			faults = append(faults, fmt.Sprintf("%s is named for a time of before the window of %s, which does not count it: %s", o.Key, ArchiveKey, moveAway(prefix, "move it to a key of the present hour")))
		case late && s.archived:
			faults = append(faults, fmt.Sprintf("%s was written by %s and is not counted in %s, which goes until %s: %s", o.Key,
				o.LastModified.UTC().Format(time.RFC3339), ArchiveKey, s.Horizon.UTC().Format(time.RFC3339), moveAway(prefix, "copy it onto itself")))
		default:
			fresh = append(fresh, o)
			belated = belated || late
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Objects)) {
		if !strings.HasPrefix(key, prefix) || key <= after || there[key] {
			continue
		}
		if belated = true; s.archived {
			faults = append(faults, fmt.Sprintf("%s is gone after it had been counted: %s", key, restore))
		}
	}
	return fresh, faults, belated
}

// moveAway says what to do with an object that can no longer be counted in the order of time.
func moveAway(prefix, again string) string {
	if prefix == ledger.TicksPrefix {
		return "move it out of the ledger"
	}
	return again + ", and it is counted as written then, or out of " + prefix
}
