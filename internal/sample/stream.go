package sample

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"golang.org/x/sync/errgroup"

	"streamproof/internal/discover"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kpl"
)

const (
	// callTimeout is for reading an object.
	callTimeout = 30 * time.Second
	// parallelShards are read at once.
	parallelShards = 8
	// maxBytes ends a sample, however few records it has.
	maxBytes = 32 << 20
)

// Options say how much of a stream is read.
type Options struct {
	Records int           // at most; those of an aggregate count each
	For     time.Duration // at most
	// Latest waits for new records. Otherwise the sample begins with the oldest, and ends where there are no more; if
	// there are none at all, it waits for some.
	Latest bool
}

// A Sample is what was read of a stream.
type Sample struct {
	Records []discover.Record
	// Shards is how many records were taken of each.
	Shards []Shard
	// Aggregates is how many were taken apart. Broken is how many could not be: they are not among the records.
	Aggregates, Broken int
}

// A Shard is one of the stream.
type Shard struct {
	ID      string
	Records int // as Kinesis counts them: an aggregate is one
}

// Source describes the stream of this name as the source of the sample.
func (s *Sample) Source(name string) string {
	var shards []string
	for _, shard := range s.Shards {
		shards = append(shards, fmt.Sprintf("%d of %s", shard.Records, shard.ID))
	}
	source := fmt.Sprintf("stream %s (%s", name, strings.Join(shards, ", "))
	if s.Aggregates > 0 {
		source += fmt.Sprintf("; %d aggregates unpacked", s.Aggregates)
	}
	if s.Broken > 0 {
		source += fmt.Sprintf("; %d broken aggregates", s.Broken)
	}
	return source + ")"
}

// Stream reads a part of all shards of a stream.
func Stream(ctx context.Context, client stream.Getter, name string, o Options) (*Sample, error) {
	reader := stream.NewReader(client, name)
	reader.PageBytes = 0 // the number of records limits a page
	shards, err := reader.Shards(ctx)
	if err != nil {
		return nil, err
	}
	start := types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}
	if o.Latest {
		start.Type = types.ShardIteratorTypeLatest
	}
	s := &sampler{options: o, end: time.Now().Add(o.For), interval: reader.Interval, sample: &Sample{}}
	for _, shard := range shards {
		s.shards = append(s.shards, reader.Shard(*shard.ShardId, start))
		s.sample.Shards = append(s.sample.Shards, Shard{ID: *shard.ShardId})
	}
	return s.sample, s.run(ctx)
}

type sampler struct {
	options  Options
	end      time.Time
	interval time.Duration
	shards   []*stream.ShardReader
	sample   *Sample
	bytes    int
}

func (s *sampler) run(ctx context.Context) error {
	open := len(s.shards)
	for pages := make([]stream.Page, len(s.shards)); ; {
		// An even share of what is left, so that no shard is overlooked.
		share := (s.options.Records-len(s.sample.Records))/max(open, 1) + 1
		group, shared := errgroup.WithContext(ctx)
		group.SetLimit(parallelShards)
		for i, shard := range s.shards {
			group.Go(func() (err error) {
				pages[i], err = shard.Next(shared, share)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		open = 0
		behind := 0
		for i, page := range pages {
			for _, record := range page.Records {
				if s.full() {
					break
				}
				s.sample.Shards[i].Records++
				s.take(s.shards[i].ID, record)
			}
			if !page.End {
				open++
				if !page.AtTip() {
					behind++
				}
			}
		}
		switch {
		case open == 0, time.Until(s.end) < s.interval, s.full():
			return nil
		case !s.options.Latest && behind == 0 && len(s.sample.Records) > 0:
			return nil
		}
	}
}

// take adds a record, or those of an aggregate, as far as there is room.
func (s *sampler) take(shard string, record stream.Record) {
	name := fmt.Sprintf("%s, sequence number %s", shard, record.SequenceNumber)
	inner, aggregated, err := kpl.Deaggregate(record.Data)
	switch {
	case err != nil:
		s.sample.Broken++ // the application rejects it as a whole
		return
	case aggregated:
		s.sample.Aggregates++
		for i, one := range inner {
			s.add(discover.Record{Data: one.Data, Name: fmt.Sprintf("%s, record %d of its aggregate", name, i+1)})
		}
		return
	}
	s.add(discover.Record{Data: record.Data, Name: name})
}

// full reports whether the sample has as many records, or bytes, as it may.
func (s *sampler) full() bool {
	return len(s.sample.Records) >= s.options.Records || s.bytes >= maxBytes
}

func (s *sampler) add(r discover.Record) {
	if !s.full() {
		s.sample.Records = append(s.sample.Records, r)
		s.bytes += len(r.Data)
	}
}
