package operate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/ledger"
)

func TestVersions(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 1, 2, 3, minute, 0, 0, time.UTC) }
	tests := map[string]struct {
		current ledger.Current
		want    []Version
	}{
		"never changed": {
			ledger.Current{Pipeline: "a", Deployed: "a", Epochs: []ledger.Epoch{{Pipeline: "a"}}},
			[]Version{{Pipeline: "a", Current: true, Deployed: true}},
		},
		"changed, failed, and changed back": {
			ledger.Current{
				Pipeline: "a", Deployed: "a", Epochs: []ledger.Epoch{{Pipeline: "a"}, {Pipeline: "b", From: at(10)}, {Pipeline: "a", From: at(30)}},
				Rollbacks: []ledger.Rollback{{Failed: "c", From: at(20), Until: at(21), JudgedBy: "b", Why: "no"}},
			},
			[]Version{
				{Pipeline: "a", From: at(30), Current: true, Deployed: true},
				{Pipeline: "c", From: at(20), Until: at(21), RolledBack: true, Why: "no"},
				{Pipeline: "b", From: at(10), Until: at(30)},
				{Pipeline: "a", Until: at(10), Deployed: true},
			},
		},
		"changed before epochs were recorded": {
			ledger.Current{Pipeline: "b", Since: at(10), Deployed: "a"},
			[]Version{{Pipeline: "b", From: at(10), Current: true}, {Pipeline: "a", Until: at(10), Deployed: true}},
		},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, versionsOf(&test.current)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
