package ledger_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/golden"
	"streamproof/internal/ledger"
	"streamproof/internal/ledger/s3test"
	"streamproof/internal/pipeline"
)

var (
	tickTime = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	path     = "/bucket/" + ledger.TickKey(tickTime)
)

func newTick(owner string) ledger.Tick {
	return ledger.Tick{
		Time: tickTime, Owner: owner, LeaseEnd: tickTime.Add(2 * time.Minute),
		Seed: 1, Generator: 1, Pipeline: strings.Repeat("ab", 32), Records: 1000, SpreadSeconds: 20, PartitionKey: "uniform",
		Poison: 20, Aggregation: ledger.KPL,
	}
}

func some(last int, o ledger.Outcome, lo, hi int) []ledger.Range {
	return []ledger.Range{{Last: last, Outcome: o, Lo: lo, Hi: hi}}
}

func standing(t testing.TB, s *s3test.S3) *ledger.Tick {
	t.Helper()
	o, ok := s.Get(path)
	if !ok {
		t.Fatalf("there is no object %s", path)
	}
	tick, err := ledger.DecodeTick(o.Body)
	if err != nil {
		t.Fatal(err)
	}
	return tick
}

// TestLife pins the three states of a tick's object.
func TestLife(t *testing.T) {
	t.Parallel()
	s := s3test.New()
	now := tickTime.Add(time.Second)
	s.Now = func() time.Time { return now }
	check := func(name string) {
		t.Helper()
		got, _ := s.Get(path)
		file := filepath.Join("testdata", name+".json")
		golden.Check(t, file, append(got.Body, '\n'))
		if _, err := ledger.DecodeTick(got.Body); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}

	claim, err := ledger.NewStore(s.Client(), "bucket").Claim(t.Context(), newTick("one"))
	if err != nil {
		t.Fatal(err)
	}
	check("claim")
	now = now.Add(5 * time.Second)
	shards := map[string]ledger.Shard{"shardId-000000000000": {Records: 500, FirstSequenceNumber: "49650000000000000000000000000000000000000000000000000001", LastSequenceNumber: "49650000000000000000000000000000000000000000000000000500"}}
	if err := claim.Progress(t.Context(), some(499, ledger.Acknowledged, 1, 1), shards); err != nil {
		t.Fatal(err)
	}
	check("progress")
	outcomes := []ledger.Range{
		{First: 0, Last: 499, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1},
		{First: 500, Last: 500, Outcome: ledger.AcknowledgedAfterUnknown, Lo: 1, Hi: 3},
		{First: 501, Last: 501, Outcome: ledger.Unknown, Hi: 2},
		{First: 502, Last: 999, Outcome: ledger.Rejected},
	}
	if err := claim.Complete(t.Context(), outcomes, shards); err != nil {
		t.Fatal(err)
	}
	check("manifest")
	if got, want := claim.Tick().ClaimedAt, tickTime.Add(time.Second).Truncate(time.Second); !got.Equal(want) {
		t.Errorf("claimed at %s, want %s by the Date of the claim's answer", got, want)
	}
	if got := s.Writes(); got != 3 {
		t.Errorf("%d writes, want 3", got)
	}
}

// TestVersions reads what older versions wrote, and refuses what no version wrote. A program of version 1 wrote the
// files of version 1.
func TestVersions(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"claim", "progress", "manifest"} {
		old, err := os.ReadFile(filepath.Join("testdata", "v1-"+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ledger.DecodeTick(old)
		if err != nil {
			t.Errorf("v1-%s.json: %v", name, err)
			continue
		}
		if got.Version != 1 || got.Poison != 0 || got.Aggregation != "" {
			t.Errorf("v1-%s.json has version %d, poison %d and aggregation %q", name, got.Version, got.Poison, got.Aggregation)
		}
		for change, want := range map[string]string{
			`"version":3`:                     "version 3 is newer than this program knows (2); use a newer streamproof",
			`"version":0`:                     "version 0 is not one that was ever written",
			`"version":1,"poison":1`:          `poison 1 and aggregation "" stand in version 1, which has neither`,
			`"version":1,"aggregation":"kpl"`: `poison 0 and aggregation "kpl" stand in version 1`,
			`"version":2,"poison":-1`:         "poison is -1 of 1000 records",
			`"version":2,"poison":1001`:       "poison is 1001 of 1000 records",
			`"version":2,"poison":"1"`:        "poison",
			`"version":2,"aggregation":"zip"`: `aggregation "zip" is not known`,
			`"version":2,"flavour":"mint"`:    "flavour",
		} {
			changed := strings.Replace(string(old), `"version":1`, change, 1)
			if _, err := ledger.DecodeTick([]byte(changed)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("v1-%s.json with %s: error is %v, want %q", name, change, err, want)
			}
		}
		for _, change := range []string{`"version":2`, `"version":2,"poison":1000,"aggregation":"kpl"`} {
			changed := strings.Replace(string(old), `"version":1`, change, 1)
			if _, err := ledger.DecodeTick([]byte(changed)); err != nil {
				t.Errorf("v1-%s.json with %s: %v", name, change, err)
			}
		}
	}

	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	published, err := ledger.EncodePipeline(p)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{`"version":1`: "", `"version":2`: "", `"version":3`: "version 3 is newer"} {
		changed := strings.Replace(string(published), fmt.Sprintf(`"version":%d`, ledger.Version), version, 1)
		_, err := ledger.DecodePipeline([]byte(changed), p.Hash())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("a pipeline published with %s: error is %v, want %q", version, err, want)
		}
	}
}

// TestPublishedSamples publishes a pipeline with its samples. A pipeline without samples keeps its published form.
func TestPublishedSamples(t *testing.T) {
	t.Parallel()
	const with = `{"source":"S","samples":"s.csv","columns":[{"name":"a","alias":"A","type":"VARCHAR"}]}`
	for schema, samples := range map[string][]byte{
		with: []byte("\"é\\\"\n\r\n\x00\n"), strings.Replace(with, "s.csv", "t.csv", 1): {}, strings.Replace(with, `"samples":"s.csv",`, "", 1): nil,
	} {
		p, err := pipeline.ParseWithSamples([]byte(schema), []byte("SELECT"), samples)
		if err != nil {
			t.Fatal(err)
		}
		published, err := ledger.EncodePipeline(p)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(published), `,"samples":`) != (samples != nil) {
			t.Errorf("published as %s", published)
		}
		got, err := ledger.DecodePipeline(published, p.Hash())
		if err != nil || string(got.Samples) != string(samples) || (got.Samples == nil) != (samples == nil) {
			t.Errorf("got samples %q, %v, want %q", got.Samples, err, samples)
		}
		changed := strings.Replace(string(published), `é`, `e`, 1)
		if _, err := ledger.DecodePipeline([]byte(changed), p.Hash()); (err == nil) != (changed == string(published)) {
			t.Errorf("changed samples: error is %v", err)
		}
	}
}

// TestFaults makes S3 fail in any way at each of a tick's three writes. An attempt that believes it has the claim has
// it. The object holds the last write that succeeded, or a later one whose answer was an error. Another writer's object
// is never touched.
func TestFaults(t *testing.T) {
	t.Parallel()
	faults := []s3test.Fault{s3test.None, s3test.Lost, s3test.DoneThenLost, s3test.Failure, s3test.DoneThenFailure, s3test.Conflict, s3test.DoneWithoutADate}
	rapid.Check(t, func(rt *rapid.T) {
		schedule := rapid.SliceOfN(rapid.SampledFrom(faults), 0, 40).Draw(rt, "faults")
		rival := rapid.IntRange(-1, 10).Draw(rt, "the request before which a rival claims")
		var err error
		synctest.Test(t, func(t *testing.T) { err = liveThrough(t, schedule, rival) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// liveThrough claims a tick, writes its progress and completes it under a schedule of faults, one for each request. A
// rival claims the tick before one of the requests. The error says what is wrong afterwards.
func liveThrough(t *testing.T, schedule []s3test.Fault, rival int) error {
	s := s3test.New()
	s.Fault = func(request int, _ string) s3test.Fault {
		if request < len(schedule) {
			return schedule[request]
		}
		return s3test.None
	}
	rivals := newTick("rival")
	rivals.State = ledger.Claimed
	other, err := rivals.Encode()
	if err != nil {
		t.Fatal(err)
	}
	rivalHasIt := false
	s.Before = func(request int, _ string) {
		if _, taken := s.Get(path); request == rival && !taken {
			s.Put(path, other)
			rivalHasIt = true
		}
	}
	start := time.Now()
	claim, err := ledger.NewStore(s.Client(), "bucket").Claim(t.Context(), newTick("ours"))
	end := time.Now()
	var claimed *ledger.ClaimedError
	switch {
	case errors.As(err, &claimed):
		if !rivalHasIt || claimed.Tick.Owner != "rival" {
			return fmt.Errorf("the claim is refused in favour of %s; the rival has it: %t", claimed.Tick.Owner, rivalHasIt)
		}
	case err == nil:
		if standing(t, s).Owner != "ours" {
			return fmt.Errorf("the claim succeeded, and the object names %s", standing(t, s).Owner)
		}
		// In whole seconds, and never later than what was sent because of it.
		if at := claim.Tick().ClaimedAt; at.Before(start.Truncate(time.Second)) || at.After(end) {
			return fmt.Errorf("claimed at %s, between %s and %s", at, start, end)
		}
	}
	if rivalHasIt {
		if o, _ := s.Get(path); string(o.Body) != string(other) {
			return fmt.Errorf("the rival's claim was overwritten with %s", o.Body)
		}
	}
	if claim == nil {
		return nil
	}
	progressed := claim.Progress(t.Context(), some(9, ledger.Acknowledged, 1, 1), nil)
	if o := standing(t, s); progressed == nil && o.State != ledger.InProgress {
		return fmt.Errorf("the tick is %s after its progress was written", o.State)
	}
	completed := claim.Complete(t.Context(), some(999, ledger.Acknowledged, 1, 1), nil)
	o := standing(t, s)
	if completed == nil && (o.State != ledger.Complete || !o.ClaimedAt.Equal(claim.Tick().ClaimedAt)) {
		return fmt.Errorf("the tick is %+v after its manifest was written", o)
	}
	if len(schedule) == 0 && (progressed != nil || completed != nil) {
		return fmt.Errorf("without faults: %w", errors.Join(progressed, completed))
	}
	return nil
}

// TestEveryWriteLost stores each write and loses every answer to it. The tick completes all the same.
func TestEveryWriteLost(t *testing.T) {
	t.Parallel()
	for _, fault := range []s3test.Fault{s3test.DoneThenLost, s3test.DoneThenFailure, s3test.Lost, s3test.Failure, s3test.Conflict} {
		synctest.Test(t, func(t *testing.T) {
			s := s3test.New()
			puts := 0
			s.Fault = func(_ int, method string) s3test.Fault {
				if method != http.MethodPut {
					return s3test.None
				}
				if puts++; puts%2 == 1 {
					return fault
				}
				return s3test.None
			}
			store := ledger.NewStore(s.Client(), "bucket")
			claim, err := store.Claim(t.Context(), newTick("ours"))
			if err != nil {
				t.Fatalf("fault %d: %v", fault, err)
			}
			if err := claim.Progress(t.Context(), some(9, ledger.Unknown, 0, 1), nil); err != nil {
				t.Errorf("fault %d: %v", fault, err)
			}
			if err := claim.Complete(t.Context(), some(999, ledger.Rejected, 0, 0), nil); err != nil {
				t.Errorf("fault %d: %v", fault, err)
			}
			if o := standing(t, s); o.State != ledger.Complete || s.Writes() != 3 {
				t.Errorf("fault %d: the tick is %s after %d writes, want complete after 3", fault, o.State, s.Writes())
			}
		})
	}
}

// TestLostProgress stores a progress entry and answers with an error. The manifest can be written all the same.
func TestLostProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := s3test.New()
		claim, err := ledger.NewStore(s.Client(), "bucket").Claim(t.Context(), newTick("ours"))
		if err != nil {
			t.Fatal(err)
		}
		s.Fault = func(_ int, method string) s3test.Fault {
			if method == http.MethodGet {
				return s3test.Denied
			}
			return s3test.DoneThenLost
		}
		if err := claim.Progress(t.Context(), some(9, ledger.Acknowledged, 1, 1), nil); err == nil {
			t.Error("progress succeeded, want an error")
		}
		if got := standing(t, s).State; got != ledger.InProgress {
			t.Fatalf("the tick is %s, want in progress", got)
		}
		s.Fault = nil
		if err := claim.Complete(t.Context(), some(999, ledger.Acknowledged, 1, 1), nil); err != nil {
			t.Error(err)
		}
		if got := standing(t, s).State; got != ledger.Complete {
			t.Errorf("the tick is %s, want complete", got)
		}
	})
}

// TestTakenAway checks that an attempt writes nothing more once its object belongs to another attempt, or is gone.
func TestTakenAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := s3test.New()
		claim, err := ledger.NewStore(s.Client(), "bucket").Claim(t.Context(), newTick("ours"))
		if err != nil {
			t.Fatal(err)
		}
		rival := newTick("rival")
		rival.State = ledger.Claimed
		other, _ := rival.Encode()
		s.Put(path, other)
		err = claim.Complete(t.Context(), some(999, ledger.Acknowledged, 1, 1), nil)
		var claimed *ledger.ClaimedError
		if !errors.As(err, &claimed) || claimed.Tick.Owner != "rival" {
			t.Errorf("error is %v, want a ClaimedError with the rival's tick", err)
		}
		if got := standing(t, s).Owner; got != "rival" {
			t.Errorf("the tick names %s, want the rival", got)
		}
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for fault, code := range map[s3test.Fault]string{s3test.Denied: "AccessDenied", s3test.NoBucket: "NoSuchBucket"} {
		s := s3test.New()
		s.Fault = func(int, string) s3test.Fault { return fault }
		_, err := ledger.NewStore(s.Client(), "bucket").Claim(t.Context(), newTick("ours"))
		if err == nil || !strings.Contains(err.Error(), code) || !strings.Contains(err.Error(), "s3:/"+path) {
			t.Errorf("error is %v, want %s and the object's name", err, code)
		}
	}
	faulty := newTick("ours")
	faulty.Records = 0
	s := s3test.New()
	if _, err := ledger.NewStore(s.Client(), "bucket").Claim(t.Context(), faulty); err == nil || s.Writes() != 0 {
		t.Errorf("a tick without records was claimed with %d writes (%v)", s.Writes(), err)
	}
}

func TestPublishPipeline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, err := pipeline.Embedded()
		if err != nil {
			t.Fatal(err)
		}
		s := s3test.New()
		store := ledger.NewStore(s.Client(), "bucket")
		for range 2 {
			if err := store.PublishPipeline(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Writes(); got != 1 {
			t.Errorf("%d writes, want 1", got)
		}
		o, _ := s.Get("/bucket/" + ledger.PipelineKey(p.Hash()))
		if got, err := ledger.DecodePipeline(o.Body, p.Hash()); err != nil || string(got.SQL) != string(p.SQL) {
			t.Errorf("published pipeline: %v", err)
		}
		s.Fault = func(int, string) s3test.Fault { return s3test.Denied }
		if err := store.PublishPipeline(t.Context(), p); err == nil || !strings.Contains(err.Error(), "s3://bucket/"+ledger.PipelinesPrefix) {
			t.Errorf("error is %v, want the object's name", err)
		}
	})
}

func TestCrashed(t *testing.T) {
	t.Parallel()
	tick := newTick("ours")
	for _, tc := range []struct {
		state ledger.State
		after time.Duration // since the end of the lease
		want  bool
	}{
		{ledger.Claimed, -time.Nanosecond, false}, {ledger.Claimed, 0, true}, {ledger.InProgress, time.Hour, true},
		{ledger.InProgress, -time.Second, false}, {ledger.Complete, time.Hour, false},
	} {
		tick.State = tc.state
		if got := tick.Crashed(tick.LeaseEnd.Add(tc.after)); got != tc.want {
			t.Errorf("a tick that is %s has crashed %s after its lease: %t, want %t", tc.state, tc.after, got, tc.want)
		}
	}
}

// TestSize checks that a manifest's size does not grow with the number of records.
func TestSize(t *testing.T) {
	t.Parallel()
	tick := newTick("ours")
	tick.Records, tick.State, tick.ClaimedAt = 1_000_000, ledger.Complete, tickTime
	tick.Outcomes = some(999_999, ledger.Acknowledged, 1, 1)
	tick.Shards = map[string]ledger.Shard{}
	for i := range 32 {
		number := "49650000000000000000000000000000000000000000000000000001"
		tick.Shards[fmt.Sprintf("shardId-%012d", i)] = ledger.Shard{Records: 31_250, FirstSequenceNumber: number, LastSequenceNumber: number}
	}
	data, err := tick.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 10_000 {
		t.Errorf("the manifest of a million records in 32 shards takes %d bytes, want 10,000 at most", len(data))
	}
	if got := ledger.Count(tick.Outcomes); got[ledger.Acknowledged] != 1_000_000 || len(got) != 1 {
		t.Errorf("Count = %v", got)
	}
}

func TestAPipelineThatIsNotUTF8IsRefused(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipeline.Parse(p.SchemaJSON, append([]byte("-- caf\xe9\n"), p.SQL...)); err == nil || !strings.Contains(err.Error(), "pipeline.sql is not UTF-8") {
		t.Errorf("a comment in Latin-1: got %v", err)
	}
}
