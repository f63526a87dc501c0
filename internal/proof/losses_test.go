package proof_test

import (
	"testing"

	"pgregory.net/rapid"

	"streamproof/internal/proof"
)

// TestLossesDeliveredAreRepaired: what Losses yields is what is missing and failed, to the row. An object of exactly
// these rows leaves neither, and changes nothing else.
func TestLossesDeliveredAreRepaired(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ticks, deliveries := drawHistory(t, 1, 1)
		for i := range deliveries {
			switch rapid.SampledFrom([]string{"delivered", "delivered", "lost", "failed", "twice"}).Draw(t, "fate") {
			case "lost":
				deliveries[i].rows = nil
			case "failed":
				deliveries[i].failed = true
			case "twice":
				deliveries = append(deliveries, deliveries[i])
			}
		}
		before := judgeInSteps(ticks, deliveries, never, func() bool { return false })
		want := before.Counts
		repair := delivery{at: 1 << 20}
		var missing, failed int64
		for l := range before.Losses() {
			if l.Class == proof.Missing {
				missing += l.Count
			} else {
				failed += l.Count
			}
			for range l.Count {
				repair.rows = append(repair.rows, string(l.Key))
			}
		}
		if missing != want.Missing || failed != want.Failed {
			t.Fatalf("losses of %d missing and %d failed rows, want those of %+v", missing, failed, want)
		}
		got := judge(ticks, append(deliveries, repair), never)
		want.Delivered += want.Missing + want.Failed
		want.Foreign += want.Failed
		want.Missing, want.Failed = 0, 0
		got.Late, want.Late = 0, 0
		if got != want {
			t.Fatalf("after the repair: got %+v, want %+v", got, want)
		}
	})
}

func TestRepairedAreCounted(t *testing.T) {
	t.Parallel()
	j := newJudge()
	j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
	for _, row := range []string{"a", "b", "c"} {
		j.Owe([]byte(row), 1, 1)
	}
	j.Object("original", "v1", second(1))
	j.Find([]byte("a"), 1)
	j.Object("repair", "v1", second(100))
	j.ByRepair()
	j.Find([]byte("b"), 1)
	j.Find([]byte("b"), 2)
	j.Object("late", "v1", second(101))
	j.Find([]byte("c"), 1)
	if got := j.Close(never).Counts; got.Repaired != 1 || got.Delivered != 3 || got.Duplicated != 1 {
		t.Errorf("got %+v, want 1 repaired of 3 delivered, and 1 duplicated", got)
	}
}
