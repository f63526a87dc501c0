package explain

import (
	"context"
	"errors"
	"fmt"
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
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

var _ reader = (*kinesis.Client)(nil)

// Kinesis is a Stream on Kinesis. It needs kinesis:DescribeStreamSummary, GetShardIterator and GetRecords.
type Kinesis struct {
	client reader
	name   string
}

// NewKinesis makes a Stream of the Kinesis stream with this name.
func NewKinesis(client reader, name string) *Kinesis { return &Kinesis{client: client, name: name} }

const (
	// pageInterval leaves most of a shard's five reads a second to the application, and pageBytes half of its 2 MB.
	pageInterval = 500 * time.Millisecond
	pageBytes    = 512 << 10
	// The first page has few records: how large they are is not known yet. No page has more than Kinesis gives.
	firstPage = 20
	mostPage  = 10_000
	// refusedWait is how long to wait after a refusal, and refusedFor how long refusals are put up with. After an answer
	// of 10 MB, whoever got it, a shard refuses for 5 seconds.
	refusedWait = time.Second
	refusedFor  = time.Minute
	// callTimeout is for one call, with its retries.
	callTimeout = 30 * time.Second
	// emptyPages are as many pages without a record as may follow one another. Kinesis gives some where a shard has pauses.
	// Where the sequence number is trimmed it may give them without end (harlow/kinesis-consumer#125).
	emptyPages = 50
)

// Describe gives the stream's retention.
func (k *Kinesis) Describe(ctx context.Context) (Description, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	d := Description{}
	summary, err := k.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &k.name})
	if err != nil {
		return d, fmt.Errorf("describe stream %s: %w", k.name, err)
	}
	d.Retention = time.Duration(aws.ToInt32(summary.StreamDescriptionSummary.RetentionPeriodHours)) * time.Hour
	return d, nil
}

// Read reads a shard from AT_SEQUENCE_NUMBER on, page by page.
func (k *Kinesis) Read(ctx context.Context, shard, first, last string, take func(StreamRecord) bool) error {
	fail := func(err error) error { return fmt.Errorf("read %s of stream %s: %w", shard, k.name, err) }
	iterator, err := k.iterator(ctx, shard, first, types.ShardIteratorTypeAtSequenceNumber)
	if err != nil {
		return fail(err)
	}
	read, empty, limit := "", 0, int32(firstPage)
	for iterator != nil {
		page, err := k.page(ctx, iterator, limit)
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
			empty, limit = 0, nextLimit(page.Records)
		}
		atTip := aws.ToInt64(page.MillisBehindLatest) == 0
		if len(page.Records) == 0 && (atTip || empty >= emptyPages) {
			break
		}
		iterator = page.NextShardIterator
		if err := pause(ctx, pageInterval); err != nil {
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

// page reads a page, and waits while other readers take all that a shard gives.
func (k *Kinesis) page(ctx context.Context, iterator *string, limit int32) (*kinesis.GetRecordsOutput, error) {
	for deadline := time.Now().Add(refusedFor); ; {
		page, err := k.getRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: &limit})
		if !errors.As(err, new(*types.ProvisionedThroughputExceededException)) || time.Now().After(deadline) {
			return page, err
		}
		if err := pause(ctx, refusedWait); err != nil {
			return nil, err
		}
	}
}

func (k *Kinesis) getRecords(ctx context.Context, in *kinesis.GetRecordsInput) (*kinesis.GetRecordsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return k.client.GetRecords(ctx, in)
}

// nextLimit is how many records like these make a page.
func nextLimit(records []types.Record) int32 {
	bytes := 1
	for _, record := range records {
		bytes += len(record.Data)
	}
	return int32(min(max(pageBytes*len(records)/bytes, 1), mostPage))
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

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
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

// unpack gives the records of an aggregate. The application rejects one that is malformed as a whole.
func unpack(record StreamRecord) (inner []kpl.Record, ok bool) {
	inner, ok, err := kpl.Deaggregate(record.Data)
	return inner, ok && err == nil
}
