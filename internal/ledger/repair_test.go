package ledger_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"streamproof/internal/ledger"
	"streamproof/internal/proof"
)

func TestOriginal(t *testing.T) {
	t.Parallel()
	hour := func(n int) time.Time { return time.Date(2026, 11, 23, n, 0, 0, 0, time.UTC) }
	rewrite := func(before, after string, written int) ledger.Rewrite {
		return ledger.Rewrite{Key: "k", Before: before, After: after, Written: hour(written)}
	}
	type original struct {
		etag    string
		written int
	}
	tests := map[string]struct {
		rewrites []ledger.Rewrite
		want     map[string]original // by ETag; other ETags are of nothing known
	}{
		"once":               {[]ledger.Rewrite{rewrite("1", "2", 1)}, map[string]original{"1": {"1", 1}, "2": {"1", 1}}},
		"twice":              {[]ledger.Rewrite{rewrite("1", "2", 1), rewrite("2", "3", 1)}, map[string]original{"1": {"1", 1}, "2": {"1", 1}, "3": {"1", 1}}},
		"open":               {[]ledger.Rewrite{rewrite("1", "2", 1), rewrite("2", "", 1)}, map[string]original{"1": {"1", 1}, "2": {"1", 1}, "3": {"1", 1}, "8": {"1", 1}, "9": {"1", 1}}},
		"written in between": {[]ledger.Rewrite{rewrite("1", "2", 1), rewrite("8", "2", 5)}, map[string]original{"1": {"1", 1}, "2": {"8", 5}, "8": {"8", 5}}},
		"never written":      {[]ledger.Rewrite{rewrite("1", "1", 1)}, map[string]original{"1": {"1", 1}}},
	}
	for name, test := range tests {
		rs := ledger.Rewrites{}
		rs.Add(&ledger.Repair{Rewrites: test.rewrites})
		for _, etag := range []string{"", "1", "2", "3", "8", "9"} {
			before, written, ok := rs.Original("k", etag)
			want, known := test.want[etag]
			if etag == "" {
				want, known = original{"", test.rewrites[len(test.rewrites)-1].Written.Hour()}, true
			}
			if ok != known || known && (before != want.etag || !written.Equal(hour(want.written))) || !known && before != etag {
				t.Errorf("%s: version %q is of %q, %s, %t, want %v, %t", name, etag, before, written, ok, want, known)
			}
		}
		if _, _, ok := rs.Original("other", "1"); ok {
			t.Errorf("%s: knows an object that nothing has rewritten", name)
		}
	}
}

func TestRepairEncodes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	valid := func() *ledger.Repair {
		return &ledger.Repair{Serial: 1, Owner: "a", Claimed: at, Closed: true, Rewrites: []ledger.Rewrite{{
			Key: "data/o", Before: "1", Written: at, Lines: []int64{2, 5}, Removed: map[proof.Class]int64{proof.Duplicated: 2}, After: "2",
		}}}
	}
	data, err := valid().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ledger.DecodeRepair(data)
	want := valid()
	want.Version = 1
	if diff := gocmp.Diff(got, want, cmpopts.IgnoreUnexported(ledger.Repair{})); err != nil || diff != "" {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
	for name, test := range map[string]struct {
		change func(*ledger.Repair)
		want   string
	}{
		"no serial number":    {func(r *ledger.Repair) { r.Serial = 0 }, "without a serial number"},
		"no owner":            {func(r *ledger.Repair) { r.Owner = "" }, "an owner"},
		"no key":              {func(r *ledger.Repair) { r.Rewrites[0].Key = "" }, "without a key"},
		"no line":             {func(r *ledger.Repair) { r.Rewrites[0].Lines = nil }, "not in order"},
		"lines out of order":  {func(r *ledger.Repair) { r.Rewrites[0].Lines = []int64{5, 2} }, "not in order"},
		"a line 0":            {func(r *ledger.Repair) { r.Rewrites[0].Lines = []int64{0} }, "not in order"},
		"closed, not written": {func(r *ledger.Repair) { r.Rewrites[0].After = "" }, "data/o is not written"},
	} {
		r := valid()
		test.change(r)
		if _, err := r.Encode(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	for _, text := range []string{`{"version":2}`, `{"version":1,"serial":1,"owner":"a","claimed":"2026-11-23T20:00:00Z","closed":false,"more":1}`, `{`} {
		if _, err := ledger.DecodeRepair([]byte(text)); err == nil {
			t.Errorf("decoded %s", text)
		}
	}
	if key := valid().Key(); !ledger.IsRepairKey(key) || ledger.IsRepairKey(ledger.RepairKey) || ledger.IsRepairKey("ledger/repairs/x/000001.json") {
		t.Errorf("%s and others are not told apart", key)
	}
}
