package verifier

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/report"
	"streamproof/internal/rewrite"
)

// judgeSpots is a full verification, and the lines of the surplus copies and broken lines that it finds, by object.
func (l *life) judgeSpots(ctx context.Context) (r *report.Report, lines map[string][]int64) {
	opts := lifeOpts
	opts.Watch = func() func(proof.Class, proof.Spot) {
		lines = map[string][]int64{}
		return func(class proof.Class, s proof.Spot) {
			if class == proof.Duplicated || class == proof.Corrupt {
				lines[s.Object] = append(lines[s.Object], s.Line)
			}
		}
	}
	return Judge(ctx, l, opts), lines
}

// rewriteLines writes objects again without lines, as a repair does: it claims that, writes some of the objects, and
// closes the claim unless it is killed.
func (l *life) rewriteLines(t *rapid.T, lines map[string][]int64, serial, objects int) {
	repair := &ledger.Repair{Serial: serial, Owner: "a", Claimed: l.now, Closed: objects >= len(lines)}
	history, err := rewrite.ReadHistory(context.Background(), l)
	if err != nil {
		t.Fatal(err)
	}
	if serial > 1 {
		last := l.objects[ledger.RepairKey]
		l.objects[(&ledger.Repair{Serial: serial - 1}).Key()] = last
	}
	for i, key := range slices.Sorted(maps.Keys(lines)) {
		before := l.objects[key]
		slices.Sort(lines[key])
		one := ledger.Rewrite{Key: key, Before: before.etag(), Written: before.written, Lines: lines[key]}
		if _, written, known := history.Objects.Original(key, one.Before); known {
			one.Written = written
		}
		if i < objects {
			var out bytes.Buffer
			if _, err := rewrite.Without(&out, strings.NewReader(before.data), one.Lines); err != nil {
				t.Fatal(err)
			}
			after := lifeObject{data: out.String(), written: l.now}
			if l.objects[key] = after; repair.Closed {
				one.After = after.etag()
			}
		}
		repair.Rewrites = append(repair.Rewrites, one)
	}
	data, err := repair.Encode()
	if err != nil {
		t.Fatal(err)
	}
	l.objects[ledger.RepairKey] = lifeObject{data: string(data), written: l.now}
}

// TestRewrittenObjectsCountAsTheirOriginals: without the lines that a verification tells of, nothing is duplicated or
// corrupt, and everything else is as it was, down to the delays: what is left of an object counts as written when its
// original was. That holds for increments, at each step of a repair, and of one repair after the other.
func TestRewrittenObjectsCountAsTheirOriginals(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	rapid.Check(t, func(t *rapid.T) {
		l := drawLife(t, p, 120, 12)
		damage := func() {
			keys := slices.Sorted(maps.Keys(l.objects))
			for _, key := range keys {
				if !strings.HasPrefix(key, "data/") {
					continue
				}
				o := l.objects[key]
				for range rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "lines") {
					other := l.objects[rapid.SampledFrom(keys).Draw(t, "of")].data
					o.data += rapid.SampledFrom([]string{"broken\n", "\n", o.data, other, "1,1,1.5,1.0\n"}).Draw(t, "line")
				}
				if strings.HasSuffix(o.data, "\n") && rapid.IntRange(0, 9).Draw(t, "zip") == 0 {
					o.data = string(zip(o.data))
				}
				if !strings.HasPrefix(l.objects[key].data, "\x1f\x8b") {
					l.objects[key] = o
				}
			}
		}
		damage()
		l.now = minute(rapid.IntRange(150, 300).Draw(t, "minute"))
		_, base := judgeFrom(t.Context(), l, lifeOpts, nil, nil)

		for serial := 1; serial <= 2; serial++ {
			l.now = l.now.Add(10 * time.Minute)
			before, lines := l.judgeSpots(t.Context())
			if before.Verdict == proof.Undecided {
				t.Skip("nothing is owed")
			}
			n := int64(0)
			for _, of := range lines {
				n += int64(len(of))
			}
			if n != before.Counts.Duplicated+before.Counts.Corrupt {
				t.Fatalf("told of %d lines, and %d are duplicated and %d corrupt", n, before.Counts.Duplicated, before.Counts.Corrupt)
			}
			if len(lines) == 0 {
				return
			}
			untouched := maps.Clone(l.objects)
			if done := rapid.IntRange(0, len(lines)-1).Draw(t, "killed after"); rapid.Bool().Draw(t, "killed") {
				l.rewriteLines(t, lines, serial, done)
				full := Judge(t.Context(), l, lifeOpts)
				got, next := judgeFrom(t.Context(), l, lifeOpts, base, nil)
				if diff := same(full, got); diff != "" || full.Counts.Missing != before.Counts.Missing {
					t.Fatalf("in the middle (-full +increment):\n%s", diff)
				}
				base = next
			}
			maps.DeleteFunc(l.objects, func(string, lifeObject) bool { return true })
			maps.Copy(l.objects, untouched)
			l.rewriteLines(t, lines, serial, len(lines))
			after, left := l.judgeSpots(t.Context())
			want := before.Counts
			want.Duplicated, want.Corrupt = 0, 0
			if after.Counts != want || len(left) > 0 || fmt.Sprint(after.Delay) != fmt.Sprint(before.Delay) {
				t.Fatalf("repaired: got %+v and %v, want %+v and %v; left %v", after.Counts, after.Delay, want, before.Delay, left)
			}
			got, next := judgeFrom(t.Context(), l, lifeOpts, base, nil)
			if diff := same(after, got); diff != "" {
				t.Fatalf("repaired (-full +increment):\n%s", diff)
			}
			base = next
			damage()
			_, base = judgeFrom(t.Context(), l, lifeOpts, nil, nil)
		}
	})
}
