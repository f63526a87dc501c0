package repair_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/reject"
	"streamproof/internal/repair"
	"streamproof/internal/replay"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

var (
	start  = time.Date(2026, 11, 23, 20, 59, 0, 0, time.UTC)
	output = row.Schema{{Name: "id", Alias: "COL0", Type: schema.Type{Kind: schema.Integer}}, {Name: "note", Alias: "COL1", Type: schema.Type{Kind: schema.VarChar}}}
)

// loss is rows of a tick that was claimed some minutes after start and is settled a minute after that.
func loss(t *testing.T, class proof.Class, minute int, count int64, line string) replay.Loss {
	t.Helper()
	key, err := output.Append(nil, []byte(line))
	if err != nil {
		t.Fatal(err)
	}
	at := start.Add(time.Duration(minute) * time.Minute)
	tick := proof.Tick{Time: at, Claimed: at, Settled: at.Add(time.Minute)}
	return replay.Loss{Loss: proof.Loss{Class: class, Tick: tick, Key: key, Count: count}, Pipeline: "hash", Output: output}
}

func zipped(text string) string {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, _ = zip.Write([]byte(text))
	_ = zip.Close()
	return b.String()
}

// folderOf is a bucket with these objects, by key.
func folderOf(t *testing.T, objects map[string]string) bucket.Dir {
	t.Helper()
	dir := t.TempDir()
	for key, text := range objects {
		name := filepath.Join(dir, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return bucket.Dir(dir)
}

// TestRowsAreWrittenAsTheirNeighbours, in the folder of their hour.
func TestRowsAreWrittenAsTheirNeighbours(t *testing.T) {
	t.Parallel()
	losses := []replay.Loss{
		loss(t, proof.Missing, 0, 2, "1,a"),
		loss(t, proof.Failed, 0, 1, "2,b"),
		loss(t, proof.Missing, 1, 1, "3,c"),
	}
	const before, after = "data/2026/11/23/20/", "data/2026/11/23/21/"
	for name, test := range map[string]struct {
		objects map[string]string
		want    map[string]string // the start of the key, and the lines
		suffix  string
	}{
		"nothing": {nil, map[string]string{before: "1,a\n1,a\n2,b\n", after: "3,c\n"}, ""},
		"a bar":   {map[string]string{before + "o": "9|z\n"}, map[string]string{before: "1|a\n1|a\n2|b\n", after: "3|c\n"}, ""},
		"by hour": {map[string]string{before + "o": "9;z\n", after + "o": "9,z\n"}, map[string]string{before: "1;a\n1;a\n2;b\n", after: "3,c\n"}, ""},
		"JSON, aliases, gzip": {
			map[string]string{before + "o.gz": zipped(`{"COL0":9,"COL1":"z"}` + "\n")},
			map[string]string{before: `{"COL0":1,"COL1":"a"}` + "\n" + `{"COL0":1,"COL1":"a"}` + "\n" + `{"COL0":2,"COL1":"b"}` + "\n", after: `{"COL0":3,"COL1":"c"}` + "\n"}, ".gz",
		},
		"JSON, names": {
			map[string]string{after + "o": `{"id":9,"note":"z"}` + "\n"},
			map[string]string{before: `{"id":1,"note":"a"}` + "\n" + `{"id":1,"note":"a"}` + "\n" + `{"id":2,"note":"b"}` + "\n", after: `{"id":3,"note":"c"}` + "\n"}, "",
		},
		"errors beside rows": {map[string]string{"data/failed/o": "9;z\n", "data/o": "9|z\n"}, map[string]string{before: "1|a\n1|a\n2|b\n", after: "3|c\n"}, ""},
		"no row":             {map[string]string{before + "o": "something else\n"}, map[string]string{before: "1,a\n1,a\n2,b\n", after: "3,c\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			staged := map[string]string{}
			rows := repair.Rows{
				Read: folderOf(t, test.objects), DataPrefix: "data/", ErrorsPrefix: "data/failed/", Name: "stack", Serial: 7,
				Stage: func(_ context.Context, w *ledger.Write, body []byte) error { staged[w.Key] = string(body); return nil },
			}
			made, err := rows.Make(t.Context(), start.Add(time.Hour), slices.Values(losses))
			if err != nil {
				t.Fatal(err)
			}
			if got := made.Rows; got[proof.Missing] != 3 || got[proof.Failed] != 1 || len(made.Left) != 0 || made.StillCome != 3 {
				t.Errorf("got %+v", made)
			}
			if len(made.Writes) != len(test.want) {
				t.Fatalf("made %+v, want %d objects", made.Writes, len(test.want))
			}
			for _, w := range made.Writes {
				folder := w.Key[:strings.LastIndex(w.Key, "/")+1]
				want := test.want[folder]
				if test.suffix == ".gz" {
					want = zipped(want)
				}
				if staged[w.Key] != want || w.Key != folder+"stack-repair-000007-"+w.SHA256+test.suffix || w.Bytes != int64(len(want)) {
					t.Errorf("%s holds %q, want %q", w.Key, staged[w.Key], want)
				}
			}
		})
	}
}

// TestOtherwise: without a neighbour, rows are written as the pipeline's parameters say.
func TestOtherwise(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		format       repair.Format
		want, suffix string
	}{
		{repair.Format{}, "1,a\n", ""},
		{repair.Format{Delimiter: '\t'}, "1\ta\n", ""},
		{repair.Format{JSON: true}, `{"id":1,"note":"a"}` + "\n", ""},
		{repair.Format{JSON: true, QueryNames: true}, `{"COL0":1,"COL1":"a"}` + "\n", ""},
		{repair.Format{Gzip: true}, zipped("1,a\n"), ".gz"},
	} {
		var got string
		rows := repair.Rows{
			Read: folderOf(t, nil), DataPrefix: "data/", Otherwise: test.format,
			Stage: func(_ context.Context, _ *ledger.Write, body []byte) error { got = string(body); return nil },
		}
		made, err := rows.Make(t.Context(), start.Add(time.Hour), slices.Values([]replay.Loss{loss(t, proof.Missing, 0, 1, "1,a")}))
		if err != nil {
			t.Fatal(err)
		}
		if key := made.Writes[0].Key; got != test.want || !strings.HasSuffix(key, made.Writes[0].SHA256+test.suffix) {
			t.Errorf("%+v: %s holds %q, want %q", test.format, key, got, test.want)
		}
	}
}

// TestRejectsGoToTheirPrefix, as the application writes them.
func TestRejectsGoToTheirPrefix(t *testing.T) {
	t.Parallel()
	l := loss(t, proof.Missing, 0, 1, "1,a")
	l.Output, l.Line, l.Rejected = nil, []byte("x\x00,"), true
	var body []byte
	rows := repair.Rows{
		Read: folderOf(t, nil), DataPrefix: "data/", ErrorsPrefix: "errors/",
		Stage: func(_ context.Context, _ *ledger.Write, b []byte) error { body = bytes.Clone(b); return nil },
	}
	made, err := rows.Make(t.Context(), start.Add(time.Hour), slices.Values([]replay.Loss{l}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := reject.Parse(bytes.TrimSuffix(body, []byte("\n")))
	if err != nil || string(r.Data) != "x\x00," || !strings.HasPrefix(made.Writes[0].Key, "errors/2026/11/23/20/") {
		t.Errorf("wrote %q under %s (%v)", body, made.Writes[0].Key, err)
	}
}

// TestWhatIsLeft: nothing is made before the margin is over, nor what no line can hold.
func TestWhatIsLeft(t *testing.T) {
	t.Parallel()
	null := loss(t, proof.Missing, 0, 1, "1,a")
	null.Key = append(slices.Clone(null.Key[:5]), 0) // a note that is NULL
	rows := repair.Rows{Read: folderOf(t, nil), DataPrefix: "data/", ErrorsPrefix: "errors/", Margin: 5 * time.Minute}
	losses := []replay.Loss{null, loss(t, proof.Failed, 1, 1, "2,b"), loss(t, proof.Missing, 2, 3, "3,c")}
	made, err := rows.Make(t.Context(), start.Add(8*time.Minute), slices.Values(losses))
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Writes) != 1 || made.Rows[proof.Failed] != 1 || made.Rows[proof.Missing] != 0 || len(made.Left) != 2 {
		t.Fatalf("got %+v", made)
	}
	for i, want := range []string{"NULL would read", "a margin of 5m0s"} {
		if l := made.Left[i]; l.Class != proof.Missing || l.Count != int64(1+2*i) || !strings.Contains(l.Why, want) {
			t.Errorf("left %+v, want %q", l, want)
		}
	}
}

// TestManyRowsAreManyObjects of at most 32 MiB.
func TestManyRowsAreManyObjects(t *testing.T) {
	t.Parallel()
	l := loss(t, proof.Missing, 0, 70, "1,"+strings.Repeat("x", 1<<20-10))
	var bytes int64
	rows := repair.Rows{Read: folderOf(t, nil), DataPrefix: "data/", ErrorsPrefix: "errors/"}
	made, err := rows.Make(t.Context(), start.Add(time.Hour), slices.Values([]replay.Loss{l}))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range made.Writes {
		if bytes += w.Bytes; w.Bytes > 33<<20 {
			t.Errorf("an object of %d bytes", w.Bytes)
		}
	}
	if len(made.Writes) != 3 || made.Rows[proof.Missing] != 70 || bytes < 69<<20 {
		t.Errorf("%d objects of %d bytes and %d rows", len(made.Writes), bytes, made.Rows[proof.Missing])
	}
}
