package repair_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"streamproof/internal/repair"
)

// TestNearest: a row belongs to the folder of the object that was written next, and never outside of the prefix.
func TestNearest(t *testing.T) {
	t.Parallel()
	dir := folderOf(t, map[string]string{
		"a/dt=1/x": "1\n", "a/dt=2/x": "2\n", "a/dt=0/orders-repair-000001-x": "3\n", "a/dt=3/empty": "", "a/failed/x": "6\n", "b": "4\n", "c-x": "5\n",
	})
	for key, after := range map[string]time.Duration{"a/dt=1/x": 0, "a/dt=2/x": time.Hour, "a/dt=0/orders-repair-000001-x": 30 * time.Minute, "a/dt=3/empty": time.Minute, "a/failed/x": time.Minute} {
		at := start.Add(after)
		if err := os.Chtimes(filepath.Join(string(dir), filepath.FromSlash(key)), at, at); err != nil {
			t.Fatal(err)
		}
	}
	nearest := &repair.Nearest{Read: dir, Name: "orders", Except: "a/failed/"}
	for _, test := range []struct {
		prefix string
		after  time.Duration
		want   string
	}{
		{"a/", -time.Hour, "a/dt=1/"},
		{"a/", 0, "a/dt=1/"},
		{"a/", time.Second, "a/dt=2/"},
		{"a/", 2 * time.Hour, "a/dt=2/"},
		{"none/", 0, "none/"},
		{"c-", 0, "c-"},
	} {
		got, err := nearest.Folder(t.Context(), test.prefix, start.Add(test.after))
		if err != nil || got != test.want {
			t.Errorf("below %s after %s: got %q, %v, want %q", test.prefix, test.after, got, err, test.want)
		}
	}
}
