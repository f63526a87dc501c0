package epoch_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"streamproof/internal/epoch"
	"streamproof/internal/ledger"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

func at(minutes int) time.Time {
	return time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// query knows queries by their hash: those with the same first letter have the same columns, and w's are not judged.
func query(hash string) (epoch.Query, error) {
	q := epoch.Query{Hash: hash, Output: row.Schema{{Name: hash[:1], Alias: hash[:1], Type: schema.Type{Kind: schema.Integer}}}}
	if hash[0] == 'w' {
		q.Refused = "a window"
	}
	return q, nil
}

// names are the epochs' pipelines, joined; a clean one ends with a bar.
func names(epochs []*epoch.Epoch) string {
	var all []string
	for _, e := range epochs {
		name := strings.Join(e.Pipelines, "+")
		if e.Clean {
			name += "|"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

func TestExtend(t *testing.T) {
	t.Parallel()
	forced := func(hash string, from int) ledger.Epoch { return ledger.Epoch{Pipeline: hash, From: at(from)} }
	clean := func(hash string, from int) ledger.Epoch {
		return ledger.Epoch{Pipeline: hash, From: at(from), Drained: at(from - 5)}
	}
	tick := func(hash string, claimed int) epoch.Tick { return epoch.Tick{Pipeline: hash, Claimed: at(claimed)} }
	tests := map[string]struct {
		recorded []ledger.Epoch
		ticks    []epoch.Tick
		want     string
	}{
		"a stack's first":                       {[]ledger.Epoch{{Pipeline: "a"}}, nil, "a"},
		"clean, of the same columns":            {[]ledger.Epoch{{Pipeline: "a"}, clean("a2", 20)}, []epoch.Tick{tick("a", 1), tick("a2", 21)}, "a a2|"},
		"forced, of the same columns":           {[]ledger.Epoch{{Pipeline: "a"}, forced("a2", 20)}, []epoch.Tick{tick("a", 1), tick("a2", 21)}, "a+a2"},
		"forced, of others":                     {[]ledger.Epoch{{Pipeline: "a"}, forced("b", 20)}, []epoch.Tick{tick("a", 1)}, "a b"},
		"forced, and back":                      {[]ledger.Epoch{{Pipeline: "a"}, forced("w", 20), forced("a", 30)}, nil, "a w"},
		"clean, and back":                       {[]ledger.Epoch{{Pipeline: "a"}, clean("w", 20), clean("a", 30)}, nil, "a w| a|"},
		"a tick after the drain":                {[]ledger.Epoch{{Pipeline: "a"}, clean("b", 20)}, []epoch.Tick{tick("a", 16)}, "a b"},
		"a tick of the old one after it":        {[]ledger.Epoch{{Pipeline: "a"}, clean("b", 20)}, []epoch.Tick{tick("b", 21), tick("a", 22)}, "a b"},
		"one of it long after, when it is back": {[]ledger.Epoch{{Pipeline: "a"}, clean("b", 20), clean("a", 40)}, []epoch.Tick{tick("b", 21), tick("a", 42)}, "a b| a|"},
		"nothing is recorded":                   {nil, []epoch.Tick{tick("a", 1), tick("a2", 2), tick("w", 3), tick("a", 4)}, "a+a2 w"},
		"recorded since":                        {[]ledger.Epoch{clean("b", 20)}, []epoch.Tick{tick("a", 1), tick("w", 2), tick("b", 21)}, "a w b|"},
	}
	for name, test := range tests {
		var line epoch.Timeline
		if sound, err := line.Extend(test.recorded, test.ticks, query); err != nil || !sound || names(line.Epochs) != test.want {
			t.Errorf("%s: got %s, %t, %v, want %s", name, names(line.Epochs), sound, err, test.want)
		}
	}
	var line epoch.Timeline
	if _, err := line.Extend(nil, []epoch.Tick{tick("a", 1)}, func(string) (epoch.Query, error) { return epoch.Query{}, errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got error %v, want the query's", err)
	}
	// What was called clean is not, once a tick says so.
	if _, err := line.Extend([]ledger.Epoch{{Pipeline: "a"}, clean("b", 20)}, nil, query); err != nil {
		t.Fatal(err)
	}
	if sound, err := line.Extend(nil, []epoch.Tick{tick("a", 30)}, query); err != nil || sound {
		t.Errorf("got %t, %v, want that the timeline is not sound", sound, err)
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	var line epoch.Timeline
	recorded := []ledger.Epoch{{Pipeline: "a"}, {Pipeline: "b", From: at(20)}, {Pipeline: "w", From: at(40), Drained: at(35)}}
	if _, err := line.Extend(recorded, nil, query); err != nil {
		t.Fatal(err)
	}
	line.Of(epoch.Tick{Pipeline: "a", Claimed: at(18)}).Count(at(18), at(28))
	line.Of(epoch.Tick{Pipeline: "b", Claimed: at(34)}).Count(at(34), at(44))
	for _, test := range []struct {
		written      time.Time
		live, byForm string
	}{
		{at(10), "a", "b"}, // which a deploy begins before it says so
		{at(20), "a", "b"},
		{at(20).Add(time.Second), "b a", ""},
		{at(28), "b a", ""},
		{at(29), "b", "a"},
		{at(40), "b", "a"},
		{at(40).Add(time.Second), "w|", "b a"}, // the change was clean
	} {
		if got := names(line.At(test.written)); got != test.live {
			t.Errorf("%s: got %q, want %q", test.written, got, test.live)
		}
		if got := names(line.ByForm(test.written, time.Hour)); got != test.byForm {
			t.Errorf("%s, by form: got %q, want %q", test.written, got, test.byForm)
		}
	}
}
