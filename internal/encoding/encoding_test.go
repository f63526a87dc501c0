package encoding_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"streamproof/internal/encoding"
)

func TestName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "",
		"1,2":                    "",
		"a\r":                    "",
		"é,😀":                    "",
		"\x1f\x8b\x08":           encoding.Gzip,
		"\xff\xfe1\x00":          encoding.UTF16,
		"\xfe\xff\x001":          encoding.UTF16,
		"1\x00,\x002\x00":        encoding.UTF16,
		"\x001\x00,\x00\xe9":     encoding.UTF16,
		"\x00,\x002\x00":         encoding.UTF16, // after the previous line's newline
		"1\x00,2":                "",
		"\x00\x00\x00\x00":       "",
		"\x00a":                  "",
		"\ufeff1,2":              encoding.Marked,
		"1,\ufeff2":              "",
		"caf\xe9,1":              encoding.Latin1,
		"\xc4\xd6\xdc":           encoding.Latin1, // ÄÖÜ
		"na\xefve caf\xe9\r":     encoding.Latin1,
		"é,caf\xe9":              "", // some of it is UTF-8
		"a\xff":                  "",
		"\xe2\x82":               "", // a character that was cut off
		"\xe9\x01":               "",
		"\x93quoted\x94 caf\xe9": "", // of Windows, and much else
	} {
		if got := encoding.Guess([]byte(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestNameOfAnyText checks that any text has a name if it is not UTF-8 or has a mark, and no name otherwise.
func TestNameOfAnyText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zäöüéñ0-9,;." ]{2,40}`).Draw(t, "text")
		if got := encoding.Guess([]byte(text)); got != "" {
			t.Fatalf("%q: got %q", text, got)
		}
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		latin := make([]byte, 0, len(text))
		for _, r := range text {
			latin = append(latin, byte(r))
		}
		little := binary.LittleEndian
		for name, data := range map[string][]byte{
			encoding.Gzip:   zipped.Bytes(),
			encoding.UTF16:  utf16Of(rapid.SampledFrom([]binary.AppendByteOrder{little, binary.BigEndian}).Draw(t, "order"), text),
			encoding.Marked: []byte("\ufeff" + text),
		} {
			if got := encoding.Guess(data); got != name {
				t.Fatalf("%q: got %q, want %q", data, got, name)
			}
		}
		if got := encoding.Guess(latin); strings.ContainsAny(text, "äöüéñ") != (got == encoding.Latin1) {
			t.Fatalf("%q: got %q", latin, got)
		}
	})
}

func utf16Of(order binary.AppendByteOrder, text string) (out []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}
