package sample

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"golang.org/x/sync/errgroup"

	"streamproof/internal/discover"
	"streamproof/internal/stream/kpl"
)

// Kinesis is what a sample needs of a stream: kinesis:ListShards, GetShardIterator and GetRecords.
type Kinesis interface {
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

var _ Kinesis = (*kinesis.Client)(nil)

const (
	// pageInterval leaves most of a shard's five reads a second to the application.
	pageInterval = 500 * time.Millisecond
	// callTimeout is for one call, with its retries.
	callTimeout = 30 * time.Second
	// parallelShards are read at once.
	parallelShards = 8
	// mostRecords is how many Kinesis gives at once.
	mostRecords = 10_000
	// mostBytes ends a sample, however few records it has.
	mostBytes = 32 << 20
)

// Options say how much of a stream is read.
type Options struct {
	Records int           // at most; those of an aggregate count each
	For     time.Duration // at most
	// Latest waits for new records. Otherwise the sample begins with the oldest, and ends where there are no more; if there
	// are none at all, it waits for some.
	Latest bool
}

// A Sample is what was read of a stream.
type Sample struct {
	Records []discover.Record
	// Shards is how many records each of them gave.
	Shards []Shard
	// Aggregates is how many were taken apart. Broken is how many could not be: they are not among the records.
	Aggregates, Broken int
}

// A Shard is one of the stream.
type Shard struct {
	ID      string
	Records int // as Kinesis counts them: an aggregate is one
}

// Stream reads a part of all shards of a stream.
func Stream(ctx context.Context, client Kinesis, name string, o Options) (*Sample, error) {
	s := &sampler{client: client, stream: name, options: o, end: time.Now().Add(o.For), sample: &Sample{}}
	if err := s.list(ctx); err != nil {
		return nil, err
	}
	return s.sample, s.run(ctx)
}

type sampler struct {
	client  Kinesis
	stream  string
	options Options
	end     time.Time
	cursors []*cursor
	sample  *Sample
	bytes   int
	share   int32 // how many records the next page of a shard is to have at most
}

// A cursor is where a shard is read.
type cursor struct {
	shard    string
	iterator *string // nil where the shard has ended
	read     *string // the last sequence number
	atTip    bool    // there was nothing more
	page     []types.Record
}

func (s *sampler) list(ctx context.Context) error {
	in := &kinesis.ListShardsInput{StreamName: &s.stream}
	for {
		page, err := call(ctx, func(ctx context.Context) (*kinesis.ListShardsOutput, error) { return s.client.ListShards(ctx, in) })
		if err != nil {
			return fmt.Errorf("list the shards of stream %s: %w", s.stream, err)
		}
		for _, shard := range page.Shards {
			s.cursors = append(s.cursors, &cursor{shard: aws.ToString(shard.ShardId)})
			s.sample.Shards = append(s.sample.Shards, Shard{ID: aws.ToString(shard.ShardId)})
		}
		if page.NextToken == nil {
			return nil
		}
		in = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
}

func (s *sampler) run(ctx context.Context) error {
	if err := s.each(ctx, s.begin); err != nil {
		return err
	}
	for {
		open := 0
		for _, c := range s.cursors {
			if c.iterator != nil {
				open++
			}
		}
		// An even share of what is left, so that no shard is overlooked.
		s.share = int32(min((s.options.Records-len(s.sample.Records))/max(open, 1)+1, mostRecords))
		if err := s.each(ctx, s.next); err != nil {
			return err
		}
		behind := 0
		open = 0
		for i, c := range s.cursors {
			s.sample.Shards[i].Records += len(c.page)
			for _, record := range c.page {
				s.take(c.shard, record)
			}
			if c.page = nil; c.iterator != nil {
				if open++; !c.atTip {
					behind++
				}
			}
		}
		left := time.Until(s.end)
		switch {
		case open == 0, left <= 0, len(s.sample.Records) >= s.options.Records, s.bytes >= mostBytes:
			return nil
		case !s.options.Latest && behind == 0 && len(s.sample.Records) > 0:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(pageInterval, left)):
		}
	}
}

// each does something with all shards, several at a time.
func (s *sampler) each(ctx context.Context, do func(context.Context, *cursor) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelShards)
	for _, c := range s.cursors {
		group.Go(func() error {
			if err := do(ctx, c); err != nil {
				return fmt.Errorf("read %s of stream %s: %w", c.shard, s.stream, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// begin sets a cursor to its start, or behind what it has read.
func (s *sampler) begin(ctx context.Context, c *cursor) error {
	in := &kinesis.GetShardIteratorInput{StreamName: &s.stream, ShardId: &c.shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	switch {
	case c.read != nil:
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, c.read
	case s.options.Latest:
		in.ShardIteratorType = types.ShardIteratorTypeLatest
	}
	out, err := call(ctx, func(ctx context.Context) (*kinesis.GetShardIteratorOutput, error) {
		return s.client.GetShardIterator(ctx, in)
	})
	if err != nil {
		return err
	}
	c.iterator = out.ShardIterator
	return nil
}

// next reads a page.
func (s *sampler) next(ctx context.Context, c *cursor) error {
	if c.iterator == nil {
		return nil
	}
	in := &kinesis.GetRecordsInput{ShardIterator: c.iterator, Limit: &s.share}
	page, err := call(ctx, func(ctx context.Context) (*kinesis.GetRecordsOutput, error) { return s.client.GetRecords(ctx, in) })
	switch {
	case errors.As(err, new(*types.ExpiredIteratorException)):
		return s.begin(ctx, c)
	case errors.As(err, new(*types.ProvisionedThroughputExceededException)):
		return nil // the application, or somebody else, reads as fast as it may: the next round tries again
	case err != nil:
		return err
	}
	c.page, c.iterator = page.Records, page.NextShardIterator
	c.atTip = len(page.Records) == 0 && aws.ToInt64(page.MillisBehindLatest) == 0
	if len(page.Records) > 0 {
		c.read = page.Records[len(page.Records)-1].SequenceNumber
	}
	return nil
}

// take adds a record, or those of an aggregate, as far as there is room.
func (s *sampler) take(shard string, record types.Record) {
	name := fmt.Sprintf("%s, sequence number %s", shard, aws.ToString(record.SequenceNumber))
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

func (s *sampler) add(r discover.Record) {
	if len(s.sample.Records) < s.options.Records && s.bytes < mostBytes {
		s.sample.Records = append(s.sample.Records, r)
		s.bytes += len(r.Data)
	}
}

// call gives a call its time.
func call[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return do(ctx)
}
