package console

import (
	"context"
	"slices"
	"testing"
	"time"

	"streamproof/internal/pipeline"
	"streamproof/internal/stream"
	"streamproof/internal/tail"
)

// TestFlood: a page that reads slowly gets the newest records, knows how many it has not got, and costs no more memory.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := &stackSubject{}
	const bursts, each = 200, 500
	s.records = &topic{name: "records", merge: mergeBursts, read: func(_ context.Context, publish func(any)) {
		for range bursts {
			publish(&tail.Burst{Shards: map[string]*tail.Shard{"a": tail.NewShard(slices.Repeat([]stream.Record{{PartitionKey: "hot"}}, each))}})
		}
	}}
	s.planning = make(chan struct{}, 1)
	s.pipeline = embedded(t)
	batches := &topic{name: "tail", read: s.readTail, merge: mergeTails}
	page := newWatcher()
	batches.watch(page)
	defer batches.leave(page)
	defer batches.close()
	const mostShown = 200
	var got tail.Batch
	for deadline := time.Now().Add(10 * time.Second); got.Read < bursts*each && time.Now().Before(deadline); {
		<-page.changed
		if m := page.take()[batches]; m != nil {
			next := m.value.(*tail.Batch)
			if len(next.Records) > mostShown || next.Dropped != next.Read-int64(len(next.Records)) {
				t.Fatalf("got %d records, %d of %d dropped", len(next.Records), next.Dropped, next.Read)
			}
			got.Read += next.Read
			got.HotKeys = next.HotKeys
		}
	}
	if got.Read != bursts*each || len(got.HotKeys) != 1 || got.HotKeys[0].Share != 1 {
		t.Errorf("got %d records and the keys %v, want %d, all of one key", got.Read, got.HotKeys, bursts*each)
	}
}

func embedded(t *testing.T) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
