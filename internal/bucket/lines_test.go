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

func TestLines(t *testing.T) {
	t.Parallel()
	const longest = 200_000 // more than the buffer
	reset := errors.New("reset")
	tests := map[string]struct {
		object io.Reader
		want   []string // number, text, and a fault as Explain reports it
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
			var got []string
			lines := bucket.NewLines(test.object, longest)
			for lines.Next() {
				line := fmt.Sprintf("%d %s", lines.Number(), lines.Text())
				if err := lines.Fault(); err != nil {
					line += ": " + lines.Explain(err)
				}
				got = append(got, line)
			}
			if diff := gocmp.Diff(got, test.want); diff != "" {
				t.Errorf("lines (-got +want):\n%s", diff)
			}
			if err := lines.Err(); (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got error %v, want %q", err, test.err)
			}
		})
	}
}
