package pipeline

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// The pipeline's files, whatever that of the samples is called: all whose names have a dot, but for Go's and hidden ones.
//
//go:embed [^._]*.[^g]*
var files embed.FS

// Embedded returns the pipeline that this binary was built with.
func Embedded() (*Pipeline, error) { return Read(files) }

// Read reads the pipeline of a folder: schema.json, pipeline.sql, and the samples that the schema names.
func Read(folder fs.FS) (*Pipeline, error) {
	schemaJSON, err := fs.ReadFile(folder, SchemaFile)
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

// The names of a pipeline's files.
const (
	SchemaFile = "schema.json"
	SQLFile    = "pipeline.sql"
)

// ReadSamples reads the samples that a schema of this folder names. They are nil where it names none, and where the file is not
// there, which ParseWithSamples says.
func ReadSamples(folder fs.FS, schemaJSON []byte) ([]byte, error) {
	schema, err := ParseSchema(schemaJSON)
	if err != nil || schema.Samples == "" {
		return nil, err
	}
	samples, err := fs.ReadFile(folder, schema.Samples)
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
