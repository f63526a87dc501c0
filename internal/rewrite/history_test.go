package rewrite_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/rewrite"
)

// folder is a bucket with these objects.
func folder(t *testing.T, objects map[string][]byte) bucket.Bucket {
	t.Helper()
	dir := t.TempDir()
	for key, data := range objects {
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return bucket.Dir(dir)
}

func TestReadHistory(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	repair := func(serial int, closed bool, key string) []byte {
		r := &ledger.Repair{Serial: serial, Owner: "a", Claimed: at, Closed: closed}
		if key != "" {
			r.Rewrites = []ledger.Rewrite{{Key: key, Before: "1", Written: at, Lines: []int64{1}, After: "2"}}
		}
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	const first, second = ledger.RepairsPrefix + "000001.json", ledger.RepairsPrefix + "000002.json"
	tests := map[string]struct {
		objects map[string][]byte
		closed  int
		keys    int
		err     string
	}{
		"none":                    {map[string][]byte{"ledger/other": nil}, 0, 0, ""},
		"open":                    {map[string][]byte{ledger.RepairKey: repair(1, false, "k")}, 0, 1, ""},
		"closed":                  {map[string][]byte{ledger.RepairKey: repair(1, true, "k")}, 1, 1, ""},
		"the second open":         {map[string][]byte{ledger.RepairKey: repair(2, false, "l"), first: repair(1, true, "k")}, 1, 2, ""},
		"killed before its next":  {map[string][]byte{ledger.RepairKey: repair(2, true, "l"), first: repair(1, true, "k"), second: repair(2, true, "l")}, 2, 2, ""},
		"one that rewrote none":   {map[string][]byte{ledger.RepairKey: repair(2, true, ""), first: repair(1, true, "k")}, 1, 1, ""},
		"one before is gone":      {map[string][]byte{ledger.RepairKey: repair(2, true, "l")}, 0, 0, "restore the others"},
		"the last is gone":        {map[string][]byte{first: repair(1, true, "k")}, 0, 0, "restore it"},
		"the last cannot be read": {map[string][]byte{ledger.RepairKey: []byte("{")}, 0, 0, ledger.RepairKey},
	}
	for name, test := range tests {
		h, err := rewrite.ReadHistory(t.Context(), folder(t, test.objects))
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got error %v, want %q", name, err, test.err)
		}
		if err == nil && (h.Closed != test.closed || len(h.Objects) != test.keys) {
			t.Errorf("%s: got %d closed and %d objects, want %d and %d", name, h.Closed, len(h.Objects), test.closed, test.keys)
		}
	}
}
