package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/generator"
	"streamproof/internal/golden"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kinesistest"
	"streamproof/internal/stream/kpl"
)

func newTick(tb testing.TB, records int, keyName string) (*generator.Generator, generator.Tick, generator.Key) {
	tb.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		tb.Fatal(err)
	}
	g, err := generator.New(p, 1)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := g.KeyOf(keyName)
	if err != nil {
		tb.Fatal(err)
	}
	return g, generator.Tick{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Records: records}, key
}

// fakePutter answers with a function.
type fakePutter struct {
	put func(ctx context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error)
}

func (f *fakePutter) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, options ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	var o kinesis.Options
	for _, option := range options {
		option(&o)
	}
	if _, off := o.Retryer.(aws.NopRetryer); !off {
		return nil, &smithy.SerializationError{Err: errors.New("the SDK's retries are on")}
	}
	return f.put(ctx, in)
}

// How a fake call ends. With maybe, a hash of the entries decides whether they are stored.
const (
	fine = iota
	mixed
	throttledCall
	failedCall
	resetCall
	timedOutCall
	shortCall
	dialRefused
	deniedCall
	kinds
)

// A fakeStream is a stream under a fault schedule, with an exact account of what it stored and of what it answered.
type fakeStream struct {
	mu       sync.Mutex
	schedule []int // of the calls, in order
	rest     int   // of the calls after those
	salt     uint32
	calls    int
	sequence int
	index    map[string]int // of a record, by its data
	stored   []int          // copies, by index
	maybe    []int          // attempts that were answered so that they may have been stored
	acked    []int
}

func (s *fakeStream) put(ctx context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := s.rest
	if s.calls < len(s.schedule) {
		kind = s.schedule[s.calls]
	}
	s.calls++
	out := &kinesis.PutRecordsOutput{}
	for i, e := range in.Records {
		var records []int
		for _, r := range recordsOf(e) {
			record, known := s.index[string(r.Data)]
			if !known {
				return nil, fmt.Errorf("record %q is not of the tick", r.Data)
			}
			records = append(records, record)
		}
		entryKind := kind
		chance := (s.salt + uint32(s.calls)*31 + uint32(i)) * 2654435761 >> 16
		if kind == mixed {
			entryKind = []int{fine, throttledCall, failedCall, fine}[chance%4]
		}
		var answer types.PutRecordsResultEntry
		switch entryKind {
		case fine:
			for _, record := range records {
				s.stored[record]++
				s.acked[record]++
			}
			s.sequence++
			answer.ShardId = aws.String(fmt.Sprintf("shardId-%012d", i%2))
			answer.SequenceNumber = aws.String(fmt.Sprint(s.sequence))
		case throttledCall:
			answer.ErrorCode = aws.String("ProvisionedThroughputExceededException")
		case failedCall, resetCall, timedOutCall, shortCall:
			answer.ErrorCode = aws.String("InternalFailure")
			for _, record := range records {
				s.maybe[record]++
				if chance/4%2 == 0 {
					s.stored[record]++
				}
			}
		}
		out.Records = append(out.Records, answer)
	}
	switch kind {
	case throttledCall:
		return nil, &types.ProvisionedThroughputExceededException{}
	case failedCall:
		return nil, &types.InternalFailureException{}
	case resetCall:
		return nil, errors.New("read: connection reset by peer")
	case timedOutCall:
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return nil, &smithy.CanceledError{Err: ctx.Err()}
	case shortCall:
		out.Records = out.Records[1:]
	case dialRefused:
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	case deniedCall:
		return nil, &types.ResourceNotFoundException{}
	}
	return out, nil
}

// recordsOf is the records of an entry. It panics where the entry is not as consumers need it.
func recordsOf(e types.PutRecordsRequestEntry) []kpl.Record {
	records, aggregated, err := kpl.Deaggregate(e.Data)
	switch {
	case err != nil:
		panic(err)
	case !aggregated && e.ExplicitHashKey != nil:
		panic("a record by itself has an explicit hash key")
	case aggregated && len(records) < 2:
		panic("a record by itself is packed")
	case !aggregated:
		return []kpl.Record{{PartitionKey: *e.PartitionKey, Data: e.Data}}
	case *e.PartitionKey != records[0].PartitionKey:
		panic("an aggregate's partition key is not that of its first record")
	}
	for _, r := range records {
		if r.ExplicitHashKey != *e.ExplicitHashKey {
			panic("a record's explicit hash key is not that of its aggregate")
		}
	}
	return records
}

// TestOutcomes checks, for any faults in any order, that each record has the outcome that proof.md gives to its
// attempts, and that the stream holds as many copies as the outcome says.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 2200).Draw(rt, "records")
		aggregation := rapid.SampledFrom([]string{"", ledger.KPL}).Draw(rt, "aggregation")
		if aggregation != "" {
			n *= 3
		}
		g, tick, key := newTick(t, n, generator.Uniform)
		tick.Spread = time.Duration(rapid.IntRange(0, 20).Draw(rt, "spread")) * time.Second
		kind := rapid.OneOf(rapid.SampledFrom([]int{fine, mixed}), rapid.IntRange(fine, dialRefused), rapid.IntRange(fine, kinds-1))
		s := &fakeStream{
			schedule: rapid.SliceOfN(kind, 0, 25).Draw(rt, "schedule"),
			rest:     kind.Draw(rt, "rest"),
			salt:     rapid.Uint32().Draw(rt, "salt"),
			index:    map[string]int{}, stored: make([]int, n), maybe: make([]int, n), acked: make([]int, n),
		}
		for i := range n {
			s.index[string(g.Append(nil, tick, i))] = i
		}
		limit := time.Duration(rapid.IntRange(1, 60).Draw(rt, "limit")) * time.Second

		var result stream.Result
		var err error
		var took time.Duration
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			start := time.Now()
			d := stream.NewDelivery(&fakePutter{s.put}, "s", g, tick, key, aggregation)
			err = d.Run(ctx)
			took, result = time.Since(start), d.Result()
		})

		var want []ledger.Range
		acked := 0
		for i := range n {
			r := ledger.Range{First: i, Last: i}
			switch u := s.maybe[i]; {
			case s.acked[i] > 1:
				rt.Fatalf("record %d was sent again after it was acknowledged", i)
			case s.acked[i] == 1 && u == 0:
				r.Outcome, r.Lo, r.Hi = ledger.Acknowledged, 1, 1
			case s.acked[i] == 1:
				r.Outcome, r.Lo, r.Hi = ledger.AcknowledgedAfterUnknown, 1, 1+u
			case u > 0:
				r.Outcome, r.Lo, r.Hi = ledger.Unknown, 0, u
			default:
				r.Outcome = ledger.Rejected
			}
			if s.stored[i] < r.Lo || s.stored[i] > r.Hi {
				rt.Fatalf("record %d is stored %d times, its outcome is %+v", i, s.stored[i], r)
			}
			acked += s.acked[i]
			if last := len(want) - 1; last >= 0 && want[last].Outcome == r.Outcome && want[last].Hi == r.Hi {
				want[last].Last = i
			} else {
				want = append(want, r)
			}
		}
		if diff := cmp.Diff(want, result.Outcomes); diff != "" {
			rt.Fatalf("outcomes (-want +got):\n%s", diff)
		}
		inShards := 0
		for _, shard := range result.Shards {
			inShards += shard.Records
		}
		if inShards != acked || result.Attempts != s.calls {
			rt.Fatalf("shards hold %d records after %d attempts, want %d after %d", inShards, result.Attempts, acked, s.calls)
		}
		if took > limit {
			rt.Fatalf("took %s of %s", took, limit)
		}
		met := slices.Contains(s.schedule[:min(s.calls, len(s.schedule))], deniedCall) || s.calls > len(s.schedule) && s.rest == deniedCall
		if (err != nil) != met {
			rt.Fatalf("error is %v, and the stream was not found: %t", err, met)
		}
	})
}

// acknowledge answers a call as a stream without faults does.
func acknowledge(in *kinesis.PutRecordsInput) *kinesis.PutRecordsOutput {
	out := &kinesis.PutRecordsOutput{}
	for range in.Records {
		out.Records = append(out.Records, types.PutRecordsResultEntry{ShardId: aws.String("shardId-000000000000"), SequenceNumber: aws.String("1")})
	}
	return out
}

// TestPacing: full batches, each begun when its first record is planned and not before.
func TestPacing(t *testing.T) {
	t.Parallel()
	g, tick, key := newTick(t, 1700, generator.Uniform)
	tick.Spread = 17 * time.Second
	type call struct {
		At      time.Duration
		Records int
	}
	var calls []call
	var half []ledger.Range
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		d := stream.NewDelivery(&fakePutter{func(_ context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
			calls = append(calls, call{time.Since(start), len(in.Records)})
			return acknowledge(in), nil
		}}, "s", g, tick, key, "")
		time.AfterFunc(7*time.Second, func() { half = d.Result().Outcomes })
		if err := d.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
	want := []call{{0, 500}, {5 * time.Second, 500}, {10 * time.Second, 500}, {15 * time.Second, 200}}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ledger.Range{{First: 0, Last: 999, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}}, half); diff != "" {
		t.Errorf("outcomes after 7 s (-want +got):\n%s", diff)
	}
}

// TestCallsAtATime: as long as the stream refuses nothing and records are due, more and more calls are made at a time,
// so that 20 ms an answer do not limit the pace. The time is the bubble's.
func TestCallsAtATime(t *testing.T) {
	t.Parallel()
	const answer = 20 * time.Millisecond
	for name, tc := range map[string]struct {
		records   int
		spread    time.Duration
		throttled bool
		most      int           // calls at a time
		within    time.Duration // after the start
	}{
		"a stream with room":  {records: 200_000, most: 32, within: 300 * time.Millisecond},
		"one that refuses":    {records: 20_000, throttled: true, most: 16, within: time.Minute},
		"few records":         {records: 1000, most: 2, within: answer},
		"records not yet due": {records: 40_000, spread: 40 * time.Second, most: 1, within: 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, tick, key := newTick(t, tc.records, generator.Uniform)
			tick.Spread = tc.spread
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				now, most := 0, 0
				d := stream.NewDelivery(&fakePutter{func(_ context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					time.Sleep(answer)
					mu.Lock()
					now--
					mu.Unlock()
					out := acknowledge(in)
					if tc.throttled && len(in.Records) == 500 {
						out.Records[0] = types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException")}
					}
					return out, nil
				}}, "s", g, tick, key, "")
				start := time.Now()
				if err := d.Run(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); most != tc.most || took > tc.within {
					t.Errorf("got %d calls at a time and %s, want %d and at most %s", most, took, tc.most, tc.within)
				}
				if got := d.Result().Outcomes; len(got) != 1 || got[0].Outcome != ledger.Acknowledged {
					t.Errorf("got outcomes %v, want all acknowledged", got)
				}
			})
		})
	}
}

// TestPackedPacing: a call is made when its first record is planned, and none of the others is more than a second
// early.
func TestPackedPacing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		records int
		spread  time.Duration
		calls   []int // how many records each has,
		apart   time.Duration
		units   int // and entries, in all
	}{
		{100, 2 * time.Second, []int{50, 50}, time.Second, 2},
		{10, 20 * time.Second, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 2 * time.Second, 10},
		{7000, 0, []int{2500, 2500, 2000}, 0, 17 + 17 + 14},
		{15000, 3 * time.Second, []int{2500, 2500, 2500, 2500, 2500, 2500}, 500 * time.Millisecond, 6 * 17},
	} {
		g, tick, key := newTick(t, tc.records, generator.Uniform)
		tick.Spread = tc.spread
		var mu sync.Mutex
		var calls []int
		units := 0
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			d := stream.NewDelivery(&fakePutter{func(_ context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
				mu.Lock()
				defer mu.Unlock()
				records := 0
				for _, e := range in.Records {
					records += len(recordsOf(e))
				}
				if got, want := time.Since(start), time.Duration(len(calls))*tc.apart; got != want {
					t.Errorf("%d records in %s: call %d is at %s, want %s", tc.records, tc.spread, len(calls), got, want)
				}
				calls, units = append(calls, records), units+len(in.Records)
				return acknowledge(in), nil
			}}, "s", g, tick, key, ledger.KPL)
			if err := d.Run(t.Context()); err != nil {
				t.Error(err)
			}
			want := []ledger.Range{{Last: tc.records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}}
			if diff := cmp.Diff(want, d.Result().Outcomes); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if got := d.Result().Shards["shardId-000000000000"].Records; got != tc.records {
				t.Errorf("the shard holds %d records, want %d", got, tc.records)
			}
		})
		slices.Sort(calls) // calls at the same time come in any order
		slices.Sort(tc.calls)
		if diff := cmp.Diff(tc.calls, calls); diff != "" || units != tc.units {
			t.Errorf("%d records in %s: %d entries, want %d; records of the calls (-want +got):\n%s", tc.records, tc.spread, units, tc.units, diff)
		}
	}
}

// TestPacked: whatever the records, each is sent once, as it is; an aggregate has 25,000 bytes at most, and no room for
// the next record; a call holds 500 entries and 5 MB at most; and the same tick is packed in the same way.
func TestPacked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 100, 3000, 12_400, 24_900, 25_100, 100_000}).Draw(t, "size")
		schema := schema.Schema{Source: "s", Columns: []schema.Column{
			{Name: "n", Alias: "C0", Type: schema.Type{Kind: schema.Integer}, Fake: schema.Fake{Integers: [][2]int64{{0, 99}}}},
			{Name: "text", Alias: "C1", Type: schema.Type{Kind: schema.VarChar}, Fake: schema.Fake{Text: strings.Repeat("x", size)}},
		}}
		g, err := generator.New(&pipeline.Pipeline{Schema: schema}, 1)
		if err != nil {
			t.Fatal(err)
		}
		key, _ := g.KeyOf(rapid.SampledFrom([]string{generator.Uniform, "n"}).Draw(t, "key"))
		tick := generator.Tick{Time: time.Unix(0, 0), Records: rapid.IntRange(1, max(1, min(3000, 3_000_000/size))).Draw(t, "records")}
		tick.Poison = rapid.IntRange(0, tick.Records).Draw(t, "poison")

		send := func() (sent map[int]string) {
			sent = map[int]string{} // the entries' data, by the index of their first record
			starts := map[string][]int{}
			for i := range tick.Records {
				record := string(g.Append(nil, tick, i))
				starts[record] = append(starts[record], i)
			}
			var calls [][]types.PutRecordsRequestEntry
			var mu sync.Mutex
			d := stream.NewDelivery(&fakePutter{func(_ context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
				mu.Lock()
				defer mu.Unlock()
				entries := make([]types.PutRecordsRequestEntry, len(in.Records))
				bytes := 0
				for i, e := range in.Records {
					if e.Data == nil {
						t.Errorf("an entry has no data, which the SDK refuses")
					}
					bytes += len(e.Data) + len(*e.PartitionKey)
					entries[i] = types.PutRecordsRequestEntry{Data: slices.Clone(e.Data), PartitionKey: aws.String(strings.Clone(*e.PartitionKey))}
					if e.ExplicitHashKey != nil {
						entries[i].ExplicitHashKey = aws.String(*e.ExplicitHashKey)
					}
				}
				if len(entries) > 500 || bytes > 5_000_000 {
					t.Errorf("a call has %d entries of %d bytes", len(entries), bytes)
				}
				calls = append(calls, entries)
				return acknowledge(in), nil
			}}, "s", g, tick, key, ledger.KPL)
			if err := d.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			// The records of a call are consecutive. Its first ones tell where it begins.
			taken := make([]bool, tick.Records)
			for _, entries := range calls {
				var records []kpl.Record
				for _, e := range entries {
					records = append(records, recordsOf(e)...)
				}
				first := -1
				for _, at := range starts[string(records[0].Data)] {
					fits := !taken[at] && at+len(records) <= tick.Records
					for i := 0; fits && i < len(records); i++ {
						fits = string(g.Append(nil, tick, at+i)) == string(records[i].Data)
					}
					if fits {
						first = at
						break
					}
				}
				if first < 0 {
					t.Fatalf("a call of %d records has some that are not the tick's, or were sent before", len(records))
				}
				at := first
				for n, e := range entries {
					inside := recordsOf(e)
					sent[at] = string(e.Data) + *e.PartitionKey + aws.ToString(e.ExplicitHashKey)
					if e.ExplicitHashKey != nil && len(e.Data)+len(*e.PartitionKey) > 25_000 {
						t.Fatalf("an aggregate has %d bytes", len(e.Data)+len(*e.PartitionKey))
					}
					if n+1 < len(entries) && len(e.Data)+len(recordsOf(entries[n+1])[0].Data)+400 < 25_000 {
						t.Fatalf("an aggregate of %d bytes has no room for a record of %d", len(e.Data), len(recordsOf(entries[n+1])[0].Data))
					}
					for i, r := range inside {
						want := string(g.AppendKey(nil, tick, at+i, key))
						if g.NameOf(key) == generator.Uniform {
							want = string(g.AppendKey(nil, tick, at, key))
						}
						if r.PartitionKey != want || taken[at+i] {
							t.Fatalf("record %d has partition key %q, want %q; sent before: %t", at+i, r.PartitionKey, want, taken[at+i])
						}
						taken[at+i] = true
					}
					at += len(inside)
				}
			}
			if at := slices.Index(taken, false); at >= 0 {
				t.Fatalf("record %d was not sent", at)
			}
			return sent
		}
		if diff := cmp.Diff(send(), send()); diff != "" {
			t.Fatalf("the second time, the tick was packed otherwise:\n%s", diff)
		}
	})
}

// TestEmptyRecord: a record of 0 bytes is sent, even if it is alone in a call.
func TestEmptyRecord(t *testing.T) {
	t.Parallel()
	for _, aggregation := range []string{"", ledger.KPL} {
		g, tick, key := newTick(t, 501, generator.Uniform)
		tick.Poison = len(g.Faults(generator.Tick{})) // so the last record is empty
		server := kinesistest.New()
		defer server.Close()
		server.Keep = true
		d := stream.NewDelivery(clientOf(server), "s", g, tick, key, aggregation)
		if err := d.Run(t.Context()); err != nil || g.FaultOf(tick, 500) != generator.EmptyRecord {
			t.Errorf("aggregation %q: %v; the last record has fault %q", aggregation, err, g.FaultOf(tick, 500))
		}
		if got := server.Stored(); got[""] != 1 || len(got) != 501 {
			t.Errorf("aggregation %q: the stream holds %d empty records and %d different ones", aggregation, got[""], len(got))
		}
	}
}

// TestLargeRecords: a call holds 5 MB at most, keys included, and what does not fit goes into the next.
func TestLargeRecords(t *testing.T) {
	t.Parallel()
	schema := schema.Schema{Source: "s", Columns: []schema.Column{
		{Name: "blob", Alias: "b", Type: schema.Type{Kind: schema.VarChar}, Fake: schema.Fake{Text: strings.Repeat("x", 60_000)}},
	}}
	g, err := generator.New(&pipeline.Pipeline{Schema: schema}, 1)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := g.KeyOf(generator.Uniform)
	for _, aggregation := range []string{"", ledger.KPL} {
		records := 0
		d := stream.NewDelivery(&fakePutter{func(_ context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
			size := 0
			for _, e := range in.Records {
				size += len(e.Data) + len(*e.PartitionKey)
			}
			if size > 5_000_000 {
				t.Errorf("a call of %d bytes, want 5,000,000 at most", size)
			}
			records += len(in.Records)
			return acknowledge(in), nil
		}}, "s", g, generator.Tick{Time: time.Unix(0, 0), Records: 200}, key, aggregation)
		if err := d.Run(t.Context()); err != nil || records != 200 {
			t.Errorf("sent %d records (%v), want 200", records, err)
		}
	}
}

// TestDenied: a refusal for good ends the sending after the calls that are under way, and rejects the rest.
func TestDenied(t *testing.T) {
	t.Parallel()
	g, tick, key := newTick(t, 100_000, generator.Uniform)
	tick.Spread = 10 * time.Minute
	synctest.Test(t, func(t *testing.T) {
		start, calls := time.Now(), 0
		d := stream.NewDelivery(&fakePutter{func(_ context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
			if calls++; calls == 1 {
				return acknowledge(in), nil
			}
			return nil, &types.ResourceNotFoundException{Message: aws.String("no such stream")}
		}}, "trips", g, tick, key, "")
		err := d.Run(t.Context())
		var notFound *types.ResourceNotFoundException
		if !errors.As(err, &notFound) || !strings.Contains(err.Error(), "stream trips") {
			t.Errorf("error is %v, want it to name the stream", err)
		}
		if took := time.Since(start); took != 3*time.Second || calls != 2 {
			t.Errorf("stopped after %s and %d calls, want 3s and 2", took, calls)
		}
		want := []ledger.Range{{First: 0, Last: 499, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}, {First: 500, Last: 99_999, Outcome: ledger.Rejected}}
		if diff := cmp.Diff(want, d.Result().Outcomes); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
	})
}

// TestDeadline: no attempt starts too late to succeed; attempts under way are cut off and unknown.
func TestDeadline(t *testing.T) {
	t.Parallel()
	g, tick, key := newTick(t, 1000, generator.Uniform)
	tick.Spread = 20 * time.Second // the second batch is planned at 10 s
	for limit, want := range map[time.Duration][]ledger.Range{
		500 * time.Millisecond:   {{First: 0, Last: 999, Outcome: ledger.Rejected}},
		5 * time.Second:          {{First: 0, Last: 499, Outcome: ledger.Unknown, Hi: 1}, {First: 500, Last: 999, Outcome: ledger.Rejected}},
		10900 * time.Millisecond: {{First: 0, Last: 499, Outcome: ledger.Unknown, Hi: 1}, {First: 500, Last: 999, Outcome: ledger.Rejected}},
		11 * time.Second:         {{First: 0, Last: 999, Outcome: ledger.Unknown, Hi: 1}},
		// Each call is cut after 10 s; the first batch has a second attempt, after a pause of 50 to 150 ms.
		12 * time.Second: {{First: 0, Last: 499, Outcome: ledger.Unknown, Hi: 2}, {First: 500, Last: 999, Outcome: ledger.Unknown, Hi: 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			d := stream.NewDelivery(&fakePutter{func(ctx context.Context, _ *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}, "s", g, tick, key, "")
			if err := d.Run(ctx); err != nil {
				t.Errorf("limit %s: %v", limit, err)
			}
			if diff := cmp.Diff(want, d.Result().Outcomes); diff != "" {
				t.Errorf("limit %s: outcomes (-want +got):\n%s", limit, diff)
			}
		})
	}
}

// TestOverHTTP sends through the SDK and real connections: each fault of the stand-in, once, leaves the outcome that it
// should.
func TestOverHTTP(t *testing.T) {
	t.Parallel()
	const n = 8
	all := func(o ledger.Outcome, lo, hi int) []ledger.Range {
		return []ledger.Range{{Last: n - 1, Outcome: o, Lo: lo, Hi: hi}}
	}
	acknowledged := all(ledger.Acknowledged, 1, 1)
	after := all(ledger.AcknowledgedAfterUnknown, 1, 2)
	var alternating []ledger.Range
	for i := range n {
		r := ledger.Range{First: i, Last: i, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}
		if i%2 == 1 {
			r.Outcome, r.Hi = ledger.AcknowledgedAfterUnknown, 2
		}
		alternating = append(alternating, r)
	}
	for name, tc := range map[string]struct {
		fault  kinesistest.Fault
		want   []ledger.Range
		copies int
		err    string
	}{
		"none":                     {kinesistest.None, acknowledged, n, ""},
		"reset":                    {kinesistest.Reset, after, n, ""},
		"stored, then reset":       {kinesistest.StoredThenReset, after, 2 * n, ""},
		"stored, then cut":         {kinesistest.StoredThenCut, after, 2 * n, ""},
		"500":                      {kinesistest.Failure, after, n, ""},
		"stored, then 500":         {kinesistest.StoredThenFailure, after, 2 * n, ""},
		"throttled":                {kinesistest.Throttled, acknowledged, n, ""},
		"every other entry":        {kinesistest.EveryOtherThrottle, acknowledged, n, ""},
		"every other entry failed": {kinesistest.EveryOtherFails, alternating, n + n/4, ""},
		"no stream":                {kinesistest.NotFound, all(ledger.Rejected, 0, 0), 0, "ResourceNotFoundException"},
		"no permission":            {kinesistest.Denied, all(ledger.Rejected, 0, 0), 0, "AccessDeniedException"},
	} {
		for _, aggregation := range []string{"", ledger.KPL} {
			t.Run(name+aggregation, func(t *testing.T) {
				t.Parallel()
				g, tick, key := newTick(t, n, "VendorID")
				server := kinesistest.New()
				defer server.Close()
				server.Keep = true
				server.Fault = func(call int) kinesistest.Fault {
					if call == 0 {
						return tc.fault
					}
					return kinesistest.None
				}
				want, wantCopies := tc.want, tc.copies
				if aggregation != "" && tc.fault == kinesistest.EveryOtherFails {
					want, wantCopies = acknowledged, n // all are in one entry
				}
				d := stream.NewDelivery(clientOf(server), "s", g, tick, key, aggregation)
				err := d.Run(t.Context())
				if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error is %v, want %q", err, tc.err)
				}
				if diff := cmp.Diff(want, d.Result().Outcomes); diff != "" {
					t.Errorf("outcomes (-want +got):\n%s", diff)
				}
				copies, all := 0, 0
				stored := server.Stored()
				for i := range n {
					copies += stored[string(g.Append(nil, tick, i))]
				}
				for _, n := range stored {
					all += n
				}
				if copies != wantCopies || all != wantCopies {
					t.Errorf("the stream holds %d copies of the tick and %d records, want %d", copies, all, wantCopies)
				}
			})
		}
	}

	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		g, tick, key := newTick(t, n, generator.Uniform)
		server := kinesistest.New()
		server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		d := stream.NewDelivery(clientOf(server), "s", g, tick, key, "")
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(all(ledger.Rejected, 0, 0), d.Result().Outcomes); diff != "" || d.Result().Attempts < 2 {
			t.Errorf("outcomes after %d attempts (-want +got):\n%s", d.Result().Attempts, diff)
		}
	})
}

// TestExerciseShards: the keys "1" to "4" all hash into the upper half, so one of two shards gets everything.
func TestExerciseShards(t *testing.T) {
	t.Parallel()
	for keyName, shards := range map[string]int{generator.Uniform: 2, "VendorID": 1} {
		g, tick, key := newTick(t, 2000, keyName)
		server := kinesistest.New()
		defer server.Close()
		d := stream.NewDelivery(clientOf(server), "s", g, tick, key, "")
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := d.Result().Shards
		if len(got) != shards || got["shardId-000000000001"].Records < 900 {
			t.Errorf("key %s: shards are %+v, want %d of them", keyName, got, shards)
		}
	}
}

// TestPackedShards: aggregates spread evenly over the shards with any partition key.
func TestPackedShards(t *testing.T) {
	t.Parallel()
	const n = 40_000 // some 270 aggregates
	for _, keyName := range []string{generator.Uniform, "VendorID"} {
		g, tick, key := newTick(t, n, keyName)
		server := kinesistest.New()
		defer server.Close()
		server.Shards = 4
		d := stream.NewDelivery(clientOf(server), "s", g, tick, key, ledger.KPL)
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for id, shard := range d.Result().Shards {
			if shard.Records < n/8 || shard.Records > n*3/8 {
				t.Errorf("key %s: %s has %d of %d records", keyName, id, shard.Records, n)
			}
		}
		if got := len(d.Result().Shards); got != 4 {
			t.Errorf("key %s: %d shards have records, want 4", keyName, got)
		}
	}
}

// goldenAggregate is an aggregate as the analytics application's AggregateTest reads it: it has Flink's connector take
// it apart. Bytes are base64.
type goldenAggregate struct {
	PartitionKey    string         `json:"partitionKey"`
	ExplicitHashKey string         `json:"explicitHashKey"`
	Data            []byte         `json:"data"`
	Records         []goldenRecord `json:"records"`
}

type goldenRecord struct {
	PartitionKey string `json:"partitionKey"`
	Data         []byte `json:"data"`
}

// TestGoldenAggregate pins the bytes of an aggregate with several partition keys and every fault, an empty record too.
func TestGoldenAggregate(t *testing.T) {
	t.Parallel()
	g, tick, key := newTick(t, 40, "VendorID")
	tick.Poison = len(g.Faults(generator.Tick{}))
	var got []goldenAggregate
	d := stream.NewDelivery(&fakePutter{func(_ context.Context, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
		for _, e := range in.Records {
			got = append(got, goldenAggregate{PartitionKey: *e.PartitionKey, ExplicitHashKey: aws.ToString(e.ExplicitHashKey), Data: slices.Clone(e.Data)})
		}
		return acknowledge(in), nil
	}}, "s", g, tick, key, ledger.KPL)
	if err := d.Run(t.Context()); err != nil || len(got) != 1 {
		t.Fatalf("%d entries (%v), want 1", len(got), err)
	}
	for i := range tick.Records {
		got[0].Records = append(got[0].Records, goldenRecord{string(g.AppendKey(nil, tick, i, key)), g.Append([]byte{}, tick, i)})
	}
	data, err := json.MarshalIndent(got[0], "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/aggregate.json"
	golden.Check(t, file, append(data, '\n'))
}
