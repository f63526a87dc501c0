package bucket_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	gocmp "github.com/google/go-cmp/cmp"

	"pgregory.net/rapid"

	"streamproof/internal/bucket"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// eachLine gives the number and text of each line, and a fault as Explain reports it.
func eachLine(lines *bucket.Lines, next func() bool) (got []string) {
	for next() {
		line := fmt.Sprintf("%d %s", lines.Number(), lines.Text())
		if err := lines.Fault(); err != nil {
			line += ": " + lines.Explain(err)
		}
		got = append(got, line)
	}
	return got
}

func TestLines(t *testing.T) {
	t.Parallel()
	const longest = 200_000 // more than the buffer
	reset := errors.New("reset")
	tests := map[string]struct {
		object io.Reader
		want   []string // as eachLine gives them
		err    string
	}{
		"nothing":           {object: strings.NewReader("")},
		"lines":             {object: strings.NewReader("a\n\nb\n"), want: []string{"1 a", "2 ", "3 b"}},
		"one byte a read":   {object: iotest.OneByteReader(strings.NewReader("a\nb\n")), want: []string{"1 a", "2 b"}},
		"gzip":              {object: strings.NewReader(zipped(t, "a\nb\n")), want: []string{"1 a", "2 b"}},
		"no last newline":   {object: strings.NewReader("a\nb"), want: []string{"1 a", "2 b: the line does not end with a newline"}},
		"as long as can be": {object: strings.NewReader(strings.Repeat("a", longest-1) + "\n"), want: []string{"1 " + strings.Repeat("a", longest-1)}},
		"too long, and on": {
			object: strings.NewReader(strings.Repeat("a", 3*longest) + "\nb\n"),
			want:   []string{"1 " + strings.Repeat("a", longest) + ": the line is longer than 200000 bytes", "2 b"},
		},
		"too long, to the end": {
			object: strings.NewReader(strings.Repeat("a", 3*longest)),
			want:   []string{"1 " + strings.Repeat("a", longest) + ": the line is longer than 200000 bytes"},
		},
		"another format": {
			object: strings.NewReader("PAR1\x00\x01"),
			want:   []string{"1 PAR1\x00\x01: the object is Parquet, not lines of rows"},
		},
		"gzip in gzip": {
			object: strings.NewReader(zipped(t, "\x1f\x8b\x08\x00")),
			want:   []string{"1 \x1f\x8b\x08\x00: the object is gzip within gzip, not lines of rows"},
		},
		"unreadable": {object: iotest.ErrReader(reset), err: "reset"},
		"breaks off": {object: io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(reset)), want: []string{"1 a"}, err: "reset"},
		"breaks off in a long line": {
			object: io.MultiReader(strings.NewReader(strings.Repeat("a", 2*longest)), iotest.ErrReader(reset)),
			want:   []string{"1 " + strings.Repeat("a", longest) + ": the line is longer than 200000 bytes"}, err: "reset",
		},
		"broken gzip":    {object: strings.NewReader("\x1f\x8bnot gzip"), err: "gzip: invalid header"},
		"gzip cut short": {object: strings.NewReader(zipped(t, "a\nb\n")[:20]), want: []string{"1 a", "2 b"}, err: "unexpected EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := bucket.NewLines(test.object, longest)
			got := eachLine(lines, lines.Next)
			if diff := gocmp.Diff(got, test.want); diff != "" {
				t.Errorf("lines (-got +want):\n%s", diff)
			}
			if err := lines.Err(); (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got error %v, want %q", err, test.err)
			}
		})
	}
}

// TestRunsAreTheirLines checks that runs are the same lines as Next passes, however they are read, and few.
func TestRunsAreTheirLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOf(rapid.SampledFrom([]int{0, 1, 30, 11_000, 20_000, 40_000, 80_000})).Draw(t, "lengths of lines")
		var text strings.Builder
		for i, n := range lengths {
			text.WriteString(strings.Repeat(string(rune('a'+i%26)), n) + "\n")
		}
		object := text.String() + rapid.SampledFrom([]string{"", "no newline"}).Draw(t, "end")
		longest := rapid.SampledFrom([]int{10_000, 60_000, 100_000}).Draw(t, "longest")
		read := rapid.SampledFrom([]func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.HalfReader, iotest.DataErrReader, iotest.TimeoutReader,
		}).Draw(t, "reader")
		lines := bucket.NewLines(read(strings.NewReader(object)), longest)
		want, wantErr := eachLine(lines, lines.Next), lines.Err()

		var got []string
		runs := bucket.NewLines(read(strings.NewReader(object)), longest)
		before := int64(0)
		for text, fault := range runs.Runs() {
			if fault != nil {
				before++
				got = append(got, fmt.Sprintf("%d %s: %s", before, text, runs.Explain(fault)))
			} else {
				for line := range strings.Lines(string(text)) {
					before++
					got = append(got, fmt.Sprintf("%d %s", before, strings.TrimSuffix(line, "\n")))
				}
			}
			if before != runs.Number() {
				t.Fatalf("the run ends with line %d, and is said to with %d", before, runs.Number())
			}
		}
		if diff := gocmp.Diff(got, want); diff != "" {
			t.Errorf("lines (-by runs +by lines):\n%s", diff)
		}
		if runs.Number() != lines.Number() || !errors.Is(runs.Err(), wantErr) {
			t.Errorf("got %d lines and %v, want %d and %v", runs.Number(), runs.Err(), lines.Number(), wantErr)
		}
	})
}

func TestRunsHoldManyLines(t *testing.T) {
	t.Parallel()
	runs, n := bucket.NewLines(strings.NewReader(strings.Repeat("a line\n", 100_000)), 1<<20), 0
	for _, fault := range runs.Runs() {
		if n++; fault != nil {
			t.Error(fault)
		}
	}
	if runs.Number() != 100_000 || n > 100 {
		t.Errorf("%d lines in %d runs", runs.Number(), n)
	}
}
