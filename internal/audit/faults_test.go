package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"pgregory.net/rapid"

	"streamproof/internal/audit"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kinesistest"
)

var readFaults = []string{"throttled", "reset", "cut off", "expired", "repeated", "empty"}

// A faultyStream is one between which and its reader things go wrong at random, for each shard by itself.
type faultyStream struct {
	*kinesistest.Stream
	often float64 // how many of the calls fail

	mu     sync.Mutex
	shards map[string]*faultyShard
	fired  map[string]int
}

type faultyShard struct {
	random *rand.Rand
	before map[string]string // iterators, by what they led to
	fresh  bool              // whether the iterator is new: if that expires, the shard is trimmed
}

func (f *faultyStream) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, options ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	id, _, _ := strings.Cut(*in.ShardIterator, " ")
	shard, fault := f.shards[id], ""
	if shard.random.Float64() < f.often {
		fault = readFaults[shard.random.IntN(len(readFaults))]
	}
	if fault == "expired" && shard.fresh {
		fault = ""
	}
	shard.fresh = false
	f.fired[fault]++
	switch fault {
	case "throttled":
		return nil, &types.ProvisionedThroughputExceededException{Message: aws.String("Rate exceeded")}
	case "reset":
		return nil, &smithyhttp.RequestSendError{Err: syscall.ECONNRESET}
	case "cut off":
		return nil, &smithy.OperationError{ServiceID: "Kinesis", OperationName: "GetRecords", Err: &smithy.DeserializationError{Err: io.ErrUnexpectedEOF}}
	case "expired":
		return nil, &types.ExpiredIteratorException{Message: aws.String("Iterator expired.")}
	case "repeated":
		if before, ok := shard.before[*in.ShardIterator]; ok {
			in = &kinesis.GetRecordsInput{ShardIterator: &before, Limit: in.Limit}
		}
	case "empty":
		return &kinesis.GetRecordsOutput{NextShardIterator: in.ShardIterator, MillisBehindLatest: aws.Int64(1000)}, nil
	}
	out, err := f.Stream.GetRecords(ctx, in, options...)
	if err == nil && out.NextShardIterator != nil {
		shard.before[*out.NextShardIterator] = *in.ShardIterator
	}
	return out, err
}

func (f *faultyStream) GetShardIterator(ctx context.Context, in *kinesis.GetShardIteratorInput, options ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	shard := f.shards[*in.ShardId]
	if shard.fresh = true; shard.random.Float64() < f.often/2 {
		return nil, &smithyhttp.RequestSendError{Err: errors.New("connection refused")}
	}
	return f.Stream.GetShardIterator(ctx, in, options...)
}

// A stream is split and merged in mid-flow, and reading it goes wrong all the time: the audit still names exactly the
// records that the pipeline lost, and how many it doubled.
func TestFaultsOfReading(t *testing.T) {
	fired := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			const deadline = time.Minute
			from, to := start.Add(200*time.Second), start.Add(500*time.Second)
			split, merged := start.Add(time.Duration(random.IntN(600))*time.Second), start.Add(time.Duration(random.IntN(600))*time.Second)
			if merged.Before(split) {
				split, merged = merged, split
			}
			// a is split into c and d, and d is merged with b.
			shards := map[string]*kinesistest.Shard{
				"a": {ID: "a", Closed: true}, "b": {ID: "b", Closed: true}, "c": {ID: "c", Parents: []string{"a"}}, "d": {ID: "d", Parents: []string{"a"}, Closed: true},
				"e": {ID: "e", Parents: []string{"d", "b"}},
			}
			h := &history{}
			objects := map[time.Time]*strings.Builder{}
			deliver := func(written time.Time, row string) {
				written = written.Truncate(10 * time.Second).Add(10 * time.Second)
				if objects[written] == nil {
					objects[written] = &strings.Builder{}
				}
				fmt.Fprintln(objects[written], row)
			}
			var missing []string
			var want proof.Counts
			arrival := start
			for n := 0; arrival.Before(start.Add(600 * time.Second)); n++ {
				arrival = arrival.Add(time.Duration(random.IntN(3000)) * time.Millisecond)
				var id string
				switch {
				case !arrival.Before(merged):
					id = []string{"c", "e"}[random.IntN(2)]
				case !arrival.Before(split):
					id = []string{"b", "c", "d"}[random.IntN(3)]
				default:
					id = []string{"a", "b"}[random.IntN(2)]
				}
				row, number, arrived := fmt.Sprintf(`{"n":%d}`, n), fmt.Sprint(1000+n), arrival
				shards[id].Records = append(shards[id].Records, types.Record{
					SequenceNumber: &number, PartitionKey: aws.String("k"), Data: []byte(row + "\n"), ApproximateArrivalTimestamp: &arrived,
				})
				in := !arrival.Before(from) && !arrival.After(to)
				if in {
					want.Owed++
				}
				written := arrival.Add(time.Duration(random.IntN(40)) * time.Second)
				switch fate := random.IntN(20); {
				case fate == 0:
					if in {
						want.Missing++
						missing = append(missing, number)
					}
					continue
				case fate == 1 && in && !written.Before(from.Add(deadline+audit.DefaultSkew)):
					want.Duplicated++
					deliver(written, row)
				}
				deliver(written, row)
				if in {
					want.Delivered++
				}
			}
			for written, rows := range objects {
				h.put("orders/"+written.Format("150405"), written, rows.String())
			}
			h.bucket.now = start.Add(time.Hour)
			time.Sleep(time.Until(h.bucket.now))
			source := &faultyStream{often: float64(random.IntN(5)) / 10, shards: map[string]*faultyShard{}, fired: fired}
			var all []*kinesistest.Shard
			for i, id := range []string{"a", "b", "c", "d", "e"} {
				all = append(all, shards[id])
				source.shards[id] = &faultyShard{random: rand.New(rand.NewPCG(seed, uint64(i+1))), before: map[string]string{}}
			}
			source.Stream = kinesistest.NewStream(all...)
			source.PageRecords = 1 + random.IntN(20)
			r := audit.Run(t.Context(), audit.NewKinesis("orders", stream.NewReader(source, "orders")), &h.bucket, audit.Options{
				From: from, To: to, Skew: audit.DefaultSkew, Form: audit.Verbatim{}, Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: deadline},
			})
			if r.Counts != want {
				rt.Errorf("got %+v, want %+v: %s %q", r.Counts, want, r.Verdict, r.Reasons)
			}
			if named := numbers(r); !slices.Equal(named, missing) {
				rt.Errorf("missing are named as %q, want %q: %q", named, missing, r.Notes)
			}
		})
	})
	for _, fault := range readFaults {
		if fired[fault] == 0 {
			t.Errorf("no call was %s", fault)
		}
	}
}

// numbers are the sequence numbers of the records that a report names as missing.
func numbers(r *report.Report) (named []string) {
	for _, f := range r.LastSeen {
		for _, record := range f.Records {
			named = append(named, record.Places[0].SequenceNumber)
		}
	}
	slices.Sort(named)
	return named
}
