// Command soak runs a local stack of its own under random faults, from a seed that it prints. It ends with the verdict,
// the referee's independent count, and a table of the faults; docs/reliability.md says how to read them. Its exit
// status is 0 if the verdict is right in every number and no row is lost.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/e2e/fault"
	"streamproof/e2e/referee"
	"streamproof/internal/audit"
	"streamproof/internal/local"
	"streamproof/internal/local/emulator"
	"streamproof/internal/local/firehose"
	"streamproof/internal/local/runner"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// Times, in the stack's terms.
const (
	deadline        = 120 * time.Second // after which a row is missing
	producerTimeout = 40                // seconds: the lease of a tick whose producer is killed
	verifierTimeout = 120               // seconds
	turn            = 10 * time.Second  // between two ticks
	verifyEvery     = 6                 // turns
	jvmEvery        = 4 * time.Minute   // at most: a JVM takes long to restart
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seconds := flags.Int("seconds", 3600, "how long ticks are produced")
	seed := flags.Uint64("seed", 0, "of the faults; 0 for one by the clock")
	root := flags.String("project", ".", "the project's directory")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	s := &soak{
		out: stdout, log: stderr, root: *root, seed: *seed, length: time.Duration(*seconds) * time.Second,
		random: rand.New(rand.NewPCG(*seed, 0)), count: map[string]int{},
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	s.dir = dir
	err = s.run(ctx)
	if err == nil {
		return os.RemoveAll(dir)
	}
	return fmt.Errorf("%w (what it left is in %s)", err, dir)
}

// A soak is one run.
type soak struct {
	out, log io.Writer
	root     string
	dir      string
	seed     uint64
	length   time.Duration
	random   *rand.Rand

	stack    *local.Stack
	aws      *fault.Microburst // before the emulator
	firehose *fault.Microburst // before the delivery streams
	proxy    *fault.Proxy      // before aws, for the functions

	killed  time.Time // the last JVM
	sending sync.WaitGroup

	mu       sync.Mutex
	count    map[string]int // faults that are not a proxy's, by name
	accused  []string       // verdicts with findings that cannot be true
	verified int
	unclear  int // verdicts that were UNDECIDED
	audited  int
	blurred  int        // audits that were UNDECIDED
	auditing sync.Mutex // held from an audit's start until the next one may begin
	began    time.Time
}

func (s *soak) run(ctx context.Context) (err error) {
	s.say("seed %d, %s, %s %s, %d cores", s.seed, s.length, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	stack, err := local.Start(ctx, local.Options{
		Root: s.root, StateDir: filepath.Join(s.dir, "stack"), Port: local.AnyPort,
		Parameters:  map[string]string{"ScheduleState": "DISABLED", "DeliveryDeadlineSeconds": fmt.Sprint(int(deadline.Seconds()))},
		JobEndpoint: func(service, endpoint string) (string, error) { return s.between(ctx, service, endpoint) },
		Step: func(name string) func(error) {
			s.say("%s", name)
			return func(error) {}
		},
	})
	if err != nil {
		return err
	}
	s.stack = stack
	defer func() {
		end := context.WithoutCancel(ctx)
		s.stack.Deliveries().SetHooks(firehose.Hooks{})
		err = errors.Join(err, s.stack.Stop(end), s.aws.Stop(end), s.firehose.Stop(end))
		s.proxy.Stop()
	}()
	if s.proxy, err = fault.StartProxy(s.aws.URL); err != nil {
		return err
	}
	through := map[string]string{"AWS_ENDPOINT_URL_KINESIS": s.proxy.URL, "AWS_ENDPOINT_URL_S3": s.proxy.URL}
	for function, timeout := range map[string]int32{s.stack.Outputs.ProducerFunction: producerTimeout, s.stack.Outputs.VerifierFunction: verifierTimeout} {
		if err := fault.Reconfigure(ctx, s.stack, function, timeout, through); err != nil {
			return err
		}
	}

	began := time.Now()
	s.began = began
	turns := 0
	for ; time.Since(began) < s.length && ctx.Err() == nil; turns++ {
		next := time.Now().Add(turn)
		if err := s.turn(ctx, turns); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(next)):
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.say("%d ticks in %s; no more faults", turns, time.Since(began).Round(time.Second))
	if err := s.calm(ctx); err != nil {
		return err
	}
	s.sending.Wait()
	return s.judge(ctx, turns)
}

// between stands a proxy between the job and a service.
func (s *soak) between(ctx context.Context, service, endpoint string) (string, error) {
	m, err := fault.StartMicroburst(ctx, s.root, s.dir, endpoint)
	if err != nil {
		return "", err
	}
	if service == "kinesis" {
		s.aws = m
	} else {
		s.firehose = m
	}
	return m.URL, nil
}

func (s *soak) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.log, "%s  %s\n", time.Now().UTC().Format("15:04:05"), fmt.Sprintf(format, args...))
}

func (s *soak) counted(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[name]++
}

// calm ends all faults.
func (s *soak) calm(ctx context.Context) error {
	s.proxy.Set()
	s.stack.Deliveries().SetHooks(firehose.Hooks{})
	return errors.Join(s.aws.Set(ctx), s.firehose.Set(ctx))
}

// few draws a number from 1 to 3.
func (s *soak) few() int { return 1 + s.random.IntN(3) }

// chance returns true with the given probability.
func (s *soak) chance(of float64) bool { return s.random.Float64() < of }

// turn sets new faults and sends a tick under them.
func (s *soak) turn(ctx context.Context, number int) error {
	burst, orders := s.ofAWS()
	if err := s.aws.Set(ctx, burst...); err != nil {
		return err
	}
	s.proxy.Set(orders...)
	if err := s.firehose.Set(ctx, s.ofFirehose()...); err != nil {
		return err
	}
	s.stack.Deliveries().SetHooks(s.hooks())

	tick := time.Now().Truncate(time.Millisecond)
	if s.chance(0.1) {
		s.twice(ctx, tick)
	} else {
		records := 100 + s.random.IntN(1400)
		s.sending.Go(func() {
			// A fault may change the answer. What counts is the ledger, which is judged at the end.
			if _, _, err := s.stack.Produce(ctx, tick, records, 0); err != nil {
				s.say("tick %d: %v", number, err)
			}
		})
		if s.chance(0.08) {
			s.killProducer(ctx)
		}
	}
	if time.Since(s.killed) > jvmEvery && s.chance(0.1) {
		s.killJVM()
	}
	switch number % verifyEvery {
	case verifyEvery - 1:
		s.verify(ctx)
	case verifyEvery/2 - 1:
		s.sending.Go(func() { s.auditNow(ctx) })
	}
	return nil
}

// An injected is a fault to draw: a rule for microburst, or an order for the proxy if effect is empty.
type injected struct {
	name, service, operation string
	most                     int    // number of calls it applies to: up to three times this, or 1 if it is 0
	effect                   string // members of the rule

	kind fault.Kind
	path string
}

// answers returns the part of a rule by which a service answers an error.
func answers(code string, status int) string {
	return fmt.Sprintf(`"error":{"code":%q,"status":%d}`, code, status)
}

const (
	resets    = `"reset":true`
	throttled = "ProvisionedThroughputExceededException"
	puts      = "PutRecords"
	ticks     = "/ledger/ticks/"
)

// The faults of what stands between the functions, the job, Kinesis and S3: of sending, of S3, and of reading.
var (
	sendFaults = []injected{
		{name: "PutRecords: stored, the answer cut off", service: "kinesis", operation: puts, most: 1, effect: `"response":{"abort_frac":0.3}`},
		{name: "PutRecords: stored, half an answer", service: "kinesis", operation: puts, most: 1, effect: `"response":{"truncate_frac":0.5}`},
		{name: "PutRecords: connection reset", service: "kinesis", operation: puts, most: 1, effect: resets},
		{name: "PutRecords: 500 InternalFailure", service: "kinesis", operation: puts, most: 1, effect: answers("InternalFailure", 500)},
		{name: "PutRecords: throttled", service: "kinesis", operation: puts, most: 1, effect: answers(throttled, 400)},
		// Longer than the producer waits: stored when it has already been sent again.
		{name: "PutRecords: stored after the producer's time-out", service: "kinesis", operation: puts, effect: `"latency":11000`},
		{name: "PutRecords: stored, and 500 answered", operation: puts, most: 1, kind: fault.FailsAfter},
		{name: "PutRecords: every second entry throttled", operation: puts, most: 1, kind: fault.ThrottledEntries},
		{name: "PutRecords: every second entry InternalFailure, half of them stored", operation: puts, most: 1, kind: fault.FailedEntries},
	}
	storeFaults = []injected{
		{name: "ledger: written, the answer lost", operation: "PUT", most: 1, kind: fault.LostAnswer, path: ticks},
		{name: "ledger: written, and 500 answered", operation: "PUT", most: 1, kind: fault.FailsAfter, path: ticks},
		{name: "S3 PutObject: 409 ConditionalRequestConflict", service: "s3", operation: "PutObject", most: 1, effect: answers("ConditionalRequestConflict", 409)},
		{name: "S3 PutObject: 503 SlowDown", service: "s3", operation: "PutObject", most: 1, effect: answers("SlowDown", 503)},
		{name: "S3 PutObject: connection reset", service: "s3", operation: "PutObject", most: 1, effect: resets},
		{name: "S3 GetObject: the answer cut off", service: "s3", operation: "GetObject", most: 1, effect: `"response":{"abort_frac":0.5}`},
	}
	readFaults = []injected{
		{name: "GetRecords: throttled", service: "kinesis", operation: "GetRecords", most: 2, effect: answers(throttled, 400)},
		{name: "GetRecords: 500 InternalFailure", service: "kinesis", operation: "GetRecords", most: 1, effect: answers("InternalFailure", 500)},
		{name: "GetRecords: connection reset", service: "kinesis", operation: "GetRecords", most: 1, effect: resets},
		{name: "GetRecords: the answer cut off", service: "kinesis", operation: "GetRecords", most: 1, effect: `"response":{"abort_frac":0.5}`},
	}
)

// ofAWS draws the faults of what stands between the functions, the job, Kinesis and S3.
func (s *soak) ofAWS() (rules []fault.Rule, orders []fault.Order) {
	draw := func(faults []injected) {
		f := faults[s.random.IntN(len(faults))]
		times := 1
		if f.most > 0 {
			times = f.most * s.few()
		}
		if f.effect == "" {
			orders = append(orders, fault.Order{Fault: f.name, Kind: f.kind, Operation: f.operation, Path: f.path, Times: times})
		} else {
			rules = append(rules, fault.Rule{Fault: f.name, JSON: fmt.Sprintf(`{"service":%q,"operation":%q,"times":%d,%s}`, f.service, f.operation, times, f.effect)})
		}
	}
	for range 1 + s.random.IntN(2) {
		draw(sendFaults)
	}
	for _, faults := range [][]injected{storeFaults, readFaults} {
		if s.chance(0.4) {
			draw(faults)
		}
	}
	return rules, orders
}

// ofFirehose draws the faults of what stands between the job and the delivery streams.
func (s *soak) ofFirehose() (rules []fault.Rule) {
	if !s.chance(0.4) {
		return nil
	}
	faults := []fault.Rule{
		{Fault: "PutRecordBatch: connection reset", JSON: `{"service":"firehose","operation":"PutRecordBatch","times":1,"reset":true}`},
		{Fault: "PutRecordBatch: 500 InternalFailure", JSON: `{"service":"firehose","operation":"PutRecordBatch","times":1,"error":{"code":"InternalFailure","status":500}}`},
		{Fault: "PutRecordBatch: taken, the answer cut off", JSON: `{"service":"firehose","operation":"PutRecordBatch","times":1,"response":{"abort_frac":0.3}}`},
		{Fault: "PutRecordBatch: slow", JSON: `{"service":"firehose","operation":"PutRecordBatch","times":2,"latency":3000}`},
	}
	return []fault.Rule{faults[s.random.IntN(len(faults))]}
}

// hooks draws the faults inside the delivery streams.
func (s *soak) hooks() (h firehose.Hooks) {
	if !s.chance(0.5) {
		return h
	}
	var left atomic.Int64
	left.Store(int64(s.few()))
	fires := func(name string) bool {
		if left.Add(-1) < 0 {
			return false
		}
		s.counted(name)
		return true
	}
	switch s.random.IntN(5) {
	case 0:
		h.Call = func(string) *firehose.Error {
			if !fires("PutRecordBatch: 503 ServiceUnavailableException") {
				return nil
			}
			return &firehose.Error{Status: 503, Code: "ServiceUnavailableException", Message: "Slow down."}
		}
	case 1:
		h.Entry = func(_ string, entry int) string {
			if entry%2 == 1 || !fires("PutRecordBatch: entries throttled") {
				return ""
			}
			return "ServiceUnavailableException"
		}
	case 2:
		h.Answer = func(string) bool { return fires("PutRecordBatch: taken, the answer lost") }
	case 3:
		wait := time.Duration(1+s.random.IntN(15)) * time.Second
		h.Write = func(ctx context.Context, o firehose.Object, put func(firehose.Object) error) error {
			if fires("object: written late, overtaken by others") {
				select {
				case <-ctx.Done():
				case <-time.After(wait):
				}
			}
			return put(o)
		}
	case 4:
		left.Store(1)
		h.Write = func(_ context.Context, o firehose.Object, put func(firehose.Object) error) error {
			if err := put(o); err != nil || !fires("object: written twice") {
				return err
			}
			o.Key += "-again"
			return put(o)
		}
	}
	return h
}

// twice delivers the same event of the schedule twice, asynchronously as the scheduler does.
func (s *soak) twice(ctx context.Context, tick time.Time) {
	client := lambda.NewFromConfig(s.stack.AWS)
	event := fmt.Sprintf(`{"scheduledTime":%q}`, tick.UTC().Format(time.RFC3339Nano))
	for range 2 {
		_, err := client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &s.stack.Outputs.ProducerFunction, Payload: []byte(event), InvocationType: lambdatypes.InvocationTypeEvent})
		if err != nil {
			s.say("the event of tick %s: %v", tick, err)
		}
	}
	s.counted("producer: the same event twice")
}

func (s *soak) killProducer(ctx context.Context) {
	after := time.Duration(s.random.Int64N(int64(6 * time.Second)))
	s.sending.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(after):
		}
		if err := fault.Kill(s.stack, s.stack.Outputs.ProducerFunction); err != nil {
			s.say("kill the producer: %v", err)
			return
		}
		s.counted("producer: kill -9")
	})
}

func (s *soak) killJVM() {
	job, _, err := s.stack.Job()
	if err != nil || job.State != runner.Running || job.PID == 0 {
		return
	}
	if err := syscall.Kill(job.PID, syscall.SIGKILL); err != nil {
		s.say("kill the JVM: %v", err)
		return
	}
	s.killed = time.Now()
	s.counted("Flink: kill -9 of the JVM")
}

// verify runs the verifier, sometimes kills it, and records findings that cannot be true.
func (s *soak) verify(ctx context.Context) {
	var kill func()
	if s.chance(0.3) {
		name := "verifier: kill -9 in the middle of a write"
		kill = func() {
			if err := fault.Kill(s.stack, s.stack.Outputs.VerifierFunction); err != nil {
				s.say("kill the verifier: %v", err)
				return
			}
			s.counted(name)
		}
		o := fault.Order{Kind: fault.Held, Operation: "PUT", Path: "/reports/", Times: 1, Before: kill}
		if s.chance(0.5) {
			o.Path = "/" + verifier.CheckpointKey
		}
		if s.chance(0.5) {
			o.Before, o.After = nil, kill // it is written, and the answer is lost
		}
		s.proxy.Set(o)
	}
	s.sending.Go(func() {
		r, _, err := s.stack.Verify(ctx)
		if err != nil {
			s.say("verify: %v", err)
			return
		}
		s.mu.Lock()
		s.verified++
		if r.Verdict == proof.Undecided {
			s.unclear++
		}
		if c := r.Counts; c.Missing+c.Failed+c.Corrupt+c.Leaked+c.Unexpected > 0 {
			s.accused = append(s.accused, r.LastLine())
		}
		s.mu.Unlock()
		s.say("%s %v", r.LastLine(), r.Reasons)
	})
}

// auditNow audits the stack under the same faults, and records findings that cannot be true. An audit reads everything
// from the start. So that the later ones do not take all of what the emulator can answer, it does nothing while another
// one runs, and for as long afterwards.
func (s *soak) auditNow(ctx context.Context) {
	if !s.auditing.TryLock() {
		return
	}
	defer s.auditing.Unlock()
	began := time.Now()
	defer func() {
		select {
		case <-ctx.Done():
		case <-time.After(time.Since(began)):
		}
	}()
	r, err := s.audit(ctx, s.proxy.URL)
	if err != nil {
		s.say("audit: %v", err)
		return
	}
	s.mu.Lock()
	s.audited++
	if r.Verdict == proof.Undecided {
		s.blurred++
	}
	if c := r.Counts; c.Missing+c.Failed+c.Corrupt+c.Leaked+c.Unexpected > 0 {
		s.accused = append(s.accused, "audit: "+r.LastLine())
	}
	s.mu.Unlock()
	s.say("audit: %s %v", r.LastLine(), r.Reasons)
}

// audit runs the audit command on the stack, through its endpoints.
func (s *soak) audit(ctx context.Context, endpoint string) (*report.Report, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.root, "bin", "streamproof"), "audit", "--json",
		"--stack", s.stack.Name, "--region", s.stack.Region, "--from", s.began.Add(-time.Minute).UTC().Format(time.RFC3339))
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+endpoint, "AWS_ACCESS_KEY_ID="+emulator.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+emulator.SecretAccessKey)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var r report.Report
	if json.Unmarshal(out, &r) != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	return &r, nil
}

// compareAudits compares an audit of everything with the referee's count of the stream, and once more after an object
// is deleted.
func (s *soak) compareAudits(ctx context.Context, arrivals []referee.Arrival, objects []referee.Object) (faults []error) {
	fmt.Fprintf(s.out, "\n%d audits on the way, %d of them UNDECIDED\n", s.audited, s.blurred)
	faults = s.compareAudit(ctx, arrivals, objects)
	at := s.random.IntN(len(objects))
	if _, err := s.stack.S3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.stack.Outputs.BucketName, Key: &objects[at].Key}); err != nil {
		return append(faults, err)
	}
	fmt.Fprintf(s.out, "\nthen an object of %d rows is deleted\n", len(objects[at].Rows))
	return append(faults, s.compareAudit(ctx, arrivals, slices.Delete(slices.Clone(objects), at, at+1))...)
}

// compareAudit compares one audit. Copies from the first minutes may be counted as older: an audit cannot tell them
// from copies of records before its window.
func (s *soak) compareAudit(ctx context.Context, arrivals []referee.Arrival, objects []referee.Object) (faults []error) {
	r, err := s.audit(ctx, s.stack.Endpoint())
	if err != nil {
		return []error{err}
	}
	own, err := referee.CountArrivals(arrivals, objects, audit.DefaultSkew)
	if err != nil {
		return []error{err}
	}
	c := r.Counts
	fmt.Fprintf(s.out, "| class | audit | referee |\n|---|---:|---:|\n")
	for _, one := range []struct {
		name       string
		audit, own int64
	}{
		{"owed", c.Owed, own.Owed},
		{"delivered", c.Delivered, own.Delivered},
		{"missing", c.Missing, own.Missing},
		{"duplicated, or older", c.Duplicated + c.Older, own.Surplus},
		{"unexpected, corrupt, failed", c.Unexpected + c.Leaked + c.Corrupt + c.Failed, 0},
	} {
		fmt.Fprintf(s.out, "| %s | %d | %d |\n", one.name, one.audit, one.own)
		if one.audit != one.own {
			faults = append(faults, fmt.Errorf("%s is %d in the audit and %d by the referee", one.name, one.audit, one.own))
		}
	}
	fmt.Fprintf(s.out, "\naudit: %s %v\n", r.LastLine(), r.Reasons)
	return faults
}

// settle waits until nothing is in flight.
func (s *soak) settle(ctx context.Context) (*report.Report, error) {
	until := time.Now().Add(deadline + 5*time.Minute)
	for {
		r, _, err := s.stack.Verify(ctx)
		if err != nil {
			s.say("verify: %v", err)
		} else if r.Verdict != proof.Undecided && r.Counts.InFlight == 0 && r.Covers.TicksUnsettled == 0 {
			return r, nil
		}
		if time.Now().After(until) {
			return nil, errors.Join(fmt.Errorf("the stack does not settle: %s %v", r.LastLine(), r.Reasons), err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Second):
		}
	}
}

// judge compares the last verdict with the referee's count, and prints the tables.
func (s *soak) judge(ctx context.Context, turns int) error {
	r, err := s.settle(ctx)
	if err != nil {
		return err
	}
	full, _, err := s.stack.VerifyFull(ctx)
	if err != nil {
		return err
	}
	o := s.stack.Outputs
	ticks, err := referee.ReadLedger(ctx, s.stack.S3, o.BucketName)
	if err != nil {
		return err
	}
	arrivals, err := referee.ReadArrivals(ctx, kinesis.NewFromConfig(s.stack.AWS, func(k *kinesis.Options) { k.BaseEndpoint = aws.String(s.stack.Endpoint()) }), o.StreamName)
	if err != nil {
		return err
	}
	stream := map[string]int{}
	for _, a := range arrivals {
		stream[a.Data]++
	}
	objects, err := referee.ReadRows(ctx, s.stack.S3, o.BucketName, o.DataPrefix)
	if err != nil {
		return err
	}
	held, records, problems, err := referee.CheckLedger(ticks, stream)
	if err != nil {
		return err
	}
	counts, err := referee.Count(ticks, stream, objects)
	if err != nil {
		return err
	}
	if err := s.table(ctx); err != nil {
		return err
	}
	job, _, err := s.stack.Job()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\n%d turns, %d ticks in the ledger (%d crashed), %d records; %d rows in %d objects; %d starts of the job\n", turns, len(ticks), counts.Crashed, records, r.Covers.Rows, len(objects), job.Starts)
	fmt.Fprintf(s.out, "%d verifications on the way, %d of them UNDECIDED, %d wrong accusations\n", s.verified, s.unclear, len(s.accused))
	fmt.Fprintf(s.out, "copies in the stream, by outcome (records×copies): %s\n", held)
	fmt.Fprintf(s.out, "the stream's records come to %d rows: %d lost, %d doubled by the pipeline\n\n", counts.InStream, counts.Lost, counts.Doubled)
	c := r.Counts
	compared := []struct {
		name         string
		verdict, own int64
		mustBeZero   bool
	}{
		{"owed", c.Owed, counts.Owed, false},
		{"delivered", c.Delivered, counts.Delivered, false},
		{"recovered", c.Recovered, counts.Recovered, false},
		{"duplicated", c.Duplicated, counts.Duplicated, false},
		{"missing", c.Missing, counts.Missing, true},
		{"unexpected", c.Unexpected + c.Leaked, counts.Unexpected, true},
		{"corrupt", c.Corrupt, 0, true},
		{"failed", c.Failed, 0, true},
	}
	fmt.Fprintf(s.out, "| class | verdict | referee |\n|---|---:|---:|\n")
	var faults []error
	for _, one := range compared {
		fmt.Fprintf(s.out, "| %s | %d | %d |\n", one.name, one.verdict, one.own)
		if one.verdict != one.own {
			faults = append(faults, fmt.Errorf("%s is %d in the verdict and %d by the referee", one.name, one.verdict, one.own))
		}
		if one.mustBeZero && one.own != 0 {
			faults = append(faults, fmt.Errorf("%s is %d", one.name, one.own))
		}
	}
	fmt.Fprintf(s.out, "\n%s %v\n", r.LastLine(), r.Reasons)
	fmt.Fprintf(s.out, "a full verification: %s\n", full.LastLine())
	faults = append(faults, s.compareAudits(ctx, arrivals, objects)...)
	if full.Counts != r.Counts || full.Verdict != r.Verdict {
		faults = append(faults, fmt.Errorf("a full verification differs: %s", full.LastLine()))
	}
	if counts.Lost > 0 {
		faults = append(faults, fmt.Errorf("%d rows of the stream are in no object", counts.Lost))
	}
	if want := proof.Proven; (c.Duplicated > 0) != (r.Verdict != want) {
		faults = append(faults, fmt.Errorf("the verdict is %s with %d duplicates", r.Verdict, c.Duplicated))
	}
	for _, problem := range problems[:min(len(problems), 20)] {
		faults = append(faults, errors.New(problem))
	}
	for _, accusation := range s.accused {
		faults = append(faults, fmt.Errorf("on the way: %s", accusation))
	}
	return errors.Join(faults...)
}

// table prints every fault that was injected, and how often.
func (s *soak) table(ctx context.Context) error {
	all := s.proxy.Fired()
	add := func(counts map[string]int) {
		for name, n := range counts {
			all[name] += n
		}
	}
	for _, m := range []*fault.Microburst{s.aws, s.firehose} {
		fired, err := m.Fired(ctx)
		if err != nil {
			return err
		}
		add(fired)
	}
	s.mu.Lock()
	add(s.count)
	s.mu.Unlock()
	delete(all, "")
	sum := 0
	fmt.Fprintf(s.out, "| fault | how often |\n|---|---:|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sum += all[name]
		fmt.Fprintf(s.out, "| %s | %d |\n", name, all[name])
	}
	fmt.Fprintf(s.out, "| all | %d |\n", sum)
	return nil
}
