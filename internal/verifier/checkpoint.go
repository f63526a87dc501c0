package verifier

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/epoch"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/row"
	"streamproof/internal/schema"
	"streamproof/internal/zipped"
)

// CheckpointKey is where the checkpoint stands in the bucket.
const CheckpointKey = "ledger/verification.json.gz"

// formatVersion is the version of checkpoints and archives that this package writes. It reads older ones and refuses
// newer ones.
//
//	1  the first
//	2  an origin and a reach
//	3  the number of rollbacks, without which ticks would be judged by a query that has failed
//	4  when each object was written, and names of findings
//	5  epochs, instead of one balance for all queries
const formatVersion = 5

const (
	// margin is how old something must be to be counted for good: long enough for S3 to have listed it.
	margin = 5 * time.Minute
	// finalAfter is how long after it was written a tick is final for certain: its lease may end later by what two clocks
	// differ.
	finalAfter = longestRun + 3*margin
	// longestRun is how long a producer may run after its claim, whatever its clock says: Lambda's longest time-out.
	longestRun = 15 * time.Minute
)

// A checkpoint is the count of everything that was claimed and written up to its watermark. It is a cache: without it,
// a verification reads again everything that the archive has not counted, and says the same.
type checkpoint struct {
	Version int `json:"version"`
	// A verification resumes only from a checkpoint that has its own prefixes and deadline.
	DataPrefix      string `json:"dataPrefix"`
	ErrorsPrefix    string `json:"errorsPrefix"`
	DeadlineSeconds int    `json:"deadlineSeconds"`

	// Run is set in what a part has counted of a run, and names the run.
	Run string `json:"run,omitempty"`

	// Origin names the verification of everything that the increments up to here have resumed from.
	Origin string `json:"origin,omitempty"`

	Watermark time.Time `json:"horizon"` // by the bucket's clock
	// Objects is what was counted, by key, ticks included. Of each prefix it has the keys after its Reach: from the start
	// of the window, or as far back as there is something to tag. Of earlier keys it has only strays.
	Objects map[string]counted `json:"objects"`
	Reach   map[string]string  `json:"reach,omitempty"`
	Covers  report.Coverage    `json:"covers"`
	Rejects []report.Rejects   `json:"rejects,omitempty"`
	Shards  map[string]int64   `json:"shards,omitempty"`
	// Epochs are the balances, and Changes the changes of the query, each the beginning of one of them.
	Epochs  []epochState `json:"epochs,omitempty"`
	Changes []change     `json:"changes,omitempty"`
	// Recorded are the ledger's epochs that Changes has. Rollbacks is how many of the ledger's rollbacks the ticks were
	// judged with. The ledger only adds to both.
	Recorded  []ledger.Epoch `json:"recorded,omitempty"`
	Rollbacks int            `json:"rollbacks,omitempty"`
	// Repairs is the last closed repair, if everything was counted as it has left it, or else uncounted. No increment
	// lists what a repair has made of rows that were due before the window.
	Repairs int `json:"repairs,omitempty"`

	// Output, Ticks and Judge are the only balance of a checkpoint before version 5.
	Output []column             `json:"output,omitempty"`
	Ticks  map[string]tickState `json:"ticks,omitempty"`
	Judge  *proof.State         `json:"judge,omitempty"`

	archived bool // it is the archive's base: what it has counted may have expired
}

// counted is the version of an object that was counted.
type counted struct {
	etag string
	// written is when it was written, in Unix seconds; 0 in checkpoints before version 4.
	written int64
}

func countedAs(o bucket.Object) counted { return counted{o.ETag, o.LastModified.Unix()} }

// MarshalJSON encodes [ETag, seconds].
func (c counted) MarshalJSON() ([]byte, error) { return json.Marshal([]any{c.etag, c.written}) }

// UnmarshalJSON decodes it, or the ETag alone.
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

// An epochState is the tally of one epoch.
type epochState struct {
	Pipelines  []string             `json:"pipelines"`
	Output     []column             `json:"output,omitempty"` // none if they cannot be told
	Refused    string               `json:"refused,omitempty"`
	From       time.Time            `json:"from,omitzero"`
	Until      time.Time            `json:"until,omitzero"`
	Clean      bool                 `json:"clean,omitempty"`
	RolledBack bool                 `json:"rolledBack,omitempty"`
	Claimed    time.Time            `json:"claimed,omitzero"`
	Settled    time.Time            `json:"settled,omitzero"`
	Said       report.Epoch         `json:"said"`
	Due        []time.Time          `json:"due,omitempty"`
	Ticks      map[string]tickState `json:"ticks,omitempty"` // what a report says of the judge's ticks, by time
	Judge      *proof.State         `json:"judge,omitempty"` // none if the epoch is not judged
}

// A change is an epoch.Change.
type change struct {
	From     time.Time `json:"from,omitzero"`
	Pipeline string    `json:"pipeline"`
	Epoch    int       `json:"epoch"` // its index in Epochs
	Clean    bool      `json:"clean,omitempty"`
	Recorded bool      `json:"recorded,omitempty"`
}

// state makes the tally's state at a watermark. Of a judge's ticks, so many of the last are kept at least.
func (t *tally) state(watermark time.Time, lastTicks int) epochState {
	s := epochState{
		Pipelines: slices.Clone(t.Pipelines), Output: describe(t.Output), Refused: t.Refused, From: t.From, Until: t.Until, Clean: t.Clean,
		RolledBack: t.RolledBack, Claimed: t.Claimed, Settled: t.Settled, Said: t.said, Ticks: map[string]tickState{},
	}
	for _, due := range t.due {
		if due.After(watermark) {
			s.Due = append(s.Due, due)
		}
	}
	if t.judge == nil {
		seen := *t.said.Seen
		s.Said.Seen = &seen
		return s
	}
	s.Judge = t.judge.State(lastTicks)
	for _, tick := range s.Judge.Ticks {
		if info, own := t.ticks[tickName(tick.Time)]; own {
			s.Ticks[tickName(tick.Time)] = info
		}
	}
	return s
}

// restore makes the timeline and the tallies of a checkpoint, whose judges have so many parts. They share no memory
// with it.
func (s *checkpoint) restore(parts int) (*epoch.Timeline, []*tally, error) {
	timeline := &epoch.Timeline{}
	var tallies []*tally
	for _, e := range s.Epochs {
		if len(e.Pipelines) == 0 || e.Judge == nil && e.Said.Seen == nil {
			return nil, nil, errors.New("an epoch has no pipeline or no balance")
		}
		output, err := parseOutput(e.Output)
		if err != nil {
			return nil, nil, err
		}
		t := &tally{Epoch: &epoch.Epoch{
			Pipelines: slices.Clone(e.Pipelines), Output: output, Refused: e.Refused, From: e.From, Until: e.Until, Clean: e.Clean,
			RolledBack: e.RolledBack, Claimed: e.Claimed, Settled: e.Settled,
		}, said: e.Said, due: slices.Clone(e.Due), ticks: map[string]tickState{}}
		maps.Copy(t.ticks, e.Ticks)
		if e.Judge != nil {
			if t.judge, err = proof.Restore(e.Judge, t.format, parts); err != nil {
				return nil, nil, err
			}
		} else {
			seen := *e.Said.Seen
			t.said.Seen = &seen
		}
		if !e.RolledBack {
			timeline.Epochs = append(timeline.Epochs, t.Epoch)
		}
		tallies = append(tallies, t)
	}
	for _, c := range s.Changes {
		if c.Epoch < 0 || c.Epoch >= len(tallies) {
			return nil, nil, fmt.Errorf("a change begins epoch %d, and there are %d", c.Epoch, len(tallies))
		}
		timeline.Changes = append(timeline.Changes, epoch.Change{
			From: c.From, Pipeline: c.Pipeline, Epoch: tallies[c.Epoch].Epoch, Clean: c.Clean, Recorded: c.Recorded,
		})
	}
	return timeline, tallies, nil
}

// upgrade makes epochs of the only balance of a checkpoint before version 5.
func (s *checkpoint) upgrade() {
	if s.Judge == nil || len(s.Epochs) > 0 {
		return
	}
	e := epochState{Pipelines: s.Covers.Pipelines, Output: s.Output, Ticks: s.Ticks, Judge: s.Judge, Said: report.Epoch{
		First: s.Covers.From, Last: s.Covers.To, Ticks: s.Covers.Ticks, TicksCrashed: s.Covers.TicksCrashed, Records: s.Covers.Records,
	}}
	if len(e.Pipelines) == 0 {
		e.Pipelines = []string{""} // nothing was claimed yet
	}
	for _, t := range s.Judge.Ticks {
		if t.Claimed.After(e.Claimed) {
			e.Claimed = t.Claimed
		}
		if t.Settled.After(e.Settled) {
			e.Settled = t.Settled
		}
	}
	for _, n := range s.Shards {
		e.Said.Acknowledged += n
	}
	s.Epochs, s.Changes = []epochState{e}, []change{{Pipeline: e.Pipelines[0]}}
	s.Output, s.Ticks, s.Judge = nil, nil, nil
}

// describe writes a result's columns down, so that rows of another form are not taken for these.
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
	return output, nil
}

func (s *checkpoint) encode() ([]byte, error) {
	s.Version = formatVersion
	return zipped.Encode(s)
}

// decode reads what zipped.Encode wrote, in any version that this program supports. It takes one pass, which sets the
// version, too: only where that fails is the version looked for alone, since a newer one says why.
func decode(data []byte, into any, version *int) error {
	text, err := zipped.Text(data)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	if _, end := decoder.Token(); err == nil && end != io.EOF {
		err = errors.New("something stands behind its end")
	}
	if err != nil {
		var head struct {
			Version int `json:"version"`
		}
		if json.Unmarshal(text, &head) != nil {
			return err
		}
		*version = head.Version
	}
	if *version < 1 || *version > formatVersion {
		return fmt.Errorf("version %d is not supported (1 to %d are): use a newer streamproof", *version, formatVersion)
	}
	return err
}

func decodeCheckpoint(data []byte) (*checkpoint, error) {
	var s checkpoint
	if err := decode(data, &s, &s.Version); err != nil {
		return nil, err
	}
	if s.Version < 2 {
		s.Reach = s.windows()
	}
	return &s, s.check()
}

// uncounted stands for repairs that have made something after the watermark.
const uncounted = -1

func (s *checkpoint) check() error {
	s.upgrade()
	if len(s.Epochs) == 0 || len(s.Changes) == 0 || s.Watermark.IsZero() {
		return errors.New("it has no watermark (horizon) or no balance (epochs)")
	}
	if s.Reach == nil {
		s.Reach = map[string]string{}
	}
	return nil
}

// loadCheckpoint reads the checkpoint and its ETag. It returns nil if there is none.
func loadCheckpoint(ctx context.Context, b bucket.Bucket) (*checkpoint, string, error) {
	object, data, err := bucket.Get(ctx, b, CheckpointKey)
	if err != nil || object == nil {
		return nil, "", err
	}
	s, err := decodeCheckpoint(data)
	if err != nil {
		return nil, object.ETag, fmt.Errorf("%s: %w", CheckpointKey, err)
	}
	return s, object.ETag, nil
}

// takeCheckpoint makes a checkpoint of what has been counted.
func (v *verification) takeCheckpoint(watermark time.Time) *checkpoint {
	v.reportRejects()
	s := &checkpoint{
		Version:         formatVersion,
		DataPrefix:      v.opts.DataPrefix,
		ErrorsPrefix:    v.opts.ErrorsPrefix,
		DeadlineSeconds: int(v.opts.DeliveryDeadline / time.Second),
		Origin:          rand.Text(),
		Watermark:       watermark,
		Objects:         maps.Clone(v.counted),
		Reach:           map[string]string{},
		Covers:          v.report.Covers,
		Rejects:         v.report.Rejects,
		Shards:          maps.Clone(v.report.Shards),
		Recorded:        v.recorded,
		Repairs:         v.rewrites.Closed,
	}
	s.addEpochs(v, watermark)
	s.Covers.Pipelines = slices.Clone(v.report.Covers.Pipelines)
	if current := v.ledger.Current; current != nil {
		s.Rollbacks = len(current.Rollbacks)
	}
	if v.base != nil {
		maps.Copy(s.Reach, v.base.Reach)
		if !v.base.archived {
			s.Origin = v.base.Origin
		}
	}
	// Drop the keys that no later verification asks for.
	if archived := v.archive.baseline(); !v.opts.expire {
		s.trim(s.windows(), archived.strays())
	} else if archived != nil {
		s.trim(archived.Reach, archived.strays())
	}
	return s
}

// addEpochs adds the state of every epoch, without what only later ticks have begun.
func (s *checkpoint) addEpochs(v *verification, watermark time.Time) {
	timeline, left := v.timeline.UpTo(watermark), report.MaxTicks
	if v.stretch != nil {
		left = math.MaxInt // each part has to have all of them
	}
	index := map[*epoch.Epoch]int{}
	for _, t := range slices.Backward(v.tallies) {
		if !t.RolledBack && !slices.Contains(timeline.Epochs, t.Epoch) {
			continue
		}
		state := t.state(watermark, left)
		if state.Judge != nil {
			left = max(0, left-len(state.Judge.Ticks))
		}
		index[t.Epoch] = len(s.Epochs)
		s.Epochs = append(s.Epochs, state)
	}
	slices.Reverse(s.Epochs)
	for _, c := range timeline.Changes {
		s.Changes = append(s.Changes, change{c.From, c.Pipeline, len(s.Epochs) - 1 - index[c.Epoch], c.Clean, c.Recorded})
	}
}

// compatible reports whether a verification with these options can resume from the checkpoint. An older one lacks the
// times of its objects and the names of its findings, which can all be read again.
func (s *checkpoint) compatible(o Options) bool {
	return s.Version >= 4 && s.hasPrefixes(o) && s.DeadlineSeconds == int(o.DeliveryDeadline/time.Second)
}

// hasPrefixes reports whether the checkpoint counts under these prefixes.
func (s *checkpoint) hasPrefixes(o Options) bool {
	return s.DataPrefix == o.DataPrefix && s.ErrorsPrefix == o.ErrorsPrefix
}

// coversRollbacks reports whether what was counted was judged with all rollbacks that concern it.
func (s *checkpoint) coversRollbacks(current *ledger.Current) bool {
	var all []ledger.Rollback
	if current != nil {
		all = current.Rollbacks
	}
	if s.Rollbacks > len(all) {
		return false
	}
	return !slices.ContainsFunc(all[s.Rollbacks:], func(r ledger.Rollback) bool { return !r.From.After(s.Watermark) })
}

// coversChanges reports whether what was counted was judged with all changes of the query that concern it, and by a
// program that judges no more of them.
func (s *checkpoint) coversChanges(ctx context.Context, l *replay.Ledger) (bool, error) {
	var all []ledger.Epoch
	if l.Current != nil {
		all = l.Current.Epochs
	}
	same := func(a, b ledger.Epoch) bool {
		return a.Pipeline == b.Pipeline && a.From.Equal(b.From) && a.Drained.Equal(b.Drained)
	}
	known := len(s.Recorded)
	if known > len(all) || !slices.EqualFunc(s.Recorded, all[:known], same) {
		return false, nil
	}
	if slices.ContainsFunc(all[known:], func(e ledger.Epoch) bool { return !e.From.After(s.Watermark) }) {
		return false, nil
	}
	for _, e := range s.Epochs {
		if e.Refused == "" || e.RolledBack {
			continue
		}
		if _, refused, err := l.Query(ctx, e.Pipelines[0]); err != nil || refused == nil && !s.archived {
			return false, err
		}
	}
	return true, nil
}

// complete reports whether the checkpoint has the key of every object that it has counted.
func (s *checkpoint) complete() bool {
	for _, key := range s.Reach {
		if key != "" {
			return false
		}
	}
	return true
}

// name says what the checkpoint is and where it stands.
func (s *checkpoint) name() string {
	if s.archived {
		return "the archive " + ArchiveKey
	}
	return "the checkpoint " + CheckpointKey
}

// remedy says what helps if the checkpoint is broken.
func (s *checkpoint) remedy() string {
	if s.archived {
		return "restore its former version"
	}
	return "verify --full"
}
