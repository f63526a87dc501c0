package rewrite_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"streamproof/internal/bucket"
	"streamproof/internal/rewrite"
)

// zip makes a gzip member of each part.
func zip(parts ...string) []byte {
	var out bytes.Buffer
	for _, part := range parts {
		w := gzip.NewWriter(&out)
		_, _ = io.WriteString(w, part) // a bytes.Buffer takes everything
		_ = w.Close()
	}
	return out.Bytes()
}

// TestWithout: every line that is kept has its bytes, whatever it is and however the object is compressed.
func TestWithout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.OneOf(
			rapid.SampledFrom([]string{"", "1,a", "\r", `{"a":"ñ"}`, "\x1f\x8b", "\x00\xff", strings.Repeat("long", 50_000)}),
			rapid.StringMatching(`[^\n]{0,20}`))).Draw(t, "lines")
		for i := range lines {
			lines[i] += "\n"
		}
		if len(lines) > 0 && lines[len(lines)-1] != "\n" && rapid.Bool().Draw(t, "no last newline") {
			lines[len(lines)-1] = strings.TrimSuffix(lines[len(lines)-1], "\n")
		}
		var drop []int64
		var kept, text strings.Builder
		var want rewrite.Lines
		for i, line := range lines {
			text.WriteString(line)
			if rapid.Bool().Draw(t, "drop") {
				drop, want.Lines, want.Bytes = append(drop, int64(i+1)), want.Lines+1, want.Bytes+int64(len(line))
			} else {
				kept.WriteString(line)
			}
		}
		object, zipped := []byte(text.String()), rapid.Bool().Draw(t, "gzip")
		if zipped {
			cut := rapid.IntRange(0, len(object)).Draw(t, "second member")
			object = zip(string(object[:cut]), string(object[cut:]))
		} else if bytes.HasPrefix(object, []byte("\x1f\x8b")) {
			t.Skip("text that begins as gzip does is taken for gzip by everybody")
		}
		var out bytes.Buffer
		got, err := rewrite.Without(&out, iotest.HalfReader(bytes.NewReader(object)), drop)
		if err != nil || got != want {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
		if bytes.HasPrefix(out.Bytes(), []byte("\x1f\x8b")) != (zipped || strings.HasPrefix(kept.String(), "\x1f\x8b")) {
			t.Fatalf("the object was compressed: %t; now it begins with %q", zipped, out.Bytes()[:min(2, out.Len())])
		}
		if !zipped && !strings.HasPrefix(kept.String(), "\x1f\x8b") {
			if out.String() != kept.String() {
				t.Fatalf("got %q, want %q", out.String(), kept.String())
			}
			return
		}
		in, err := bucket.Unzip(&out)
		if err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(in); err != nil || string(rest) != kept.String() {
			t.Fatalf("got %q, %v, want %q", rest, err, kept.String())
		}
	})
}

// TestWithoutStaysText: a line that begins as gzip does is no less a line once it is the first.
func TestWithoutStaysText(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if _, err := rewrite.Without(&out, strings.NewReader("1,a\n\x1f\x8b\n2,b\n"), []int64{1}); err != nil {
		t.Fatal(err)
	}
	var got []string
	lines := bucket.NewLines(&out, 1<<20)
	for lines.Next() {
		got = append(got, string(lines.Text()))
	}
	if want := []string{"\x1f\x8b", "2,b"}; lines.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, lines.Err(), want)
	}
}

// TestWithoutNumbersAsLines: line numbers are those that the verifier reports.
func TestWithoutNumbersAsLines(t *testing.T) {
	t.Parallel()
	text := "a\n\n" + strings.Repeat("b", 200_000) + "\nc\n\nd"
	for _, drop := range []int64{1, 2, 3, 4, 5, 6} {
		var out bytes.Buffer
		if _, err := rewrite.Without(&out, strings.NewReader(text), []int64{drop}); err != nil {
			t.Fatal(err)
		}
		read := func(in io.Reader) (all []string) {
			for lines := bucket.NewLines(in, 1<<20); lines.Next(); {
				all = append(all, string(lines.Text()))
			}
			return all
		}
		if got, want := read(&out), slices.Delete(read(strings.NewReader(text)), int(drop-1), int(drop)); !slices.Equal(got, want) {
			t.Errorf("without line %d: got %.40q, want %.40q", drop, got, want)
		}
	}
}

func TestWithoutFails(t *testing.T) {
	t.Parallel()
	reset := errors.New("reset")
	tests := map[string]struct {
		object io.Reader
		want   string
	}{
		"no such line":   {strings.NewReader("a\nb\n"), "line 3 is to be left out, and there are 2"},
		"breaks off":     {io.MultiReader(strings.NewReader("a\nb\nc\n"), iotest.ErrReader(reset)), "reset"},
		"gzip cut short": {bytes.NewReader(zip("a\nb\nc\n")[:22]), "unexpected EOF"},
		"broken gzip":    {strings.NewReader("\x1f\x8bno"), "EOF"},
	}
	for name, test := range tests {
		if _, err := rewrite.Without(io.Discard, test.object, []int64{3}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %q", name, err, test.want)
		}
	}
}
