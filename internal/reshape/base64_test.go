package reshape

import (
	"encoding/base64"
	"testing"

	"pgregory.net/rapid"
)

// TestAppendBase64 checks that the text is what package base64 appends.
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

func BenchmarkAppendBase64(b *testing.B) {
	src := make([]byte, 4096)
	dst := make([]byte, 0, 8192)
	for name, encode := range map[string]func(dst, src []byte) []byte{
		"by hand": appendBase64, "package base64": base64.StdEncoding.AppendEncode,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				encode(dst, src)
			}
		})
	}
}
