// Package pipeline reads a schema together with the query over it.
//
// schema.json describes the columns of a record and how a fake value of each is made, or names a file of samples;
// pipeline.sql is the query. They are the only source of a column's name, type and position for the Flink job, the
// producer, the verifier and the tests.
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

// A Pipeline is a schema with a query over it.
type Pipeline struct {
	Schema schema.Schema
	// SchemaJSON and SQL are the two files, byte by byte. Samples is the third, nil if the schema names none.
	SchemaJSON, SQL, Samples []byte
}

// MaxSamples is the largest size of a file of samples, in bytes: it is published in the ledger with each pipeline.
const MaxSamples = 1 << 20

// Embedded returns the pipeline that was compiled into this program.
func Embedded() (*Pipeline, error) { return Read(files.FS) }

// Read reads the pipeline in a folder.
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

// SQLFile is the name of the query's file. The schema's is schema.File.
const SQLFile = "pipeline.sql"

// ReadSamples reads the samples that a schema in this folder names. It returns nil if it names none or the file is
// missing; ParseWithSamples reports the latter.
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

// Parse reads a schema without samples, and a query, which it does not parse. The error names every fault of the
// schema.
func Parse(schemaJSON, sql []byte) (*Pipeline, error) { return ParseWithSamples(schemaJSON, sql, nil) }

// ParseWithSamples is Parse with the file of samples, or nil. Their rows are not read.
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
		return errors.New("there are samples, but schema.json names none")
	case s.Samples != "" && samples == nil:
		return fmt.Errorf("schema.json names the samples %s, which are missing; put the file beside it", s.Samples)
	case len(samples) > MaxSamples:
		return fmt.Errorf("%s has %d bytes; samples may have %d, so leave out rows", s.Samples, len(samples), MaxSamples)
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
