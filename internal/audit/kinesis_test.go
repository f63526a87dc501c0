package audit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"streamproof/internal/audit"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kinesistest"
	"streamproof/internal/stream/kpl"
)

// arrivals makes records of a shard, one that arrives at each of these seconds.
func arrivals(first int, seconds ...int) (records []types.Record) {
	for i, second := range seconds {
		records = append(records, types.Record{
			SequenceNumber: aws.String(fmt.Sprint(1000 + first + i)), PartitionKey: aws.String("k"), Data: []byte(fmt.Sprint(second)),
			ApproximateArrivalTimestamp: aws.Time(start.Add(time.Duration(second) * time.Second)),
		})
	}
	return records
}

// read gives the data of all records that arrive from one second on until another, joined.
func read(t *testing.T, s *kinesistest.Stream, from, until int) string {
	t.Helper()
	var got []string
	source := audit.NewKinesis("orders", stream.NewReader(s, "orders"))
	for r, err := range source.Records(t.Context(), start.Add(time.Duration(from)*time.Second), start.Add(time.Duration(until)*time.Second)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(r.Data))
	}
	return strings.Join(got, " ")
}

// Records of all shards come in the order of their arrival, also over reshards, and each comes once.
func TestKinesisRecords(t *testing.T) {
	for name, test := range map[string]struct {
		shards  []*kinesistest.Shard
		faults  func(call int) (*kinesis.GetRecordsOutput, error)
		reshard func(*kinesistest.Stream)
		want    string
	}{
		"two shards": {
			shards: []*kinesistest.Shard{{ID: "a", Records: arrivals(0, 1, 4, 5)}, {ID: "b", Records: arrivals(0, 2, 3, 6)}},
			want:   "1 2 3 4 5 6",
		},
		"an empty shard": {
			shards: []*kinesistest.Shard{{ID: "a", Records: arrivals(0, 1, 2)}, {ID: "b"}},
			want:   "1 2",
		},
		"only the window": {
			shards: []*kinesistest.Shard{{ID: "a", Records: arrivals(0, -2, 0, 99, 100)}},
			want:   "0 99",
		},
		"a split and a merge": {
			shards: []*kinesistest.Shard{
				{ID: "a", Closed: true, Records: arrivals(0, 1, 3)}, {ID: "other", Records: arrivals(0, 2, 4, 6, 8, 10)},
				{ID: "b", Parents: []string{"a"}, Closed: true, Records: arrivals(10, 5)}, {ID: "c", Parents: []string{"a"}, Closed: true, Records: arrivals(10, 7)},
				{ID: "d", Parents: []string{"b", "c"}, Records: arrivals(20, 9)},
			},
			want: "1 2 3 4 5 6 7 8 9 10",
		},
		"a parent that is trimmed": {
			shards: []*kinesistest.Shard{{ID: "b", Parents: []string{"a"}, Records: arrivals(10, 5)}},
			want:   "5",
		},
		"a split while it is read": {
			shards: []*kinesistest.Shard{{ID: "a", Records: arrivals(0, 1)}},
			reshard: func(s *kinesistest.Stream) {
				s.Reshard([]string{"a"}, &kinesistest.Shard{ID: "b", Parents: []string{"a"}, Records: arrivals(10, 2)})
			},
			want: "1 2",
		},
		"throttled": {
			shards: []*kinesistest.Shard{{ID: "a", Records: arrivals(0, 1, 2)}},
			faults: func(call int) (*kinesis.GetRecordsOutput, error) {
				if call < 4 {
					return nil, &types.ProvisionedThroughputExceededException{Message: aws.String("slow")}
				}
				return nil, nil
			},
			want: "1 2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(start.Add(100 * time.Second)))
				s := kinesistest.NewStream(test.shards...)
				s.PageRecords = 1
				s.OnRecords = test.faults
				if test.reshard != nil {
					time.AfterFunc(time.Second, func() { test.reshard(s) })
				}
				if got := read(t, s, 0, 100); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}

// An aggregate is taken apart; an inner record whose key belongs to another shard is named, and one that is malformed
// stays whole.
func TestKinesisAggregates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start.Add(100 * time.Second)))
		aggregate := kpl.Pack(slices.Concat(
			[]byte{0x0a, 1, '1', 0x0a, 1, 'x'}, // the partition keys: MD5 of 1 is c4ca…, of x 9dd4…
			[]byte{0x1a, 5, 0x08, 0, 0x1a, 1, 'A'}, []byte{0x1a, 5, 0x08, 1, 0x1a, 1, 'B'},
		))
		// From 192 of 256 on: the key 1 belongs there, and x does not.
		keys := &types.HashKeyRange{StartingHashKey: aws.String("255211775190703847597530955573826158592"), EndingHashKey: aws.String("340282366920938463463374607431768211455")}
		s := kinesistest.NewStream(&kinesistest.Shard{ID: "a", Keys: keys, Records: []types.Record{
			{SequenceNumber: aws.String("1"), PartitionKey: aws.String("1"), Data: aggregate, ApproximateArrivalTimestamp: aws.Time(start)},
			{SequenceNumber: aws.String("2"), PartitionKey: aws.String("1"), Data: kpl.Pack([]byte{0x1a, 5, 0x08, 7, 0x1a, 1, 'A'}), ApproximateArrivalTimestamp: aws.Time(start)},
		}})
		var got []string
		source := audit.NewKinesis("orders", stream.NewReader(s, "orders"))
		for r, err := range source.Records(t.Context(), start, start.Add(time.Second)) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Aggregate == nil {
				got = append(got, fmt.Sprintf("%s is malformed: %v", r.SequenceNumber, r.Malformed))
				continue
			}
			got = append(got, fmt.Sprintf("%s %s of %s %d/%d %t", r.Data, r.PartitionKey, r.SequenceNumber, r.Aggregate.Position, r.Aggregate.Records, r.Aggregate.OutOfRange))
		}
		want := []string{"A 1 of 1 1/2 false", "B x of 1 2/2 true", "2 is malformed: " + string(kpl.ErrNoSuchKey)}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Reading resumes behind each shard's position, wherever that was cut: also over a reshard, and where a shard has been
// idle for so long that the stream no longer has its last record.
func TestKinesisRecordsAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start.Add(200 * time.Second)))
		s := kinesistest.NewStream(
			&kinesistest.Shard{ID: "a", Closed: true, Records: arrivals(0, 1, 3, 30)}, &kinesistest.Shard{ID: "idle", Records: arrivals(0, 2, 60)},
			&kinesistest.Shard{ID: "b", Parents: []string{"a"}, Records: arrivals(10, 32, 40)}, &kinesistest.Shard{ID: "c", Parents: []string{"a"}, Records: arrivals(10, 35)},
		)
		source := audit.NewKinesis("orders", stream.NewReader(s, "orders"))
		read := func(positions map[string]audit.Position, from int) (all []audit.Record) {
			for r, err := range source.RecordsAfter(t.Context(), positions, start.Add(time.Duration(from)*time.Second), start.Add(100*time.Second)) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, r)
			}
			return all
		}
		all := read(nil, 0)
		if len(all) != 8 {
			t.Fatalf("got %d records, want 8", len(all))
		}
		for cut := range all {
			positions := map[string]audit.Position{}
			for _, r := range all[:cut+1] {
				positions[r.Shard] = audit.Position{SequenceNumber: r.SequenceNumber, Arrival: r.Arrival}
			}
			for _, before := range []int{0, 5} {
				var got, want []string
				for _, r := range read(positions, int(all[cut].Arrival.Sub(start)/time.Second)-before) {
					got = append(got, r.Shard+string(r.Data))
				}
				for _, r := range all[cut+1:] {
					want = append(want, r.Shard+string(r.Data))
				}
				if !slices.Equal(got, want) {
					t.Errorf("behind record %d: got %s, want %s", cut, got, want)
				}
			}
		}
	})
}

// Progress says how much time is left: here, at a page of a minute's records each half second, that is known from the
// second page on.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start.Add(time.Hour)))
		var minutes []int
		for i := range 59 {
			minutes = append(minutes, 60*i)
		}
		s := &tellingStream{kinesistest.NewStream(&kinesistest.Shard{ID: "a", Records: arrivals(0, minutes...)})}
		s.PageRecords = 1
		source := audit.NewKinesis("orders", stream.NewReader(s, "orders"))
		var left []time.Duration
		source.Progress = func(p audit.Progress) {
			left = append(left, p.Left.Round(time.Second))
			if n := int64(len(left)); n <= 59 && (p.Records != n || p.Shards != 1) {
				t.Errorf("%+v after %d pages", p, n)
			}
		}
		for _, err := range source.Records(t.Context(), start, start.Add(time.Hour)) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if left[0] != 0 || left[1] != 30*time.Second || left[30] != 15*time.Second || left[len(left)-1] != 0 {
			t.Errorf("left are %s, want 0, 30s, …, 15s, …, 0", left)
		}
	})
}

// A tellingStream says how far the end of a page is behind its tip.
type tellingStream struct{ *kinesistest.Stream }

func (s *tellingStream) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, options ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	out, err := s.Stream.GetRecords(ctx, in, options...)
	if err == nil && aws.ToInt64(out.MillisBehindLatest) > 0 {
		last := out.Records[len(out.Records)-1].ApproximateArrivalTimestamp
		out.MillisBehindLatest = aws.Int64(time.Since(*last).Milliseconds())
	}
	return out, err
}
