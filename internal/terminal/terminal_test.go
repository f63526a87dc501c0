package terminal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"streamproof/internal/terminal"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "",
		"1,2,3.5,Año 東京 🚕 a b　c":         "1,2,3.5,Año 東京 🚕 a b　c",
		`C:\new`:                         `C:\new`,
		"\x1b[2J\x1b[H\x1b[8m":           `\x1b[2J\x1b[H\x1b[8m`,
		"\a\b\x00\x7f":                   `\x07\x08\x00\x7f`,
		"a\tb\r\nc\vd\fe":                `a\tb\r\nc\x0bd\x0ce`,
		"\u009b2J\u0085":                 `\x9b2J\x85`,     // C1: CSI in one character
		"\x9b2J\xff\xc3":                 `\x9b2J\xff\xc3`, // bytes that are no UTF-8
		"\u202eabc\u2066\u200f\u061c":    `\u202eabc\u2066\u200f\u061c`,
		"\u200b\u200d\ufeff\u2060\u00ad": `\u200b\u200d\ufeff\u2060\xad`,
		"\u2028\u2029":                   `\u2028\u2029`,
		"\U000e0041\ue000\ufffd":         `\U000e0041\ue000` + "\ufffd", // a tag, a private one, and the visible mark of what was lost
	} {
		if got := terminal.Escape(text); got != want {
			t.Errorf("Escape(%q): got %q, want %q", text, got, want)
		}
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	const text = "SELECT\r\n\t1 -- \x1b[8m\r\n;\r"
	if got, want := terminal.Block(text).String(), "SELECT\r\n\t1 -- \\x1b[8m\r\n;\\r"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	inner := terminal.Format("a\n%s", "b\nc")
	for _, test := range []struct {
		got  terminal.Text
		want string
	}{
		{terminal.Format("%s|%v|%q|%.2s|%-4s|%*d|%t|%x", "\x1b", errors.New("e\n"), "\a", "\x1bxyz", "a", 3, 7, true, "\x1b"), `\x1b|e\n|"\a"|\x1bx|a   |  7|true|1b`},
		{terminal.Format("%s: %s\n", inner, []string{"x", "\n"}), "a\nb\\nc: [x \\n]\n"},
		{terminal.Join([]terminal.Text{inner, terminal.Format("%s", "\n")}, "\n"), "a\nb\\nc\n\\n"},
	} {
		if test.got.String() != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	joined := errors.Join(errors.New("one\nforged"), fmt.Errorf("two: %w", errors.New("\x1b[H")))
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("api error Bad\nPROVEN: 1"), `api error Bad\nPROVEN: 1`},
		{joined, `one\nforged` + "\n  " + `two: \x1b[H`},
		{fmt.Errorf("read\n%w; and more", joined), `read\none\nforged` + "\n  " + `two: \x1b[H; and more`},
		{fmt.Errorf("%w and %w", joined, joined), `one\nforged\ntwo: \x1b[H and one\nforged\ntwo: \x1b[H`},
	} {
		if got := terminal.Error(test.err).String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestScreen: a text takes the place of the one before, and the end gives the terminal back.
func TestScreen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := terminal.NewScreen(&out)
	if err := errors.Join(s.Close(), s.Show(terminal.Format("a\n%s", "b\x1b[2J")), s.Show(terminal.Format("c")), s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[Ha\x1b[K\r\nb\\x1b[2J\x1b[K\r\n\x1b[J" + "\x1b[Hc\x1b[K\r\n\x1b[J" + "\x1b[?25h\x1b[?1049l"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// harmless reports whether a terminal shows a text as it is, in so many lines.
func harmless(text string, lines int) error {
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return fmt.Errorf("byte %d is not UTF-8", i)
			}
		}
		if r != '\n' && !unicode.IsGraphic(r) {
			return fmt.Errorf("%U at byte %d", r, i)
		}
	}
	if got := strings.Count(text, "\n") + 1; got != lines {
		return fmt.Errorf("%d lines, want %d", got, lines)
	}
	return nil
}

// TestNothingGetsThrough: whatever the data and the way it takes, the terminal gets none of its control characters, and
// no line that the program did not begin.
func TestNothingGetsThrough(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.OneOf(
			rapid.String(),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.Map(rapid.SliceOf(rapid.SampledFrom([]rune("a\n\r\t\x1b\a\x7f\u009b\u0085\u061c\u200b\u200e\u202e\u2066\u2028\u2029\ufeff\ufffd"))), func(r []rune) string { return string(r) }),
		).Draw(t, "data")
		var out bytes.Buffer
		w := terminal.NewWriter(&out)
		table := terminal.NewTable()
		table.Header("a", data)
		table.Row(data, 1)
		table.Row(1, terminal.Format("%s", data))
		for _, err := range []error{
			w.Printf("%s %v %q %.3s\n", data, errors.New(data), data, data),
			w.Println(terminal.Error(fmt.Errorf("%s: %w", data, errors.Join(errors.New("a"), errors.New(data))))),
			w.Println(table.Text()),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := harmless(out.String(), 10); err != nil {
			t.Fatalf("%v in %q of %q", err, out.String(), data)
		}
		if got, want := terminal.Escape(data), data; harmless(data, 1) == nil && got != want {
			t.Fatalf("got %q, want %q as it is", got, want)
		}
	})
}
