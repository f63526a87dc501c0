package ledger_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/golden"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

func acceptance() *ledger.Acceptance {
	lost := proof.Group{Class: proof.Missing, Place: proof.Place{Tick: tickTime.Add(-time.Hour)}, Rows: map[proof.Name]int64{}}
	lost.Add(proof.NameOf("1,5,3,9.8"), 2)
	lost.Add(proof.NameOf("x"), 1)
	return &ledger.Acceptance{
		Findings: []proof.Group{lost},
		Class:    "missing", Count: 3, Until: tickTime.Truncate(time.Second), Reason: "deleted by hand", Who: "ada", At: tickTime.Add(time.Hour),
		Rows: []ledger.AcceptedRow{{Row: "1,5,3,9.8", Count: 2, Tick: tickTime.Add(-time.Hour)}},
	}
}

// TestAcceptance pins the format of an acceptance, and reads one that a program of version 2 wrote.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	data, err := acceptance().Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "acceptance.json")
	golden.Check(t, file, append(data, '\n'))
	got, err := ledger.DecodeAcceptance(data)
	if err != nil {
		t.Fatal(err)
	}
	complete := acceptance()
	complete.Version = 4
	if diff := cmp.Diff(complete, got); diff != "" {
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
		`"version":5`:                      "version 5 is newer than this program knows (4); use a newer streamproof",
		`"version":4`:                      "either findings or the key of their object",
		`"version":3,"findingsKey":"k"`:    "findings stand in version 3 of an acceptance",
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

// TestAcceptancesThatNameOthers refuses an acceptance whose number, names and rows do not agree.
func TestAcceptancesThatNameOthers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(a *ledger.Acceptance)
		want   string
	}{
		"another number":     {func(a *ledger.Acceptance) { a.Count = 4 }, "an acceptance of 4 findings names 3"},
		"another class":      {func(a *ledger.Acceptance) { a.Class = "failed" }, "an acceptance of failed findings has missing ones"},
		"no tick":            {func(a *ledger.Acceptance) { a.Findings[0].Tick = time.Time{} }, "3 missing findings of tick"},
		"a row more":         {func(a *ledger.Acceptance) { a.Findings[0].Rows[proof.NameOf("y")] = 1 }, "do not add up"},
		"another row":        {func(a *ledger.Acceptance) { a.Findings[0].Sum[0]++ }, "do not add up"},
		"findings and a key": {func(a *ledger.Acceptance) { a.FindingsKey = "k" }, "either findings or the key"},
	} {
		a := acceptance()
		test.change(a)
		if _, err := a.Encode(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q", name, err, test.want)
		}
	}
}

// TestName stores many findings in an object of their own, which must be the one that the acceptance names.
func TestName(t *testing.T) {
	t.Parallel()
	lost := proof.Group{Class: proof.Missing, Place: proof.Place{Tick: tickTime}, Rows: map[proof.Name]int64{}}
	for i := range 200 {
		lost.Add(proof.NameOf(strconv.Itoa(i)), 1)
	}
	a := acceptance()
	object, err := a.Name([]proof.Group{lost})
	if err != nil || object == nil || a.Count != 200 || a.Findings != nil || !strings.HasPrefix(a.FindingsKey, ledger.FindingsPrefix) {
		t.Fatalf("got %+v, %v", a, err)
	}
	data, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if a, err = ledger.DecodeAcceptance(data); err != nil {
		t.Fatal(err)
	}
	got, err := a.Named(object)
	if diff := cmp.Diff([]proof.Group{lost}, got); diff != "" || err != nil {
		t.Errorf("read again: %v (-want +got)\n%s", err, diff)
	}
	for n := range object {
		if _, err := a.Named(object[:n]); err == nil {
			t.Fatalf("%d bytes of %d were taken for all of them", n, len(object))
		}
	}
}
