package verifier

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/row"
	"streamproof/internal/schema"
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
const formatVersion = 4

const (
	// margin is how old something must be to be counted for good: long enough for S3 to have listed it.
	margin = 5 * time.Minute
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

	// Origin names the verification of everything that the increments up to here have resumed from.
	Origin string `json:"origin,omitempty"`

	Output []column `json:"output"`

	Watermark time.Time `json:"horizon"` // by the bucket's clock
	// Objects is what was counted, by key, ticks included. Of each prefix it has the keys after its Reach: from the start
	// of the window, or as far back as there is something to tag. Of earlier keys it has only strays.
	Objects map[string]counted   `json:"objects"`
	Reach   map[string]string    `json:"reach,omitempty"`
	Covers  report.Coverage      `json:"covers"`
	Rejects []report.Rejects     `json:"rejects,omitempty"`
	Shards  map[string]int64     `json:"shards,omitempty"`
	Ticks   map[string]tickState `json:"ticks,omitempty"` // what a report says of the judge's ticks, by time
	Judge   *proof.State         `json:"judge"`
	// Rollbacks is how many of the ledger's rollbacks the ticks were judged with. The ledger only adds to them.
	Rollbacks int `json:"rollbacks,omitempty"`

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
	if len(output) == 0 {
		return nil, errors.New("it names no columns")
	}
	return output, nil
}

func (s *checkpoint) encode() ([]byte, error) {
	s.Version = formatVersion
	return encode(s)
}

// encode returns JSON, zipped: gzip's checksum reveals what was cut or changed.
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

// decode reads what encode wrote, in any version that this program supports, and returns the version.
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
	if head.Version < 1 || head.Version > formatVersion {
		return 0, fmt.Errorf("version %d is not supported (1 to %d are): use a newer streamproof", head.Version, formatVersion)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return head.Version, decoder.Decode(into)
}

func decodeCheckpoint(data []byte) (*checkpoint, error) {
	var s checkpoint
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

func (s *checkpoint) check() error {
	if s.Judge == nil || s.Watermark.IsZero() {
		return errors.New("it has no watermark (horizon) or no balance (judge)")
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
		Output:          describe(v.output),
		Watermark:       watermark,
		Objects:         maps.Clone(v.counted),
		Reach:           map[string]string{},
		Covers:          v.report.Covers,
		Rejects:         v.report.Rejects,
		Shards:          maps.Clone(v.report.Shards),
		Ticks:           map[string]tickState{},
		Judge:           v.judge.State(report.MaxTicks),
	}
	s.Covers.Pipelines = slices.Clone(v.report.Covers.Pipelines)
	if current := v.ledger.Current; current != nil {
		s.Rollbacks = len(current.Rollbacks)
	}
	for _, t := range s.Judge.Ticks {
		s.Ticks[tickName(t.Time)] = v.ticks[tickName(t.Time)]
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
