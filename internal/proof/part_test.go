package proof_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/proof"
)

// TestPartsMergeIntoTheWhole checks that judges of parts, made apart, say together what a judge of everything says.
func TestPartsMergeIntoTheWhole(t *testing.T) {
	t.Parallel()
	split := 0
	rapid.Check(t, func(t *rapid.T) {
		ticks, deliveries := drawHistory(t, rapid.Int64Range(0, 1).Draw(t, "lo"), rapid.Int64Range(1, 2).Draw(t, "hi"))
		for range rapid.IntRange(0, 6).Draw(t, "faults") {
			if len(deliveries) == 0 {
				break
			}
			i := rapid.IntRange(0, len(deliveries)-1).Draw(t, "victim")
			switch rapid.SampledFrom([]string{"lose", "double", "change", "fail"}).Draw(t, "fault") {
			case "lose":
				deliveries = slices.Delete(deliveries, i, i+1)
			case "double":
				deliveries = append(deliveries, deliveries[i])
			case "change":
				deliveries[i].rows = []string{rapid.SampledFrom([]string{"never owed", "nor this", "and this"}).Draw(t, "row")}
			case "fail":
				deliveries[i].failed = true
			}
		}
		now := second(rapid.IntRange(0, 500).Draw(t, "now"))
		whole := func() bool { return false }
		var parts []*proof.State
		of := rapid.IntRange(1, 4).Draw(t, "parts")
		for i := range of {
			j := newJudge()
			j.Only(proof.Part{Index: i, Of: of})
			count(j, ticks, deliveries, whole)
			j.Object("object", "v1", second(999))
			j.Corrupt([]byte("?"), 1, "a reason")
			data, err := json.Marshal(j.State(math.MaxInt))
			if err != nil {
				t.Fatal(err)
			}
			var state proof.State
			if err := json.Unmarshal(data, &state); err != nil {
				t.Fatal(err)
			}
			parts = append(parts, &state)
		}
		merged, err := proof.Merge(parts)
		if err != nil {
			t.Fatal(err)
		}
		j, err := proof.Restore(merged, func(key []byte) string { return string(key) })
		if err != nil {
			t.Fatal(err)
		}
		all := count(newJudge(), ticks, deliveries, whole)
		all.Object("object", "v1", second(999))
		all.Corrupt([]byte("?"), 1, "a reason")
		got, want := j.Close(now), all.Close(now)
		if diff := cmp.Diff([]any{got.Counts, got.Ticks, got.Delays, got.LateMax}, []any{want.Counts, want.Ticks, want.Delays, want.LateMax}); diff != "" {
			t.Fatalf("of %d parts (-merged +whole):\n%s", of, diff)
		}
		every := func(time.Time) bool { return true }
		for _, class := range proof.Classes {
			if diff := cmp.Diff(got.Findings(class, every).Sorted(), want.Findings(class, every).Sorted()); diff != "" {
				t.Fatalf("%s of %d parts (-merged +whole):\n%s", class, of, diff)
			}
			if len(got.Samples[class]) != len(want.Samples[class]) {
				t.Fatalf("%s of %d parts: %d samples, want %d", class, of, len(got.Samples[class]), len(want.Samples[class]))
			}
		}
		rows := 0
		for _, p := range parts {
			rows += min(1, len(p.Rows))
		}
		split += max(0, rows-1)
	})
	if split == 0 {
		t.Error("no history had open rows in several parts")
	}
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
