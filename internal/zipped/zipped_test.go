package zipped_test

import (
	"strings"
	"testing"

	"streamproof/internal/zipped"
)

// TestEncode: what one value leaves in a writer is not in the next one's bytes, and a cut or changed text is an error.
func TestEncode(t *testing.T) {
	for _, v := range []string{strings.Repeat("a long one ", 10_000), "short", ""} {
		data, err := zipped.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		text, err := zipped.Text(data)
		if want := `"` + v + "\"\n"; err != nil || string(text) != want {
			t.Errorf("got %q, %v, want %q", text, err, want)
		}
		if _, err := zipped.Text(data[:len(data)-1]); err == nil {
			t.Errorf("%q: cut text is read", v)
		}
		data[len(data)-5] ^= 1
		if _, err := zipped.Text(data); err == nil {
			t.Errorf("%q: changed text is read", v)
		}
	}
	if _, err := zipped.Encode(func() {}); err == nil {
		t.Error("a function is encoded")
	}
	if data, err := zipped.Encode(1); err != nil {
		t.Error(err)
	} else if text, err := zipped.Text(data); err != nil || string(text) != "1\n" {
		t.Errorf("after an error: got %q, %v", text, err)
	}
}
