package verifier

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/repair"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
)

// repairsRows is a repair of the life's missing and failed rows by a client of its own.
func (l *life) repairsRows(ctx context.Context, client repairClient) (*repair.Done, error) {
	r := &repair.Repairer{Client: client, Bucket: "life", Read: l, Ledger: ledger.NewStore(client, "life")}
	return r.Run(ctx, func(ctx context.Context, serial int) (*repair.Plan, error) {
		rows := repair.Rows{Read: l, DataPrefix: lifeOpts.DataPrefix, ErrorsPrefix: lifeOpts.ErrorsPrefix, Name: "life", Serial: serial}
		rows.Stage = func(ctx context.Context, w *ledger.Write, body []byte) error { return r.Stage(ctx, serial, w, body) }
		var made *repair.Made
		var failed error
		opts := lifeOpts
		opts.Losses = func(now time.Time, losses iter.Seq[replay.Loss]) { made, failed = rows.Make(ctx, now, losses) }
		judged := Judge(ctx, l, opts)
		if !judged.Balanced() {
			return nil, errors.New("UNDECIDED")
		}
		if failed != nil {
			return nil, failed
		}
		plan := repair.NewPlan(judged, &repair.Found{}, nil, nil, rewrite.History{}, l.now)
		plan.Add(made)
		return plan, nil
	})
}

// repaired is what the counts are when so much of what was missing or failed has been repaired.
func repaired(t *rapid.T, before, now *report.Report) {
	t.Helper()
	was, is := before.Counts, now.Counts
	if is.Repaired-was.Repaired != was.Missing+was.Failed-is.Missing-is.Failed {
		t.Fatalf("%d are repaired: got %+v, had %+v", is.Repaired, is, was)
	}
	want := was
	want.Missing, want.Failed, want.Repaired = is.Missing, is.Failed, is.Repaired
	want.Delivered, want.Rejects, want.Late = is.Delivered, is.Rejects, is.Late
	want.Foreign += was.Failed - is.Failed
	if is != want || is.Delivered+is.Rejects-was.Delivered-was.Rejects != is.Repaired-was.Repaired {
		t.Fatalf("got %+v, want %+v", is, want)
	}
}

// TestRepairOfRowsIsExact: a repair makes what is missing and failed again, and changes nothing else of the verdict,
// whichever of its writes it is killed at before it runs again. What is accepted stays. A second repair writes nothing.
func TestRepairOfRowsIsExact(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t, p, 60, 6)
		l.now = minute(300)
		if class := rapid.SampledFrom([]proof.Class{"", "", proof.Missing, proof.Failed}).Draw(t, "accepted"); class != "" {
			l.accept(t, class)
		}
		l.now = minute(rapid.SampledFrom([]int{400, 3000}).Draw(t, "repaired at"))
		before := Judge(t.Context(), l, lifeOpts)
		if !before.Balanced() {
			t.Skip("nothing is owed")
		}
		_, base := judgeFrom(t.Context(), l, lifeOpts, nil, nil)
		made := map[string]time.Time{}
		for kills := 0; ; kills++ {
			l.now = l.now.Add(time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			l.writes, l.lives, l.lands = 0, rapid.IntRange(1, 12).Draw(t, "lives"), rapid.Bool().Draw(t, "lands")
			if kills == 5 {
				l.lives = 0
			}
			_, err := l.repairsRows(ctx, mortal{l, cancel})
			cancel()
			killed := l.lives > 0 && l.writes >= l.lives
			l.lives = 0
			repaired(t, before, Judge(t.Context(), l, lifeOpts))
			for key, o := range l.objects {
				if strings.Contains(key, "/life-repair-") {
					if first, there := made[key]; there && !o.written.Equal(first) {
						t.Fatalf("%s was written at %s, and again at %s", key, first, o.written)
					}
					made[key] = o.written
				}
			}
			if !killed {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		after := Judge(t.Context(), l, lifeOpts)
		if open := after.Open(proof.Missing) + after.Open(proof.Failed); open != 0 {
			t.Fatalf("%d rows are left: got %+v %v, had %+v %v", open, after.Counts, after.Accepted, before.Counts, before.Accepted)
		}
		if left := after.Counts.Missing + after.Counts.Failed; left != before.Counts.Missing+before.Counts.Failed-before.Open(proof.Missing)-before.Open(proof.Failed) {
			t.Fatalf("%d accepted rows are left: got %+v %v, had %+v %v", left, after.Counts, after.Accepted, before.Counts, before.Accepted)
		}
		for range 2 { // from the checkpoint of before, and from the one of after
			var got *report.Report
			got, base = judgeFrom(t.Context(), l, lifeOpts, base, nil)
			if diff := same(after, got); diff != "" {
				t.Fatalf("(-full +increment):\n%s", diff)
			}
		}
		for key := range l.objects {
			if strings.HasPrefix(key, ledger.StagedPrefix) {
				t.Fatalf("%s is left", key)
			}
		}
		l.now = l.now.Add(time.Duration(rapid.SampledFrom([]int{0, 10}).Draw(t, "minutes")) * time.Minute)
		full := asRead(t, Judge(t.Context(), l, lifeOpts))
		twin := l.twin().at(l.now) // without what the run writes
		got, _, err := twin.inParts(t.Context(), twin.handler(), 2, func() bool { return rapid.IntRange(0, 9).Draw(t, "enough") == 0 })
		young := got != nil && len(got.Reasons) > 0 && strings.Contains(got.Reasons[0], "there was a repair since")
		if err != nil || !young && same(full, unarchived(got)) != "" {
			t.Fatalf("in parts (-full +parts), error %v:\n%s", err, same(full, unarchived(got)))
		}
		l.writes = 0
		if done, err := l.repairsRows(t.Context(), l); err != nil || !done.Empty() || l.writes > 0 {
			t.Fatalf("a second repair: %v, %v, %d writes", done, err, l.writes)
		}
	})
}

// TestTwoRepairsOfRowsAreOne: whichever of the first one's writes the second comes before.
func TestTwoRepairsOfRowsAreOne(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t, p, 60, 6)
		l.now = minute(400)
		before := Judge(t.Context(), l, lifeOpts)
		if !before.Balanced() {
			t.Skip("nothing is owed")
		}
		two := &another{life: l, at: rapid.IntRange(1, 8).Draw(t, "before write"), second: func() {
			if _, err := l.repairsRows(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}}
		if _, err := l.repairsRows(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		after := Judge(t.Context(), l, lifeOpts)
		repaired(t, before, after)
		if after.Counts.Missing+after.Counts.Failed > 0 {
			t.Fatalf("got %+v, had %+v", after.Counts, before.Counts)
		}
	})
}
