package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/zipped"
)

// stateVersion is the version of states that this package writes. It reads no other.
const stateVersion = 1

const (
	// margin is how old something must be to be checkpointed: long enough for Kinesis to have given it and for S3 to
	// have listed it.
	margin = 5 * time.Minute
	// relisted is how long objects are remembered after they were written, to recognize those that S3 lists late: the
	// time of an upload in parts is that of its start.
	relisted = time.Hour
	// overlap is how far before the watermark shards are read that had no record for longer than that.
	overlap = time.Minute
	// payable is for how long after its deadline a record from before the window can still be delivered.
	payable = 24 * time.Hour
	// hourlyWindow is how far back objects are listed that are named by the hour: Firehose tries for 24 hours, and
	// names an object after the arrival of its oldest record.
	hourlyWindow = 26 * time.Hour
	// stateKeys is how many partition keys a state keeps.
	stateKeys = 1000
)

// A Position is a place in a shard: everything up to this record is checkpointed.
type Position struct {
	SequenceNumber string    `json:"sequenceNumber"`
	Arrival        time.Time `json:"arrival"`
}

// A State is what an audit resumes from: everything that arrived and was written up to its watermark is counted, and
// what is open has its balance. Unlike a verification's checkpoint it is no cache: the stream forgets what it has
// counted.
type State struct {
	Version int `json:"version"`
	// Start is what Options.Start was. Another one begins a new audit.
	Start string `json:"start"`
	// What is audited. A State of something else is refused.
	Stream        string `json:"stream"`
	Bucket        string `json:"bucket"`
	Prefix        string `json:"prefix"`
	ErrorsPrefix  string `json:"errorsPrefix,omitempty"`
	RejectsPrefix string `json:"rejectsPrefix,omitempty"`
	Form          string `json:"form"`

	// From is since when records are owed.
	From time.Time `json:"from"`
	// Watermark is the moment up to which everything is counted, by the bucket's clock. It is zero, and the rest empty,
	// until something is.
	Watermark time.Time           `json:"watermark,omitzero"`
	Shards    map[string]Position `json:"shards,omitempty"`
	Objects   map[string]int64    `json:"objects,omitempty"` // counted, by key: when they were written, in Unix seconds
	Covers    report.Coverage     `json:"covers,omitzero"`
	Audit     report.Audit        `json:"audit,omitzero"`
	Keys      []report.HotKey     `json:"keys,omitempty"`
	Endless   int64               `json:"endless,omitempty"`
	Judge     *proof.State        `json:"judge,omitempty"`
	// Located are the missing rows that were found in the stream while it held them.
	Located []report.Finding `json:"located,omitempty"`
}

// Encode returns the state as zipped JSON.
func (s *State) Encode() ([]byte, error) {
	s.Version = stateVersion
	return zipped.Encode(s)
}

// DecodeState reads what Encode wrote.
func DecodeState(data []byte) (*State, error) {
	text, err := zipped.Text(data)
	if err != nil {
		return nil, err
	}
	var head struct{ Version int }
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	if head.Version != stateVersion {
		return nil, fmt.Errorf("version %d is not supported (%d is): use the streamproof that wrote it, or a newer one", head.Version, stateVersion)
	}
	var s State
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	if s.From.IsZero() || s.Watermark.IsZero() != (s.Judge == nil) {
		return nil, errors.New("it has no start, or a watermark without a balance")
	}
	return &s, nil
}

// identity is what is audited, as a state has it.
func (a *audit) identity() State {
	return State{
		Start: a.opts.Start, Stream: a.stream.Name(), Bucket: a.bucket.Name(), Prefix: a.pipeline.Prefix, ErrorsPrefix: a.pipeline.ErrorsPrefix,
		RejectsPrefix: a.pipeline.RejectsPrefix, Form: a.opts.FormID,
	}
}

// contradiction says how a state is of another audit than this one; it is empty if it is not.
func (a *audit) contradiction(s *State) string {
	own := a.identity()
	for _, of := range []struct {
		what        string
		before, now any
	}{
		{"stream", s.Stream, own.Stream}, {"bucket", s.Bucket, own.Bucket}, {"prefix", s.Prefix, own.Prefix}, {"error prefix", s.ErrorsPrefix, own.ErrorsPrefix},
		{"prefix of rejects", s.RejectsPrefix, own.RejectsPrefix}, {"query", s.Form, a.known(s.Form)},
	} {
		if of.before != of.now {
			return fmt.Sprintf("the %s was %q and is %q now", of.what, of.before, of.now)
		}
	}
	return ""
}

// An Epoch is a time in which records owed one form.
type Epoch struct {
	Form   Form
	FormID string
	// From and Until are when it began and ended; From is zero for the first, and Until for the last. A record that
	// arrived up to a deadline before From may have been read late, and so owes either form.
	From, Until time.Time
}

// known gives the ID of a form if it is that of some epoch, else the one of now.
func (a *audit) known(id string) string {
	for _, e := range a.opts.Epochs {
		if e.FormID == id {
			return id
		}
	}
	return a.opts.FormID
}

// formsAt gives what records that arrived then owe. If it is more than one form, they owe either, so nothing for
// certain.
func (a *audit) formsAt(arrived time.Time) []Form {
	var forms []Form
	for _, e := range a.opts.Epochs {
		if !arrived.Before(e.From.Add(-a.edge())) && (e.Until.IsZero() || arrived.Before(e.Until)) {
			forms = append(forms, e.Form)
		}
	}
	if len(forms) == 0 {
		forms = append(forms, a.opts.Form)
	}
	return forms
}

// takeState makes the state of what has been counted.
func (a *audit) takeState(watermark time.Time) {
	s := a.identity()
	s.From, s.Watermark, s.Shards = a.from, watermark, maps.Clone(a.increments.positions)
	s.Objects = maps.Clone(a.increments.counted)
	maps.DeleteFunc(s.Objects, func(key string, written int64) bool {
		_, made := a.repairs.Made[key] // which is looked for until it is counted
		return !made && watermark.Sub(time.Unix(written, 0)) > relisted
	})
	s.Covers, s.Audit = a.report.Covers, *a.report.Audit
	a.seen.save(&s)
	s.Judge = a.judge.State(ticksKept)
	dropOld(s.Judge, watermark)
	a.increments.next, a.increments.since, a.increments.saved = &s, watermark, time.Now()
}

// ticksKept is how many seconds a state keeps for the report's minutes.
const ticksKept = 3600

// dropOld drops what records from before the window could have been delivered for, once that is long over, so that a
// state does not keep it for good.
func dropOld(s *proof.State, watermark time.Time) {
	rows := s.Rows[:0]
	for _, r := range s.Rows {
		spare := r.Spare[:0]
		for _, d := range r.Spare {
			if watermark.Sub(s.Ticks[d.Tick].Settled) < payable {
				spare = append(spare, d)
			}
		}
		if r.Spare = spare; len(r.Owed)+len(r.Spare) > 0 {
			rows = append(rows, r)
		}
	}
	s.Rows = rows
}
