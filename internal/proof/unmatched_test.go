package proof_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/proof"
)

// TestUnmatchedInPortions checks that each unmatched copy gets the class that its claims determine, however few copies
// the judge holds at a time.
func TestUnmatchedInPortions(t *testing.T) {
	t.Parallel()
	rows := func(rt *rapid.T, label string) []string {
		return rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 0, 4).Draw(rt, label)
	}
	rapid.Check(t, func(rt *rapid.T) {
		// Every tick gives its rows to the query, and owes some of them.
		type claim struct {
			at          int
			owed, given []string
		}
		var claims []claim
		var at int
		for i := range rapid.IntRange(0, 5).Draw(rt, "claims") {
			at += rapid.IntRange(0, 3).Draw(rt, "time")
			given := rows(rt, fmt.Sprint("tick ", i))
			claims = append(claims, claim{at, given[:rapid.IntRange(0, len(given)).Draw(rt, "owed")], given})
		}
		type object struct {
			at   int
			rows []string
		}
		var objects []object
		at = 0
		for i := range rapid.IntRange(0, 5).Draw(rt, "objects") {
			at += rapid.IntRange(0, 3).Draw(rt, "time")
			objects = append(objects, object{at, rows(rt, fmt.Sprint("object ", i))})
		}

		// The expected classes, by their definition.
		want := proof.Counts{}
		owed, left := map[string]int{}, claims
		found := map[string]int{}
		for _, o := range objects {
			for ; len(left) > 0 && left[0].at <= o.at; left = left[1:] {
				for _, row := range left[0].owed {
					owed[row]++
				}
			}
			gives := func(row string, of func(claim) []string) bool {
				return slices.ContainsFunc(claims, func(c claim) bool { return c.at <= o.at && slices.Contains(of(c), row) })
			}
			for _, row := range o.rows {
				switch {
				case found[row] < owed[row]:
					found[row]++
					want.Delivered++
				case gives(row, func(c claim) []string { return c.owed }):
					want.Duplicated++
				case gives(row, func(c claim) []string { return c.given }):
					want.Leaked++
				default:
					want.Unexpected++
				}
			}
		}
		for _, c := range claims {
			want.Owed += int64(len(c.owed))
		}
		want.Missing = want.Owed - want.Delivered

		j := judgeOf(rapid.IntRange(1, 3).Draw(rt, "parts"))
		ask := func() {
			for _, c := range slices.Backward(claims) {
				if !j.Unresolved() {
					return
				}
				for _, row := range c.owed {
					j.Owned([]byte(row), second(c.at))
				}
			}
			for _, c := range slices.Backward(claims) {
				if !j.Unresolved() {
					return
				}
				for _, row := range c.given {
					j.Leaked([]byte(row), second(c.at))
				}
			}
		}
		j.Bound(rapid.SampledFrom([]int{1, 500, 1 << 20}).Draw(rt, "limit"), ask)
		left = claims
		open := func(until int) {
			for ; len(left) > 0 && left[0].at <= until; left = left[1:] {
				j.Claim(proof.Tick{Time: second(left[0].at), Claimed: second(left[0].at), Settled: second(left[0].at)})
				for _, row := range left[0].owed {
					j.Owe([]byte(row), 1, 1)
				}
			}
		}
		for i, o := range objects {
			open(o.at)
			j.Object(fmt.Sprint(i), "v1", second(o.at))
			for line, row := range o.rows {
				j.Find([]byte(row), int64(line+1))
			}
		}
		open(1 << 20)
		if j.HasUnmatched() {
			ask()
		}
		got := j.Close(never)
		got.Counts.Late = 0
		if diff := cmp.Diff(got.Counts, want); diff != "" {
			rt.Errorf("counts (-got +want):\n%s", diff)
		}
		for class, n := range map[proof.Class]int64{proof.Duplicated: want.Duplicated, proof.Leaked: want.Leaked, proof.Unexpected: want.Unexpected} {
			var sampled int64
			for _, s := range got.Samples[class] {
				sampled += s.Count
			}
			if sampled != n && len(got.Samples[class]) < proof.MaxSamples {
				rt.Errorf("samples of %d %s rows, want %d", sampled, class, n)
			}
		}
	})
}

// TestAFloodOfForeignRows checks that a flood of foreign rows is counted exactly, in memory that does not depend on
// their number, with one pass over the claims.
func TestAFloodOfForeignRows(t *testing.T) {
	t.Parallel()
	const flood, limit = 300_000, 1 << 20
	j := newJudge()
	passes := 0
	j.Bound(limit, func() {
		passes++
		j.Owned([]byte("owed"), second(0))
		j.Leaked([]byte("owed"), second(0))
		j.Leaked([]byte("left out"), second(0))
	})
	j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
	j.Owe([]byte("owed"), 1, 1)
	j.Object("o", "v1", second(10))
	for i := range flood {
		j.Find(fmt.Appendf(nil, "foreign row %d", i), int64(i+1))
		if held := j.Held(); held > limit {
			t.Fatalf("%d bytes of unmatched rows are held after %d rows", held, i+1)
		}
	}
	for range 3 {
		j.Find([]byte("left out"), flood+1)
	}
	j.HasUnmatched()
	j.Leaked([]byte("left out"), second(0))
	state := j.State(10)
	if n := len(state.Rows) + len(state.Samples[proof.Unexpected]); n > 1+proof.MaxSamples {
		t.Errorf("the state holds %d rows of a flood", n)
	}
	if want := (proof.Counts{Owed: 1, Unexpected: flood, Leaked: 3}); state.Counts != want {
		t.Errorf("got %+v, want %+v", state.Counts, want)
	}
	if passes != 1 {
		t.Errorf("the claims were asked %d times, want once", passes)
	}
}

// TestWatch: every finding is told once, at its line, whether it was a surplus copy at once, waited for its class, or
// was no row, and however little of it is held.
func TestWatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		type at struct {
			class  proof.Class
			object string
			line   int64
		}
		j := judgeOf(rapid.IntRange(1, 3).Draw(t, "parts"))
		told := map[at]string{}
		names := map[proof.Name]string{}
		j.Watch(func(class proof.Class, s proof.Spot) {
			place := at{class, s.Object, s.Line}
			if _, twice := told[place]; twice {
				t.Errorf("%v was told twice", place)
			}
			told[place] = names[s.Name]
		})
		owed := rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "c"})).Draw(t, "owed")
		if rapid.Bool().Draw(t, "holds little") {
			j.Bound(1, func() {
				for _, row := range owed {
					j.Owned([]byte(row), second(0))
				}
			})
		}
		j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
		for _, row := range owed {
			j.Owe([]byte(row), 1, 1)
		}
		lines := map[at]string{}
		for _, object := range []string{"1", "2"} {
			j.Object(object, "v", second(1))
			for i, row := range rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "c", "d", "broken"})).Draw(t, "object") {
				if names[proof.NameOf(row)] = row; row == "broken" {
					j.Corrupt([]byte(row), int64(i+1), "a reason")
				} else {
					j.Find([]byte(row), int64(i+1))
				}
				lines[at{object: object, line: int64(i + 1)}] = row
			}
		}
		for _, row := range owed {
			j.Owned([]byte(row), second(0))
		}
		r := j.Close(never)
		counts := map[proof.Class]int64{}
		for place, row := range told {
			if want := lines[at{object: place.object, line: place.line}]; row != want {
				t.Errorf("%v: told of %q, and %q stands there", place, row, want)
			}
			counts[place.class]++
		}
		for _, class := range []proof.Class{proof.Duplicated, proof.Unexpected, proof.Corrupt} {
			if counts[class] != r.Counts.Of(class) {
				t.Errorf("told of %d %s, and %d are counted", counts[class], class, r.Counts.Of(class))
			}
		}
	})
}
