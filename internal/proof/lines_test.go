package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"streamproof/internal/proof"
)

var (
	errNoRow   = errors.New("not a row")
	errNoBreak = errors.New("not a complete line")
)

// readRow reads a row of these tests. Several lines are the same row, and the line of one is the key of another.
func readRow(dst, line []byte) ([]byte, error) {
	if bytes.HasPrefix(line, []byte("?")) {
		return nil, errNoRow
	}
	return append(append(dst, map[byte]byte{'a': 'b', 'A': 'b', 'b': 'a'}[line[0]]), line[1:]...), nil
}

// linesOf passes texts as an object does, in memory that is used again. Those that begin with "!" are not complete.
func linesOf(texts []string) iter.Seq[proof.Line] {
	return func(yield func(proof.Line) bool) {
		var text []byte
		for i, t := range texts {
			text = append(text[:0], t...)
			l := proof.Line{Text: text, Number: int64(i + 1)}
			if t[0] == '!' {
				l.Fault = errNoBreak
			}
			if !yield(l) {
				return
			}
		}
	}
}

// TestLinesAreTheirRows checks that a judge of lines says the same as a judge of the rows that are read from them, and
// has the same samples, whether it has met the lines before or not.
func TestLinesAreTheirRows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		distinct := rapid.SampledFrom([]int{3, 300}).Draw(t, "distinct rows")
		text := rapid.Custom(func(t *rapid.T) string {
			n := rapid.IntRange(0, distinct).Draw(t, "row")
			return fmt.Sprintf(rapid.SampledFrom([]string{"a,%d", "A,%d", "a,%d", "b,%d", "?%d", "!%d"}).Draw(t, "line"), n)
		})
		texts := rapid.SliceOfN(text, 1, 400)
		parts := rapid.IntRange(1, 3).Draw(t, "parts")
		byLine, byRow := judgeOf(parts), judgeOf(parts)
		if rapid.Bool().Draw(t, "in part") {
			part := proof.Part{Index: rapid.IntRange(0, 1).Draw(t, "part"), Of: 2}
			byLine.Only(part)
			byRow.Only(part)
		}
		corrupt := func(j *proof.Judge) func(proof.Line, error) {
			return func(l proof.Line, err error) { j.Corrupt(l.Text, l.Number, err.Error()) }
		}
		eachRow := func(texts []string, take func(key []byte, line int64)) {
			for l := range linesOf(texts) {
				key, err := readRow(nil, l.Text)
				if l.Fault != nil {
					err = l.Fault
				}
				if err != nil {
					byRow.Corrupt(l.Text, l.Number, err.Error())
					continue
				}
				take(key, l.Number)
			}
		}
		reader := proof.LineReader{Read: readRow, Refuse: corrupt(byLine)}
		for at := range rapid.IntRange(1, 5).Draw(t, "steps") {
			claim := proof.Tick{Time: second(at), Claimed: second(at), Settled: second(at + 60)}
			lo := rapid.Int64Range(0, 1).Draw(t, "lo")
			owed, found := texts.Draw(t, "owed"), texts.Draw(t, "found")
			for _, j := range []*proof.Judge{byLine, byRow} {
				j.Object("owed", "v1", second(at))
				j.Claim(claim)
			}
			byLine.OweLines(linesOf(owed), lo, 2, reader)
			batch, owe := byRow.NewBatch(), byRow.Owe
			if rapid.Bool().Draw(t, "in a batch") {
				owe = batch.Owe
			}
			eachRow(owed, func(key []byte, _ int64) { owe(key, lo, 2) })
			byRow.OweBatch(batch)
			for _, j := range []*proof.Judge{byLine, byRow} {
				j.Object("found", "v1", second(at))
			}
			byLine.FindLines(linesOf(found), reader)
			eachRow(found, byRow.Find)
		}
		got, want := byLine.Close(never), byRow.Close(never)
		if diff := cmp.Diff(got, want, cmpopts.IgnoreUnexported(proof.Result{})); diff != "" {
			t.Fatalf("result (-by lines +by rows):\n%s", diff)
		}
		every := func(time.Time) bool { return true }
		for _, class := range proof.Classes {
			if diff := cmp.Diff(got.Findings(class, every).Sorted(), want.Findings(class, every).Sorted()); diff != "" {
				t.Fatalf("findings (-by lines +by rows):\n%s", diff)
			}
		}
	})
}
