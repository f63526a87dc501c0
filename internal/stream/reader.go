package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

// Getter is what reading a stream asks of Kinesis: DescribeStreamSummary for its retention, ListShards for all its
// shards, GetShardIterator and GetRecords for its records.
type Getter interface {
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

var _ Getter = (*kinesis.Client)(nil)

// ErrTrimmed reports that the stream no longer holds what was to be read.
var ErrTrimmed = errors.New("the stream's retention is over")

const (
	// maxPageRecords is the most that GetRecords returns.
	maxPageRecords = 10_000
	// firstPage is small, since the size of the records is unknown.
	firstPage = 20
	// After a refusal, a shard is left alone for refusedWait. An answer of 10 MB, whoever got it, makes a shard refuse
	// reads for 5 seconds. Refusals that last for refusedFor are an error.
	refusedWait = time.Second
	refusedFor  = time.Minute
	// callTimeout is for one call, with the SDK's retries.
	callTimeout = 30 * time.Second
	// maxEmptyPages ends the search for a sequence number. Kinesis returns some empty pages where a shard had pauses,
	// and may return them without end where the number is trimmed (harlow/kinesis-consumer#125).
	maxEmptyPages = 50
)

// A Reader reads a stream by polling, and leaves room for the stream's other readers: all of them share five reads and
// 2 MB a second and shard.
type Reader struct {
	// Interval is the least time between two calls to a shard. NewReader sets 500 ms.
	Interval time.Duration
	// PageBytes limits the data of a page, roughly. NewReader sets half a MiB; 0 sets no limit.
	PageBytes int

	client Getter
	stream string
}

// NewReader makes a Reader of the stream with this name.
func NewReader(client Getter, stream string) *Reader {
	return &Reader{client: client, stream: stream, Interval: 500 * time.Millisecond, PageBytes: 512 << 10}
}

// Retention returns how long the stream keeps a record.
func (r *Reader) Retention(ctx context.Context) (time.Duration, error) {
	out, err := call(ctx, r.client.DescribeStreamSummary, &kinesis.DescribeStreamSummaryInput{StreamName: &r.stream})
	if err != nil {
		return 0, fmt.Errorf("describe stream %s: %w", r.stream, err)
	}
	return time.Duration(aws.ToInt32(out.StreamDescriptionSummary.RetentionPeriodHours)) * time.Hour, nil
}

// Shards lists the stream's shards, including closed ones that still have records.
func (r *Reader) Shards(ctx context.Context) (shards []types.Shard, err error) {
	for in := (&kinesis.ListShardsInput{StreamName: &r.stream}); ; {
		page, err := call(ctx, r.client.ListShards, in)
		if err != nil {
			return nil, fmt.Errorf("list the shards of stream %s: %w", r.stream, err)
		}
		shards = append(shards, page.Shards...)
		if page.NextToken == nil {
			return shards, nil
		}
		in = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
}

// EachShard reads all shards of the stream. It calls read for each in a goroutine of its own, with a reader positioned
// at start, and returns the first error. A child of a split or merge is read after its parents have been read to their
// end. A shard opened meanwhile is read from its oldest record. If read returns before the end of its shard, the
// shard's children are not read.
func (r *Reader) EachShard(ctx context.Context, start types.StartingPosition, read func(context.Context, *ShardReader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// No errgroup: `make lint` follows function values by their types, and would take this for what every group runs.
	var group sync.WaitGroup
	var mu sync.Mutex
	var first error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
		}
		cancel()
	}
	positions := map[string]types.StartingPosition{} // of every shard that was ever listed
	begun, ended := map[string]bool{}, map[string]bool{}
	var begin func(types.StartingPosition) error
	begin = func(start types.StartingPosition) error {
		mu.Lock()
		defer mu.Unlock()
		shards, err := r.Shards(ctx)
		if err != nil {
			return err
		}
		for _, shard := range shards {
			if _, known := positions[*shard.ShardId]; !known {
				positions[*shard.ShardId] = start
			}
		}
		// A parent that is not listed is trimmed, and has nothing to be read first.
		done := func(parent *string) bool {
			_, listed := positions[aws.ToString(parent)]
			return !listed || ended[*parent]
		}
		for _, shard := range shards {
			id := *shard.ShardId
			if begun[id] || !done(shard.ParentShardId) || !done(shard.AdjacentParentShardId) {
				continue
			}
			begun[id] = true
			s := r.Shard(id, positions[id])
			group.Add(1)
			go func() {
				defer group.Done()
				err := read(ctx, s)
				if err == nil && s.ended {
					mu.Lock()
					ended[id] = true
					mu.Unlock()
					err = begin(types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon})
				}
				if err != nil {
					fail(err)
				}
			}()
		}
		return nil
	}
	if err := begin(start); err != nil {
		fail(err)
	}
	group.Wait()
	return first
}

// ReadRange hands on the records of a shard between two sequence numbers, both included, until take returns false or
// the shard has no more. Its error wraps ErrTrimmed if the stream no longer holds the first of them.
func (r *Reader) ReadRange(ctx context.Context, shard, first, last string, take func(Record) (more bool)) error {
	s := r.Shard(shard, types.StartingPosition{Type: types.ShardIteratorTypeAtSequenceNumber, SequenceNumber: &first})
	trimmed := func(why string) error {
		return s.fail(fmt.Errorf("%w for %s: the shard %s", ErrTrimmed, first, why))
	}
	found := false
	for empty := 0; empty < maxEmptyPages; {
		page, err := s.Next(ctx, maxPageRecords)
		if err != nil {
			return err
		}
		for _, record := range page.Records {
			// The first was acknowledged, so the shard would begin with it.
			if !found && CompareSequenceNumbers(record.SequenceNumber, first) > 0 {
				return trimmed("begins with " + record.SequenceNumber)
			}
			found = true
			after := CompareSequenceNumbers(record.SequenceNumber, last)
			if after > 0 || !take(record) || after == 0 {
				return nil
			}
		}
		switch {
		case page.End || page.AtTip():
			empty = maxEmptyPages
		case len(page.Records) > 0:
			empty = 0
		case !page.Refused:
			empty++
		}
	}
	if !found {
		return trimmed("has no record from there on")
	}
	return nil
}

// A Record is a record as the stream holds it: it may be an aggregate.
type Record struct {
	SequenceNumber, PartitionKey string
	Arrival                      time.Time // approximate, by Kinesis' clock
	Data                         []byte
}

// A Page is what one call read of a shard.
type Page struct {
	Records []Record
	Behind  time.Duration // how far the page's end is behind the tip of the shard
	Refused bool          // Kinesis throttled the call, since other readers used up the limit, or failed; Next will retry
	End     bool          // the shard is closed and has no more records
}

// AtTip reports whether the reader has caught up with the shard.
func (p Page) AtTip() bool { return len(p.Records) == 0 && p.Behind == 0 && !p.Refused }

// A ShardReader reads a shard page by page. It is not safe for concurrent use.
type ShardReader struct {
	ID string // of the shard

	reader       *Reader
	start        types.StartingPosition
	iterator     *string // nil before the first call and after the end of the shard
	last         string  // the last sequence number read
	limit        int32   // by PageBytes
	notBefore    time.Time
	refusedSince time.Time
	ended        bool
}

// Shard makes a reader of a shard from a position on. It does not call Kinesis.
func (r *Reader) Shard(id string, start types.StartingPosition) *ShardReader {
	s := &ShardReader{ID: id, reader: r, start: start, limit: maxPageRecords}
	if r.PageBytes > 0 {
		s.limit = firstPage
	}
	return s
}

// Next waits until the shard may be read again, and reads a page of at most this many records. Each record is returned
// once, in the order of sequence numbers, even if iterators expire or pages repeat. A page may be empty.
func (s *ShardReader) Next(ctx context.Context, limit int) (Page, error) {
	if s.ended {
		return Page{End: true}, nil
	}
	select {
	case <-ctx.Done():
		return Page{}, ctx.Err()
	case <-time.After(time.Until(s.notBefore)):
	}
	s.notBefore = time.Now().Add(s.reader.Interval)
	out, err := s.get(ctx, min(int32(min(limit, maxPageRecords)), s.limit))
	if err != nil {
		if ctx.Err() != nil {
			return Page{}, ctx.Err()
		}
		if s.refusedSince.IsZero() {
			s.refusedSince = time.Now()
		}
		// Reading is idempotent, so every transient error is retried.
		if isTransient(err) && time.Since(s.refusedSince) < refusedFor {
			s.notBefore = time.Now().Add(refusedWait)
			return Page{Refused: true}, nil
		}
		return Page{}, s.fail(err)
	}
	s.refusedSince = time.Time{}
	s.iterator, s.ended = out.NextShardIterator, out.NextShardIterator == nil
	page := Page{Behind: time.Duration(aws.ToInt64(out.MillisBehindLatest)) * time.Millisecond, End: s.ended}
	if len(out.Records) > 0 {
		page.Records = make([]Record, 0, len(out.Records))
	}
	bytes := 0
	for _, record := range out.Records {
		number := aws.ToString(record.SequenceNumber)
		if s.last != "" && CompareSequenceNumbers(number, s.last) <= 0 {
			continue
		}
		s.last = number
		bytes += len(record.Data)
		page.Records = append(page.Records, Record{
			SequenceNumber: number, PartitionKey: aws.ToString(record.PartitionKey),
			Arrival: aws.ToTime(record.ApproximateArrivalTimestamp), Data: record.Data,
		})
	}
	if s.reader.PageBytes > 0 && len(page.Records) > 0 {
		s.limit = int32(min(max(s.reader.PageBytes*len(page.Records)/max(bytes, 1), 1), maxPageRecords))
	}
	return page, nil
}

func (s *ShardReader) get(ctx context.Context, limit int32) (*kinesis.GetRecordsOutput, error) {
	in := &kinesis.GetRecordsInput{ShardIterator: s.iterator, Limit: &limit}
	if s.iterator != nil {
		out, err := call(ctx, s.reader.client.GetRecords, in)
		if !errors.As(err, new(*types.ExpiredIteratorException)) {
			return out, err
		}
		// An iterator lasts five minutes.
	}
	at := s.start
	if s.last != "" {
		at = types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: &s.last}
	}
	out, err := call(ctx, s.reader.client.GetShardIterator, &kinesis.GetShardIteratorInput{
		StreamName: &s.reader.stream, ShardId: &s.ID, ShardIteratorType: at.Type, StartingSequenceNumber: at.SequenceNumber, Timestamp: at.Timestamp,
	})
	if err != nil {
		return nil, trimmed(err)
	}
	s.iterator, in.ShardIterator = out.ShardIterator, out.ShardIterator
	page, err := call(ctx, s.reader.client.GetRecords, in)
	return page, trimmed(err)
}

// isTransient reports whether a call may succeed when it is made again. The SDK does not repeat one whose answer was
// cut off, since that may have changed something.
func isTransient(err error) bool {
	return retry.NewStandard().IsErrorRetryable(err) || errors.As(err, new(*smithy.DeserializationError))
}

func (s *ShardReader) fail(err error) error {
	return fmt.Errorf("read %s of stream %s: %w", s.ID, s.reader.stream, err)
}

// trimmed wraps ErrTrimmed around an answer which means that the shard, or the sequence number in it, is past the
// retention. An iterator that expires at once is such an answer.
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

// call makes a call within its time.
func call[In, Out any](ctx context.Context, do func(context.Context, In, ...func(*kinesis.Options)) (Out, error), in In) (Out, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return do(ctx, in)
}
