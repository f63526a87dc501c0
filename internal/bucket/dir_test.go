package bucket

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestDirOpenedIsRead refuses a file whose length has changed since it was listed, whether it is read at once or in
// parts.
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

func TestDirIsARoot(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		make func(path string) error
		want string // the error; empty where the file is read
	}{
		"a link inside":           {func(path string) error { return os.Symlink("../store", path) }, ""},
		"a link that leads out":   {func(path string) error { return os.Symlink(outside, path) }, "data/key is a link that leads to no file in the folder"},
		"a link to nothing":       {func(path string) error { return os.Symlink("nothing", path) }, "data/key is a link that leads to no file in the folder"},
		"a link to a folder":      {func(path string) error { return os.Symlink("../other", path) }, "data/key is a link to a folder"},
		"a pipe without a writer": {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "data/key is not a file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, sub := range []string{"data", "other"} {
				if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "store"), []byte("3,4,5\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := test.make(filepath.Join(dir, "data", "key")); err != nil {
				t.Fatal(err)
			}
			listed, _, err := Dir(dir).List(t.Context(), "data/")
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, error %v, want %q", listed, err, test.want)
				}
				// Neither is it read if it has become that after a listing.
				if data, err := Dir(dir).Read(t.Context(), Object{Key: "data/key", Size: 4}); err == nil {
					t.Errorf("read %q", data)
				}
				if _, _, err := Dir(dir).List(t.Context(), "other/"); err != nil {
					t.Errorf("another prefix: %v", err)
				}
				return
			}
			if err != nil || len(listed) != 1 {
				t.Fatalf("got %v, %v", listed, err)
			}
			if data, err := Dir(dir).Read(t.Context(), listed[0]); err != nil || string(data) != "3,4,5\n" {
				t.Errorf("read %q, %v", data, err)
			}
		})
	}
}

// TestDirListsInTheOrderOfKeys checks that a folder is listed in the order of keys, as a bucket is, not in the order of
// a walk.
func TestDirListsInTheOrderOfKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, key := range []string{"a/b", "a-b", "a.b"} {
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listed, _, err := Dir(dir).List(t.Context(), "a")
	var got []string
	for _, o := range listed {
		got = append(got, o.Key)
	}
	if want := []string{"a-b", "a.b", "a/b"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
