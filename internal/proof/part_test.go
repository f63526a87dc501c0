package proof_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/proof"
)

// TestPartsMergeIntoTheWhole checks that judges of parts, made apart, say together what a judge of everything says.
// Each has any number of books, and is restored from states at moments of its own.
func TestPartsMergeIntoTheWhole(t *testing.T) {
	t.Parallel()
	var seen proof.Counts
	split := 0
	rapid.Check(t, func(t *rapid.T) {
		s, now := drawScript(t), second(rapid.IntRange(0, 400).Draw(t, "now"))
		var parts []*proof.State
		of := rapid.IntRange(1, 4).Draw(t, "parts")
		rows := 0
		for i := range of {
			by := drawWay(t)
			by.part = proof.Part{Index: i, Of: of}
			state := reread(s.judged(by).State(math.MaxInt))
			parts = append(parts, state)
			rows += min(1, len(state.Rows))
		}
		split += max(0, rows-1)
		merged, err := proof.Merge(parts)
		if err != nil {
			t.Fatal(err)
		}
		for i := range parts {
			parts[i] = reread(merged.Part(proof.Part{Index: i, Of: of}))
		}
		if merged, err = proof.Merge(parts); err != nil {
			t.Fatal(err)
		}
		j, err := proof.Restore(merged, text, 2)
		if err != nil {
			t.Fatal(err)
		}
		got, want := said(j, now), said(s.judged(way{books: 1, stop: 100}), now)
		if diff := cmp.Diff(got, want, cmp.Transformer("whichever", whichever)); diff != "" {
			t.Fatalf("of %d parts (-merged +whole):\n%s", of, diff)
		}
		seen.Add(want.Counts)
	})
	if split == 0 {
		t.Error("no history had open rows in several parts")
	}
	seeAll(t, seen)
}

// whichever leaves of samples what does not depend on how they were merged: how many there are, and which if a class
// has no more.
func whichever(all map[proof.Class][]proof.Sample) map[proof.Class][]string {
	texts := map[proof.Class][]string{}
	for class, samples := range all {
		for _, s := range samples {
			text := ""
			if len(samples) < proof.MaxSamples {
				text = fmt.Sprint(s.Object, s.Line, s.Row, s.Count, s.Reason)
			}
			texts[class] = append(texts[class], text)
		}
		slices.Sort(texts[class])
	}
	return texts
}

func TestPartsOfOtherHistoriesDoNotMerge(t *testing.T) {
	t.Parallel()
	a, b := newJudge(), newJudge()
	a.Claim(proof.Tick{Time: second(0)})
	b.Claim(proof.Tick{Time: second(1)})
	for name, other := range map[string]*proof.State{"another tick": b.State(1), "no tick": newJudge().State(1)} {
		if _, err := proof.Merge([]*proof.State{a.State(1), other}); err == nil {
			t.Errorf("%s: the parts were merged", name)
		}
	}
}
