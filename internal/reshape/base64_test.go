package reshape

import (
	"encoding/base64"
	"testing"

	"pgregory.net/rapid"
)

// What is encoded here is what the package encodes, behind what was there.
func TestAppendBase64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dst := make([]byte, 0, rapid.IntRange(0, 200).Draw(t, "room"))
		dst = append(dst, rapid.SampledFrom([]string{"", "before"}).Draw(t, "before")...)
		src := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "bytes")
		want := string(dst) + base64.StdEncoding.EncodeToString(src)
		if got := string(appendBase64(dst, src)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}
