package stream_test

import (
	"context"
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
	"streamproof/internal/ledger"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kinesistest"
	"streamproof/pipeline"
)

func newTick(tb testing.TB, records int, keyName string) (*generator.Generator, generator.Tick, generator.Key) {
	tb.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		tb.Fatal(err)
	}
	g, err := generator.New(p.Schema, 1)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := g.KeyOf(keyName)
	if err != nil {
		tb.Fatal(err)
	}
	return g, generator.Tick{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Records: records}, key
}

// fakePutter answers as it is told.
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

// The ways in which a fake call goes. Where it says maybe, the fake stores the entries or not, as a hash of them says.
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
		record, known := s.index[string(e.Data)]
		if !known {
			return nil, fmt.Errorf("record %q is not of the tick", e.Data)
		}
		entryKind := kind
		chance := (s.salt + uint32(s.calls)*31 + uint32(i)) * 2654435761 >> 16
		if kind == mixed {
			entryKind = []int{fine, throttledCall, failedCall, fine}[chance%4]
		}
		var answer types.PutRecordsResultEntry
		switch entryKind {
		case fine:
			s.stored[record]++
			s.acked[record]++
			s.sequence++
			answer.ShardId = aws.String(fmt.Sprintf("shardId-%012d", record%2))
			answer.SequenceNumber = aws.String(fmt.Sprint(s.sequence))
		case throttledCall:
			answer.ErrorCode = aws.String("ProvisionedThroughputExceededException")
		case failedCall, resetCall, timedOutCall, shortCall:
			answer.ErrorCode = aws.String("InternalFailure")
			s.maybe[record]++
			if chance/4%2 == 0 {
				s.stored[record]++
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

// TestOutcomes: whatever goes wrong, in any order, each record has exactly the outcome that proof.md gives to the
// attempts that were made on it, and the stream holds no more and no fewer copies than the outcome says.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 2200).Draw(rt, "records")
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
			d := stream.NewDelivery(&fakePutter{s.put}, "s", g, tick, key)
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
		}}, "s", g, tick, key)
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

// TestLargeRecords: a call holds 5 MB at most, keys included, and what does not fit goes into the next.
func TestLargeRecords(t *testing.T) {
	t.Parallel()
	schema := pipeline.Schema{Source: "s", Columns: []pipeline.Column{
		{Name: "blob", Alias: "b", Type: pipeline.Type{Kind: pipeline.VarChar}, Fake: pipeline.Fake{Text: strings.Repeat("x", 60_000)}},
	}}
	g, err := generator.New(schema, 1)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := g.KeyOf(generator.Uniform)
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
	}}, "s", g, generator.Tick{Time: time.Unix(0, 0), Records: 200}, key)
	if err := d.Run(t.Context()); err != nil || records != 200 {
		t.Errorf("sent %d records (%v), want 200", records, err)
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
		}}, "trips", g, tick, key)
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

// TestDeadline: no attempt is begun without a chance, and those under way are cut and unknown.
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
			}}, "s", g, tick, key)
			if err := d.Run(ctx); err != nil {
				t.Errorf("limit %s: %v", limit, err)
			}
			if diff := cmp.Diff(want, d.Result().Outcomes); diff != "" {
				t.Errorf("limit %s: outcomes (-want +got):\n%s", limit, diff)
			}
		})
	}
}

// TestOverHTTP sends through the SDK and real connections: each fault of the stand-in, once, leaves the outcome that it should.
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
		t.Run(name, func(t *testing.T) {
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
			d := stream.NewDelivery(clientOf(server), "s", g, tick, key)
			err := d.Run(t.Context())
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error is %v, want %q", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, d.Result().Outcomes); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			stored := server.Stored()
			copies := 0
			for i := range n {
				copies += stored[string(g.Append(nil, tick, i))]
			}
			if copies != tc.copies || server.Records() != tc.copies {
				t.Errorf("the stream holds %d copies of the tick and %d records, want %d", copies, server.Records(), tc.copies)
			}
		})
	}

	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		g, tick, key := newTick(t, n, generator.Uniform)
		server := kinesistest.New()
		server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		d := stream.NewDelivery(clientOf(server), "s", g, tick, key)
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(all(ledger.Rejected, 0, 0), d.Result().Outcomes); diff != "" || d.Result().Attempts < 2 {
			t.Errorf("outcomes after %d attempts (-want +got):\n%s", d.Result().Attempts, diff)
		}
	})
}

// TestShardsOfTheExercise: the keys "1" to "4" all hash into the upper half, so one of two shards gets everything.
func TestShardsOfTheExercise(t *testing.T) {
	t.Parallel()
	for keyName, shards := range map[string]int{generator.Uniform: 2, "VendorID": 1} {
		g, tick, key := newTick(t, 2000, keyName)
		server := kinesistest.New()
		defer server.Close()
		d := stream.NewDelivery(clientOf(server), "s", g, tick, key)
		if err := d.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := d.Result().Shards
		if len(got) != shards || got["shardId-000000000001"].Records < 900 {
			t.Errorf("key %s: shards are %+v, want %d of them", keyName, got, shards)
		}
	}
}
