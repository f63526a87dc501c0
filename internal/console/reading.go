package console

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"streamproof/internal/stream"
)

const (
	// mostHeld bounds the records of a shard that a burst holds: more than a page shows between two looks.
	mostHeld = 100
	// farBehind is how far behind its tip a shard may be read: what is shown is what comes now.
	farBehind = 10 * time.Second
	// pageRecords is the most that one call asks for: all that Kinesis gives.
	pageRecords = 10_000
	localPause  = 200 * time.Millisecond
)

// A burst is what was read of the stream since its watcher last looked: all of it is counted, and the newest records of
// each shard are held.
type burst struct {
	shards map[string]*shardBurst
	// skipped reports whether records were not read, because they came faster than they may be read.
	skipped bool
}

type shardBurst struct {
	records, bytes int64
	keys           map[string]keyCount
	held           []stream.Record
}

// A keyCount is what was read of a partition key.
type keyCount struct{ records, bytes int64 }

func (s *shardBurst) add(o *shardBurst) {
	s.records += o.records
	s.bytes += o.bytes
	for key, n := range o.keys {
		sum := s.keys[key]
		s.keys[key] = keyCount{sum.records + n.records, sum.bytes + n.bytes}
	}
	s.held = newest(slices.Concat(s.held, o.held))
}

// mergeBursts joins what a watcher has not looked at yet with what came since.
func mergeBursts(old, next any) any {
	a, b := old.(*burst), next.(*burst)
	merged := &burst{shards: map[string]*shardBurst{}, skipped: a.skipped || b.skipped}
	for _, from := range []*burst{a, b} {
		for id, s := range from.shards {
			into := merged.shards[id]
			if into == nil {
				into = &shardBurst{keys: map[string]keyCount{}}
				merged.shards[id] = into
			}
			into.add(s)
		}
	}
	return merged
}

func newest(records []stream.Record) []stream.Record {
	return records[max(len(records)-mostHeld, 0):]
}

var errMoved = errors.New("a shard ended after records of it were skipped")

// follow reads the stream from now on, until the context ends.
func follow(ctx context.Context, r *stream.Reader, publish func(any)) error {
	latest := types.StartingPosition{Type: types.ShardIteratorTypeLatest}
	return r.EachShard(ctx, latest, func(ctx context.Context, s *stream.ShardReader) error {
		moved := false
		for {
			page, err := s.Next(ctx, pageRecords)
			if err != nil {
				return err
			}
			one := &shardBurst{records: int64(len(page.Records)), keys: map[string]keyCount{}, held: newest(page.Records)}
			for _, record := range page.Records {
				n := int64(len(record.Data) + len(record.PartitionKey))
				one.bytes += n
				sum := one.keys[record.PartitionKey]
				one.keys[record.PartitionKey] = keyCount{sum.records + 1, sum.bytes + n}
			}
			b := &burst{shards: map[string]*shardBurst{s.ID: one}, skipped: page.Behind > farBehind}
			if one.records > 0 || b.skipped {
				publish(b)
			}
			switch {
			case page.End && moved:
				return errMoved
			case page.End:
				return nil
			case b.skipped:
				s, moved = r.Shard(s.ID, latest), true
			}
		}
	})
}
