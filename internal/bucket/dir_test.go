package bucket

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDirOpenedIsRead: a file that is no longer as long as it was listed is an error, read at once or bit by bit.
func TestDirOpenedIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := []byte("1,2\n3,4\n")
	if err := os.WriteFile(filepath.Join(dir, "key"), want, 0o600); err != nil {
		t.Fatal(err)
	}
	for size, fails := range map[int64]bool{7: true, 8: false, 9: true} {
		object := Object{Key: "key", Size: size}
		_, atOnce := Dir(dir).Read(t.Context(), object)
		data, err := readOpened(t.Context(), Dir(dir), object, 3)
		if !bytes.Equal(data, want) || (err != nil) != fails || (atOnce != nil) != fails {
			t.Errorf("listed with %d bytes: got %q, %v by Open and %v by Read", size, data, err, atOnce)
		}
		if err != nil && err.Error() != atOnce.Error() {
			t.Errorf("got %q by Open and %q by Read", err, atOnce)
		}
	}
	if _, err := Dir(dir).Open(t.Context(), Object{Key: "other"}); err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("of no file: got error %v", err)
	}
}
