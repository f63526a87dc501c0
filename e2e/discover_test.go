//go:build e2e

package e2e_test

import (
	"testing"
	"time"

	"streamproof/internal/discover"
	"streamproof/internal/local"
	"streamproof/internal/pipeline"
	"streamproof/internal/sample"
)

// discovered samples the running stack's stream, with everything in it by then, and checks that nothing suggests
// another schema.
func discovered(t *testing.T, s *local.Stack) {
	produce(t, s, time.Now(), 2000)
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	read, err := s.Sample(t.Context(), sample.Options{Records: 10_000, For: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range read.Shards {
		if shard.Records == 0 {
			t.Errorf("%s gave no record", shard.ID)
		}
	}
	found, err := discover.Discover(read.Records, discover.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v of %+v, %d aggregates", found.Sample, read.Shards, read.Aggregates)
	merged, err := discover.Merge(p.Schema, found)
	if err != nil {
		t.Fatal(err)
	}
	if merged.Changed || len(found.Columns) != len(p.Schema.Columns) {
		t.Errorf("got %d columns, and the changes %q", len(found.Columns), merged.Changes)
	}
	if found.Sample.Rows < 1900 {
		t.Errorf("got %d rows of %d records, want those that were produced", found.Sample.Rows, found.Sample.Records)
	}
}
