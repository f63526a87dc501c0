package draft

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"streamproof/internal/discover"
	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
)

// DefaultSource is the stream's name in a new schema, as in Kinesis Data Analytics.
const DefaultSource = "SOURCE_SQL_STREAM_001"

// Discovered is a schema that was proposed for a sample.
type Discovered struct {
	Source string `json:"source"`
	*discover.Proposal
	// File is the schema to compare with, and Merge the result of that, if there is one.
	File  string           `json:"file,omitempty"`
	Merge *discover.Merged `json:"merge,omitempty"`
	// Schema is what was written, or would be.
	Schema  schema.Schema `json:"schema"`
	Refused []string      `json:"refused"` // why it cannot be written
	Written bool          `json:"written"`
}

// Discover proposes a schema for the records of a source.
func Discover(source string, records []discover.Record, o discover.Options) (*Discovered, error) {
	proposal, err := discover.Discover(records, o)
	if err != nil {
		return nil, fmt.Errorf("propose a schema for %s: %w", source, err)
	}
	return &Discovered{Source: source, Proposal: proposal, Refused: []string{}, Schema: proposal.Schema(DefaultSource)}, nil
}

// Combine adds the proposal to the current schema of a file. If that describes other data, the proposal stands alone, a
// note says why, and the error is a *discover.OtherDataError.
func (d *Discovered) Combine(file string, current schema.Schema) error {
	merged, err := discover.Merge(current, d.Proposal)
	if err != nil {
		d.Notes = append(d.Notes, fmt.Sprintf("%s does not describe this data: %v", file, err))
		return err
	}
	d.File, d.Merge, d.Schema = file, merged, merged.Schema
	return nil
}

// Refusals says why a schema must not be written: what in it the producer cannot generate.
func Refusals(s schema.Schema, samples []byte) []string {
	all := []string{}
	if _, err := generator.New(&pipeline.Pipeline{Schema: s, Samples: samples}, 0); err != nil {
		all = append(all, strings.Split(err.Error(), "\n")...)
	}
	return all
}

// Write replaces the file of a schema at once or not at all. Before that, it writes the samples beside it, unless they
// are nil.
func Write(file string, s schema.Schema, samples []byte) error {
	data, err := s.Encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if samples != nil { // before the schema that names them
		if err := replace(filepath.Join(filepath.Dir(file), s.Samples), samples); err != nil {
			return err
		}
	}
	return replace(file, data)
}

func replace(file string, data []byte) error {
	if err := renameio.WriteFile(file, data, 0o644, renameio.WithExistingPermissions()); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
