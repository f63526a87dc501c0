package ledger

import (
	"encoding/json"
	"fmt"

	"streamproof/pipeline"
)

// publication is the ledger's object for one pipeline.
type publication struct {
	Version int    `json:"version"`
	Schema  string `json:"schema"`
	SQL     string `json:"sql"`
}

// PipelineKey is the key under which the pipeline with this hash is published.
func PipelineKey(hash string) string { return PipelinesPrefix + hash + ".json" }

// EncodePipeline gives the bytes under which a pipeline is published.
func EncodePipeline(p *pipeline.Pipeline) ([]byte, error) {
	return json.Marshal(publication{Version: Version, Schema: string(p.SchemaJSON), SQL: string(p.SQL)})
}

// DecodePipeline reads a published pipeline and checks that it is the one with this hash.
func DecodePipeline(data []byte, hash string) (*pipeline.Pipeline, error) {
	var pub publication
	if err := decode(data, &pub); err != nil {
		return nil, err
	}
	p, err := pipeline.Parse([]byte(pub.Schema), []byte(pub.SQL))
	if err != nil {
		return nil, err
	}
	if got := p.Hash(); got != hash {
		return nil, fmt.Errorf("it hashes to %s: it was changed after it was published", got)
	}
	return p, nil
}
