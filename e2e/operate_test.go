//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"streamproof/internal/cli"
	"streamproof/internal/explain"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/local/runner"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/stack"
	"streamproof/internal/stream"
)

// command runs streamproof on the stack, as a user would, and decodes the JSON that it prints.
func command(t *testing.T, s *local.Stack, name string, into any) {
	t.Helper()
	commandWith(t, s, []string{name}, into)
}

func commandWith(t *testing.T, s *local.Stack, args []string, into any) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := cli.Run(t.Context(), append(args, "--state-dir", s.StateDir(), "--json"), &stdout, &stderr)
	t.Logf("streamproof %s:\n%s", args, stderr.String())
	if status != 0 {
		t.Fatalf("streamproof %s: exit status %d", args, status)
	}
	if err := json.Unmarshal(stdout.Bytes(), into); err != nil {
		t.Fatalf("streamproof %s: %v in %s", args, err, stdout.String())
	}
}

// operation is what pause and resume print.
type operation struct {
	Schedule    stack.Schedule    `json:"schedule"`
	Application stack.Application `json:"application"`
	Did         []string          `json:"did"`
	Report      *report.Report    `json:"report"`
}

func operate(t *testing.T, s *local.Stack, name, schedule, application string, did ...string) operation {
	t.Helper()
	var o operation
	command(t, s, name, &o)
	t.Logf("%s", strings.Join(o.Did, "\n"))
	if o.Schedule.State != schedule || o.Application.Status != application {
		t.Errorf("%s: the schedule is %s and the application %s, want %s and %s", name, o.Schedule.State, o.Application.Status, schedule, application)
	}
	for _, want := range did {
		if !slices.ContainsFunc(o.Did, func(sentence string) bool { return strings.Contains(sentence, want) }) {
			t.Errorf("%s: got %q, want a sentence with %q", name, o.Did, want)
		}
	}
	return o
}

// pausedAndResumed pauses the stack while rows are on their way. Everything is delivered first; then nothing is
// produced and nothing runs. A resume continues from there, with the same schedule.
func pausedAndResumed(t *testing.T, s *local.Stack) {
	before := schedule(t, s)
	produce(t, s, time.Now(), 300)
	o := operate(t, s, "pause", "DISABLED", "READY", "is disabled", "Nothing is in flight: PROVEN", "is stopped, with a snapshot")
	if c := o.Report.Counts; c.InFlight != 0 || !c.AllFound() || c.Owed == 0 {
		t.Errorf("paused at %s, want nothing in flight", o.Report.LastLine())
	}
	if state := job(t, s).State; state != runner.Stopped {
		t.Errorf("the job is %s, want it stopped", state)
	}
	operate(t, s, "pause", "DISABLED", "READY", "was already disabled", "was already stopped")

	// More than a period of the schedule, and than the emulator takes to look at it.
	paused := ticks(t, s)
	time.Sleep(time.Until(o.Schedule.Changed.Add(75 * time.Second)))
	if now := ticks(t, s); now != paused {
		t.Errorf("%d ticks were produced while the stack was paused", now-paused)
	}
	r, _, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != proof.Proven || r.Counts.InFlight != 0 {
		t.Errorf("paused: got %s %v", r.LastLine(), r.Reasons)
	}

	operate(t, s, "resume", "ENABLED", "RUNNING", "runs, from its latest snapshot", "is enabled")
	await(t, "the job runs", func() bool { return job(t, s).State == runner.Running }) // its status file may be a moment behind
	if job(t, s).RestoredFrom == "" {
		t.Error("the job runs from nothing, want its savepoint")
	}
	if diff := cmp.Diff(before, schedule(t, s), cmpopts.IgnoreFields(scheduler.GetScheduleOutput{}, "LastModificationDate", "ResultMetadata"),
		cmpopts.IgnoreUnexported(scheduler.GetScheduleOutput{}, schedulertypes.FlexibleTimeWindow{}, schedulertypes.Target{},
			schedulertypes.RetryPolicy{}, schedulertypes.DeadLetterConfig{})); diff != "" {
		t.Errorf("the schedule is another one (-before +after):\n%s", diff)
	}
	operate(t, s, "resume", "ENABLED", "RUNNING", "was already running", "was already enabled")
	tickBySchedule(t, s, paused, 2*time.Minute)
	if r := settle(t, s); r.Verdict != proof.Proven || !r.Counts.AllFound() {
		t.Errorf("resumed: got %s %v", r.LastLine(), r.Reasons)
	}
}

func schedule(t *testing.T, s *local.Stack) *scheduler.GetScheduleOutput {
	t.Helper()
	got, err := scheduler.NewFromConfig(s.AWS).GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: &s.Outputs.ProducerSchedule})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// explainLost loses an object between Firehose and S3. It compares what explain says about its rows with the object
// itself, with records regenerated here, and with a reading of the stream that has its own code for aggregates.
func explainLost(t *testing.T, s *local.Stack) {
	settle(t, s)
	lost := loseAnObject(s)
	produce(t, s, time.Now(), 200)
	rows := func() []string { return deliveredRows(t, lost()) }
	await(t, "an object is lost", func() bool { return len(rows()) > 0 })
	left := map[string]int{}
	for _, row := range rows() {
		left[row]++
	}
	var missing int64
	deadline := time.Now().Add(5 * time.Minute)
	for missing < int64(len(rows())) {
		if time.Now().After(deadline) {
			t.Fatalf("%d rows are missing, want those %d of the lost object", missing, len(rows()))
		}
		time.Sleep(2 * time.Second)
		r, _, err := s.Verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		missing = r.Counts.Missing
	}

	var got explain.Explanation
	command(t, s, "explain", &got)
	held := heldRecords(t, s)
	explained := got.Beyond
	for _, f := range got.Findings {
		explained += f.Count
		left[f.Row] -= int(f.Count)
		const want = "in the stream, not among the rejects, not under processing-failed, not in the data: lost in the application or after Firehose took it"
		if f.Class != proof.Missing || f.Hop != report.InStream || !strings.HasPrefix(f.Text, want) || left[f.Row] < 0 {
			t.Errorf("got %+v, want a row of the lost object that is in the stream", f)
		}
		if f.Candidates < int(f.Count) || len(f.Records) == 0 {
			t.Errorf("%d records give %d rows: %+v", f.Candidates, f.Count, f)
		}
		for _, record := range f.Records {
			data := recordOf(t, s, f.Tick, record.Index)
			if row := rowOfRecord(t, data); row != f.Row {
				t.Errorf("record %d of tick %s gives %s, and not %s", record.Index, f.Tick, row, f.Row)
			}
			var places []string
			for _, p := range record.Places {
				places = append(places, p.Shard+" "+p.SequenceNumber)
			}
			var want []string
			for place, holds := range held {
				if bytes.Contains(holds, data) {
					want = append(want, place)
				}
			}
			if diff := cmp.Diff(want, places); diff != "" || len(places) == 0 {
				t.Errorf("record %d of tick %s in the stream (-want +got):\n%s", record.Index, f.Tick, diff)
			}
		}
	}
	if explained != int64(len(rows())) || len(got.Findings) == 0 {
		t.Errorf("%d rows are explained, of %d", explained, len(rows()))
	}
	if len(got.Findings) > 0 {
		t.Logf("%+v", got.Findings[0])
	}

	// The verifier has already said so in its report, with its own role.
	r, err := s.LatestReport(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byRow := cmpopts.SortSlices(func(a, b report.Finding) bool { return a.Row < b.Row })
	if diff := cmp.Diff(got.Findings, r.LastSeen, byRow, cmpopts.IgnoreFields(report.Finding{}, "Text")); diff != "" {
		t.Errorf("what the report says of where rows were last (-explain +report):\n%s", diff)
	}
}

// deliveredRows returns the rows of an object as reports show them: JSON lines with names, as the last shape writes
// them.
func deliveredRows(t *testing.T, body []byte) (rows []string) {
	t.Helper()
	for line := range bytes.Lines(body) {
		var row struct {
			Vendor     int     `json:"VendorID"`
			Passengers int     `json:"passenger_count"`
			Distance   float64 `json:"trip_distance"`
			Total      float64 `json:"total_amount"`
		}
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&row); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rows = append(rows, rowText(row.Vendor, row.Passengers, row.Distance, row.Total))
	}
	return rows
}

func rowText(vendor, passengers int, distance, total float64) string {
	float := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 32) }
	return fmt.Sprintf("%d,%d,%s,%s", vendor, passengers, float(distance), float(total))
}

// recordOf regenerates a record from the ledger.
func recordOf(t *testing.T, s *local.Stack, at time.Time, index int) []byte {
	t.Helper()
	tick, err := s.Tick(t.Context(), ledger.TickKey(at))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(p, tick.Seed)
	if err != nil {
		t.Fatal(err)
	}
	of := generator.Tick{Time: tick.Time, Records: tick.Records, Spread: time.Duration(tick.SpreadSeconds) * time.Second, Poison: tick.Poison}
	return g.Append(nil, of, index)
}

// rowOfRecord computes the query for a record by hand.
func rowOfRecord(t *testing.T, data []byte) string {
	t.Helper()
	f := strings.Split(strings.TrimSuffix(string(data), "\n"), ",")
	if len(f) != 19 {
		t.Fatalf("%q is not one line of 19 columns", data)
	}
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return rowText(int(number(f[0])), int(number(f[3])), number(f[4]), number(f[18]))
}

// heldRecords reads the complete stream, and returns each record's data by its shard and sequence number.
func heldRecords(t *testing.T, s *local.Stack) map[string][]byte {
	t.Helper()
	held := map[string][]byte{}
	var mu sync.Mutex
	reader := stream.NewReader(kinesis.NewFromConfig(s.AWS), s.Outputs.StreamName)
	oldest := types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}
	err := reader.EachShard(t.Context(), oldest, func(ctx context.Context, shard *stream.ShardReader) error {
		for {
			page, err := shard.Next(ctx, 10_000)
			if err != nil {
				return err
			}
			mu.Lock()
			for _, record := range page.Records {
				held[shard.ID+" "+record.SequenceNumber] = record.Data
			}
			mu.Unlock()
			if page.End || page.AtTip() {
				return nil
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// accepted accepts everything found in this sequence. The next verification is PROVEN, and so is a full one.
func accepted(t *testing.T, s *local.Stack) {
	r, found, err := s.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != proof.NotProven || r.Counts.Missing == 0 || r.Counts.Duplicated == 0 {
		t.Fatalf("got %s, want missing rows and duplicates to accept", r.LastLine())
	}
	for _, class := range proof.Classes {
		if n := r.Counts.Of(class); n > 0 {
			these := slices.DeleteFunc(slices.Clone(found), func(g proof.Group) bool { return g.Class != class })
			acceptance, findings, err := r.Accept(class, n, these, "this test has made them", "the test", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			err = s.Accept(t.Context(), acceptance, findings)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, verify := range map[string]func(context.Context) (*report.Report, json.RawMessage, error){"an increment": s.Verify, "in full": s.VerifyFull} {
		after, _, err := verify(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Log(after.LastLine())
		if after.Verdict != proof.Proven || after.Counts.Missing < r.Counts.Missing || len(after.Accepted) == 0 {
			t.Errorf("%s: got %s %v", what, after.LastLine(), after.Reasons)
		}
	}
}
