package operate

import (
	"testing"

	"streamproof/internal/repair"
)

// TestWritten: the parameters say how objects are written where no other shows it.
func TestWritten(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, _ string) {
		for transform, want := range map[string]repair.Format{
			"none": {QueryNames: true}, "JSON": {JSON: true}, "CSV": {Delimiter: '\t'},
		} {
			w.Transform = transform
			if got := Written(w.Open()); got != want {
				t.Errorf("Transform %s: got %+v, want %+v", transform, got, want)
			}
		}
	})
}
