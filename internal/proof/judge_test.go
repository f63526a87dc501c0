package proof_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/proof"
)

var start = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)

func second(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

// never is a time before which everything in these tests is settled.
var never = second(1 << 20)

// newJudge makes a judge of two parts.
func newJudge() *proof.Judge { return judgeOf(2) }

func judgeOf(parts int) *proof.Judge { return proof.NewJudge(text, parts) }

func text(key []byte) string { return string(key) }

// A tick claims rows at a second, each with lo and hi; an object delivers rows at a second.
type tick struct {
	at     int
	rows   []string
	lo, hi int64
}

type delivery struct {
	at     int
	rows   []string
	failed bool // under an error prefix
}

// judge counts as a verifier does: in the order of time, claims first.
func judge(ticks []tick, deliveries []delivery, now time.Time) proof.Counts {
	return judgeInSteps(ticks, deliveries, now, func() bool { return false }).Counts
}

// judgeInSteps counts as successive verifiers do: after each step, a judge restored from the previous one's state
// continues.
func judgeInSteps(ticks []tick, deliveries []delivery, now time.Time, ends func() bool) *proof.Result {
	return count(newJudge(), ticks, deliveries, ends).Close(now)
}

func count(j *proof.Judge, ticks []tick, deliveries []delivery, ends func() bool) *proof.Judge {
	claimed := []tick{}
	ticks, deliveries = slices.Clone(ticks), slices.Clone(deliveries)
	slices.SortStableFunc(ticks, func(a, b tick) int { return a.at - b.at })
	slices.SortStableFunc(deliveries, func(a, b delivery) int { return a.at - b.at })
	open := func(until int) {
		for len(ticks) > 0 && ticks[0].at <= until {
			t := ticks[0]
			j.Claim(proof.Tick{Time: second(t.at), Claimed: second(t.at), Settled: second(t.at + 60)})
			for _, row := range t.rows {
				j.Owe([]byte(row), t.lo, t.hi)
			}
			claimed, ticks = append(claimed, t), ticks[1:]
		}
	}
	for _, d := range deliveries {
		open(d.at)
		j.Object("object", "v1", second(d.at))
		for i, row := range d.rows {
			if d.failed {
				j.Fail([]byte(row), int64(i+1), "a reason")
			} else {
				j.Find([]byte(row), int64(i+1))
			}
		}
		if ends() {
			tell(j, claimed)
			j = again(j)
		}
	}
	open(1 << 20)
	tell(j, claimed)
	return j
}

// tell tells the judge which claims give the unmatched copies, as a verifier does.
func tell(j *proof.Judge, claimed []tick) {
	if !j.HasUnmatched() {
		return
	}
	for _, t := range claimed {
		for _, row := range t.rows {
			if t.hi != 0 {
				j.Owned([]byte(row), second(t.at))
			}
		}
	}
}

// again restores a judge from another one's state, through JSON.
func again(j *proof.Judge) *proof.Judge {
	data, err := json.Marshal(j.State(2))
	if err != nil {
		panic(err)
	}
	var state proof.State
	if err := json.Unmarshal(data, &state); err != nil {
		panic(err)
	}
	restored, err := proof.Restore(&state, text, 3)
	if err != nil {
		panic(err)
	}
	return restored
}

func TestAnOldDoubleDoesNotPayForALaterLoss(t *testing.T) {
	t.Parallel()
	ticks := []tick{{0, []string{"a", "b"}, 1, 1}, {60, []string{"a", "c"}, 1, 1}}
	deliveries := []delivery{{at: 10, rows: []string{"a", "a", "b"}}, {at: 70, rows: []string{"c"}}}
	want := proof.Counts{Owed: 4, Delivered: 3, Missing: 1, Duplicated: 1}
	if diff := cmp.Diff(judge(ticks, deliveries, never), want); diff != "" {
		t.Errorf("counts (-got +want):\n%s", diff)
	}
}

func TestARowIsOwedByTheTickThatWasClaimedLast(t *testing.T) {
	t.Parallel()
	j := newJudge()
	for i := range 3 {
		j.Claim(proof.Tick{Time: second(i), Claimed: second(i), Settled: second(i + 60)})
		for range i {
			j.Owe([]byte("a"), 1, 1)
		}
	}
	for i, tick := range j.Close(second(60)).Ticks {
		if want := int64(i); tick.Owed != want || tick.InFlight != want {
			t.Errorf("tick %d: got %+v, want %d owed", i, tick, want)
		}
	}
}

func TestAClaimInTheSecondOfItsDelivery(t *testing.T) {
	t.Parallel()
	got := judge([]tick{{5, []string{"a"}, 1, 1}}, []delivery{{at: 5, rows: []string{"a"}}}, never)
	if want := (proof.Counts{Owed: 1, Delivered: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLeaksAreToldFromTheUnexpected(t *testing.T) {
	t.Parallel()
	j := newJudge()
	j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
	j.Owe([]byte("a"), 1, 1)
	j.Object("o", "v1", second(10))
	for i, row := range []string{"a", "x", "x", "y", "z"} {
		j.Find([]byte(row), int64(i+1))
	}
	if !j.HasUnmatched() {
		t.Error("three rows that no tick owes are not unmatched")
	}
	j.Leaked([]byte("x"), second(0))
	j.Leaked([]byte("y"), second(11)) // only a record that was claimed after y was found gives y
	j.Leaked([]byte("a"), second(0))
	result := j.Close(never)
	if want := (proof.Counts{Owed: 1, Delivered: 1, Leaked: 2, Unexpected: 2}); result.Counts != want {
		t.Errorf("got %+v, want %+v", result.Counts, want)
	}
	leak := proof.Group{Class: proof.Leaked, Place: proof.Place{Object: "o"}, ETag: "v1", Rows: map[proof.Name]int64{}}
	leak.Add(proof.NameOf("x"), 2)
	if diff := cmp.Diff(result.Findings(proof.Leaked, nil).Sorted(), []proof.Group{leak}); diff != "" {
		t.Errorf("findings (-got +want):\n%s", diff)
	}
	want := []proof.Sample{{Row: "x", Count: 2, Object: "o", Line: 2}}
	if diff := cmp.Diff(result.Samples[proof.Leaked], want); diff != "" {
		t.Errorf("samples (-got +want):\n%s", diff)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		counts proof.Counts
		want   proof.Verdict
	}{
		"all there":       {proof.Counts{Owed: 2, Delivered: 2}, proof.Proven},
		"in flight":       {proof.Counts{Owed: 2, InFlight: 2}, proof.Proven},
		"unknown":         {proof.Counts{Owed: 2, Delivered: 3, Recovered: 1, Unknown: 4, Late: 1}, proof.Proven},
		"nothing owed":    {proof.Counts{Delivered: 1}, proof.Undecided},
		"rejects":         {proof.Counts{Owed: 2, Rejects: 2, Foreign: 7}, proof.Proven},
		"missing":         {proof.Counts{Owed: 2, Missing: 1}, proof.NotProven},
		"failed":          {proof.Counts{Owed: 2, Failed: 1}, proof.NotProven},
		"duplicated":      {proof.Counts{Owed: 2, Duplicated: 1}, proof.NotProven},
		"corrupt":         {proof.Counts{Owed: 2, Corrupt: 1}, proof.NotProven},
		"leaked":          {proof.Counts{Owed: 2, Leaked: 1}, proof.NotProven},
		"unexpected rows": {proof.Counts{Owed: 2, Unexpected: 1}, proof.NotProven},
	}
	for name, test := range tests {
		if got := test.counts.Verdict(nil); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

// drawHistory draws ticks of few distinct rows, so that equal rows meet, and the deliveries of all their copies in any
// order and grouping, none before its claim.
func drawHistory(t *rapid.T, lo, hi int64) ([]tick, []delivery) {
	row := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	var ticks []tick
	var deliveries []delivery
	for range rapid.IntRange(1, 6).Draw(t, "ticks") {
		one := tick{at: rapid.IntRange(0, 300).Draw(t, "claim"), rows: rapid.SliceOfN(row, 1, 6).Draw(t, "rows"), lo: lo, hi: hi}
		ticks = append(ticks, one)
		for _, r := range one.rows {
			copies := rapid.Int64Range(lo, hi).Draw(t, "copies")
			for range copies {
				deliveries = append(deliveries, delivery{at: one.at + rapid.IntRange(0, 60).Draw(t, "delay"), rows: []string{r}})
			}
		}
	}
	return ticks, rapid.Permutation(deliveries).Draw(t, "order")
}

func rowsOf(ticks []tick) (n int64) {
	for _, t := range ticks {
		n += int64(len(t.rows))
	}
	return n
}

func accused(c proof.Counts) bool {
	return c.Missing+c.Failed+c.Duplicated+c.Corrupt+c.Leaked+c.Unexpected > 0
}

func TestNoHistoryWithoutFaultsIsAccusedAtAnyMoment(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Int64Range(0, 1).Draw(t, "lo")
		ticks, deliveries := drawHistory(t, lo, lo+rapid.Int64Range(0, 2).Draw(t, "unknown attempts"))
		now := rapid.IntRange(0, 400).Draw(t, "now")
		written := slices.DeleteFunc(slices.Clone(deliveries), func(d delivery) bool { return d.at > now })
		claimed := slices.DeleteFunc(slices.Clone(ticks), func(k tick) bool { return k.at > now })
		got := judge(claimed, written, second(now))
		if accused(got) {
			t.Fatalf("accused: %+v", got)
		}
		if lo == 1 && now > 361 && got.InFlight > 0 {
			t.Fatalf("in flight at the end: %+v", got)
		}
	})
}

func TestOneRowLostDoubledOrChangedIsNamed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ticks, deliveries := drawHistory(t, 1, 1)
		all := rowsOf(ticks)
		if got, want := judge(ticks, deliveries, never), (proof.Counts{Owed: all, Delivered: all}); got != want {
			t.Fatalf("complete: got %+v, want %+v", got, want)
		}
		i := rapid.IntRange(0, len(deliveries)-1).Draw(t, "victim")
		victim := deliveries[i]

		got := judge(ticks, slices.Delete(slices.Clone(deliveries), i, i+1), never)
		if got.Missing != 1 || got.Duplicated != 0 || got.Unexpected != 0 {
			t.Fatalf("%v lost: got %+v", victim, got)
		}
		// Even if the double pays for an equal row that is still to come, that row is then the surplus.
		double := delivery{at: victim.at + rapid.IntRange(0, 400).Draw(t, "later"), rows: victim.rows}
		got = judge(ticks, append(slices.Clone(deliveries), double), never)
		if got.Missing != 0 || got.Duplicated != 1 || got.Unexpected != 0 {
			t.Fatalf("%v doubled: got %+v", victim, got)
		}
		changed := slices.Clone(deliveries)
		changed[i].rows = []string{"never owed"}
		got = judge(ticks, changed, never)
		if got.Missing != 1 || got.Duplicated != 0 || got.Unexpected != 1 {
			t.Fatalf("%v changed: got %+v", victim, got)
		}
	})
}

func TestOneRowThatFailedIsNamedUntilItIsDelivered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ticks, deliveries := drawHistory(t, 1, 1)
		all := rowsOf(ticks)
		i := rapid.IntRange(0, len(deliveries)-1).Draw(t, "victim")
		again := delivery{at: deliveries[i].at + rapid.IntRange(0, 400).Draw(t, "later"), rows: deliveries[i].rows}
		deliveries[i].failed = true
		if got, want := judge(ticks, deliveries, never), (proof.Counts{Owed: all, Delivered: all - 1, Failed: 1}); got != want {
			t.Fatalf("%v failed: got %+v, want %+v", deliveries[i], got, want)
		}
		got := judge(ticks, append(deliveries, again), never)
		got.Late = 0
		// If the copy delivered again pays for an equal row that is still to come, that row's own copy pays for the
		// failed one.
		if want := (proof.Counts{Owed: all, Delivered: all, Foreign: 1}); got != want {
			t.Fatalf("%v delivered again: got %+v, want %+v", again, got, want)
		}
	})
}

func TestAFailedCopyPaysOnlyWhatIsOwed(t *testing.T) {
	t.Parallel()
	got := judge([]tick{{0, []string{"a"}, 0, 1}}, []delivery{{at: 1, rows: []string{"a", "b"}, failed: true}}, never)
	if want := (proof.Counts{Unknown: 1, Foreign: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRejects(t *testing.T) {
	t.Parallel()
	j := newJudge()
	j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
	j.Owe([]byte("a"), 1, 1)
	for _, line := range []string{"bad", "bad", "lost"} {
		j.Owe([]byte(line), 1, 1)
	}
	j.Owe([]byte("unknown"), 0, 1)
	j.Object("o", "v1", second(10))
	j.Find([]byte("a"), 1)
	j.Object("e", "v1", second(70))
	for i, line := range []string{"bad", "bad", "bad", "unknown", "never owed"} {
		j.Reject([]byte(line), int64(i+1), "not an integer")
	}
	result := j.Close(never)
	counts, samples := result.Counts, result.Samples
	if want := (proof.Counts{Owed: 4, Delivered: 1, Rejects: 3, Recovered: 1, Missing: 1, Late: 3, Foreign: 2}); counts != want {
		t.Errorf("got %+v, want %+v", counts, want)
	}
	want := []proof.Sample{
		{Row: "bad", Count: 1, Object: "e", Line: 3, Reason: "not an integer"},
		{Row: "never owed", Count: 1, Object: "e", Line: 5, Reason: "not an integer"},
	}
	if diff := cmp.Diff(samples[proof.Foreign], want); diff != "" {
		t.Errorf("samples (-got +want):\n%s", diff)
	}
}

func TestSamplesOfFailures(t *testing.T) {
	t.Parallel()
	j := newJudge()
	j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
	j.Owe([]byte("a"), 2, 2)
	j.Object("e", "v1", second(10))
	j.Fail([]byte("a"), 3, "Lambda.FunctionError")
	j.Fail([]byte("a"), 4, "Lambda.FunctionError")
	j.Object("o", "v1", second(20))
	j.Find([]byte("a"), 1)
	samples := j.Close(never).Samples
	at := second(0)
	want := []proof.Sample{{Row: "a", Count: 1, Tick: &at, Object: "e", Line: 4, Reason: "Lambda.FunctionError"}}
	if diff := cmp.Diff(samples[proof.Failed], want); diff != "" {
		t.Errorf("samples (-got +want):\n%s", diff)
	}
}

func TestBoundsOnlyEverForgive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ticks, deliveries := drawHistory(t, 1, 1)
		for range rapid.IntRange(0, 5).Draw(t, "losses") { // any damage
			if len(deliveries) > 0 {
				i := rapid.IntRange(0, len(deliveries)-1).Draw(t, "loss")
				deliveries = slices.Delete(deliveries, i, i+1)
			}
		}
		if len(deliveries) > 0 {
			deliveries = append(deliveries, rapid.SampledFrom(deliveries).Draw(t, "double"))
			for range rapid.IntRange(0, 3).Draw(t, "failures") {
				deliveries[rapid.IntRange(0, len(deliveries)-1).Draw(t, "failure")].failed = true
			}
		}
		before := judge(ticks, deliveries, never)
		i := rapid.IntRange(0, len(ticks)-1).Draw(t, "tick")

		ticks[i].hi = rapid.SampledFrom([]int64{2, 3, proof.Infinite}).Draw(t, "hi")
		raised := judge(ticks, deliveries, never)
		if raised.Missing > before.Missing || raised.Failed > before.Failed ||
			raised.Duplicated+raised.Unexpected > before.Duplicated+before.Unexpected {
			t.Fatalf("raising hi: from %+v to %+v", before, raised)
		}
		ticks[i].lo = 0
		if lowered := judge(ticks, deliveries, never); lowered.Missing > raised.Missing {
			t.Fatalf("lowering lo: from %+v to %+v", raised, lowered)
		}
	})
}

func TestOrderWithinASecondDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ticks, deliveries := drawHistory(t, 1, rapid.Int64Range(1, 2).Draw(t, "hi"))
		if len(deliveries) > 1 {
			deliveries = deliveries[1:]
			deliveries[rapid.IntRange(0, len(deliveries)-1).Draw(t, "failure")].failed = true
			deliveries = append(deliveries, rapid.SampledFrom(deliveries).Draw(t, "double"))
		}
		now := second(rapid.IntRange(0, 400).Draw(t, "now"))
		want := judge(ticks, deliveries, now)
		got := judge(rapid.Permutation(ticks).Draw(t, "ticks"), rapid.Permutation(deliveries).Draw(t, "deliveries"), now)
		want.Late, got.Late = 0, 0 // if two ticks are claimed in one second, either may be paid late
		if got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestStepsDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Int64Range(0, 1).Draw(t, "lo")
		ticks, deliveries := drawHistory(t, lo, rapid.Int64Range(1, 2).Draw(t, "hi"))
		if rapid.Bool().Draw(t, "one crashed") {
			ticks[0].lo, ticks[0].hi = 0, proof.Infinite
		}
		for range rapid.IntRange(0, 4).Draw(t, "faults") {
			if len(deliveries) == 0 {
				break
			}
			i := rapid.IntRange(0, len(deliveries)-1).Draw(t, "victim")
			switch rapid.SampledFrom([]string{"lose", "double", "change", "fail"}).Draw(t, "fault") {
			case "lose":
				deliveries = slices.Delete(deliveries, i, i+1)
			case "double":
				deliveries = append(deliveries, delivery{at: deliveries[i].at + rapid.IntRange(0, 400).Draw(t, "later"), rows: deliveries[i].rows})
			case "change":
				deliveries[i].rows = []string{"never owed"}
			case "fail":
				deliveries[i].failed = true
			}
		}
		now := second(rapid.IntRange(0, 500).Draw(t, "now"))
		want := judgeInSteps(ticks, deliveries, now, func() bool { return false })
		got := judgeInSteps(ticks, deliveries, now, func() bool { return rapid.Bool().Draw(t, "step ends") })
		if got.Counts != want.Counts || !slices.Equal(got.Delays, want.Delays) || got.LateMax != want.LateMax {
			t.Fatalf("in steps %+v %v, in one %+v %v", got.Counts, got.Delays, want.Counts, want.Delays)
		}
		// The judge in steps has forgotten old ticks with nothing open.
		for _, tick := range got.Ticks {
			same := func(other proof.TickBalance) bool { return other == tick }
			if !slices.ContainsFunc(want.Ticks, same) {
				t.Fatalf("in steps %+v, in one %+v", tick, want.Ticks)
			}
		}
	})
}

func TestMemoryGoesByWhatIsOpen(t *testing.T) {
	t.Parallel()
	j := newJudge()
	const each, ticks = 100_000, 30
	for i := range ticks {
		j.Claim(proof.Tick{Time: second(i), Claimed: second(i), Settled: second(i + 60)})
		key := func(n int) []byte { return []byte(strconv.Itoa(i*each + n)) }
		for n := range each {
			j.Owe(key(n), 1, 1)
		}
		j.Owe(key(-1), 0, 1) // one that may be there
		j.Object("o", "v1", second(i))
		for n := range each - 1 { // one of each tick is lost
			j.Find(key(n), 1)
		}
	}
	j.Find([]byte("-1"), 2)
	state := j.State(5)
	if len(state.Rows) != ticks || len(state.Ticks) != ticks {
		t.Errorf("the state has %d rows and %d ticks, want what was lost: %d", len(state.Rows), len(state.Ticks), ticks)
	}
	if got := j.Accounts(); got > 2*each+1<<16 {
		t.Errorf("the judge holds %d accounts after %d rows, %d of them open", got, each*ticks, ticks)
	}
	if got := j.Close(never).Counts; got.Missing != ticks || got.Delivered != ticks*(each-1)+1 || got.Unknown != ticks-1 {
		t.Errorf("got %+v", got)
	}
}

func TestRestoreRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	row := func(owed ...proof.DueState) []proof.RowState { return []proof.RowState{{Key: []byte("a"), Owed: owed}} }
	one := make([]proof.TickBalance, 1)
	for name, state := range map[string]proof.State{
		"a tick that is not there":  {Ticks: one, Rows: row(proof.DueState{Tick: 1, Open: 1})},
		"a tick below zero":         {Ticks: one, Rows: row(proof.DueState{Tick: -1, Open: 1})},
		"nothing open":              {Ticks: one, Rows: row()},
		"a due of nothing":          {Ticks: one, Rows: row(proof.DueState{})},
		"less than nothing":         {Ticks: one, Rows: row(proof.DueState{Open: -1})},
		"owed without end":          {Ticks: one, Rows: row(proof.DueState{Open: 1, Infinite: true})},
		"a row twice":               {Ticks: one, Rows: append(row(proof.DueState{Open: 1}), row(proof.DueState{Open: 1})...)},
		"a failure of no tick":      {Failed: []proof.FailureState{{Key: []byte("a")}}},
		"a delay of a hundred days": {Delays: map[int]int64{100 * 24 * 3600: 1}},
	} {
		if _, err := proof.Restore(&state, nil, 3); err == nil {
			t.Errorf("%s: the state was accepted", name)
		}
	}
}
