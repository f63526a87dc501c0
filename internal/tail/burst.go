package tail

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"streamproof/internal/stream"
)

// LocalInterval is between two reads of a shard of a local stack, where no other reader suffers.
const LocalInterval = 200 * time.Millisecond

const (
	// mostHeld bounds the records of a shard that a burst holds: more than a batch shows.
	mostHeld = 100
	// farBehind is how far behind its tip a shard may be read: what is shown is what comes now.
	farBehind = 10 * time.Second
	// pageRecords is the most that one call asks for: all that Kinesis gives.
	pageRecords = 10_000
)

// A Burst is what was read of a stream since its reader last looked: all of it is counted, and the newest records of
// each shard are held.
type Burst struct {
	Shards map[string]*Shard // by ID
	// Skipped reports whether records were not read, because they came faster than they may be read.
	Skipped bool
}

// A Shard is what was read of one.
type Shard struct {
	Records, Bytes int64
	keys           map[string]keyCount
	held           []stream.Record
}

// A keyCount is what was read of a partition key.
type keyCount struct{ records, bytes int64 }

// NewShard counts records.
func NewShard(records []stream.Record) *Shard {
	s := &Shard{Records: int64(len(records)), keys: map[string]keyCount{}, held: newest(records)}
	for _, r := range records {
		n := int64(len(r.Data) + len(r.PartitionKey))
		s.Bytes += n
		sum := s.keys[r.PartitionKey]
		s.keys[r.PartitionKey] = keyCount{sum.records + 1, sum.bytes + n}
	}
	return s
}

func (s *Shard) add(o *Shard) {
	s.Records += o.Records
	s.Bytes += o.Bytes
	for key, n := range o.keys {
		sum := s.keys[key]
		s.keys[key] = keyCount{sum.records + n.records, sum.bytes + n.bytes}
	}
	s.held = newest(slices.Concat(s.held, o.held))
}

// Join joins what was not looked at yet with what came since.
func (b *Burst) Join(next *Burst) *Burst {
	merged := &Burst{Shards: map[string]*Shard{}, Skipped: b.Skipped || next.Skipped}
	for _, from := range []*Burst{b, next} {
		for id, s := range from.Shards {
			into := merged.Shards[id]
			if into == nil {
				into = &Shard{keys: map[string]keyCount{}}
				merged.Shards[id] = into
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

// Follow reads the stream from now on, until the context ends. Publish is called from several goroutines.
func Follow(ctx context.Context, r *stream.Reader, publish func(*Burst)) error {
	latest := types.StartingPosition{Type: types.ShardIteratorTypeLatest}
	return r.EachShard(ctx, latest, func(ctx context.Context, s *stream.ShardReader) error {
		moved := false
		for {
			page, err := s.Next(ctx, pageRecords)
			if err != nil {
				return err
			}
			b := &Burst{Shards: map[string]*Shard{s.ID: NewShard(page.Records)}, Skipped: page.Behind > farBehind}
			if len(page.Records) > 0 || b.Skipped {
				publish(b)
			}
			switch {
			case page.End && moved:
				return errMoved
			case page.End:
				return nil
			case b.Skipped:
				s, moved = r.Shard(s.ID, latest), true
			}
		}
	})
}
