package producer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
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

	"streamproof/internal/generator"
	"streamproof/internal/golden"
	"streamproof/internal/ledger"
	"streamproof/internal/ledger/s3test"
	"streamproof/internal/metrics/metricstest"
	"streamproof/internal/pipeline"
	"streamproof/internal/producer"
	"streamproof/internal/stream/kpl"
)

func embedded(t testing.TB) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A world is a producer and its surroundings. It is made inside the test's bubble, where it is 2000-01-01T00:00:00Z.
type world struct {
	t        *testing.T
	s3       *s3test.S3
	put      func(ctx context.Context, call int, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error)
	log      bytes.Buffer
	metrics  bytes.Buffer
	producer *producer.Producer

	mu    sync.Mutex
	calls int
}

func (w *world) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	w.mu.Lock()
	call := w.calls
	w.calls++
	w.mu.Unlock()
	if w.put != nil {
		return w.put(ctx, call, in)
	}
	return stored(in), nil
}

func stored(in *kinesis.PutRecordsInput) *kinesis.PutRecordsOutput {
	out := &kinesis.PutRecordsOutput{}
	for i, e := range in.Records {
		out.Records = append(out.Records, types.PutRecordsResultEntry{
			ShardId:        aws.String(fmt.Sprintf("shardId-%012d", (*e.PartitionKey)[0]%2)),
			SequenceNumber: aws.String(fmt.Sprintf("496500000000000000000000000000000000000000000000000%05d", i)),
		})
	}
	return out
}

func newWorld(t *testing.T, changes map[string]string) *world {
	t.Helper()
	p := embedded(t)
	config, err := producer.ReadConfig(environment(changes), p)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, s3: s3test.New()}
	w.producer, err = producer.New(config, p, w, ledger.NewStore(w.s3.Client(), config.Bucket), slog.New(slog.NewJSONHandler(&w.log, nil)), &w.metrics)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// invoke hands over an event as Lambda does, with a timeout of 60 s.
func (w *world) invoke(event string) (*producer.Answer, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	return w.producer.Handle(ctx, json.RawMessage(event))
}

// tick is the ledger's entry of a tick, nil if there is none.
func (w *world) tick(at time.Time) *ledger.Tick {
	w.t.Helper()
	o, ok := w.s3.Get("/bucket/" + ledger.TickKey(at))
	if !ok {
		return nil
	}
	tick, err := ledger.DecodeTick(o.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return tick
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// TestEvents: each form of an event names its tick and its number of records.
func TestEvents(t *testing.T) {
	t.Parallel()
	sample := func(name string) string {
		data, err := os.ReadFile(filepath.Join("..", "..", "functions", "producer", "events", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	minute := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, event string
		tick        time.Time
		records     int
	}{
		{"scheduled.json", sample("scheduled.json"), minute, 1000},
		{"scheduled-default.json", sample("scheduled-default.json"), minute, 1000},
		{"by-hand.json", sample("by-hand.json"), start.Add(1234 * time.Millisecond), 1000},
		{"poison.json", sample("poison.json"), start.Add(1234 * time.Millisecond), 1000},
		{"placeholder", `{"scheduledTime":"<aws.scheduler.scheduled-time>"}`, start.Add(time.Second), 1000},
		{"placeholder, escaped", `{"scheduledTime":"\u003caws.scheduler.scheduled-time\u003e"}`, start.Add(time.Second), 1000},
		{"empty", `{}`, start.Add(1234 * time.Millisecond), 1000},
		{"records", ` {"records": 7}`, start.Add(1234 * time.Millisecond), 7},
		{"tick", `{"tick": "2026-01-02T04:04:00+01:00"}`, minute, 1000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				time.Sleep(1234567 * time.Microsecond)
				w := newWorld(t, nil)
				answer, err := w.invoke(tc.event)
				if err != nil {
					t.Fatal(err)
				}
				if !answer.Tick.Equal(tc.tick) || answer.Records != tc.records || !answer.Sent || answer.State != ledger.Complete || answer.Acknowledged != tc.records {
					t.Errorf("answer is %+v, want tick %s with %d records, sent", answer, tc.tick, tc.records)
				}
				if got := w.tick(tc.tick); got == nil || got.State != ledger.Complete || got.Records != tc.records {
					t.Errorf("the ledger has %+v, want a complete tick", got)
				}
			})
		})
	}
}

// TestPartitionKey: an event can choose a tick's partition key. The records are the same, and the ledger names the key.
func TestPartitionKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent, keys []string
		w := newWorld(t, nil)
		w.put = func(_ context.Context, _ int, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, r := range in.Records {
				sent, keys = append(sent, string(r.Data)), append(keys, *r.PartitionKey)
			}
			return stored(in), nil
		}
		for name, want := range map[string]string{"VendorID": "VendorID", "COL0": "VendorID", "uniform": "uniform"} {
			sent, keys = nil, nil
			tick := time.Now().UTC()
			if _, err := w.invoke(`{"records": 40, "partitionKey": "` + name + `"}`); err != nil {
				t.Fatal(err)
			}
			got := w.tick(tick)
			if got == nil || got.PartitionKey != want || len(sent) != 40 {
				t.Errorf("%s: the ledger has %+v for %d records, want the key %s", name, got, len(sent), want)
			}
			slices.Sort(keys)
			if few := len(slices.Compact(keys)) <= 10; few != (want == "VendorID") {
				t.Errorf("%s: got the keys %q", name, keys)
			}
			g, err := generator.New(embedded(t), got.Seed)
			if err != nil {
				t.Fatal(err)
			}
			var owed []string
			for i := range 40 {
				owed = append(owed, string(g.Append(nil, generator.Tick{Time: got.Time, Records: 40, Spread: time.Duration(got.SpreadSeconds) * time.Second}, i)))
			}
			slices.Sort(owed)
			slices.Sort(sent)
			if !slices.Equal(owed, sent) {
				t.Errorf("%s: the records are not those that the ledger's seed gives", name)
			}
			time.Sleep(time.Second)
		}
	})
}

// TestBadEvents: one clear error, and nothing written or sent.
func TestBadEvents(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{
		``:                                      "event is empty",
		`null`:                                  "event is null, want a JSON object",
		`[1]`:                                   "event is [1]",
		`"x"`:                                   "want a JSON object",
		`{"record": 5, "a": 1}`:                 `"a", "record" is not a member of an event`,
		`{"Records": 5}`:                        `"Records" is not a member of an event`,
		`{"records": 0}`:                        "records is 0, want 1 to 10000000",
		`{"records": -3}`:                       "records is -3",
		`{"records": 10000001}`:                 "records is 10000001",
		`{"records": 1e30}`:                     "records is 1e30, want a whole number",
		`{"records": 1.5}`:                      "records is 1.5, want a whole number",
		`{"records": "5"}`:                      `records is "5", want a whole number`,
		`{"records": null}`:                     "records is null",
		`{"poison": -1}`:                        "poison is -1, want 0 to 1000",
		`{"records": 5, "poison": 6}`:           "poison is 6, want 0 to 5",
		`{"poison": 1.5}`:                       "poison is 1.5, want a whole number",
		`{"poison": "1"}`:                       `poison is "1", want a whole number`,
		`{"poison": null}`:                      "poison is null",
		`{"partitionKey": "Colour"}`:            `nothing was sent: event: partition key "Colour" is neither "uniform" nor a column (VendorID`,
		`{"partitionKey": ""}`:                  `partitionKey is "", want the name of a column`,
		`{"partitionKey": 5}`:                   "partitionKey is 5, want the name of a column",
		`{"partitionKey": null}`:                "partitionKey is null",
		`{"tick": "yesterday"}`:                 `tick is "yesterday", want a time`,
		`{"tick": "2026-01-02 03:04"}`:          "want a time",
		`{"tick": 5}`:                           "tick is 5, want a string",
		`{"tick": "2026-01-02T03:04:05.0001Z"}`: "at most milliseconds",
		`{"tick": "1999-12-30T23:59:59Z"}`:      ", more than 24h0m0s ago: give a later one",
		`{"tick": "9999-12-31T23:59:59Z"}`:      "up to 9998",
		`{"scheduledTime": "soon"}`:             `scheduledTime is "soon"`,
		`{"scheduledTime": "2026-01-02T03:04:05Z", "records": 5}`:          `"records" is not a member of an event`,
		`{"scheduledTime": "2026-01-02T03:04:05Z", "poison": 5}`:           `"poison" is not a member of an event`,
		`{"detail-type": "Scheduled Event"}`:                               "without a time",
		`{"detail-type": "S3 Object Created", "time": "2026-01-02T00:00"}`: `detail-type is "S3 Object Created"`,
	} {
		t.Run(event, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, nil)
				answer, err := w.invoke(event)
				if err == nil || !strings.Contains(err.Error(), want) || answer != nil {
					t.Errorf("got %+v and error %v, want %q", answer, err, want)
				}
				if w.calls != 0 || w.s3.Writes() != 0 {
					t.Errorf("%d calls to Kinesis and %d writes to S3, want none", w.calls, w.s3.Writes())
				}
			})
		})
	}
}

// TestLatestRetry: by the template's ages, the last attempt at a scheduled tick comes when the comment of OldestTick
// says so, and when its event is still taken.
func TestLatestRetry(t *testing.T) {
	template, err := os.ReadFile(filepath.Join("..", "..", "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	latest := time.Minute // the precision of EventBridge Scheduler
	var ages [][][]byte
	for _, resource := range []string{"ProducerSchedule", "ProducerFunction"} {
		_, text, _ := bytes.Cut(template, []byte("\n  "+resource+":\n"))
		text, _, _ = bytes.Cut(text, []byte("\n\n"))
		ages = append(ages, regexp.MustCompile(`MaximumEventAgeInSeconds: (\d+)`).FindAllSubmatch(text, -1)...)
	}
	for _, age := range ages {
		seconds, err := time.ParseDuration(string(age[1]) + "s")
		if err != nil {
			t.Fatal(err)
		}
		latest += seconds
	}
	if want := 16 * time.Minute; len(ages) != 2 || latest != want || latest >= producer.OldestTick {
		t.Errorf("%d ages, and the latest retry after %s, want 2 and %s: correct the comment of OldestTick and docs/decisions/0011-changing-the-pipeline.md", len(ages), latest, want)
	}
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil)
		// A second, since ticks have whole seconds here.
		for age, taken := range map[time.Duration]bool{latest: true, producer.OldestTick - time.Second: true, producer.OldestTick + time.Second: false} {
			answer, err := w.invoke(fmt.Sprintf(`{"scheduledTime":%q}`, time.Now().Add(-age).Format(time.RFC3339)))
			if (err == nil) != taken || taken && !answer.Sent {
				t.Errorf("after %s: got %+v, %v, want it to be taken: %t", age, answer, err, taken)
			}
		}
	})
}

// TestGolden pins the answer and the log line of a tick with every outcome, and of a second event for it.
func TestGolden(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"SPREAD_SECONDS": "4"})
		w.put = func(ctx context.Context, call int, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
			switch {
			case call == 0: // the first two entries: throttled, and failed
				out := stored(in)
				out.Records[0] = types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException")}
				out.Records[1] = types.PutRecordsResultEntry{ErrorCode: aws.String("InternalFailure")}
				return out, nil
			case len(in.Records) == 500: // the second batch, at 2 s: 100 records never get through
				out := stored(in)
				for i := range 100 {
					out.Records[400+i] = types.PutRecordsResultEntry{ErrorCode: aws.String("InternalFailure")}
				}
				return out, nil
			case len(in.Records) == 100: // again, without an answer
				<-ctx.Done()
				return nil, &smithy.CanceledError{Err: ctx.Err()}
			}
			return stored(in), nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
		defer cancel()
		event := json.RawMessage(`{"records":1000,"tick":"2026-01-02T03:04:05.678Z"}`)
		first, err := w.producer.Handle(ctx, event)
		if err != nil {
			t.Fatal(err)
		}
		calls := w.calls
		second, err := w.invoke(string(event))
		if err != nil {
			t.Fatal(err)
		}
		if w.calls != calls {
			t.Errorf("the second event made %d calls", w.calls-calls)
		}
		var got []byte
		for _, answer := range []*producer.Answer{first, second} {
			data, err := json.MarshalIndent(answer, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(append(got, data...), '\n')
		}
		got = append(got, w.log.Bytes()...)
		golden.Check(t, "testdata/answers.txt", got)

		golden.Check(t, "testdata/metrics.jsonl", w.metrics.Bytes())
		want := map[string]float64{
			"RecordsAcknowledged": 900, "RecordsRejected": 0, "RecordsUnknown": 100, "EntriesThrottled": 1, "TicksFailed": 0,
			"RecordsAcknowledged of shardId-000000000000": 464, "RecordsAcknowledged of shardId-000000000001": 436,
		}
		if diff := cmp.Diff(want, w.measured()); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
	})
}

// TestMetrics: each tick that is sent is measured once, however it ends, and what sends nothing is not measured.
func TestMetrics(t *testing.T) {
	t.Parallel()
	const none = 1 << 20
	for name, tc := range map[string]struct {
		event       string
		aggregation string
		put         func(w *world, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error)
		s3From      int // the request to S3 from which on all fail
		want        map[string]float64
	}{
		"acknowledged": {
			`{"records":3}`, "none", nil, none,
			map[string]float64{"RecordsAcknowledged": 3, "RecordsRejected": 0, "RecordsUnknown": 0, "EntriesThrottled": 0, "TicksFailed": 0, "RecordsAcknowledged of s": 3},
		},
		"packed, and throttled twice": {
			`{"records":100}`, ledger.KPL, func(w *world, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
				if w.calls < 3 {
					return nil, &types.ProvisionedThroughputExceededException{}
				}
				return inOneShard(in), nil
			}, none,
			map[string]float64{"RecordsAcknowledged": 100, "RecordsRejected": 0, "RecordsUnknown": 0, "EntriesThrottled": 2, "TicksFailed": 0, "RecordsAcknowledged of s": 100},
		},
		"refused": {
			`{"records":3}`, "none", func(*world, *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
				return nil, &types.ResourceNotFoundException{}
			}, none,
			map[string]float64{"RecordsAcknowledged": 0, "RecordsRejected": 3, "RecordsUnknown": 0, "EntriesThrottled": 0, "TicksFailed": 1},
		},
		"without a manifest": { // what Kinesis answered is true all the same
			`{"records":3}`, "none", nil, 3,
			map[string]float64{"RecordsAcknowledged": 3, "RecordsRejected": 0, "RecordsUnknown": 0, "EntriesThrottled": 0, "TicksFailed": 1, "RecordsAcknowledged of s": 3},
		},
		"a shard without a name": { // no dimension can have it
			`{"records":3}`, "none", func(_ *world, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
				out := inOneShard(in)
				out.Records[0].ShardId = nil
				return out, nil
			}, none,
			map[string]float64{"RecordsAcknowledged": 3, "RecordsRejected": 0, "RecordsUnknown": 0, "EntriesThrottled": 0, "TicksFailed": 0, "RecordsAcknowledged of s": 2},
		},
		"not claimed":   {`{"records":3}`, "none", nil, 2, map[string]float64{}},
		"not published": {`{"records":3}`, "none", nil, 1, map[string]float64{}},
		"not current":   {`{"records":3}`, "none", nil, 0, map[string]float64{}},
		"a bad event":   {`{"records":0}`, "none", nil, none, map[string]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, map[string]string{"SPREAD_SECONDS": "0", "AGGREGATION": tc.aggregation})
				w.put = func(_ context.Context, _ int, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
					if tc.put != nil {
						return tc.put(w, in)
					}
					return inOneShard(in), nil
				}
				w.s3.Fault = func(request int, _ string) s3test.Fault {
					if request >= tc.s3From {
						return s3test.Denied
					}
					return s3test.None
				}
				for range 2 { // the second is Lambda's retry
					_, err := w.invoke(strings.Replace(tc.event, "{", `{"tick":"2000-01-01T00:00:00Z",`, 1))
					if fails := tc.want["TicksFailed"] == 1 || len(tc.want) == 0; err != nil && !fails {
						t.Error(err)
					}
				}
				if diff := cmp.Diff(tc.want, w.measured()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if got, want := strings.Contains(w.log.String(), "metrics not written"), name == "a shard without a name"; got != want {
					t.Errorf("the log tells of metrics that were not written: %t, want %t", got, want)
				}
			})
		})
	}
}

func inOneShard(in *kinesis.PutRecordsInput) *kinesis.PutRecordsOutput {
	out := stored(in)
	for i := range out.Records {
		out.Records[i].ShardId = aws.String("s")
	}
	return out
}

// measured is what CloudWatch has of the producer, by metric and shard. A value that was measured twice is a fault.
func (w *world) measured() map[string]float64 {
	w.t.Helper()
	values := map[string]float64{}
	for line := range bytes.Lines(w.metrics.Bytes()) {
		data, about, err := metricstest.Read(line)
		if err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		for _, d := range data {
			name := d.Name
			if shard, ok := d.Dimensions["Shard"]; ok {
				name += " of " + shard
				delete(d.Dimensions, "Shard")
			}
			if _, twice := values[name]; twice || d.Namespace != "Streamproof" || d.Unit != "Count" || !maps.Equal(d.Dimensions, map[string]string{"Stack": "streamproof"}) {
				w.t.Errorf("got %+v", d)
			}
			values[name] = d.Value
		}
		if len(about) != 1 || about["Tick"] == "" {
			w.t.Errorf("the line is about %v, want its tick", about)
		}
	}
	return values
}

// TestPoison checks that the claim and the answers say how many records are malformed and how they are packed, and that
// the stream holds them so.
func TestPoison(t *testing.T) {
	t.Parallel()
	for _, aggregation := range []string{"none", ledger.KPL} {
		t.Run(aggregation, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, map[string]string{"AGGREGATION": aggregation, "SPREAD_SECONDS": "0"})
				entries, malformed, sent := 0, 0, map[string]int{}
				w.put = func(_ context.Context, _ int, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
					entries += len(in.Records)
					for _, e := range in.Records {
						records, aggregated, err := kpl.Deaggregate(e.Data)
						if aggregated != (aggregation == ledger.KPL) {
							t.Errorf("an entry is an aggregate: %t", aggregated)
						}
						if err != nil {
							malformed++
						}
						if !aggregated || err != nil {
							records = []kpl.Record{{Data: e.Data}}
						}
						for _, r := range records {
							sent[string(r.Data)]++
						}
					}
					return stored(in), nil
				}
				event := `{"records": 300, "poison": 30, "tick": "2000-01-01T00:00:00Z"}`
				for _, first := range []bool{true, false} {
					answer, err := w.invoke(event)
					if err != nil || answer.Poison != 30 || answer.Acknowledged != 300 || answer.Sent != first {
						t.Fatalf("answer is %+v (%v)", answer, err)
					}
				}
				tick := w.tick(start)
				if want := strings.TrimPrefix(aggregation, "none"); tick.Poison != 30 || tick.Aggregation != want {
					t.Errorf("the tick has poison %d and aggregation %q, want 30 and %q", tick.Poison, tick.Aggregation, want)
				}
				g, err := generator.New(embedded(t), tick.Seed)
				if err != nil {
					t.Fatal(err)
				}
				records := generator.Tick{Time: tick.Time, Records: tick.Records, Poison: tick.Poison, Aggregates: tick.PoisonsAggregates()}
				for i := range tick.Records {
					if record := string(g.Append(nil, records, i)); sent[record] < 1 {
						t.Errorf("record %d was not sent: %q", i, record)
					}
				}
				// Three aggregates are enough for all, less the four that are malformed and stand between others.
				if want := map[string][2]int{"none": {300, 0}, ledger.KPL: {10, 4}}[aggregation]; entries != want[0] || malformed != want[1] {
					t.Errorf("%d entries, %d malformed aggregates among them, want %d and %d", entries, malformed, want[0], want[1])
				}
			})
		})
	}
}

// TestClaimed: a tick that another attempt has claimed is a success that sends and writes nothing.
func TestClaimed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		state    ledger.State
		leaseEnd time.Duration // from now
		want     ledger.State
		message  string
	}{
		{"claimed", ledger.Claimed, time.Minute, ledger.InProgress, "another attempt is sending this tick, until 2000-01-01T00:01:00Z"},
		{"in progress", ledger.InProgress, time.Minute, ledger.InProgress, "another attempt is sending this tick"},
		{"crashed", ledger.Claimed, -time.Second, producer.Crashed, "closed as crashed"},
		{"crashed on the way", ledger.InProgress, 0, producer.Crashed, "closed as crashed"},
		{"complete", ledger.Complete, -time.Second, ledger.Complete, "sent before"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, nil)
				tick := ledger.Tick{
					State: tc.state, Time: start, Owner: "other", LeaseEnd: start.Add(tc.leaseEnd), Pipeline: "p", Records: 50, SpreadSeconds: 1, Generator: 1,
				}
				if tc.state != ledger.Claimed {
					tick.ClaimedAt = start
					tick.Outcomes = []ledger.Range{{Last: 49, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}}
				}
				body, err := tick.Encode()
				if err != nil {
					t.Fatal(err)
				}
				path := "/bucket/" + ledger.TickKey(start)
				w.s3.Put(path, body)
				answer, err := w.invoke(`{"records":1000,"tick":"2000-01-01T00:00:00Z"}`)
				if err != nil {
					t.Fatal(err)
				}
				if answer.State != tc.want || answer.Sent || answer.Records != 50 || !strings.Contains(answer.Message, tc.message) {
					t.Errorf("answer is %+v, want state %s and message %q", answer, tc.want, tc.message)
				}
				if acknowledged := ledger.Count(tick.Outcomes)[ledger.Acknowledged]; answer.Acknowledged != acknowledged {
					t.Errorf("answer has %d acknowledged, want %d", answer.Acknowledged, acknowledged)
				}
				if o, _ := w.s3.Get(path); w.calls != 0 || !bytes.Equal(o.Body, body) {
					t.Errorf("%d calls to Kinesis, and the tick is now %s", w.calls, o.Body)
				}
			})
		})
	}
}

// TestRace: of several events for one tick at a time, exactly one sends it.
func TestRace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var sent sync.Map
		var running sync.WaitGroup
		for i := range 5 {
			running.Go(func() {
				answer, err := w.invoke(`{"tick":"2000-01-01T00:00:00Z","records":600}`)
				if err != nil {
					t.Error(err)
				} else if answer.Sent {
					sent.Store(i, true)
				}
			})
		}
		running.Wait()
		n := 0
		sent.Range(func(any, any) bool { n++; return true })
		if n != 1 || w.calls != 2 {
			t.Errorf("%d attempts sent the tick with %d calls, want 1 with 2", n, w.calls)
		}
	})
}

// TestProgress: a long tick's outcomes are written every few seconds, and a write that fails does not end it.
func TestProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"SPREAD_SECONDS": "20"})
		var states []string
		w.s3.Before = func(_ int, method string) {
			if tick := w.tick(start); method == http.MethodPut && tick != nil {
				last := -1
				if len(tick.Outcomes) > 0 {
					last = tick.Outcomes[0].Last
				}
				states = append(states, fmt.Sprintf("%s: %s to %d", time.Since(start), tick.State, last))
			}
		}
		w.s3.Fault = func(int, string) s3test.Fault {
			if now := time.Since(start); now >= 9*time.Second && now < 14*time.Second {
				return s3test.Denied
			}
			return s3test.None
		}
		answer, err := w.invoke(`{"records":2000}`) // four batches, 5 s apart
		if err != nil || answer.Acknowledged != 2000 {
			t.Fatalf("answer is %+v (%v)", answer, err)
		}
		// What stood before each write. The batch of 5 s may be sent before or after the progress of 5 s is written.
		for i, want := range []string{"5s: claimed to -1", "10s: in progress", "15s: in progress"} {
			if i >= len(states) || !strings.HasPrefix(states[i], want) {
				t.Errorf("writes are %q, want the one of number %d to be %q", states, i, want)
			}
		}
		if got := w.tick(start); got.State != ledger.Complete || got.Revision < 3 {
			t.Errorf("the tick is %s in revision %d", got.State, got.Revision)
		}
		if !strings.Contains(w.log.String(), "progress not written") {
			t.Errorf("the log does not tell of the write that failed:\n%s", &w.log)
		}
	})
}

// TestShortTick: a tick that is sent at once is written twice, the claim and the manifest, beside the pipeline once a
// process.
func TestShortTick(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"SPREAD_SECONDS": "0"})
		for i := range 2 {
			if _, err := w.invoke(fmt.Sprintf(`{"tick":"2000-01-01T00:00:0%dZ"}`, i)); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.s3.Writes(); got != 5 {
			t.Errorf("%d writes, want 1 + 2 + 2", got)
		}
		o, ok := w.s3.Get("/bucket/" + ledger.PipelineKey(embedded(t).Hash()))
		if !ok {
			t.Fatal("the pipeline is not published")
		}
		if _, err := ledger.DecodePipeline(o.Body, w.tick(start).Pipeline); err != nil {
			t.Errorf("the tick's pipeline: %v", err)
		}
		tick := w.tick(start)
		if tick.Owner == w.tick(start.Add(time.Second)).Owner || tick.LeaseEnd.Before(start.Add(time.Minute)) || !tick.ClaimedAt.Equal(start) {
			t.Errorf("the tick is %+v, want an owner of its own, a lease until the deadline and S3's time", tick)
		}
	})
}

// TestRefusedStream: a stream that cannot be written leaves a manifest that says so, and one clear error.
func TestRefusedStream(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"missing": {&types.ResourceNotFoundException{Message: aws.String("gone")}, "there is no stream trips in this account and region: create it, or correct STREAM_NAME"},
		"denied":  {&smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient}, "allow the function's role kinesis:PutRecords on stream trips"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.put = func(context.Context, int, *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
					return nil, &smithy.OperationError{ServiceID: "Kinesis", OperationName: "PutRecords", Err: tc.err}
				}
				_, err := w.invoke(`{}`)
				if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "1000 of 1000 records rejected") || !errors.Is(err, tc.err) {
					t.Errorf("error is %v, want %q", err, tc.want)
				}
				tick := w.tick(start)
				if tick == nil || tick.State != ledger.Complete || ledger.Count(tick.Outcomes)[ledger.Rejected] != 1000 {
					t.Errorf("the ledger has %+v, want a manifest with all records rejected", tick)
				}
				if !strings.Contains(w.log.String(), `"level":"ERROR"`) || strings.Count(w.log.String(), "\n") != 1 {
					t.Errorf("the log is not one line of an error:\n%s", &w.log)
				}
				if answer, err := w.invoke(`{"tick":"2000-01-01T00:00:00Z"}`); err != nil || answer.Sent || answer.Rejected != 1000 {
					t.Errorf("the retry answers %+v (%v), want a success that sends nothing", answer, err)
				}
			})
		})
	}
}

// TestRefusedBucket: without a ledger nothing is sent.
func TestRefusedBucket(t *testing.T) {
	t.Parallel()
	for fault, want := range map[s3test.Fault]string{
		s3test.Denied:   "allow the function's role s3:PutObject and s3:GetObject on arn:aws:s3:::bucket/ledger/*",
		s3test.NoBucket: "there is no bucket bucket: create it, or correct BUCKET",
		s3test.Failure:  "InternalError",
	} {
		for _, from := range []int{0, 1, 2} { // what is current, the pipeline, or the claim
			t.Run(fmt.Sprint(want, from), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWorld(t, nil)
					w.s3.Fault = func(request int, _ string) s3test.Fault {
						if request >= from {
							return fault
						}
						return s3test.None
					}
					_, err := w.invoke(`{}`)
					if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "nothing was sent") {
						t.Errorf("error is %v, want %q", err, want)
					}
					if w.calls != 0 || w.tick(start) != nil {
						t.Errorf("%d calls to Kinesis, and the ledger has %+v", w.calls, w.tick(start))
					}
				})
			})
		}
	}
}

// TestNoTime: where the spread does not fit into the function's time, the tick is not claimed.
func TestNoTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"SPREAD_SECONDS": "60"})
		_, err := w.invoke(`{}`)
		if err == nil || !strings.Contains(err.Error(), "1m0s are left and a spread of 1m0s needs 1m7s") || w.s3.Writes() != 0 {
			t.Errorf("error is %v after %d writes", err, w.s3.Writes())
		}
		if answer, err := w.producer.Handle(t.Context(), json.RawMessage(`{}`)); err != nil || answer.Acknowledged != 1000 {
			t.Errorf("without a deadline: %+v (%v)", answer, err)
		}
	})
}

// TestOutOfTime checks that records that are not sent in time are rejected, that records of a cut call are unknown, and
// that the manifest is written before the end.
func TestOutOfTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"SPREAD_SECONDS": "0"})
		w.put = func(ctx context.Context, call int, in *kinesis.PutRecordsInput) (*kinesis.PutRecordsOutput, error) {
			<-ctx.Done()
			return nil, &smithy.CanceledError{Err: ctx.Err()}
		}
		answer, err := w.invoke(`{"records":20000}`)
		if err != nil {
			t.Fatal(err)
		}
		// 16 calls of 500 at a time, over and over.
		if answer.State != ledger.Complete || answer.Unknown != 8000 || answer.Rejected != 12000 || !strings.Contains(answer.Message, "12000") || time.Since(start) > 56*time.Second {
			t.Errorf("answer after %s is %+v", time.Since(start), answer)
		}
	})
}

// TestManifestLost: a tick whose manifest cannot be written says so and is closed as crashed later.
func TestManifestLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"SPREAD_SECONDS": "0"})
		w.s3.Fault = func(request int, _ string) s3test.Fault {
			if request >= 3 { // after what is current, the pipeline and the claim
				return s3test.Failure
			}
			return s3test.None
		}
		_, err := w.invoke(`{}`)
		if err == nil || !strings.Contains(err.Error(), "its manifest cannot be written") {
			t.Errorf("error is %v", err)
		}
		if tick := w.tick(start); tick.State != ledger.Claimed || !tick.Crashed(start.Add(61*time.Second)) {
			t.Errorf("the tick is %+v, want one that crashed", tick)
		}
	})
}

// TestClaimLost: where the tick has become somebody else's, sending ends and their object is left alone.
func TestClaimLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"SPREAD_SECONDS": "20"})
		time.AfterFunc(time.Second, func() {
			tick := w.tick(start)
			tick.Owner = "other"
			body, err := tick.Encode()
			if err != nil {
				t.Error(err)
			}
			w.s3.Put("/bucket/"+ledger.TickKey(start), body)
		})
		_, err := w.invoke(`{"records":2000}`)
		var claimed *ledger.ClaimedError
		if !errors.As(err, &claimed) || w.tick(start).Owner != "other" || w.tick(start).State != ledger.Claimed {
			t.Errorf("error is %v and the tick %+v", err, w.tick(start))
		}
		if w.calls > 2 {
			t.Errorf("%d calls to Kinesis, want none after the claim was lost at 5 s", w.calls)
		}
		if got := w.measured(); got["TicksFailed"] != 1 || got["RecordsAcknowledged"] != float64(w.calls*500) || got["RecordsRejected"] != float64(2000-w.calls*500) {
			t.Errorf("after %d calls of 500 records, measured %v", w.calls, got)
		}
	})
}

// TestCurrentPipeline: a tick is made for the pipeline that the ledger says is current, from the next tick on.
func TestCurrentPipeline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, map[string]string{"SPREAD_SECONDS": "0"})
		ours := embedded(t)
		other, err := pipeline.Parse(ours.SchemaJSON, []byte(strings.Replace(string(ours.SQL), "COL0 < 3", "COL0 < 2", 1)))
		if err != nil {
			t.Fatal(err)
		}
		store := ledger.NewStore(w.s3.Client(), "bucket")
		var stands *ledger.Current
		set := func(p *pipeline.Pipeline, by string) {
			t.Helper()
			next := &ledger.Current{Pipeline: p.Hash(), Since: time.Now(), By: by, Deployed: ours.Hash()}
			if _, err := store.SetCurrent(t.Context(), next, stands); err != nil {
				t.Fatal(err)
			}
			stands = next
		}
		madeFor := func() string {
			t.Helper()
			time.Sleep(time.Second)
			answer, err := w.invoke(`{}`)
			if err != nil {
				t.Fatal(err)
			}
			return w.tick(answer.Tick).Pipeline
		}
		if got := madeFor(); got != ours.Hash() {
			t.Errorf("nothing is said: got %s, want the embedded pipeline", got)
		}
		set(other, ledger.BySQLRun)
		if _, err := w.invoke(`{}`); err == nil || !strings.Contains(err.Error(), "cannot determine the current pipeline; nothing was sent") {
			t.Errorf("the pipeline is not published: got error %v", err)
		}
		if err := store.PublishPipeline(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := madeFor(); got != other.Hash() {
				t.Errorf("got %s, want the pipeline that was set", got)
			}
		}
		set(ours, ledger.ByDeploy)
		if got := madeFor(); got != ours.Hash() {
			t.Errorf("deployed again: got %s, want the embedded pipeline", got)
		}
		next := *stands
		next.Change = &ledger.Change{To: other.Hash(), Begun: time.Now()}
		if _, err := store.SetCurrent(t.Context(), &next, stands); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, err := w.invoke(`{}`); err == nil || !strings.Contains(err.Error(), "has not ended, and no tick is sent until it has") {
			t.Errorf("while the query is being changed: got error %v", err)
		}
	})
}
