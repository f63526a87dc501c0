package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"
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

// linesOf passes texts as an object does, some at once and in memory that is used again. Those that begin with "!" are
// not complete: the line is what follows, which may be that of a row.
func linesOf(texts []string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var text []byte
		for i, t := range texts {
			if t[0] == '!' {
				if !yield(append(text[:0], t[1:]...), errNoBreak) {
					return
				}
				text = text[:0]
				continue
			}
			text = append(append(text, t...), '\n')
			if last := i+1 == len(texts); last || texts[i+1][0] == '!' || len(t)%2 == 0 {
				if !yield(text, nil) {
					return
				}
				text = text[:0]
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
			return fmt.Sprintf(rapid.SampledFrom([]string{"a,%d", "A,%d", "a,%d", "b,%d", "?%d", "!a,%d"}).Draw(t, "line"), n)
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
			for i, text := range texts {
				line, faulty := strings.CutPrefix(text, "!")
				key, err := readRow(nil, []byte(line))
				if faulty {
					err = errNoBreak
				}
				if err != nil {
					byRow.Corrupt([]byte(line), int64(i+1), err.Error())
					continue
				}
				take(key, int64(i+1))
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

// TestEndlessTextsOfARow checks that the judge does not remember each of the texts that one row comes in.
func TestEndlessTextsOfARow(t *testing.T) {
	t.Parallel()
	const texts = 20_000
	j := judgeOf(1)
	j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
	j.Owe([]byte("a"), texts, texts)
	j.Object("found", "v1", second(1))
	var all []string
	for i := range texts {
		all = append(all, fmt.Sprint(i))
	}
	j.FindLines(linesOf(all), proof.LineReader{Read: func(dst, _ []byte) ([]byte, error) { return append(dst, 'a'), nil }})
	if got := j.Lines(); got == 0 || got > texts/10 {
		t.Errorf("the judge knows %d lines of one row", got)
	}
	if got := j.Close(never).Counts.Delivered; got != texts {
		t.Errorf("got %d rows delivered, want %d", got, texts)
	}
}

// TestLinesAreKnownAfterTheirRowsMoved checks that a line still pays for its own row when closed accounts were left
// out.
func TestLinesAreKnownAfterTheirRowsMoved(t *testing.T) {
	t.Parallel()
	const rows = 100_000
	var texts []string
	for i := range rows {
		texts = append(texts, fmt.Sprint("a,", i))
	}
	j := judgeOf(1)
	j.Claim(proof.Tick{Time: second(0), Claimed: second(0), Settled: second(60)})
	reader := proof.LineReader{Read: readRow}
	for range 2 {
		j.OweLines(linesOf(texts), 1, 1, reader)
	}
	early, late := texts[:rows*3/4], texts[rows*3/4:]
	j.Object("found", "v1", second(1))
	for _, some := range [][]string{early, early, late} {
		j.FindLines(linesOf(some), reader)
	}
	if got := j.Accounts(); got > rows/2 {
		t.Fatalf("the judge holds %d rows, so none was left out", got)
	}
	got := j.Close(never)
	if got.Counts.Delivered != 2*rows-int64(len(late)) || got.Counts.Missing != int64(len(late)) {
		t.Errorf("got %+v", got.Counts)
	}
	for _, s := range got.Samples[proof.Missing] {
		if s.Count != 1 {
			t.Errorf("%d of row %s are missing", s.Count, s.Row)
		}
	}
}
