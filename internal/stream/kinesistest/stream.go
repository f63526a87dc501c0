package kinesistest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// A Stream is a stream in memory, for those that read. It makes no connection, so it works in a synctest bubble.
type Stream struct {
	RetentionHours int32
	// PageRecords is the most records of a page; 0 means 10,000.
	PageRecords int
	// OnIterator and OnRecords, if set, may answer a call, counted from 1. If they return nothing, the stream answers.
	OnIterator func(call int) error
	OnRecords  func(call int) (*kinesis.GetRecordsOutput, error)

	mu        sync.Mutex
	shards    []*Shard
	iterators []types.ShardIteratorType
	pages     int
}

// A Shard is one of a Stream.
type Shard struct {
	ID      string
	Parents []string
	Closed  bool
	Keys    *types.HashKeyRange // that it takes; nil for all
	// Records are in the order of their sequence numbers, and each is there from its arrival on.
	Records []types.Record
	Limits  *Limits // nil for none
}

// NewStream makes a stream of these shards.
func NewStream(shards ...*Shard) *Stream { return &Stream{RetentionHours: 24, shards: shards} }

// Reshard closes shards and opens others.
func (s *Stream) Reshard(closed []string, opened ...*Shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range closed {
		s.shard(id).Closed = true
	}
	s.shards = append(s.shards, opened...)
}

// Calls returns the kinds of all iterators so far, and how often GetRecords was called.
func (s *Stream) Calls() (iterators []types.ShardIteratorType, pages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.iterators), s.pages
}

// DescribeStreamSummary returns the retention.
func (s *Stream) DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	return &kinesis.DescribeStreamSummaryOutput{StreamDescriptionSummary: &types.StreamDescriptionSummary{RetentionPeriodHours: &s.RetentionHours}}, nil
}

// ListShards lists the shards, each on a page of its own.
func (s *Stream) ListShards(_ context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := 0
	if in.NextToken != nil {
		_, _ = fmt.Sscan(*in.NextToken, &at)
	}
	shard := types.Shard{ShardId: &s.shards[at].ID, HashKeyRange: s.shards[at].Keys}
	for i, parent := range []**string{&shard.ParentShardId, &shard.AdjacentParentShardId} {
		if i < len(s.shards[at].Parents) {
			*parent = &s.shards[at].Parents[i]
		}
	}
	out := &kinesis.ListShardsOutput{Shards: []types.Shard{shard}}
	if at++; at < len(s.shards) {
		out.NextToken = aws.String(fmt.Sprint(at))
	}
	return out, nil
}

// GetShardIterator returns an iterator: the shard, the position in it, and the time.
func (s *Stream) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.OnIterator != nil {
		if err := s.OnIterator(len(s.iterators) + 1); err != nil {
			return nil, err
		}
	}
	s.iterators = append(s.iterators, in.ShardIteratorType)
	shard := s.shard(*in.ShardId)
	if shard == nil {
		return nil, &types.ResourceNotFoundException{Message: aws.String("Shard " + *in.ShardId + " in stream s under account 000000000000 does not exist")}
	}
	at := slices.IndexFunc(shard.Records, func(r types.Record) bool {
		switch in.ShardIteratorType {
		case types.ShardIteratorTypeLatest:
			return aws.ToTime(r.ApproximateArrivalTimestamp).After(time.Now())
		case types.ShardIteratorTypeAtTimestamp:
			return !r.ApproximateArrivalTimestamp.Before(*in.Timestamp)
		case types.ShardIteratorTypeAtSequenceNumber:
			return compare(*r.SequenceNumber, *in.StartingSequenceNumber) >= 0
		case types.ShardIteratorTypeAfterSequenceNumber:
			return compare(*r.SequenceNumber, *in.StartingSequenceNumber) > 0
		}
		return true
	})
	if at < 0 {
		at = len(shard.Records)
	}
	return &kinesis.GetShardIteratorOutput{ShardIterator: iterator(shard, at)}, nil
}

// GetRecords returns a page.
func (s *Stream) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages++
	if s.OnRecords != nil {
		if out, err := s.OnRecords(s.pages); out != nil || err != nil {
			return out, err
		}
	}
	var id string
	var at int
	var given int64
	if _, err := fmt.Sscan(*in.ShardIterator, &id, &at, &given); err != nil {
		return nil, &types.InvalidArgumentException{Message: aws.String("Invalid ShardIterator.")}
	}
	if time.Since(time.Unix(0, given)) > iteratorLife {
		return nil, &types.ExpiredIteratorException{Message: aws.String("Iterator expired.")}
	}
	shard := s.shard(id)
	if shard.Limits != nil && !shard.Limits.Allow() {
		return nil, &types.ProvisionedThroughputExceededException{Message: aws.String("Rate exceeded for shard " + id)}
	}
	most := min(cmp.Or(s.PageRecords, maxRecords), int(cmp.Or(aws.ToInt32(in.Limit), maxRecords)))
	now := time.Now()
	there := func() bool {
		return at < len(shard.Records) && !aws.ToTime(shard.Records[at].ApproximateArrivalTimestamp).After(now)
	}
	out := &kinesis.GetRecordsOutput{MillisBehindLatest: aws.Int64(0)}
	bytes := 0
	first := at
	for ; there() && at-first < most && bytes+len(shard.Records[at].Data) <= MaxAnswerBytes; at++ {
		bytes += len(shard.Records[at].Data)
	}
	out.Records = shard.Records[first:at:at]
	if shard.Limits != nil {
		shard.Limits.Answered(bytes)
	}
	if there() {
		*out.MillisBehindLatest = 1000
	}
	if at < len(shard.Records) || !shard.Closed {
		out.NextShardIterator = iterator(shard, at)
	}
	return out, nil
}

const (
	maxRecords   = 10_000
	iteratorLife = 5 * time.Minute
)

func iterator(shard *Shard, at int) *string {
	return aws.String(fmt.Sprintf("%s %d %d", shard.ID, at, time.Now().UnixNano()))
}

func (s *Stream) shard(id string) *Shard {
	at := slices.IndexFunc(s.shards, func(shard *Shard) bool { return shard.ID == id })
	if at < 0 {
		return nil
	}
	return s.shards[at]
}

// compare compares sequence numbers without leading zeros.
func compare(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
