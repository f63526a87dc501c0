// Package pipeline holds what a user of the project edits: schema.json, the shape of the records, and pipeline.sql,
// the query over them, beside the file of samples that the schema may name. Package internal/pipeline reads them.
package pipeline

import "embed"

// FS has every file of this folder whose name has a dot, so the samples by any name, except Go files and hidden ones.
//
//go:embed [^._]*.[^g]*
var FS embed.FS
