package dialect

import (
	"streamproof/pipeline"
)

// checkFlink reports what is certainly wrong with Flink SQL in this pipeline. It knows too little of Flink's functions and
// types to say that anything is right.
func checkFlink(s *Script, text string, schema pipeline.Schema) error {
	return nil
}
