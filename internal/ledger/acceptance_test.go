package ledger_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/ledger"
)

func acceptance() *ledger.Acceptance {
	return &ledger.Acceptance{
		Class: "missing", Count: 3, Until: tickTime.Truncate(time.Second), Reason: "deleted by hand", Who: "ada", At: tickTime.Add(time.Hour),
		Rows: []ledger.AcceptedRow{{Row: "1,5,3,9.8", Count: 2, Tick: tickTime.Add(-time.Hour)}, {Row: "x", Count: 1, Object: "data/y", Line: 7}},
	}
}

// TestAcceptance pins the form of an acceptance; one of version 2, as a program of that version wrote it, is read.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	data, err := acceptance().Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "acceptance.json")
	if *update {
		if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(data)+"\n"); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
	got, err := ledger.DecodeAcceptance(data)
	if err != nil {
		t.Fatal(err)
	}
	whole := acceptance()
	whole.Version = 3
	if diff := cmp.Diff(whole, got); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	if got, want := got.Key(), "ledger/acceptances/20260102T040405.678Z-missing.json"; got != want {
		t.Errorf("got key %s, want %s", got, want)
	}

	old, err := os.ReadFile(filepath.Join("testdata", "v2-acceptance.json"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ledger.DecodeAcceptance(old); err != nil || got.Version != 2 || got.Count != 3 || got.Rows != nil {
		t.Errorf("version 2: got %+v, %v", got, err)
	}
	for change, want := range map[string]string{
		`"version":4`:                      "version 4 is newer than this program knows (3); use a newer streamproof",
		`"version":0`:                      "version 0 is not one that was ever written",
		`"version":2,"flavour":"mint"`:     "flavour",
		`"version":3,"rows":[{"row":"a"}]`: `row "a" of an acceptance has the count 0`,
	} {
		changed := strings.Replace(string(old), `"version":2`, change, 1)
		if _, err := ledger.DecodeAcceptance([]byte(changed)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("with %s: error is %v, want %q", change, err, want)
		}
	}
}
