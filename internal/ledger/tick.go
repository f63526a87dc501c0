package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Version is the version of the objects that this package writes. Older ones are read, newer ones are refused.
//
//	1  the first
//	2  a tick has poison and aggregation, which change what it owes
const Version = 2

// Where the ledger's objects stand in the bucket.
const (
	TicksPrefix     = "ledger/ticks/"
	PipelinesPrefix = "ledger/pipelines/"
)

// A State is how far the attempt that claimed a tick has come.
type State string

// A claim with a lease that is over is a crashed tick, whether its state is Claimed or InProgress.
const (
	Claimed    State = "claimed"
	InProgress State = "in progress"
	Complete   State = "complete"
)

// An Outcome is what became of a record on its way into the stream.
type Outcome string

// The outcomes that a producer sees. Each bounds how many copies of the record the stream may hold.
const (
	// Acknowledged: answered with a sequence number; every other attempt was refused. One copy.
	Acknowledged Outcome = "acknowledged"
	// AcknowledgedAfterUnknown: answered with a sequence number after attempts that may have been stored. 1 to 1+u copies.
	AcknowledgedAfterUnknown Outcome = "acknowledged after unknown"
	// Rejected: every attempt was refused, or there was no time for one. No copy.
	Rejected Outcome = "rejected"
	// Unknown: u attempts may have been stored (time-out, reset, 5xx, InternalFailure), none was acknowledged. 0 to u
	// copies.
	Unknown Outcome = "unknown"
)

// KPL is the aggregation of a tick whose records were packed in the format of the Kinesis Producer Library.
const KPL = "kpl"

// A Range is the outcome of the records First to Last (both included) of a tick; neighbours differ in outcome, Lo or
// Hi.
type Range struct {
	First   int     `json:"first"`
	Last    int     `json:"last"`
	Outcome Outcome `json:"outcome"`
	// Lo and Hi bound the copies of each of these records that the stream may hold.
	Lo int `json:"lo"`
	Hi int `json:"hi"`
}

// A Shard is what one shard of the stream acknowledged of a tick.
type Shard struct {
	Records             int    `json:"records"`
	FirstSequenceNumber string `json:"firstSequenceNumber"`
	LastSequenceNumber  string `json:"lastSequenceNumber"`
}

// A Tick is the ledger's object for one tick.
type Tick struct {
	Version int   `json:"version"`
	State   State `json:"state"`
	// Time is the moment that the tick stands for, to the millisecond; it names the tick.
	Time time.Time `json:"tick"`
	// Owner is a random token of the attempt that claimed the tick.
	Owner string `json:"owner"`
	// LeaseEnd is when that attempt can no longer be running.
	LeaseEnd time.Time `json:"leaseEnd"`
	// ClaimedAt is S3's clock at the claim, in whole seconds. It is absent in the claim itself: there, the object's
	// LastModified says it.
	ClaimedAt time.Time `json:"claimedAt,omitzero"`

	// Seed, Generator, Pipeline, Records, SpreadSeconds and Poison, with Time, determine the records.
	Seed          uint64 `json:"seed"`
	Generator     int    `json:"generator"` // the generator's version
	Pipeline      string `json:"pipeline"`  // the pipeline's hash
	Records       int    `json:"records"`
	SpreadSeconds int    `json:"spreadSeconds"`
	PartitionKey  string `json:"partitionKey"` // "uniform" or the name of a column
	// Poison is how many of the records are malformed on purpose, 0 to Records.
	Poison int `json:"poison,omitempty"`
	// Aggregation is how the records were packed on their way in: KPL, or empty if each was sent by itself. It changes
	// what is owed only as PoisonsAggregates says.
	Aggregation string `json:"aggregation,omitempty"`

	// Revision counts the writes of this object, from 0.
	Revision int `json:"revision"`
	// Outcomes are in the order of First; in a complete tick they cover every record.
	Outcomes []Range `json:"outcomes,omitempty"`
	// Shards is keyed by shard id.
	Shards map[string]Shard `json:"shards,omitempty"`
}

// PoisonsAggregates reports whether malformed aggregates are among the tick's poison: from version 2 of the generator
// on, where records are packed.
func (t *Tick) PoisonsAggregates() bool { return t.Aggregation == KPL && t.Generator > 1 }

// Crashed reports whether the attempt that claimed the tick is over and has left no manifest.
func (t *Tick) Crashed(now time.Time) bool {
	return t.State != Complete && !now.Before(t.LeaseEnd)
}

// Count is the number of records of each outcome.
func Count(outcomes []Range) map[Outcome]int {
	count := map[Outcome]int{}
	for _, r := range outcomes {
		count[r.Outcome] += r.Last - r.First + 1
	}
	return count
}

// TickKey is the key of the tick's object.
func TickKey(tick time.Time) string {
	t := tick.UTC()
	return TicksPrefix + t.Format("2006/01/02/") + t.Format("20060102T150405.000Z") + ".json"
}

// IsTickKey reports whether a key is that of a tick: other objects may stand under TicksPrefix.
func IsTickKey(key string) bool {
	_, ok := TickOfKey(key)
	return ok
}

// TickOfKey returns the tick whose object has a key. It reports false if none has.
func TickOfKey(key string) (tick time.Time, ok bool) {
	tick, err := time.Parse("20060102T150405.000Z.json", key[strings.LastIndex(key, "/")+1:])
	return tick, err == nil && TickKey(tick) == key
}

// Encode gives the object's bytes.
func (t *Tick) Encode() ([]byte, error) {
	t.Version = Version
	return json.Marshal(t)
}

// DecodeTick reads a tick's object. It refuses one of a newer version and one that contradicts itself.
func DecodeTick(data []byte) (*Tick, error) {
	var t Tick
	if err := decode(data, &t); err != nil {
		return nil, err
	}
	if t.Version < 2 && (t.Poison != 0 || t.Aggregation != "") {
		return nil, fmt.Errorf("poison %d and aggregation %q stand in version %d, which has neither", t.Poison, t.Aggregation, t.Version)
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return &t, nil
}

func (t *Tick) check() error {
	switch {
	case t.State != Claimed && t.State != InProgress && t.State != Complete:
		return fmt.Errorf("state %q is not known", t.State)
	case t.Time.IsZero(), t.Owner == "", t.LeaseEnd.IsZero(), t.Pipeline == "":
		return fmt.Errorf("tick, owner, leaseEnd or pipeline is missing")
	case t.Records < 1 || t.SpreadSeconds < 0:
		return fmt.Errorf("records is %d and spreadSeconds %d", t.Records, t.SpreadSeconds)
	case t.Poison < 0 || t.Poison > t.Records:
		return fmt.Errorf("poison is %d of %d records", t.Poison, t.Records)
	case t.Aggregation != "" && t.Aggregation != KPL:
		return fmt.Errorf("aggregation %q is not known", t.Aggregation)
	case t.State != Claimed && t.ClaimedAt.IsZero():
		return fmt.Errorf("claimedAt is missing in a tick that is %s", t.State)
	}
	next := 0
	for i, r := range t.Outcomes {
		if r.First < next || r.Last < r.First || r.Last >= t.Records || r.Lo < 0 || r.Hi < r.Lo {
			return fmt.Errorf("outcomes[%d] (%d to %d, lo %d, hi %d) overlaps, is out of %d records or out of order",
				i, r.First, r.Last, r.Lo, r.Hi, t.Records)
		}
		if t.State == Complete && r.First != next {
			return fmt.Errorf("outcomes leave out record %d of a complete tick", next)
		}
		next = r.Last + 1
	}
	if t.State == Complete && next != t.Records {
		return fmt.Errorf("outcomes end at record %d of %d in a complete tick", next, t.Records)
	}
	return nil
}

// decode reads an object that carries a version; fields that it does not know are an error, a newer version is a clear
// one.
func decode(data []byte, into any) error { return decodeUpTo(Version, data, into) }

// decodeUpTo is decode of an object whose versions are its own.
func decodeUpTo(newest int, data []byte, into any) error {
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	if head.Version > newest {
		return fmt.Errorf("version %d is newer than this program knows (%d); use a newer streamproof", head.Version, newest)
	}
	if head.Version < 1 {
		return fmt.Errorf("version %d is not one that was ever written", head.Version)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
