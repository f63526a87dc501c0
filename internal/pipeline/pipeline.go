// Package pipeline says what the data is and what the analytics do with it.
//
// schema.json names the columns of a record (name, COLn alias, SQL type) and how a fake value of each is made, or the
// file of samples that records are taken from; pipeline.sql is the query. The Flink job, the producer, the verifier
// and the tests read these files, and nothing else in the project repeats a column's name, type or position.
package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"unicode/utf8"

	"streamproof/internal/schema"
	files "streamproof/pipeline"
)

// A Pipeline is one schema with one query over it.
type Pipeline struct {
	Schema schema.Schema
	// SchemaJSON and SQL are the two files, byte by byte. Samples is the third one, nil where the schema names none.
	SchemaJSON, SQL, Samples []byte
}

// MaxSamples is how many bytes a file of samples may have: it is published in the ledger with each pipeline.
const MaxSamples = 1 << 20

// Embedded returns the pipeline that this binary was built with.
func Embedded() (*Pipeline, error) { return Read(files.FS) }

// Read reads the pipeline of a folder: schema.json, pipeline.sql, and the samples that the schema names.
func Read(folder fs.FS) (*Pipeline, error) {
	schemaJSON, err := fs.ReadFile(folder, schema.File)
	if err != nil {
		return nil, fmt.Errorf("read the pipeline: %w", err)
	}
	sql, err := fs.ReadFile(folder, SQLFile)
	if err != nil {
		return nil, fmt.Errorf("read the pipeline: %w", err)
	}
	samples, err := ReadSamples(folder, schemaJSON)
	if err != nil {
		return nil, err
	}
	return ParseWithSamples(schemaJSON, sql, samples)
}

// SQLFile is the name of the query's file. That of the schema is schema.File.
const SQLFile = "pipeline.sql"

// ReadSamples reads the samples that a schema of this folder names. They are nil where it names none, and where the
// file is not there, which ParseWithSamples says.
func ReadSamples(folder fs.FS, schemaJSON []byte) ([]byte, error) {
	s, err := schema.Parse(schemaJSON)
	if err != nil || s.Samples == "" {
		return nil, err
	}
	samples, err := fs.ReadFile(folder, s.Samples)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the samples: %w", err)
	case samples == nil:
		return []byte{}, nil
	}
	return samples, nil
}

// Parse reads a schema that names no samples, and a query; the error names every fault of the schema. The
// query is parsed by those who run it.
func Parse(schemaJSON, sql []byte) (*Pipeline, error) { return ParseWithSamples(schemaJSON, sql, nil) }

// ParseWithSamples is Parse with the file of samples, nil where there is none. Its rows are read by those who make
// records of them.
func ParseWithSamples(schemaJSON, sql, samples []byte) (*Pipeline, error) {
	if !utf8.Valid(sql) {
		return nil, schema.NotUTF8("pipeline.sql", sql)
	}
	s, err := schema.Parse(schemaJSON)
	if err != nil {
		return nil, err
	}
	if err := checkSamples(s, samples); err != nil {
		return nil, err
	}
	return &Pipeline{Schema: s, SchemaJSON: schemaJSON, SQL: sql, Samples: samples}, nil
}

func checkSamples(s schema.Schema, samples []byte) error {
	switch {
	case s.Samples == "" && samples != nil:
		return errors.New("there are samples, and schema.json names none")
	case s.Samples != "" && samples == nil:
		return fmt.Errorf("schema.json names the samples %s, which are not there: put that file beside it", s.Samples)
	case len(samples) > MaxSamples:
		return fmt.Errorf("%s has %d bytes, which is more than the %d that samples may have: leave out rows", s.Samples, len(samples), MaxSamples)
	case !utf8.Valid(samples):
		return schema.NotUTF8(s.Samples, samples)
	}
	return nil
}

// Hash identifies the pipeline: the hexadecimal SHA-256 of its two or three files, each preceded by its length.
func (p *Pipeline) Hash() string {
	files := [][]byte{p.SchemaJSON, p.SQL}
	if p.Samples != nil {
		files = append(files, p.Samples)
	}
	h := sha256.New()
	for _, file := range files {
		fmt.Fprintf(h, "%d\n", len(file))
		h.Write(file)
	}
	return hex.EncodeToString(h.Sum(nil))
}
