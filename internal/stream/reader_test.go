package stream_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"streamproof/internal/stream"
	"streamproof/internal/stream/kinesistest"
)

var oldest = types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}

// shardOf is a shard with a record of each of these sequence numbers.
func shardOf(id string, data []byte, numbers ...string) *kinesistest.Shard {
	shard := &kinesistest.Shard{ID: id}
	for _, number := range numbers {
		shard.Records = append(shard.Records, types.Record{SequenceNumber: &number, PartitionKey: aws.String("key"), Data: data})
	}
	return shard
}

func TestRetention(t *testing.T) {
	t.Parallel()
	held := kinesistest.NewStream()
	held.RetentionHours = 48
	got, err := stream.NewReader(held, "s").Retention(t.Context())
	if err != nil || got != 48*time.Hour {
		t.Errorf("got %s, %v, want 48 hours", got, err)
	}
}

func TestReadRange(t *testing.T) {
	t.Parallel()
	iterator := func(place int) string { return fmt.Sprintf("a %d %d", place, time.Now().UnixNano()) }
	empty := func(behind int64, iterator string) *kinesis.GetRecordsOutput {
		return &kinesis.GetRecordsOutput{NextShardIterator: aws.String(iterator), MillisBehindLatest: &behind}
	}
	denied := errors.New("AccessDeniedException")
	tests := map[string]struct {
		records     func(call int) (*kinesis.GetRecordsOutput, error)
		iterator    func(call int) error
		first, last string
		want        []string
		err         error
		iterators   int
	}{
		"a part":            {first: "10", last: "12", want: []string{"10", "11", "12"}, iterators: 1},
		"to the tip":        {first: "13", last: "99", want: []string{"13", "14"}, iterators: 1},
		"longer than it is": {first: "14", last: "200", want: []string{"14"}, iterators: 1},
		"pages without a record": {records: func(call int) (*kinesis.GetRecordsOutput, error) {
			if call < 10 {
				return empty(5, iterator(2)), nil
			}
			return nil, nil
		}, first: "12", last: "12", want: []string{"12"}, iterators: 1},
		"an iterator expires": {records: func(call int) (*kinesis.GetRecordsOutput, error) {
			if call == 2 {
				return nil, &types.ExpiredIteratorException{}
			}
			return nil, nil
		}, first: "10", last: "12", want: []string{"10", "11", "12"}, iterators: 2},
		"an iterator expires at once": {records: func(int) (*kinesis.GetRecordsOutput, error) {
			return nil, &types.ExpiredIteratorException{}
		}, first: "10", last: "12", err: stream.ErrTrimmed, iterators: 1},
		"it begins later":       {first: "05", last: "12", err: stream.ErrTrimmed, iterators: 1},
		"there is nothing left": {first: "90", last: "99", err: stream.ErrTrimmed, iterators: 1},
		"pages without an end": {records: func(int) (*kinesis.GetRecordsOutput, error) {
			return empty(86400000, "x"), nil
		}, first: "10", last: "12", err: stream.ErrTrimmed, iterators: 1},
		"the sequence number is none": {iterator: func(int) error {
			return &types.InvalidArgumentException{Message: aws.String("StartingSequenceNumber 10 is invalid")}
		}, first: "10", last: "12", err: stream.ErrTrimmed},
		"the shard is gone": {iterator: func(int) error {
			return &types.ResourceNotFoundException{Message: aws.String("Shard a in stream s under account 1 does not exist")}
		}, first: "10", last: "12", err: stream.ErrTrimmed},
		"denied": {iterator: func(int) error { return denied }, first: "10", last: "12", err: denied},
		"denied later": {records: func(call int) (*kinesis.GetRecordsOutput, error) {
			return nil, denied
		}, first: "10", last: "12", err: denied, iterators: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				held := kinesistest.NewStream(shardOf("a", []byte("data"), "10", "11", "12", "13", "14"))
				held.PageRecords, held.OnRecords, held.OnIterator = 1, test.records, test.iterator
				var got []string
				err := stream.NewReader(held, "s").ReadRange(t.Context(), "a", test.first, test.last, func(r stream.Record) bool {
					if r.PartitionKey != "key" || string(r.Data) != "data" {
						t.Errorf("got %+v", r)
					}
					got = append(got, r.SequenceNumber)
					return true
				})
				if diff := cmp.Diff(test.want, got); diff != "" || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
					t.Errorf("got %v; numbers (-want +got):\n%s", err, diff)
				}
				if err != nil && !strings.Contains(err.Error(), "read a of stream s: ") {
					t.Errorf("got %v, want it to say what was read", err)
				}
				if iterators, _ := held.Calls(); len(iterators) != test.iterators {
					t.Errorf("got iterators %v, want %d", iterators, test.iterators)
				}
			})
		})
	}
	enough := kinesistest.NewStream(shardOf("a", nil, "10", "11"))
	err := stream.NewReader(enough, "s").ReadRange(t.Context(), "a", "10", "11", func(stream.Record) bool { return false })
	if _, pages := enough.Calls(); err != nil || pages != 1 {
		t.Errorf("got %v after %d calls, want one call", err, pages)
	}
}

// TestReadSharesLimits checks that reading takes at most half of a shard's limits, and survives an application that
// catches up and takes all of them for a while.
func TestReadSharesLimits(t *testing.T) {
	t.Parallel()
	const records = 3000
	numbers := make([]string, records)
	for i := range numbers {
		numbers[i] = strconv.Itoa(10_000 + i)
	}
	for name, size := range map[string]int{"small records": 170, "aggregates": 25_000, "the largest records": 1 << 20} {
		for _, catchesUp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, catching up %t", name, catchesUp), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					shard := shardOf("a", make([]byte, size), numbers[:min(records, 100<<20/size)]...)
					shard.Limits = new(kinesistest.Limits)
					if catchesUp {
						shard.Limits.Answered(kinesistest.MaxAnswerBytes)
					}
					began, read := time.Now(), 0
					err := stream.NewReader(kinesistest.NewStream(shard), "s").ReadRange(t.Context(), "a", numbers[0], *shard.Records[len(shard.Records)-1].SequenceNumber, func(stream.Record) bool {
						read++
						return true
					})
					if err != nil || read != len(shard.Records) {
						t.Errorf("read %d of %d records: %v", read, len(shard.Records), err)
					}
					if refused := shard.Limits.Refusals > 0; refused != catchesUp && size < 1<<20 {
						t.Errorf("refused %d times", shard.Limits.Refusals)
					}
					if most := time.Duration(size*read/(1<<20)+10) * 2 * time.Second; time.Since(began) > most {
						t.Errorf("took %s for %d bytes", time.Since(began), size*read)
					}
				})
			})
		}
	}
}

// sequence reads a shard to its tip, and counts what was refused.
func sequence(ctx context.Context, shard *stream.ShardReader) (numbers []string, refused int, err error) {
	for {
		page, err := shard.Next(ctx, 10_000)
		if err != nil {
			return numbers, refused, err
		}
		for _, record := range page.Records {
			numbers = append(numbers, record.SequenceNumber)
		}
		if page.Refused {
			refused++
		}
		if page.End || page.AtTip() {
			return numbers, refused, nil
		}
	}
}

// TestNext: each record is read once and in order, through faults of any call.
func TestNext(t *testing.T) {
	t.Parallel()
	throttled := &types.ProvisionedThroughputExceededException{}
	failed := &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusInternalServerError}}, Err: &types.InternalFailureException{},
	}
	always := func(err error) func(int) (*kinesis.GetRecordsOutput, error) {
		return func(int) (*kinesis.GetRecordsOutput, error) { return nil, err }
	}
	at := func(call int, err error) func(int) (*kinesis.GetRecordsOutput, error) {
		return func(n int) (*kinesis.GetRecordsOutput, error) {
			if n == call {
				return nil, err
			}
			return nil, nil
		}
	}
	tests := map[string]struct {
		records   func(call int) (*kinesis.GetRecordsOutput, error)
		want      string
		iterators int
		refused   int
		took      time.Duration
		err       error
	}{
		"nothing":    {want: "8 9 10", iterators: 1, took: 1500 * time.Millisecond},
		"throttled":  {records: at(2, throttled), want: "8 9 10", iterators: 1, refused: 1, took: 2500 * time.Millisecond},
		"a failure":  {records: at(2, failed), want: "8 9 10", iterators: 1, refused: 1, took: 2500 * time.Millisecond},
		"an expired": {records: at(3, &types.ExpiredIteratorException{}), want: "8 9 10", iterators: 2, took: 1500 * time.Millisecond},
		"a page that repeats": {records: func(call int) (*kinesis.GetRecordsOutput, error) {
			if call != 3 {
				return nil, nil
			}
			return &kinesis.GetRecordsOutput{
				Records:            []types.Record{{SequenceNumber: aws.String("8")}, {SequenceNumber: aws.String("9")}},
				NextShardIterator:  aws.String(fmt.Sprintf("a 2 %d", time.Now().UnixNano())),
				MillisBehindLatest: aws.Int64(1),
			}, nil
		}, want: "8 9 10", iterators: 1, took: 2 * time.Second},
		"throttled for a minute": {records: always(throttled), err: throttled, iterators: 1, refused: 60, took: time.Minute},
		"no key":                 {records: at(2, &types.KMSDisabledException{}), want: "8", err: &types.KMSDisabledException{}, iterators: 1, took: 500 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				held := kinesistest.NewStream(shardOf("a", nil, "8", "9", "10"))
				held.PageRecords, held.OnRecords = 1, test.records
				began := time.Now()
				numbers, refused, err := sequence(t.Context(), stream.NewReader(held, "s").Shard("a", oldest))
				iterators, _ := held.Calls()
				if got := strings.Join(numbers, " "); got != test.want || refused != test.refused || len(iterators) != test.iterators {
					t.Errorf("got %s, %d refusals, iterators %v; want %s, %d, %d", got, refused, iterators, test.want, test.refused, test.iterators)
				}
				if fmt.Sprintf("%T", errors.Unwrap(err)) != fmt.Sprintf("%T", test.err) {
					t.Errorf("got %v, want %v", err, test.err)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("took %s, want %s", took, test.took)
				}
			})
		})
	}
}

// TestNextAfterAPause: an iterator is good for five minutes; who takes longer between two pages reads on all the same.
func TestNextAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		held := kinesistest.NewStream(shardOf("a", nil, "8", "9"))
		held.PageRecords = 1
		shard := stream.NewReader(held, "s").Shard("a", oldest)
		first, err := shard.Next(t.Context(), 1)
		time.Sleep(6 * time.Minute)
		second, err2 := shard.Next(t.Context(), 1)
		if err != nil || err2 != nil || len(first.Records) != 1 || len(second.Records) != 1 || second.Records[0].SequenceNumber != "9" {
			t.Errorf("got %+v, %v, then %+v, %v", first, err, second, err2)
		}
	})
}

// TestStart: by time, a shard is read from the first record that arrived then.
func TestStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shard := shardOf("a", nil, "8", "9", "10")
		for i := range shard.Records {
			shard.Records[i].ApproximateArrivalTimestamp = aws.Time(time.Now().Add(time.Duration(i-2) * time.Minute))
		}
		start := types.StartingPosition{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(time.Now().Add(-90 * time.Second))}
		page, err := stream.NewReader(kinesistest.NewStream(shard), "s").Shard("a", start).Next(t.Context(), 10)
		if err != nil || len(page.Records) != 2 || page.Records[0].SequenceNumber != "9" || !page.Records[1].Arrival.Equal(time.Now()) {
			t.Errorf("got %+v, %v, want the records 9 and 10", page, err)
		}
	})
}

// TestEachShard: over reshards, before and while the stream is read, no child is read before its parents' end, and a
// child that was opened meanwhile is read from its oldest record.
func TestEachShard(t *testing.T) {
	t.Parallel()
	child := func(id string, numbers []string, parents ...string) *kinesistest.Shard {
		shard := shardOf(id, nil, numbers...)
		shard.Parents = parents
		return shard
	}
	late := func(shard *kinesistest.Shard, after time.Duration) *kinesistest.Shard {
		for i := range shard.Records {
			shard.Records[i].ApproximateArrivalTimestamp = aws.Time(time.Now().Add(after))
		}
		return shard
	}
	for start, want := range map[types.ShardIteratorType]string{
		types.ShardIteratorTypeTrimHorizon: "a 1 b 2 c 3 d 4 e 5",
		types.ShardIteratorTypeLatest:      "d 4 e 5",
	} {
		t.Run(string(start), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// a and b were merged to c before; c becomes d and e.
				held := kinesistest.NewStream(
					child("a", []string{"1"}, "trimmed"), child("b", []string{"2"}), child("c", []string{"3"}, "a", "b"))
				held.Reshard([]string{"a", "b"})
				go func() {
					time.Sleep(3 * time.Second)
					held.Reshard([]string{"c"}, late(child("d", []string{"4"}, "c"), time.Second), late(child("e", []string{"5"}, "c"), 2*time.Second))
				}()
				var mu sync.Mutex
				var got []string
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := stream.NewReader(held, "s").EachShard(ctx, types.StartingPosition{Type: start}, func(ctx context.Context, shard *stream.ShardReader) error {
					for {
						page, err := shard.Next(ctx, 10)
						if err != nil {
							return err
						}
						mu.Lock()
						for _, record := range page.Records {
							got = append(got, shard.ID+" "+record.SequenceNumber)
						}
						mu.Unlock()
						if page.End {
							return nil
						}
					}
				})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the open shards to be read until the end of time", err)
				}
				slices.Sort(got[:min(2, len(got))]) // a and b come in either order
				if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
