package ledger

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"streamproof/internal/pipeline"
)

// publication is the ledger's object for one pipeline.
type publication struct {
	Version int    `json:"version"`
	Schema  string `json:"schema"`
	SQL     string `json:"sql"`
	// Samples is left out where the pipeline has none, so that older programs read what they have always read. They refuse
	// one that has them.
	Samples *string `json:"samples,omitempty"`
}

// PipelineKey is the key under which the pipeline with this hash is published.
func PipelineKey(hash string) string { return PipelinesPrefix + hash + ".json" }

// IsPipelineKey reports whether a key is one of a published pipeline: other objects may stand under PipelinesPrefix.
func IsPipelineKey(key string) bool {
	hash, ok := strings.CutPrefix(strings.TrimSuffix(key, ".json"), PipelinesPrefix)
	_, err := hex.DecodeString(hash)
	return ok && err == nil && len(hash) == 64 && PipelineKey(hash) == key
}

// EncodePipeline gives the bytes under which a pipeline is published.
func EncodePipeline(p *pipeline.Pipeline) ([]byte, error) {
	pub := publication{Version: Version, Schema: string(p.SchemaJSON), SQL: string(p.SQL)}
	if p.Samples != nil {
		samples := string(p.Samples)
		pub.Samples = &samples
	}
	return json.Marshal(pub)
}

// DecodePipeline reads a published pipeline and checks that it is the one with this hash.
func DecodePipeline(data []byte, hash string) (*pipeline.Pipeline, error) {
	var pub publication
	if err := decode(data, &pub); err != nil {
		return nil, err
	}
	var samples []byte
	if pub.Samples != nil {
		samples = []byte(*pub.Samples)
	}
	p, err := pipeline.ParseWithSamples([]byte(pub.Schema), []byte(pub.SQL), samples)
	if err != nil {
		return nil, err
	}
	if got := p.Hash(); got != hash {
		return nil, fmt.Errorf("it hashes to %s: it was changed after it was published", got)
	}
	return p, nil
}
