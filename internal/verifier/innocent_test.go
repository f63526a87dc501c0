package verifier

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// A put is one write to a bucket.
type put struct {
	at  time.Time
	key string
	of  string
}

// unfold lets the bucket's clock go on, and has come to pass what was to be by then.
func (l *life) unfold(puts []put, now time.Time) (left []put) {
	for len(puts) > 0 && !puts[0].at.After(now) {
		l.objects[puts[0].key] = lifeObject{data: puts[0].of, written: puts[0].at}
		puts = puts[1:]
	}
	l.now = now
	return puts
}

func second(n int) time.Time { return birth.Add(time.Duration(n) * time.Second) }

// drawInnocent draws some ticks in so many seconds, each write of theirs, and the deliveries of every copy that the
// stream holds, in any order, none later than its deadline. Calls may break off and producers may crash, and their
// clocks may be wrong; what comes after them loses nothing and doubles nothing.
func drawInnocent(t *rapid.T, p *pipeline.Pipeline, l *life, span int) (puts []put) {
	deadline := int(lifeOpts.DeliveryDeadline / time.Second)
	seen := map[string]bool{}
	for range rapid.IntRange(1, 6).Draw(t, "ticks") {
		claim := rapid.IntRange(1, span).Draw(t, "claim")
		skew := time.Duration(rapid.IntRange(-600, 600).Draw(t, "skew")) * time.Second
		records := rapid.IntRange(1, 12).Draw(t, "records")
		u := rapid.IntRange(0, 2).Draw(t, "attempts of unknown outcome")
		outcome := rapid.SampledFrom([]ledger.Range{
			{Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}, {Outcome: ledger.AcknowledgedAfterUnknown, Lo: 1, Hi: 1 + u}, {Outcome: ledger.Unknown, Hi: u}, {Outcome: ledger.Rejected},
		}).Draw(t, "outcome")
		outcome.Last = records - 1
		tick := l.tick(p, second(claim).Add(skew), records, rapid.IntRange(0, records).Draw(t, "poison"), outcome)
		key := ledger.TickKey(tick.Time)
		if seen[key] {
			continue
		}
		seen[key] = true
		write := func(at int, state ledger.State) {
			one := *tick
			if one.State, one.ClaimedAt = state, second(claim); state == ledger.Claimed {
				one.ClaimedAt = time.Time{}
			}
			if state != ledger.Complete && rapid.Bool().Draw(t, "nothing is known yet") || state == ledger.Claimed {
				one.Outcomes = nil
			}
			data, err := one.Encode()
			if err != nil {
				t.Fatal(err)
			}
			puts = append(puts, put{second(at), key, string(data)})
		}
		write(claim, ledger.Claimed)
		last := claim
		for range rapid.IntRange(0, 2).Draw(t, "progress") {
			last += rapid.IntRange(1, 300).Draw(t, "later")
			write(last, ledger.InProgress)
		}
		crashed := rapid.IntRange(0, 4).Draw(t, "crash") == 0
		if !crashed {
			last += rapid.IntRange(1, 300).Draw(t, "manifest")
			write(last, ledger.Complete)
		}
		deliver := func(prefix, line string) {
			copies := outcome.Lo
			if outcome.Hi > outcome.Lo {
				copies = rapid.IntRange(outcome.Lo, outcome.Hi).Draw(t, "copies")
			}
			for range copies {
				at := rapid.IntRange(claim, last+deadline).Draw(t, "written")
				begun := second(rapid.IntRange(claim, at).Draw(t, "begun"))
				puts = append(puts, put{second(at), fmt.Sprintf("%s%s/object-%06d", prefix, begun.Format(hourLayout), len(puts)), line})
			}
		}
		rows, bad := output(p, tick)
		for _, row := range rows {
			deliver("data/", row)
		}
		for _, line := range bad {
			deliver("data-errors/", `{"reason":"r","column":null,"data":"`+base64Of(line)+`","shard":"s","sequence_number":"1","arrival_time":"2026-11-22T00:00:00.000Z"}`+"\n")
		}
	}
	slices.SortStableFunc(puts, func(a, b put) int { return a.at.Compare(b.at) })
	return puts
}

// TestFaultlessHistoriesAreNeverAccused has the function verify at any moments of such a life: in increments and in
// full, with its state lost, killed in the middle of a write, and two at once, while things go on being written.
func TestFaultlessHistoriesAreNeverAccused(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(p)
		span := rapid.SampledFrom([]int{600, 3600, 10 * 3600}).Draw(t, "seconds")
		puts := drawInnocent(t, p, l, span)
		verify := func(order string) *report.Report {
			r, err := handle(t.Context(), l.handler(), json.RawMessage(order))
			if err != nil {
				if l.lives == 0 {
					t.Fatal(err)
				}
				return nil
			}
			c := r.Counts
			reasons := strings.Join(r.Reasons, "; ")
			undecided := r.Verdict == proof.Undecided && !strings.Contains(reasons, "nothing is owed") && !strings.Contains(reasons, "there is no ledger")
			if undecided || c.Missing+c.Failed+c.Duplicated+c.Corrupt+c.Leaked+c.Unexpected+c.Late > 0 {
				t.Fatalf("at %s, %s: %s %v", l.now, order, r.LastLine(), r.Reasons)
			}
			return r
		}
		moments := rapid.SliceOfN(rapid.IntRange(1, span+1200), 1, 8).Draw(t, "verifications")
		slices.Sort(moments)
		for _, at := range moments {
			now := second(at)
			if now.Before(l.now) {
				now = l.now // time has gone on while the one before was at work
			}
			puts = l.unfold(puts, now)
			switch rapid.IntRange(0, 9).Draw(t, "and") {
			case 0:
				delete(l.objects, CheckpointKey)
			case 1:
				l.lives, l.writes, l.lands = rapid.IntRange(1, 6).Draw(t, "lives"), 0, rapid.Bool().Draw(t, "lands")
				verify(`{}`)
				l.lives = 0
			case 2, 3: // things are written while it lists, or another one verifies
				l.lists, l.betweenAt = 0, rapid.IntRange(1, 8).Draw(t, "between")
				two, later := rapid.Bool().Draw(t, "two at once"), time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds later"))*time.Second
				l.between = func() {
					if puts = l.unfold(puts, l.now.Add(later)); two {
						verify(`{}`)
					}
				}
			}
			verify(rapid.SampledFrom([]string{`{}`, `{}`, `{}`, `{"full": true}`}).Draw(t, "order"))
			l.between = nil
		}
		puts = l.unfold(puts, second(span+2*3600))
		for _, order := range []string{`{}`, `{"full": true}`} {
			if r := verify(order); len(puts) > 0 || r.Counts.InFlight > 0 || !r.Counts.AllFound() {
				t.Fatalf("in the end, %s: %s, and %d more puts", order, r.LastLine(), len(puts))
			}
		}
	})
}
