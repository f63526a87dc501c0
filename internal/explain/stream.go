package explain

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"streamproof/internal/stream/kpl"
)

// reader is what reading a stream back needs of Kinesis.
type reader interface {
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

var _ reader = (*kinesis.Client)(nil)

// Kinesis is a Stream on Kinesis. It needs kinesis:DescribeStreamSummary, ListShards, GetShardIterator and GetRecords.
type Kinesis struct {
	client reader
	name   string
}

// NewKinesis makes a Stream of the Kinesis stream with this name.
func NewKinesis(client reader, name string) *Kinesis { return &Kinesis{client: client, name: name} }

const (
	// pageInterval leaves most of a shard's five reads a second to the application.
	pageInterval = 500 * time.Millisecond
	// callTimeout is for one call, with its retries.
	callTimeout = 30 * time.Second
	// emptyPages are as many pages without a record as may follow one another. Kinesis gives some where a shard has pauses.
	// Where the sequence number is trimmed it may give them without end (harlow/kinesis-consumer#125).
	emptyPages = 50
)

// Describe gives the stream's retention and the hash keys of its shards.
func (k *Kinesis) Describe(ctx context.Context) (Description, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	d := Description{Shards: map[string]HashRange{}}
	summary, err := k.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &k.name})
	if err != nil {
		return d, fmt.Errorf("describe stream %s: %w", k.name, err)
	}
	d.Retention = time.Duration(aws.ToInt32(summary.StreamDescriptionSummary.RetentionPeriodHours)) * time.Hour
	in := &kinesis.ListShardsInput{StreamName: &k.name}
	for {
		page, err := k.client.ListShards(ctx, in)
		if err != nil {
			return d, fmt.Errorf("list the shards of %s: %w", k.name, err)
		}
		for _, shard := range page.Shards {
			if shard.HashKeyRange == nil {
				continue
			}
			first, ok := new(big.Int).SetString(aws.ToString(shard.HashKeyRange.StartingHashKey), 10)
			last, too := new(big.Int).SetString(aws.ToString(shard.HashKeyRange.EndingHashKey), 10)
			if ok && too {
				d.Shards[aws.ToString(shard.ShardId)] = HashRange{first, last}
			}
		}
		if page.NextToken == nil {
			return d, nil
		}
		in = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
}

// Read reads a shard from AT_SEQUENCE_NUMBER on, page by page.
func (k *Kinesis) Read(ctx context.Context, shard, first, last string, take func(StreamRecord) bool) error {
	fail := func(err error) error { return fmt.Errorf("read %s of stream %s: %w", shard, k.name, err) }
	iterator, err := k.iterator(ctx, shard, first, types.ShardIteratorTypeAtSequenceNumber)
	if err != nil {
		return fail(err)
	}
	read, empty := "", 0
	for iterator != nil {
		page, err := k.page(ctx, iterator)
		if errors.As(err, new(*types.ExpiredIteratorException)) && read != "" {
			// Five minutes have passed since the last page: on from there.
			if iterator, err = k.iterator(ctx, shard, read, types.ShardIteratorTypeAfterSequenceNumber); err == nil {
				continue
			}
		}
		if err != nil {
			return fail(trimmed(err))
		}
		for _, record := range page.Records {
			number := aws.ToString(record.SequenceNumber)
			if read == "" && compare(number, first) > 0 {
				// The first was acknowledged, and so it is what the shard would begin with.
				return fail(fmt.Errorf("%w for %s: it begins with %s", ErrTrimmed, first, number))
			}
			read = number
			if compare(number, last) > 0 {
				return nil
			}
			if !take(StreamRecord{SequenceNumber: number, PartitionKey: aws.ToString(record.PartitionKey), Data: record.Data}) || compare(number, last) == 0 {
				return nil
			}
		}
		if empty++; len(page.Records) > 0 {
			empty = 0
		}
		atTip := aws.ToInt64(page.MillisBehindLatest) == 0
		if len(page.Records) == 0 && (atTip || empty >= emptyPages) {
			break
		}
		iterator = page.NextShardIterator
		if err := pause(ctx); err != nil {
			return err
		}
	}
	if read == "" {
		return fail(fmt.Errorf("%w for %s: it gives no record from there on", ErrTrimmed, first))
	}
	return nil
}

func (k *Kinesis) iterator(ctx context.Context, shard, number string, kind types.ShardIteratorType) (*string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := k.client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: &k.name, ShardId: &shard, ShardIteratorType: kind, StartingSequenceNumber: &number,
	})
	if err != nil {
		return nil, trimmed(err)
	}
	return out.ShardIterator, nil
}

func (k *Kinesis) page(ctx context.Context, iterator *string) (*kinesis.GetRecordsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return k.client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
}

// trimmed tells of an answer that means that the shard, or the sequence number in it, is past the retention.
func trimmed(err error) error {
	var gone *types.ResourceNotFoundException
	var invalid *types.InvalidArgumentException
	var expired *types.ExpiredIteratorException
	switch {
	case errors.As(err, &gone) && strings.Contains(gone.ErrorMessage(), "hard"), // a shard, and not the stream
		errors.As(err, &invalid) && strings.Contains(invalid.ErrorMessage(), "equence"),
		errors.As(err, &expired):
		return fmt.Errorf("%w: %w", ErrTrimmed, err)
	}
	return err
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pageInterval):
		return nil
	}
}

// compare compares sequence numbers as the decimal integers that they are.
func compare(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// unpack gives the records of an aggregate. One that cannot be read is not this producer's.
func unpack(record StreamRecord) (inner []kpl.Record, ok bool) {
	inner, ok, err := kpl.Deaggregate(record.Data)
	return inner, ok && err == nil
}

// outside tells whether a record of an aggregate has a hash key that is not the shard's.
func (e *explanation) outside(shard string, inner []kpl.Record) bool {
	hashes, known := e.described.Shards[shard]
	if !known {
		return false
	}
	for _, one := range inner {
		if !hashes.has(one.Hash()) {
			return true
		}
	}
	return false
}
