package explain_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	gocmp "github.com/google/go-cmp/cmp"

	"streamproof/internal/explain"
)

// client is a shard with the records "10", "11", "12", … of one page each; an iterator is the next one's place.
type client struct {
	numbers  []string
	iterator func(call int) error
	records  func(call int) (*kinesis.GetRecordsOutput, error) // nil, nil leaves the answer to the client

	iterators []types.ShardIteratorType
	calls     int
}

func (c *client) DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	return &kinesis.DescribeStreamSummaryOutput{StreamDescriptionSummary: &types.StreamDescriptionSummary{RetentionPeriodHours: aws.Int32(48)}}, nil
}

func (c *client) ListShards(_ context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	shard := func(id, first, last string) types.Shard {
		return types.Shard{ShardId: &id, HashKeyRange: &types.HashKeyRange{StartingHashKey: &first, EndingHashKey: &last}}
	}
	if in.NextToken == nil {
		return &kinesis.ListShardsOutput{Shards: []types.Shard{shard("a", "0", "9")}, NextToken: aws.String("more")}, nil
	}
	return &kinesis.ListShardsOutput{Shards: []types.Shard{shard("b", "10", "340282366920938463463374607431768211455")}}, nil
}

func (c *client) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	if c.iterator != nil {
		if err := c.iterator(len(c.iterators)); err != nil {
			return nil, err
		}
	}
	c.iterators = append(c.iterators, in.ShardIteratorType)
	at := slices.IndexFunc(c.numbers, func(n string) bool {
		return n > *in.StartingSequenceNumber || n == *in.StartingSequenceNumber && in.ShardIteratorType == types.ShardIteratorTypeAtSequenceNumber
	})
	if at < 0 {
		at = len(c.numbers)
	}
	return &kinesis.GetShardIteratorOutput{ShardIterator: aws.String(string(rune(at)))}, nil
}

func (c *client) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	c.calls++
	if c.records != nil {
		if out, err := c.records(c.calls); out != nil || err != nil {
			return out, err
		}
	}
	at := int([]rune(*in.ShardIterator)[0])
	if at >= len(c.numbers) {
		return &kinesis.GetRecordsOutput{NextShardIterator: in.ShardIterator, MillisBehindLatest: aws.Int64(0)}, nil
	}
	return &kinesis.GetRecordsOutput{
		Records:            []types.Record{{SequenceNumber: &c.numbers[at], PartitionKey: aws.String("key"), Data: []byte("data")}},
		NextShardIterator:  aws.String(string(rune(at + 1))),
		MillisBehindLatest: aws.Int64(int64(len(c.numbers) - at - 1)),
	}, nil
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	got, err := explain.NewKinesis(&client{}, "s").Describe(t.Context())
	if err != nil || got.Retention != 48*time.Hour || len(got.Shards) != 2 || got.Shards["b"].First.String() != "10" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	empty := func(behind int64, iterator string) *kinesis.GetRecordsOutput {
		return &kinesis.GetRecordsOutput{NextShardIterator: aws.String(iterator), MillisBehindLatest: &behind}
	}
	denied := errors.New("AccessDeniedException")
	tests := map[string]struct {
		client      *client
		first, last string
		want        []string
		err         error
		iterators   int
	}{
		"a part":            {client: &client{}, first: "10", last: "12", want: []string{"10", "11", "12"}, iterators: 1},
		"to the tip":        {client: &client{}, first: "13", last: "99", want: []string{"13", "14"}, iterators: 1},
		"longer than it is": {client: &client{}, first: "14", last: "200", want: []string{"14"}, iterators: 1},
		"pages without a record": {client: &client{records: func(call int) (*kinesis.GetRecordsOutput, error) {
			if call < 10 {
				return empty(5, string(rune(2))), nil
			}
			return nil, nil
		}}, first: "12", last: "12", want: []string{"12"}, iterators: 1},
		"an iterator expires": {client: &client{records: func(call int) (*kinesis.GetRecordsOutput, error) {
			if call == 2 {
				return nil, &types.ExpiredIteratorException{}
			}
			return nil, nil
		}}, first: "10", last: "12", want: []string{"10", "11", "12"}, iterators: 2},
		"an iterator expires at once": {client: &client{records: func(int) (*kinesis.GetRecordsOutput, error) {
			return nil, &types.ExpiredIteratorException{}
		}}, first: "10", last: "12", err: explain.ErrTrimmed, iterators: 1},
		"it begins later":       {client: &client{}, first: "05", last: "12", err: explain.ErrTrimmed, iterators: 1},
		"there is nothing left": {client: &client{}, first: "90", last: "99", err: explain.ErrTrimmed, iterators: 1},
		"pages without an end": {client: &client{records: func(int) (*kinesis.GetRecordsOutput, error) {
			return empty(86400000, "x"), nil
		}}, first: "10", last: "12", err: explain.ErrTrimmed, iterators: 1},
		"the sequence number is none": {client: &client{iterator: func(int) error {
			return &types.InvalidArgumentException{Message: aws.String("StartingSequenceNumber 10 is invalid")}
		}}, first: "10", last: "12", err: explain.ErrTrimmed},
		"the shard is gone": {client: &client{iterator: func(int) error {
			return &types.ResourceNotFoundException{Message: aws.String("Shard a in stream s under account 1 does not exist")}
		}}, first: "10", last: "12", err: explain.ErrTrimmed},
		"denied": {client: &client{iterator: func(int) error { return denied }}, first: "10", last: "12", err: denied},
		"denied later": {client: &client{records: func(call int) (*kinesis.GetRecordsOutput, error) {
			return nil, denied
		}}, first: "10", last: "12", err: denied, iterators: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test.client.numbers = []string{"10", "11", "12", "13", "14"}
				var got []string
				err := explain.NewKinesis(test.client, "s").Read(t.Context(), "a", test.first, test.last, func(r explain.StreamRecord) bool {
					if r.PartitionKey != "key" || string(r.Data) != "data" {
						t.Errorf("got %+v", r)
					}
					got = append(got, r.SequenceNumber)
					return true
				})
				if diff := gocmp.Diff(test.want, got); diff != "" || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
					t.Errorf("got %v; numbers (-want +got):\n%s", err, diff)
				}
				if err != nil && !strings.Contains(err.Error(), "read a of stream s: ") {
					t.Errorf("got %v, want it to say what was read", err)
				}
				if len(test.client.iterators) != test.iterators {
					t.Errorf("got iterators %v, want %d", test.client.iterators, test.iterators)
				}
			})
		})
	}
	enough := &client{numbers: []string{"10", "11"}}
	if err := explain.NewKinesis(enough, "s").Read(t.Context(), "a", "10", "11", func(explain.StreamRecord) bool { return false }); err != nil || enough.calls != 1 {
		t.Errorf("got %v after %d calls, want one call", err, enough.calls)
	}
}
