package verifier

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// inParts judges by a run of so many parts, as a state machine does, and returns the report. Each part is counted in
// turn, as far as enough lets it.
func (l *life) inParts(ctx context.Context, h *Handler, of int, enough func() bool) (r *report.Report, stretches int, err error) {
	answer := func(order any) (json.RawMessage, error) {
		event, err := json.Marshal(order)
		if err != nil {
			return nil, err
		}
		answer, err := h.Handle(ctx, event)
		if err != nil {
			return nil, err
		}
		return json.Marshal(answer)
	}
	planned, err := answer(map[string]int{"parts": of})
	if err != nil {
		return nil, 0, err
	}
	var plan Plan
	if err := json.Unmarshal(planned, &plan); err != nil {
		return nil, 0, err
	}
	for left := plan.Parts; len(left) > 0; stretches++ {
		next, err := h.judgePart(ctx, left[0], enough)
		if err != nil {
			return nil, stretches, err
		}
		if left = left[1:]; !next.Done {
			left = append(left, *next)
		}
	}
	merged, err := answer(map[string]Run{"merge": plan.Run})
	if err != nil {
		return nil, stretches, err
	}
	var outcome Outcome
	if err := json.Unmarshal(merged, &outcome); err != nil {
		return nil, stretches, err
	}
	err = json.Unmarshal([]byte(l.objects[outcome.Report].data), &r)
	return r, stretches, err
}

// planned plans a run of so many parts, for a handler.
func (l *life) planned(t fails, of int) (*Handler, *Plan) {
	h := l.handler()
	plan, err := h.plan(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	return h, plan
}

// inPartsAgain judges by a run, and by another if something has changed meanwhile. It is UNDECIDED where the run fails.
func (l *life) inPartsAgain(t *rapid.T, h *Handler) *report.Report {
	h.config.ExpireAfterDays = l.expire
	of := rapid.IntRange(1, 3).Draw(t, "parts")
	enough := func() bool { return rapid.IntRange(0, 9).Draw(t, "enough") == 0 }
	changed := l.between != nil
	r, _, err := l.inParts(t.Context(), h, of, enough)
	if failed := err != nil || r.Verdict == proof.Undecided; failed && changed && l.between == nil {
		r, _, err = l.inParts(t.Context(), h, of, enough)
	}
	if err != nil {
		return &report.Report{Verdict: proof.Undecided, Reasons: []string{err.Error()}}
	}
	return r
}

// asRead is a report as it is read from the bucket.
func asRead(t fails, r *report.Report) (read *report.Report) {
	data, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(data, &read)
	}
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestPartsAgreeWithAFullVerification has parts judge what a verification in full judges, in stretches that end
// anywhere, and then goes on in an increment.
func TestPartsAgreeWithAFullVerification(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	var several, many int
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.SampledFrom([]int{30, 120, 40 * 60}).Draw(t, "minutes")
		l := drawLife(t, p, span, 12)
		l.now = minute(rapid.IntRange(0, span+60).Draw(t, "now"))
		if at := l.objects[rapid.SampledFrom(slices.Sorted(maps.Keys(l.objects))).Draw(t, "object")].written; rapid.Bool().Draw(t, "soon") {
			l.now = at.Add(time.Duration(rapid.IntRange(4, 16).Draw(t, "minutes")) * time.Minute) // a tick may not be final
		}
		full, _ := judgeFrom(t.Context(), l, lifeOpts, nil, nil)
		of, h := rapid.IntRange(1, 4).Draw(t, "parts"), l.handler()
		h.maxTicks = rapid.IntRange(0, 4).Draw(t, "ticks at once")
		got, stretches, err := l.inParts(t.Context(), h, of, func() bool { return rapid.IntRange(0, 3).Draw(t, "enough") == 0 })
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(asRead(t, full), unarchived(got)); diff != "" {
			t.Fatalf("in %d parts (-full +parts):\n%s", of, diff)
		}
		l.now = l.now.Add(20 * time.Minute)
		full, _ = judgeFrom(t.Context(), l, lifeOpts, nil, nil)
		after, err := handle(t.Context(), l.handler(), []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(full, unarchived(after)); diff != "" {
			t.Fatalf("the increment after %d parts (-full +increment):\n%s", of, diff)
		}
		if full.Counts.Missing > 0 && full.Counts.Duplicated > 0 && of > 1 {
			several++
		}
		if stretches > 2*of {
			many++
		}
	})
	if several == 0 || many == 0 {
		t.Errorf("%d lives had findings in several parts, and %d parts paused", several, many)
	}
}

func TestAPartRefusesWhatHasChanged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(l *life)
		want   string
	}{
		"nothing": {func(*life) {}, ""},
		"an object is copied onto itself": {func(l *life) {
			o := l.objects[key("data/", minute(3), 3)]
			o.written = minute(50)
			l.objects[key("data/", minute(3), 3)] = o
		}, "start another run"},
		"an object is gone": {func(l *life) { delete(l.objects, key("data/", minute(30), 30)) }, "start another run"},
		"an old object comes to light": {func(l *life) {
			l.objects[key("data/", minute(3), 900)] = lifeObject{data: "1,1,1.5,1.0\n", written: minute(3)}
		}, "start another run"},
		"a young object": {func(l *life) {
			l.objects[key("data/", minute(59), 900)] = lifeObject{data: "1,1,1.5,1.0\n", written: minute(59)}
		}, ""},
		"a repair has ended": {func(l *life) {
			repair := &ledger.Repair{Serial: 1, Owner: "a", Claimed: l.now, Closed: true, Writes: []ledger.Write{{
				Key: "data/2026/11/22/00/stack-repair-000001", SHA256: strings.Repeat("0", 64), Bytes: 1, Lines: 1, Missing: 1,
				Pipeline: embeddedPipeline().Hash(),
			}}}
			data, err := repair.Encode()
			if err != nil {
				panic(err)
			}
			l.objects[ledger.RepairKey] = lifeObject{data: string(data), written: l.now}
		}, "start another run"},
		"a tick is gone": {func(l *life) { delete(l.objects, ledger.TickKey(minute(5))) }, "start another run"},
		"another run has begun": {func(l *life) {
			if _, _, err := l.inParts(context.Background(), l.handler(), 2, func() bool { return false }); err != nil {
				panic(err)
			}
		}, "another run has begun"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := hours(embeddedPipeline(), 50).at(minute(60))
			seen := 0
			enough := func() bool { seen++; return seen == 20 } // in the middle of the first part
			h, plan := l.planned(t, 2)
			next, err := h.judgePart(t.Context(), plan.Parts[0], enough)
			if err != nil || next.Done {
				t.Fatalf("done %v, error %v", next, err)
			}
			test.change(l)
			_, err = h.judgePart(t.Context(), *next, enough)
			if got := err != nil; got != (test.want != "") || got && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestAPlanEndsBeforeWhatIsNotFinal: a producer may still write what a tick owes.
func TestAPlanEndsBeforeWhatIsNotFinal(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	l := hours(p, 50)
	claimed := minute(52)
	tick := l.tick(p, claimed, 10, 0, ledger.Range{})
	tick.State, tick.Outcomes, tick.LeaseEnd = ledger.InProgress, nil, claimed.Add(12*time.Minute)
	l.keep(tick, claimed.Add(6*time.Second))
	for at, want := range map[time.Time]time.Time{
		minute(60): tick.ClaimedAt.Add(-time.Second),
		minute(90): minute(85),
	} {
		plan, err := l.at(at).handler().plan(t.Context(), 1)
		if err != nil || !plan.Run.Until.Equal(want) {
			t.Errorf("at %s: got %v, error %v, want until %s", at, plan, err, want)
		}
	}
}

// TestTicksOfAClockThatIsFast are read in time, however few are read at once: a tick's name may be later than its
// claim.
func TestTicksOfAClockThatIsFast(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	l := newLife(p)
	for i := range 60 {
		tick := l.tick(p, minute(i), 5, 0, ledger.Range{Last: 4, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
		tick.Time = tick.Time.Add(5 * time.Minute)
		l.keep(tick, minute(i).Add(6*time.Second))
		rows, _ := output(p, tick)
		l.objects[key("data/", minute(i), i)] = lifeObject{data: strings.Join(rows, ""), written: minute(i).Add(10 * time.Second)}
	}
	h := l.at(minute(90)).handler()
	h.maxTicks = 12
	r, stretches, err := l.inParts(t.Context(), h, 1, func() bool { return false })
	if err != nil || r.Verdict != proof.Proven || r.Covers.Ticks != 60 || stretches < 3 {
		t.Errorf("got %v in %d stretches, error %v", r, stretches, err)
	}
}

// TestWhatComesToLightAfterThePartsEndsTheRun: a history that is too large for one call is not read by the last one.
func TestWhatComesToLightAfterThePartsEndsTheRun(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 50).at(minute(60))
	h, plan := l.planned(t, 1)
	if _, err := h.judgePart(t.Context(), plan.Parts[0], func() bool { return false }); err != nil {
		t.Fatal(err)
	}
	l.objects[key("data/", minute(30), 900)] = lifeObject{data: "1,1,1.5,1.0\n", written: minute(30)}
	r, err := h.verify(t.Context(), event{Merge: &plan.Run})
	if err != nil || r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], "start another run") {
		t.Errorf("got %v, error %v", r, err)
	}
}

// TestPartsAreOfOneDeadline: what was counted with another deadline is of no use, neither to its part nor to the whole.
func TestPartsAreOfOneDeadline(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 50).at(minute(60))
	h, plan := l.planned(t, 1)
	seen := 0
	next, err := h.judgePart(t.Context(), plan.Parts[0], func() bool { seen++; return seen == 20 })
	if err != nil || next.Done {
		t.Fatalf("done %v, error %v", next, err)
	}
	if r, err := h.verify(t.Context(), event{Merge: &plan.Run}); err != nil || r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], "another run has begun") {
		t.Errorf("before the part is done: got %v, error %v", r, err)
	}
	other := l.handler()
	other.config.DeliveryDeadlineSeconds++
	never := func() bool { return false }
	if _, err := other.judgePart(t.Context(), *next, never); err == nil || !strings.Contains(err.Error(), "of no use any more") {
		t.Errorf("the part: got %v", err)
	}
	if next, err = h.judgePart(t.Context(), *next, never); err != nil || !next.Done {
		t.Fatalf("done %v, error %v", next, err)
	}
	r, err := other.verify(t.Context(), event{Merge: &plan.Run})
	if err != nil || r.Verdict != proof.Undecided || !strings.Contains(r.Reasons[0], "of no use any more") {
		t.Errorf("the whole: got %v, error %v", r, err)
	}
}

// TestPartsLeaveWhatNoneCanTell: after a forced change, it takes the open rows of both queries to tell whose a row is.
func TestPartsLeaveWhatNoneCanTell(t *testing.T) {
	t.Parallel()
	e := newEra("AB", false).fill()
	late := e.objects[dataKey(0, 2)]
	late.written = minute(52)
	e.objects[dataKey(0, 2)] = late
	e.now = minute(300)
	_, _, err := e.inParts(t.Context(), e.handler(), 2, func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "rows of several queries may stand in it") {
		t.Errorf("got %v", err)
	}
}

func TestOrdersOfARunThatAreNone(t *testing.T) {
	t.Parallel()
	l := hours(embeddedPipeline(), 50).at(minute(60))
	_, plan := l.planned(t, 2)
	before := maps.Clone(l.objects)
	other := plan.Run
	other.ID = "other"
	for name, test := range map[string]struct {
		event any
		want  string
	}{
		"no parts":          {map[string]int{"parts": -1}, "1 to 100"},
		"too many parts":    {map[string]int{"parts": 101}, "1 to 100"},
		"no run":            {map[string]PartOrder{"part": {Index: 1}}, "not one that was planned"},
		"a part beyond all": {map[string]PartOrder{"part": {Run: plan.Run, Index: 2}}, "there is no part 2 of 2"},
		"not counted":       {map[string]Run{"merge": plan.Run}, "another run has begun"},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := json.Marshal(test.event)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := l.handler().Handle(t.Context(), event)
			said := ""
			if err != nil {
				said = err.Error()
			} else if o, ok := answer.(*Outcome); ok && o.Verdict == proof.Undecided {
				said = l.objects[o.Report].data
			}
			if !strings.Contains(said, test.want) {
				t.Errorf("got %v %q, want %q", answer, said, test.want)
			}
			if len(l.objects[CheckpointKey].data) != len(before[CheckpointKey].data) {
				t.Error("there is a checkpoint")
			}
		})
	}
}

// BenchmarkPart counts the first of so many parts of a history, on one core: of one, it is a verification in full.
func BenchmarkPart(b *testing.B) {
	p := embeddedPipeline()
	l := newLife(p)
	const ticks, records = 100, 20_000
	for i := range ticks {
		tick := l.tick(p, minute(i), records, 0, ledger.Range{Last: records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1})
		l.keep(tick, tick.Time.Add(6*time.Second))
		rows, _ := output(p, tick)
		l.objects[key("data/", tick.Time, i)] = lifeObject{data: strings.Join(rows, ""), written: tick.Time.Add(10 * time.Second)}
	}
	l.now = minute(ticks + 60)
	opts := lifeOpts
	opts.parts = 1
	for _, of := range []int{1, 2, 4, 8, 64} {
		b.Run(fmt.Sprint("of-", of), func(b *testing.B) {
			r := &resumption{bucket: l, opts: opts}
			plan, err := r.plan(b.Context(), of)
			if err != nil {
				b.Fatal(err)
			}
			before := cpu(b)
			for b.Loop() {
				if _, err := r.stretch(b.Context(), plan.Run, 0, func() bool { return false }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*ticks*records/(cpu(b)-before).Seconds(), "records/cpu-s")
		})
	}
}

// cpu is how much processor time the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
