package explain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	gocmp "github.com/google/go-cmp/cmp"

	"streamproof/internal/explain"
	"streamproof/internal/stream/kinesistest"
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
	if err != nil || got.Retention != 48*time.Hour {
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

// shard is one of many records, within Kinesis' limits.
type shard struct {
	client
	kinesistest.Limits
	data []byte // of each record
}

func (s *shard) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	if !s.Allow() {
		return nil, &types.ProvisionedThroughputExceededException{}
	}
	at, bytes, limit := int([]rune(*in.ShardIterator)[0]), 0, 10_000
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &kinesis.GetRecordsOutput{}
	for ; at < len(s.numbers) && len(out.Records) < limit && bytes+len(s.data) <= kinesistest.AnswerBytes; at++ {
		bytes += len(s.data)
		out.Records = append(out.Records, types.Record{SequenceNumber: &s.numbers[at], PartitionKey: aws.String("key"), Data: s.data})
	}
	s.Answered(bytes)
	out.NextShardIterator, out.MillisBehindLatest = aws.String(string(rune(at))), aws.Int64(int64(len(s.numbers)-at))
	return out, nil
}

// TestReadBesideOthers: reading takes no more than half of a shard, and survives another reader that takes all of it for a
// while: an application that catches up.
func TestReadBesideOthers(t *testing.T) {
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
					s := &shard{client: client{numbers: numbers[:min(records, 100<<20/size)]}, data: make([]byte, size)}
					if catchesUp {
						s.Answered(kinesistest.AnswerBytes)
					}
					began, read := time.Now(), 0
					err := explain.NewKinesis(s, "s").Read(t.Context(), "a", s.numbers[0], s.numbers[len(s.numbers)-1], func(explain.StreamRecord) bool {
						read++
						return true
					})
					if err != nil || read != len(s.numbers) {
						t.Errorf("read %d of %d records: %v", read, len(s.numbers), err)
					}
					if refused := s.Refusals > 0; refused != catchesUp && size < 1<<20 {
						t.Errorf("refused %d times", s.Refusals)
					}
					if most := time.Duration(size*read/(1<<20)+10) * 2 * time.Second; time.Since(began) > most {
						t.Errorf("took %s for %d bytes", time.Since(began), size*read)
					}
				})
			})
		}
	}
}
