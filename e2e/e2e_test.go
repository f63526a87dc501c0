//go:build e2e

// Package e2e tests the complete local stack: the template deployed by SAM to the emulator, which enforces IAM, the
// real function binaries, the real Flink job, and the verdict over what is then in S3.
//
// These tests have the build tag e2e and deploy what `make build` has built; `make e2e` takes care of both. Each test
// has a stack of its own. They run in parallel, since they mostly wait. What takes a processor for long takes turns.
package e2e_test

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesisanalyticsv2"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/runner"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/lint"
)

// TestPipeline is one sequence, because a stack takes long to start: each part continues where the previous one ended.
func TestPipeline(t *testing.T) {
	inTurn(t, 230*time.Second)
	s := startWith(t, "default")
	t.Run("the schedule begins", func(t *testing.T) { tickBySchedule(t, s, 0, 2*time.Minute) })
	t.Run("ticks by hand", func(t *testing.T) { ticksByHand(t, s) })
	t.Run("bad input", func(t *testing.T) { badInput(t, s) })
	copied := t.TempDir()
	proven := t.Run("proven", func(t *testing.T) {
		r := settle(t, s)
		t.Log(r.LastLine())
		if r.Verdict != proof.Proven || r.Covers.Ticks < 3 || r.Counts.Owed == 0 || !r.Counts.AllFound() {
			t.Fatalf("got %s %v over %d ticks", r.LastLine(), r.Reasons, r.Covers.Ticks)
		}
		if _, err := s.S3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &s.Outputs.BucketName, Key: &r.Key}); err != nil {
			t.Errorf("the report is not at %q: %v", r.Key, err)
		}
		copyBucket(t, s, copied)
	})
	if !proven {
		return // nothing was left intact that could be broken
	}
	t.Run("broken on purpose", func(t *testing.T) { brokenOnPurpose(t, s, copied) })
	t.Run("poison", func(t *testing.T) { poison(t, s) })
	t.Run("audited", func(t *testing.T) { audited(t, s) })
	t.Run("roles", func(t *testing.T) { roles(t, s) })
	t.Run("every shape", func(t *testing.T) { everyShape(t, s) })
	t.Run("discovered", func(t *testing.T) { discovered(t, s) }) // with records of every shape, and bad ones
	t.Run("transform fails", func(t *testing.T) { transformFails(t, s) })
	t.Run("malformed aggregates", func(t *testing.T) { malformedAggregates(t, s) })
}

// TestOperations is another sequence: what people and machines do to a running stack, whose records are aggregated on
// the way in and transformed on the way out.
func TestOperations(t *testing.T) {
	inTurn(t, 340*time.Second)
	s := startWith(t, shapes[len(shapes)-1])
	t.Run("stopped and started", func(t *testing.T) { stoppedAndStarted(t, s) })
	t.Run("paused and resumed", func(t *testing.T) { pausedAndResumed(t, s) })
	t.Run("killed", func(t *testing.T) { killed(t, s) })
	t.Run("denied", func(t *testing.T) { denied(t, s) })
	t.Run("written twice", func(t *testing.T) { writtenTwice(t, s) })
	t.Run("explained", func(t *testing.T) { explainLost(t, s) }) // after all others: what it loses stays lost
	t.Run("accepted", func(t *testing.T) { accepted(t, s) })
	t.Run("in parts", func(t *testing.T) { inParts(t, s) })
}

// parameters returns a set of lint/parameters.yaml. Stacks are deployed with these sets only: lint checks the template
// with each of them.
func parameters(t *testing.T, set string) map[string]string {
	t.Helper()
	sets, err := lint.Parameters("..")
	if err != nil {
		t.Fatal(err)
	}
	values, ok := sets[set]
	if !ok {
		t.Fatalf("lint/parameters.yaml has no set %q", set)
	}
	return values
}

// update brings a stack to a set of parameters.
func update(t *testing.T, s *local.Stack, set string) {
	t.Helper()
	if err := s.Update(t.Context(), parameters(t, set)); err != nil {
		t.Fatal(err)
	}
}

// A test with a Flink job mostly waits. With three for a processor, it is just busy; with four, rows were late.
var stacks = turns{free: 3 * runtime.NumCPU()}

// turns limits the tests that run at the same time. The longest is the next, or it would run alone at the end.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting []*turn
}

type turn struct {
	length time.Duration // about how long the test takes
	begin  chan struct{}
}

// inTurn calls t.Parallel, and returns when it is the turn of a test of this length. The turn ends with the test.
func inTurn(t *testing.T, length time.Duration) {
	t.Helper()
	// t.Parallel returns when every test has ended or called it, so all turns are known before the first begins.
	mine := &turn{length, make(chan struct{})}
	stacks.mu.Lock()
	stacks.waiting = append(stacks.waiting, mine)
	stacks.mu.Unlock()
	t.Parallel()
	stacks.release(0)
	<-mine.begin
	t.Cleanup(func() { stacks.release(1) })
}

// release ends n turns, and lets the longest of those that wait begin.
func (s *turns) release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.waiting, func(a, b *turn) int { return cmp.Compare(b.length, a.length) })
	for s.free += n; s.free > 0 && len(s.waiting) > 0; s.free-- {
		close(s.waiting[0].begin)
		s.waiting = s.waiting[1:]
	}
}

// starts limits the stacks that start at the same time: a start takes a processor for about 15 seconds, and the rows of
// stacks that run would be late.
var starts = make(chan struct{}, runtime.NumCPU()+1)

// start is local.Start.
func start(t *testing.T, o local.Options) (*local.Stack, error) {
	t.Helper()
	starts <- struct{}{}
	defer func() { <-starts }()
	return local.Start(t.Context(), o)
}

func startWith(t *testing.T, set string) *local.Stack {
	t.Helper()
	return startIn(t, "..", set)
}

// startIn brings up the stack of a project.
func startIn(t *testing.T, root, set string) *local.Stack {
	t.Helper()
	began := time.Now()
	s, err := start(t, local.Options{
		Root:       root,
		StateDir:   filepath.Join(t.TempDir(), "stack"),
		Port:       local.AnyPort,
		Parameters: parameters(t, set),
		Prebuilt:   true,
		Step: func(name string) func(error) {
			return func(error) { t.Logf("%5.1f s  %s", time.Since(began).Seconds(), name) }
		},
	})
	if err != nil {
		var failed *local.LogError
		if errors.As(err, &failed) {
			log, _ := os.ReadFile(failed.Log)
			t.Logf("%s:\n%s", failed.Log, log)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t, s)
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// produce sends a tick of n records, and checks that the answer is consistent.
func produce(t *testing.T, s *local.Stack, tick time.Time, n int) {
	t.Helper()
	producePoisoned(t, s, tick, n, 0)
}

func producePoisoned(t *testing.T, s *local.Stack, tick time.Time, n, poison int) {
	t.Helper()
	answer, raw, err := s.Produce(t.Context(), tick, n, poison)
	if err != nil {
		t.Error(err)
		return
	}
	inShards := 0
	for id, shard := range answer.Shards {
		inShards += shard.Records
		if shard.FirstSequenceNumber == "" || shard.LastSequenceNumber == "" {
			t.Errorf("shard %s has no sequence numbers: %s", id, raw)
		}
	}
	if answer.State != ledger.Complete || answer.Acknowledged != n || inShards != n || answer.Poison != poison {
		t.Errorf("want %d records acknowledged, got %s", n, raw)
	}
}

// keepLogs keeps the logs of a stack whose test has failed. In the test's output they would bury what it says.
func keepLogs(t *testing.T, s *local.Stack) {
	t.Helper()
	to := t.ArtifactDir()
	for _, file := range []string{s.JobLog(), filepath.Join(s.StateDir(), "follower.log")} {
		log, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), log, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("the stack's logs are in %s, which stays with `go test -artifacts`", to)
}

func ticksByHand(t *testing.T, s *local.Stack) {
	tick := time.Now()
	produce(t, s, tick, 1000)
	again, raw, err := s.Produce(t.Context(), tick, 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	if again.Message == "" || again.Acknowledged != 1000 {
		t.Errorf("the same tick again should answer with its manifest and say that nothing was sent, got %s", raw)
	}
	if len(again.Shards) != 2 {
		t.Errorf("want records in both shards, got %s", raw)
	}
	// All of it is delivered before the second tick's claim, by the bucket's clock, which has whole seconds.
	settle(t, s)
	time.Sleep(time.Second)
	produce(t, s, tickWithAnEqualRow(t, tick, 1000), 1000)
}

func badInput(t *testing.T, s *local.Stack) {
	before := ticks(t, s)
	for records, want := range map[int]string{0: "records", -1: "records", 1 << 40: "records"} {
		_, _, err := s.Produce(t.Context(), time.Now(), records, 0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d records: got error %v, want one about %q", records, err, want)
		}
	}
	if after := ticks(t, s); after != before {
		t.Errorf("bad events left %d ticks in the ledger", after-before)
	}
}

func ticks(t *testing.T, s *local.Stack) int {
	t.Helper()
	keys, err := s.TickKeys(t.Context(), time.Now().Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

func physicalID(t *testing.T, s *local.Stack, logicalID string) string {
	t.Helper()
	resource, err := cloudformation.NewFromConfig(s.AWS).DescribeStackResource(t.Context(), &cloudformation.DescribeStackResourceInput{
		StackName: &s.Name, LogicalResourceId: &logicalID,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *resource.StackResourceDetail.PhysicalResourceId
}

// tickBySchedule waits for a tick of the schedule, beside those before.
func tickBySchedule(t *testing.T, s *local.Stack, before int, within time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(within); ticks(t, s) == before; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the schedule has not fired in %s", within)
		}
	}
}

// settle has the verifier judge until nothing is in flight.
func settle(t *testing.T, s *local.Stack) *report.Report {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		r, _, err := s.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// A tick that is being sent owes nothing yet, so wait for ticks that are open in the ledger too.
		if r.Verdict != proof.Undecided && r.Counts.InFlight == 0 && r.Counts.AllFound() || time.Now().After(deadline) {
			return r
		}
		time.Sleep(time.Second)
	}
}

// stoppedAndStarted stops the application and starts it again, as a deploy does: nothing is lost and nothing doubled.
func stoppedAndStarted(t *testing.T, s *local.Stack) {
	client := kinesisanalyticsv2.NewFromConfig(s.AWS)
	if _, err := client.StopApplication(t.Context(), &kinesisanalyticsv2.StopApplicationInput{ApplicationName: &s.Outputs.ApplicationName}); err != nil {
		t.Fatal(err)
	}
	await(t, "the job stops", func() bool { return job(t, s).State == runner.Stopped && application(t, s) == "READY" })
	produce(t, s, time.Now(), 300)
	if _, err := client.StartApplication(t.Context(), &kinesisanalyticsv2.StartApplicationInput{ApplicationName: &s.Outputs.ApplicationName}); err != nil {
		t.Fatal(err)
	}
	await(t, "the job runs", func() bool { return job(t, s).State == runner.Running })
	if job(t, s).RestoredFrom == "" {
		t.Error("the job was started without the savepoint")
	}
	if r := settle(t, s); r.Verdict != proof.Proven || !r.Counts.AllFound() {
		t.Errorf("got %s %v", r.LastLine(), r.Reasons)
	}
}

// killed ends the JVM with kill -9 while records flow. It restarts from its checkpoint, nothing is lost, and duplicates
// are reported.
func killed(t *testing.T, s *local.Stack) {
	before := job(t, s)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		produce(t, s, time.Now(), 1000) // over five seconds
	}()
	time.Sleep(2 * time.Second)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the job comes back", func() bool {
		now := job(t, s)
		return now.State == runner.Running && now.PID != before.PID
	})
	if now := job(t, s); now.Failures != before.Failures+1 || now.RestoredFrom == "" {
		t.Errorf("want one more failure and a checkpoint, got %+v", now)
	}
	<-sent
	r := settle(t, s)
	t.Log(r.LastLine())
	c := r.Counts
	if c.Owed == 0 || !c.AllFound() || c.Missing+c.Corrupt+c.Leaked+c.Unexpected > 0 {
		t.Errorf("want everything delivered and at most duplicates, got %s %v", r.LastLine(), r.Reasons)
	}
}

// denied removes the application's permission to deliver while records flow. The job fails and says why. With the
// permission back, everything is delivered.
func denied(t *testing.T, s *local.Stack) {
	client := iam.NewFromConfig(s.AWS)
	role, name := physicalID(t, s, "AnalyticsRole"), "analytics"
	policy, err := client.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &name})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := url.QueryUnescape(*policy.PolicyDocument)
	if err != nil {
		t.Fatal(err)
	}
	put := func(document string) {
		t.Helper()
		_, err := client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &name, PolicyDocument: &document})
		if err != nil {
			t.Fatal(err)
		}
	}
	without := strings.Replace(whole, "firehose:PutRecordBatch", "firehose:DescribeDeliveryStream", 1)
	if without == whole {
		t.Fatalf("the policy does not name firehose:PutRecordBatch: %s", whole)
	}
	put(without)
	produce(t, s, time.Now(), 300)
	await(t, "the job says that it was denied", func() bool {
		return strings.Contains(job(t, s).LastError, "not authorized to perform: firehose:PutRecordBatch")
	})
	if why := job(t, s).Failing(time.Now()); why == "" {
		t.Errorf("the job that is denied does not count as failing: %+v", job(t, s))
	}
	put(whole)
	r := settle(t, s)
	t.Log(r.LastLine())
	if c := r.Counts; c.Owed == 0 || !c.AllFound() || c.Missing+c.Corrupt+c.Leaked+c.Unexpected > 0 {
		t.Errorf("want everything delivered and at most duplicates, got %s %v", r.LastLine(), r.Reasons)
	}
}

func job(t *testing.T, s *local.Stack) runner.Status {
	t.Helper()
	status, _, err := s.Job()
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(4 * time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited four minutes and not: %s", what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
