package pipeline

import _ "embed"

//go:embed schema.json
var schemaJSON []byte

//go:embed pipeline.sql
var pipelineSQL []byte

// Embedded returns the pipeline that this binary was built with.
func Embedded() (*Pipeline, error) {
	return Parse(schemaJSON, pipelineSQL)
}
