//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"streamproof/e2e/fault"
	"streamproof/e2e/referee"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/firehose"
	"streamproof/internal/local/runner"
	"streamproof/internal/producer"
	"streamproof/internal/proof"
	"streamproof/internal/verifier"
)

// A rig is a stack with proxies between its parts. No other test shares it, because doubled rows stay doubled.
type rig struct {
	*local.Stack
	kinesis  *fault.Microburst // before the emulator, for the functions and the job
	firehose *fault.Microburst // before the delivery streams
	proxy    *fault.Proxy      // before kinesis, for the functions
	dropped  atomic.Int64      // rows of objects that were lost
}

// TestFaults makes every part of the stack fail in every way that AWS can, and compares the ledger and the verdict with
// an independent count. No row is lost except those of an object lost on purpose, nothing is accused wrongly, and
// doubles are counted exactly.
func TestFaults(t *testing.T) {
	inTurn(t, 160*time.Second)
	r := startRig(t)
	t.Run("outcomes", func(t *testing.T) { everyOutcome(t, r) })
	t.Run("packed", func(t *testing.T) { packed(t, r) })
	t.Run("ledger", func(t *testing.T) { ledgerFaults(t, r) })
	t.Run("killed in the middle of a tick", func(t *testing.T) { producerKilled(t, r) })
	t.Run("ledger and stream", func(t *testing.T) { ledgerIsRight(t, r) })
	t.Run("in flow", func(t *testing.T) { faultsInFlow(t, r) })
	t.Run("verifier killed in the middle of a write", func(t *testing.T) { verifierKilled(t, r) })
	t.Run("verifiers at once", func(t *testing.T) { verifiersAtOnce(t, r) })
	t.Run("an object is lost", func(t *testing.T) { objectLost(t, r) })
	t.Run("verdict", func(t *testing.T) { verdictIsRight(t, r) })
}

func startRig(t *testing.T) *rig {
	t.Helper()
	r, dir, began := new(rig), t.TempDir(), time.Now()
	t.Cleanup(func() {
		end := context.Background()
		if r.Stack != nil {
			r.Deliveries().SetHooks(firehose.Hooks{})
			if err := r.Stop(end); err != nil {
				t.Error(err)
			}
		}
		for _, m := range []*fault.Microburst{r.kinesis, r.firehose} {
			if m != nil {
				if err := m.Stop(end); err != nil {
					t.Error(err)
				}
			}
		}
		if r.proxy != nil {
			r.proxy.Stop()
		}
	})
	s, err := start(t, local.Options{
		Root: "..", StateDir: filepath.Join(dir, "stack"), Port: local.AnyPort, Prebuilt: true,
		// A quiet stack: all ticks and verifications are this test's.
		Parameters: parameters(t, "no schedule, short deadline"),
		JobEndpoint: func(service, endpoint string) (string, error) {
			m, err := fault.StartMicroburst(t.Context(), "..", dir, endpoint)
			if err != nil {
				return "", err
			}
			if service == "kinesis" {
				r.kinesis = m
			} else {
				r.firehose = m
			}
			return m.URL, nil
		},
		Step: func(name string) func(error) {
			return func(error) { t.Logf("%5.1f s  %s", time.Since(began).Seconds(), name) }
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Stack = s
	if r.proxy, err = fault.StartProxy(r.kinesis.URL); err != nil {
		t.Fatal(err)
	}
	r.configure(t, r.Outputs.VerifierFunction, 60, nil)
	return r
}

// configure points a function at the proxies for Kinesis and S3.
func (r *rig) configure(t *testing.T, function string, timeout int32, more map[string]string) {
	t.Helper()
	variables := map[string]string{"AWS_ENDPOINT_URL_KINESIS": r.proxy.URL, "AWS_ENDPOINT_URL_S3": r.proxy.URL}
	for name, value := range more {
		variables[name] = value
	}
	if err := fault.Reconfigure(t.Context(), r.Stack, function, timeout, variables); err != nil {
		t.Fatal(err)
	}
}

// breakOn sets the faults, in place of the previous ones.
func (r *rig) breakOn(t *testing.T, rules []fault.Rule, orders []fault.Order) {
	t.Helper()
	if err := r.kinesis.Set(t.Context(), rules...); err != nil {
		t.Fatal(err)
	}
	r.proxy.Set(orders...)
}

func onPut(response string, times int) []fault.Rule {
	return []fault.Rule{{Fault: response, JSON: fmt.Sprintf(`{"service":"kinesis","operation":"PutRecords","times":%d,%s}`, times, response)}}
}

const always = 1000

// everyOutcome causes each row of the table of outcomes, by each fault that leads to it. Each tick is one call of 40
// records.
func everyOutcome(t *testing.T, r *rig) {
	r.configure(t, r.Outputs.ProducerFunction, 60, map[string]string{"SPREAD_SECONDS": "0"})
	const n = 40
	order := func(kind fault.Kind, times int) []fault.Order {
		return []fault.Order{{Fault: "put", Kind: kind, Operation: "PutRecords", Times: times}}
	}
	// counts is the records by outcome, and hi the most copies of one that the ledger allows, 0 for any.
	type want struct {
		acknowledged, after, rejected, unknown int
		hi                                     int
	}
	for _, tc := range []struct {
		name   string
		rules  []fault.Rule
		orders []fault.Order
		want   want
		copies map[int]int // number of records by their copies in the stream; nil for any that the ledger allows
		fails  bool        // the producer says that it was refused
		short  bool        // the producer has little time, from here on
	}{
		{name: "no fault", want: want{acknowledged: n, hi: 1}, copies: map[int]int{1: n}},
		{name: "call throttled", rules: onPut(`"error":{"code":"ProvisionedThroughputExceededException","status":400}`, 2), want: want{acknowledged: n, hi: 1}, copies: map[int]int{1: n}},
		{name: "entries throttled", orders: order(fault.ThrottledEntries, 2), want: want{acknowledged: n, hi: 1}, copies: map[int]int{1: n}},
		{name: "answer cut off after the write", rules: onPut(`"response":{"abort_frac":0.3}`, 1), want: want{acknowledged: n, after: n, hi: 2}, copies: map[int]int{2: n}},
		{name: "half an answer after the write", rules: onPut(`"response":{"truncate_frac":0.5}`, 1), want: want{acknowledged: n, after: n, hi: 2}, copies: map[int]int{2: n}},
		{name: "answer lost after the write", orders: order(fault.LostAnswer, 2), want: want{acknowledged: n, after: n, hi: 3}, copies: map[int]int{3: n}},
		{name: "connection reset", rules: onPut(`"reset":true`, 2), want: want{acknowledged: n, after: n, hi: 3}, copies: map[int]int{1: n}},
		{name: "500", rules: onPut(`"error":{"code":"InternalFailure","status":500}`, 1), want: want{acknowledged: n, after: n, hi: 2}, copies: map[int]int{1: n}},
		{name: "503", rules: onPut(`"error":{"code":"ServiceUnavailable","status":503}`, 1), want: want{acknowledged: n, after: n, hi: 2}, copies: map[int]int{1: n}},
		{name: "500 after the write", orders: order(fault.FailsAfter, 1), want: want{acknowledged: n, after: n, hi: 2}, copies: map[int]int{2: n}},
		// Of 40 entries, the 20 odd ones fail, although half of those are stored. The retry stores all 20.
		{name: "entries fail", orders: order(fault.FailedEntries, 1), want: want{acknowledged: n, after: n / 2, hi: 2}, copies: map[int]int{1: n - n/4, 2: n / 4}},
		{name: "denied", rules: onPut(`"error":{"code":"AccessDeniedException","status":400}`, always), want: want{rejected: n}, copies: map[int]int{0: n}, fails: true},
		{name: "throttled to the end", short: true, rules: onPut(`"error":{"code":"ProvisionedThroughputExceededException","status":400}`, always), want: want{rejected: n}, copies: map[int]int{0: n}},
		{name: "500 to the end", rules: onPut(`"error":{"code":"InternalFailure","status":500}`, always), want: want{unknown: n}, copies: map[int]int{0: n}},
		{name: "500 after every write to the end", orders: order(fault.FailsAfter, always), want: want{unknown: n}},
		// The producer's time is up before the answer comes.
		{name: "no answer in time", rules: onPut(`"latency":8000`, 1), want: want{unknown: n, hi: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.short {
				r.configure(t, r.Outputs.ProducerFunction, 11, nil)
			}
			r.breakOn(t, tc.rules, tc.orders)
			tick := time.Now().Truncate(time.Millisecond)
			answer, raw, err := r.Produce(t.Context(), tick, n, 0)
			r.breakOn(t, nil, nil)
			if tc.fails {
				if err == nil || !strings.Contains(err.Error(), "rejected") {
					t.Errorf("got %s, %v, want an error about rejected records", raw, err)
				}
			} else if got := (want{answer.Acknowledged, answer.AcknowledgedAfterUnknown, answer.Rejected, answer.Unknown, tc.want.hi}); err != nil || got != tc.want {
				t.Errorf("got %s, %v, want %+v", raw, err, tc.want)
			}
			if strings.Contains(tc.name, "in time") {
				time.Sleep(4 * time.Second) // the call that the producer gave up goes through
			}
			ticks, stream := r.read(t)
			i := slices.IndexFunc(ticks, func(one *referee.Tick) bool { return one.Tick.Equal(tick) })
			if i < 0 {
				t.Fatal("the tick is not in the ledger")
			}
			records, err := ticks[i].All()
			if err != nil {
				t.Fatal(err)
			}
			copies := map[int]int{}
			for _, record := range records {
				got := stream[record.Data]
				copies[got]++
				if got < record.Lo || got > record.Hi || record.Outcome == "" || tc.want.hi > 0 && record.Hi > tc.want.hi {
					t.Fatalf("the stream holds %d copies of a record that is %q, %d to %d", got, record.Outcome, record.Lo, record.Hi)
				}
			}
			for times, want := range tc.copies {
				if copies[times] != want {
					t.Errorf("records by copies are %v, want %v", copies, tc.copies)
				}
			}
			switch tc.name {
			case "500 after every write to the end": // everything that may be stored is stored
				if hi := records[0].Hi; hi < 3 || copies[hi] != n {
					t.Errorf("records by copies are %v, want each stored %d times", copies, hi)
				}
			case "no answer in time":
				if copies[1] != n {
					t.Errorf("records by copies are %v, want each stored in the end", copies)
				}
			}
		})
	}
}

// packed makes calls with aggregates fail: an entry's outcome is the outcome of each record in it.
func packed(t *testing.T, r *rig) {
	r.configure(t, r.Outputs.ProducerFunction, 60, map[string]string{"SPREAD_SECONDS": "0", "AGGREGATION": ledger.KPL})
	defer r.configure(t, r.Outputs.ProducerFunction, 60, map[string]string{"AGGREGATION": producer.NoAggregation})
	for name, tc := range map[string]struct {
		kind   fault.Kind
		copies []int // how often records are stored
	}{
		"answer lost after the write": {fault.LostAnswer, []int{2}},
		"entries throttled":           {fault.ThrottledEntries, []int{1}},
		"entries fail":                {fault.FailedEntries, []int{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			r.breakOn(t, nil, []fault.Order{{Fault: "put", Kind: tc.kind, Operation: "PutRecords", Times: 1}})
			tick := time.Now().Truncate(time.Millisecond)
			answer, raw, err := r.Produce(t.Context(), tick, 1000, 0)
			r.breakOn(t, nil, nil)
			if err != nil || answer.Acknowledged != 1000 {
				t.Errorf("got %s, %v, want all records acknowledged", raw, err)
			}
			ticks, stream := r.read(t)
			ticks = slices.DeleteFunc(ticks, func(one *referee.Tick) bool { return !one.Tick.Equal(tick) })
			held, _, _, err := referee.CheckLedger(ticks, stream)
			if err != nil {
				t.Fatal(err)
			}
			copies := map[int]bool{}
			for _, of := range held {
				for n := range of {
					copies[n] = true
				}
			}
			if got := slices.Sorted(maps.Keys(copies)); !slices.Equal(got, tc.copies) {
				t.Errorf("records are stored %v times (%s), want %v", got, held, tc.copies)
			}
		})
	}
}

// read returns the ledger, and the copies of each record in the stream.
func (r *rig) read(t *testing.T) ([]*referee.Tick, map[string]int) {
	t.Helper()
	ticks, err := referee.ReadLedger(t.Context(), r.S3, r.Outputs.BucketName)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := referee.ReadStream(t.Context(), kinesis.NewFromConfig(r.AWS), r.Outputs.StreamName)
	if err != nil {
		t.Fatal(err)
	}
	return ticks, stream
}

// ledgerFaults makes the ledger's writes to S3 fail. A tick is claimed and sent once, and its manifest is written,
// whatever S3 answered.
func ledgerFaults(t *testing.T, r *rig) {
	onTick := func(kind fault.Kind, times int) []fault.Order {
		return []fault.Order{{Fault: "ledger", Kind: kind, Operation: "PUT", Path: "/" + ledger.TicksPrefix, Times: times}}
	}
	onPut := func(response string, times int) []fault.Rule {
		return []fault.Rule{{Fault: response, JSON: fmt.Sprintf(`{"service":"s3","operation":"PutObject","times":%d,%s}`, times, response)}}
	}
	for _, tc := range []struct {
		name   string
		rules  []fault.Rule
		orders []fault.Order
	}{
		// The SDK tries again, and S3 says that the condition does not hold: the object is read, and the owner is this one.
		{name: "the claim's answer lost", orders: onTick(fault.LostAnswer, 1)},
		{name: "the claim's answer lost twice", orders: onTick(fault.LostAnswer, 2)},
		{name: "both answers lost", orders: []fault.Order{
			{Fault: "ledger", Kind: fault.LostAnswer, Operation: "PUT", Path: "/" + ledger.TicksPrefix, Times: 1},
			{Fault: "ledger", Kind: fault.Held, Operation: "PUT", Path: "/" + ledger.TicksPrefix, Times: 1}, // its second try
			{Fault: "ledger", Kind: fault.LostAnswer, Operation: "PUT", Path: "/" + ledger.TicksPrefix, Times: 1},
		}},
		{name: "500 after every try of the SDK", orders: onTick(fault.FailsAfter, 3)},
		{name: "409", rules: onPut(`"error":{"code":"ConditionalRequestConflict","status":409}`, 4)},
		{name: "503", rules: onPut(`"error":{"code":"SlowDown","status":503}`, 4)},
		{name: "500", rules: onPut(`"error":{"code":"InternalError","status":500}`, 4)},
		{name: "connection reset", rules: onPut(`"reset":true`, 3)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.breakOn(t, tc.rules, tc.orders)
			produce1(t, r.Stack, 60)
			r.breakOn(t, nil, nil)
		})
	}

	// A 412 that S3 has no reason for: nothing was written, and nothing is sent.
	r.breakOn(t, onPut(`"error":{"code":"PreconditionFailed","status":412}`, always), nil)
	tick := time.Now().Truncate(time.Millisecond)
	_, raw, err := r.Produce(t.Context(), tick, 60, 0)
	r.breakOn(t, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "nothing was sent") {
		t.Errorf("412 with nothing there: got %s, %v, want that nothing was sent", raw, err)
	}
	ticks, _ := r.read(t)
	if slices.ContainsFunc(ticks, func(one *referee.Tick) bool { return one.Tick.Equal(tick) }) {
		t.Error("a tick that could not be claimed is in the ledger")
	}
}

// produce1 sends a tick of n records, each acknowledged once.
func produce1(t *testing.T, s *local.Stack, n int) {
	t.Helper()
	answer, raw, err := s.Produce(t.Context(), time.Now(), n, 0)
	if err != nil || !answer.Sent || answer.State != ledger.Complete || answer.Acknowledged != n || answer.AcknowledgedAfterUnknown != 0 {
		t.Errorf("got %s, %v, want %d records sent and acknowledged", raw, err, n)
	}
}

// producerKilled ends the producer's process with kill -9, once before its first progress and once after it: the tick
// stays in the ledger as it was last written, and is not sent again.
func producerKilled(t *testing.T, r *rig) {
	r.configure(t, r.Outputs.ProducerFunction, 20, map[string]string{"SPREAD_SECONDS": "8"})
	for _, tc := range []struct {
		name  string
		after time.Duration
		state ledger.State
	}{
		{"before its first progress", 2500 * time.Millisecond, ledger.Claimed},
		{"after its first progress", 7 * time.Second, ledger.InProgress},
	} {
		tick := time.Now().Truncate(time.Millisecond)
		ended := make(chan error, 1)
		go func() {
			_, _, err := r.Produce(t.Context(), tick, 4000, 0)
			ended <- err
		}()
		time.Sleep(tc.after)
		if err := fault.Kill(r.Stack, r.Outputs.ProducerFunction); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Errorf("%s: the producer that was killed answered", tc.name)
		}
		again, raw, err := r.Produce(t.Context(), tick, 4000, 0)
		if err != nil || again.Sent || again.State != ledger.InProgress {
			t.Errorf("%s: the same tick again: got %s, %v, want it in progress and not sent", tc.name, raw, err)
		}
		ticks, stream := r.read(t)
		i := slices.IndexFunc(ticks, func(one *referee.Tick) bool { return one.Tick.Equal(tick) })
		if i < 0 {
			t.Fatalf("%s: the tick is not in the ledger", tc.name)
		}
		if ticks[i].State != string(tc.state) {
			t.Errorf("%s: the tick is %s, want %s", tc.name, ticks[i].State, tc.state)
		}
		records, err := ticks[i].All()
		if err != nil {
			t.Fatal(err)
		}
		known, stored := 0, 0
		for _, record := range records {
			if record.Outcome != "" {
				known++
			} else if stream[record.Data] > 0 {
				stored++
			}
		}
		t.Logf("%s: %d of %d records have an outcome, and of the others %d are stored", tc.name, known, len(records), stored)
		if stored == 0 || (known > 0) != (tc.state == ledger.InProgress) {
			t.Errorf("%s: %d records have an outcome, and of the others %d are stored", tc.name, known, stored)
		}
	}
}

// ledgerIsRight compares every record ever claimed with the stream.
func ledgerIsRight(t *testing.T, r *rig) {
	ticks, stream := r.read(t)
	held, records, problems, err := referee.CheckLedger(ticks, stream)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d records of %d ticks; records×copies by outcome: %s", records, len(ticks), held)
	for _, problem := range problems[:min(len(problems), 10)] {
		t.Error(problem)
	}
	for _, outcome := range []ledger.Outcome{ledger.Acknowledged, ledger.AcknowledgedAfterUnknown, ledger.Rejected, ledger.Unknown, "crashed"} {
		if len(held[string(outcome)]) == 0 {
			t.Errorf("no record is %s", outcome)
		}
	}
}

// faultsInFlow sends ticks while the job's Kinesis and delivery streams fail, its JVM is killed, and an event arrives
// twice.
func faultsInFlow(t *testing.T, r *rig) {
	r.configure(t, r.Outputs.ProducerFunction, 40, map[string]string{"SPREAD_SECONDS": "5"})
	reads := []fault.Rule{}
	for _, response := range []string{
		`"error":{"code":"ProvisionedThroughputExceededException","status":400}`, `"error":{"code":"InternalFailure","status":500}`,
		`"reset":true`, `"response":{"abort_frac":0.5}`,
	} {
		reads = append(reads, fault.Rule{Fault: "GetRecords", JSON: fmt.Sprintf(`{"service":"kinesis","operation":"GetRecords","times":2,"probability":0.5,%s}`, response)})
	}
	r.breakOn(t, reads, nil)
	err := r.firehose.Set(t.Context(),
		fault.Rule{Fault: "PutRecordBatch", JSON: `{"service":"firehose","operation":"PutRecordBatch","times":1,"reset":true}`},
		fault.Rule{Fault: "PutRecordBatch", JSON: `{"service":"firehose","operation":"PutRecordBatch","times":1,"error":{"code":"InternalFailure","status":500}}`},
		fault.Rule{Fault: "PutRecordBatch", JSON: `{"service":"firehose","operation":"PutRecordBatch","times":1,"response":{"abort_frac":0.3}}`})
	if err != nil {
		t.Fatal(err)
	}
	var calls, entries, lost, late atomic.Int64
	r.Deliveries().SetHooks(firehose.Hooks{
		Call: func(string) *firehose.Error {
			if calls.Add(1)%5 != 2 {
				return nil
			}
			return &firehose.Error{Status: 503, Code: "ServiceUnavailableException", Message: "Slow down."}
		},
		Entry: func(_ string, entry int) string {
			if entries.Add(1)%4 != 0 {
				return ""
			}
			return "ServiceUnavailableException"
		},
		Answer: func(stream string) bool { return stream == r.Outputs.DeliveryStreamName && lost.Add(1) == 1 },
		Write: func(ctx context.Context, o firehose.Object, put func(firehose.Object) error) error {
			if late.Add(1)%3 == 0 {
				select {
				case <-ctx.Done():
				case <-time.After(4 * time.Second):
				}
			}
			return put(o)
		},
	})

	var sending sync.WaitGroup
	for i := range 3 {
		tick := time.Now().Add(time.Duration(i) * time.Millisecond)
		sending.Go(func() { produce(t, r.Stack, tick, 800) })
	}
	client, twice := lambda.NewFromConfig(r.AWS), time.Now().UTC().Truncate(time.Second)
	for range 2 {
		_, err := client.Invoke(t.Context(), &lambda.InvokeInput{
			FunctionName: &r.Outputs.ProducerFunction, InvocationType: lambdatypes.InvocationTypeEvent,
			Payload: fmt.Appendf(nil, `{"scheduledTime":%q}`, twice.Format(time.RFC3339)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2500 * time.Millisecond)
	before := job(t, r.Stack)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	sending.Wait()
	await(t, "the job comes back", func() bool {
		now := job(t, r.Stack)
		return now.State == runner.Running && now.PID != before.PID
	})
	await(t, "the tick whose event came twice is complete", func() bool {
		event, _ := json.Marshal(map[string]string{"scheduledTime": twice.Format(time.RFC3339)})
		out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &r.Outputs.ProducerFunction, Payload: event})
		var answer producer.Answer
		return err == nil && json.Unmarshal(out.Payload, &answer) == nil && answer.State == ledger.Complete && !answer.Sent
	})
	// The job, restored, under the same faults: for as many ticks as it takes until enough of them have fired.
	const least, most = 3, 30
	proxies := map[string]*fault.Microburst{"GetRecords": r.kinesis, "PutRecordBatch": r.firehose}
	rare := func(name string) bool {
		fired, err := proxies[name].Fired(t.Context())
		return err != nil || fired[name] < least
	}
	produce(t, r.Stack, time.Now(), 400)
	for n := 1; n < most && (rare("GetRecords") || rare("PutRecordBatch")); n++ {
		produce(t, r.Stack, time.Now(), 400)
	}
	r.breakOn(t, nil, nil)
	r.Deliveries().SetHooks(firehose.Hooks{})
	for name, m := range proxies {
		fired, err := m.Fired(t.Context())
		if err != nil || fired[name] < least {
			t.Errorf("%s failed %d times (%v), want %d at least", name, fired[name], err, least)
		}
	}
}

// verifierKilled ends the verifier's process with kill -9 while it writes its state or its report: before the write
// arrives, and after it but before the answer. The next verification is right.
func verifierKilled(t *testing.T, r *rig) {
	kill := func() {
		if err := fault.Kill(r.Stack, r.Outputs.VerifierFunction); err != nil && !errors.Is(err, fault.ErrNoProcess) {
			t.Error(err)
		}
	}
	for _, o := range []fault.Order{
		{Fault: "killed before its state is written", Operation: "PUT", Path: verifier.CheckpointKey, Before: kill},
		{Fault: "killed after its state is written", Operation: "PUT", Path: verifier.CheckpointKey, After: kill},
		{Fault: "killed before its report is written", Operation: "PUT", Path: verifier.ReportsPrefix, Before: kill},
		{Fault: "killed after its report is written", Operation: "PUT", Path: verifier.ReportsPrefix, After: kill},
	} {
		o.Kind, o.Times = fault.Held, 1
		r.breakOn(t, nil, []fault.Order{o})
		// The state is replaced only if the bucket's clock has advanced since the last one. It has a resolution of a
		// second.
		time.Sleep(1100 * time.Millisecond)
		_, raw, err := r.Verify(t.Context())
		if err == nil {
			t.Errorf("%s: the verifier that was killed answered %s", o.Fault, raw)
		}
		if r.proxy.Fired()[o.Fault] != 1 {
			t.Errorf("%s: %d times", o.Fault, r.proxy.Fired()[o.Fault])
		}
		r.breakOn(t, nil, nil)
		judged, _, err := r.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// On a busy machine the job may come back after the deadline: what is missing now is late in the end.
		if c := judged.Counts; judged.Verdict == proof.Undecided || c.Failed+c.Corrupt+c.Leaked+c.Unexpected > 0 {
			t.Errorf("%s: then %s %v", o.Fault, judged.LastLine(), judged.Reasons)
		}
	}
}

// verifiersAtOnce runs several verifiers at once while rows arrive, some of them twice. One replaces the state, and all
// are right. The last verdict shows that the state they leave counts nothing twice.
func verifiersAtOnce(t *testing.T, r *rig) {
	var twice atomic.Bool
	r.Deliveries().SetHooks(firehose.Hooks{Write: func(_ context.Context, o firehose.Object, put func(firehose.Object) error) error {
		if err := put(o); err != nil || o.Stream != r.Outputs.DeliveryStreamName || twice.Swap(true) {
			return err
		}
		o.Key += "-again"
		return put(o)
	}})
	defer r.Deliveries().SetHooks(firehose.Hooks{})
	produce(t, r.Stack, time.Now(), 400)
	for range 3 {
		time.Sleep(1100 * time.Millisecond) // until the bucket's clock advances
		var judging sync.WaitGroup
		for range 4 {
			judging.Go(func() {
				judged, _, err := r.Verify(t.Context())
				if err != nil {
					t.Error(err)
				} else if c := judged.Counts; judged.Verdict == proof.Undecided || c.Failed+c.Corrupt+c.Leaked+c.Unexpected > 0 {
					t.Errorf("got %s %v", judged.LastLine(), judged.Reasons)
				}
			})
		}
		judging.Wait()
	}
	await(t, "an object is written twice", twice.Load)
}

// objectLost loses an object after Firehose has answered. Only the verdict can show it.
func objectLost(t *testing.T, r *rig) {
	r.Deliveries().SetHooks(firehose.Hooks{Write: func(_ context.Context, o firehose.Object, put func(firehose.Object) error) error {
		rows := int64(bytes.Count(o.Body, []byte("\n")))
		if o.Stream == r.Outputs.DeliveryStreamName && r.dropped.CompareAndSwap(0, rows) {
			return nil
		}
		return put(o)
	}})
	produce(t, r.Stack, time.Now(), 400)
	await(t, "an object is lost", func() bool { return r.dropped.Load() > 0 })
	r.Deliveries().SetHooks(firehose.Hooks{})
}

// verdictIsRight compares the verdict with the referee's count of every row.
func verdictIsRight(t *testing.T, r *rig) {
	until := time.Now().Add(4 * time.Minute)
	judged, _, err := r.Verify(t.Context())
	for ; err == nil && (judged.Verdict == proof.Undecided || judged.Counts.InFlight > 0 || judged.Covers.TicksUnsettled > 0); judged, _, err = r.Verify(t.Context()) {
		if time.Now().After(until) {
			break
		}
		time.Sleep(time.Second)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log(judged.LastLine())
	if full, _, err := r.VerifyFull(t.Context()); err != nil || full.Counts != judged.Counts || full.Verdict != judged.Verdict {
		t.Errorf("in full: got %v, %v, and in increments %s", full, err, judged.LastLine())
	}
	ticks, stream := r.read(t)
	objects, err := referee.ReadRows(t.Context(), r.S3, r.Outputs.BucketName, r.Outputs.DataPrefix)
	if err != nil {
		t.Fatal(err)
	}
	own, err := referee.Count(ticks, stream, objects)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the referee counts %+v", own)
	c := judged.Counts
	got := referee.Counts{
		Owed: c.Owed, Delivered: c.Delivered, Recovered: c.Recovered, Missing: c.Missing, Duplicated: c.Duplicated, Unexpected: c.Unexpected + c.Leaked,
		Crashed: own.Crashed, InStream: own.InStream, Lost: own.Lost, Doubled: own.Doubled,
	}
	if got != own || own.Unexpected != 0 || own.Crashed != 2 || c.Corrupt != 0 || c.Failed != 0 || c.Owed != c.Delivered-c.Recovered+c.Missing {
		t.Errorf("got %s, the referee counts %+v", judged.LastLine(), own)
	}
	// One of them may equal a row that is there twice.
	if dropped := r.dropped.Load(); own.Lost > dropped || own.Lost < dropped-10 || own.Missing > dropped || own.Missing < dropped-10 || len(judged.Samples[proof.Missing]) == 0 {
		t.Errorf("%d rows were lost on purpose, the referee counts %+v", dropped, own)
	}
	// A double of a record of unknown outcome, or of a crashed tick, is allowed. Only doubles of acknowledged records
	// are duplicates.
	if own.Duplicated == 0 || own.Duplicated > own.Doubled {
		t.Errorf("the job was killed, answers were lost and an object was written twice: want duplicates, and no more than doubles, got %+v", own)
	}
	if judged.Verdict != proof.NotProven {
		t.Errorf("the verdict is %s", judged.Verdict)
	}
	ledgerIsRight(t, r)
}
