package cli

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/report"
)

// aCopy is a copy of a bucket in a folder: a tick of ten records, and its rows in one object under a prefix.
type aCopy struct {
	dir    string
	prefix string
	rows   []string
}

func newCopy(t *testing.T, prefix string) *aCopy {
	t.Helper()
	c := &aCopy{dir: t.TempDir(), prefix: prefix}
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	published, err := ledger.EncodePipeline(p)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	tick := &ledger.Tick{
		State: ledger.Complete, Time: at, Owner: "a", LeaseEnd: at.Add(30 * time.Second), ClaimedAt: at.Add(time.Second),
		Seed: 1, Generator: generator.Version, Pipeline: p.Hash(), Records: 10, SpreadSeconds: 5, PartitionKey: "uniform",
		Outcomes: []ledger.Range{{First: 0, Last: 9, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
	}
	kept, err := tick.Encode()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(p, tick.Seed)
	if err != nil {
		t.Fatal(err)
	}
	records := generator.Tick{Time: at, Records: tick.Records, Spread: 5 * time.Second}
	for i := range tick.Records {
		// What the embedded pipeline gives: columns 0, 3, 4 and 18 of vendors below 3.
		if f := strings.Split(strings.TrimSuffix(string(g.Append(nil, records, i)), "\n"), ","); f[0] < "3" {
			c.rows = append(c.rows, fmt.Sprintf("%s,%s,%s.0,%s\n", f[0], f[3], f[4], f[18]))
		}
	}
	c.write(t, ledger.PipelineKey(p.Hash()), string(published), at)
	c.write(t, ledger.TickKey(at), string(kept), at.Add(6*time.Second))
	c.write(t, c.key("object"), strings.Join(c.rows, ""), at.Add(10*time.Second))
	return c
}

func (c *aCopy) key(name string) string { return c.prefix + "2026/11/23/20/" + name }

func (c *aCopy) write(t *testing.T, key, data string, written time.Time) {
	t.Helper()
	file := filepath.Join(c.dir, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, written, written); err != nil {
		t.Fatal(err)
	}
}

// verify gives what is shown, and the report.
func (c *aCopy) verify(t *testing.T, args ...string) (shown string, r *report.Report) {
	t.Helper()
	args = append([]string{"verify", "--dir", c.dir}, args...)
	var stdout, stderr, raw bytes.Buffer
	status := Run(t.Context(), args, &stdout, &stderr)
	checkShown(t, "verify", stdout.String()+stderr.String())
	if err := func() error {
		if status == exitUsage {
			return fmt.Errorf("%s", stderr.String())
		}
		Run(t.Context(), append(args, "--json"), &raw, &stderr)
		return json.Unmarshal(raw.Bytes(), &r)
	}(); err != nil {
		t.Fatal(err)
	}
	return stdout.String(), r
}

// TestVerifyPrefixWithoutItsSlash: what Firehose could not have transformed is found all the same.
func TestVerifyPrefixWithoutItsSlash(t *testing.T) {
	t.Parallel()
	c := newCopy(t, "data/")
	c.write(t, c.key("object"), strings.Join(c.rows[1:], ""), time.Date(2026, 11, 23, 20, 0, 10, 0, time.UTC))
	failed := fmt.Sprintf(`{"attemptsMade":4,"arrivalTimestamp":1795464000000,"errorCode":"Lambda.FunctionTimedOut","errorMessage":"x","rawData":%q}`+"\n",
		base64.StdEncoding.EncodeToString([]byte(c.rows[0])))
	c.write(t, "errors/data/processing-failed/2026/11/23/20/object", failed, time.Date(2026, 11, 23, 20, 0, 10, 0, time.UTC))
	for _, prefix := range []string{"data/", "data"} {
		if _, r := c.verify(t, "--prefix", prefix, "--errors", "data-errors"); r.Verdict != proof.NotProven || r.Counts.Failed != 1 || r.Counts.Missing != 0 || r.Prefix != "data/" {
			t.Errorf("--prefix %s: got %s of %s, want failed 1", prefix, r.LastLine(), r.Prefix)
		}
	}
}

// TestVerifyCopies: what is wrong with a copy, as a whole, is said.
func TestVerifyCopies(t *testing.T) {
	t.Parallel()
	long := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	written := time.Date(2026, 11, 23, 20, 0, 10, 0, time.UTC)
	zipped := func(data string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	tests := map[string]struct {
		change  func(*testing.T, *aCopy)
		verdict proof.Verdict
		want    string
	}{
		"as it should be": {func(*testing.T, *aCopy) {}, proof.Proven, "PROVEN: owed "},
		"an object is not there": {
			func(t *testing.T, c *aCopy) {
				if err := os.Remove(filepath.Join(c.dir, filepath.FromSlash(c.key("object")))); err != nil {
					t.Fatal(err)
				}
			}, proof.NotProven, "nothing stands under data/",
		},
		"files have lost their times": {
			func(t *testing.T, c *aCopy) { c.write(t, c.key("object"), strings.Join(c.rows, ""), long) },
			proof.NotProven, "the copy has lost its files' times",
		},
		"Parquet": {
			func(t *testing.T, c *aCopy) { c.write(t, c.key("converted"), "PAR1\x15\x04\x15\n\x00PAR1", written) },
			proof.NotProven, "the object is Parquet, not lines of rows",
		},
		"gzip within gzip": {
			func(t *testing.T, c *aCopy) {
				c.write(t, c.key("object.gz"), zipped(zipped(strings.Join(c.rows, ""))), written)
			},
			proof.NotProven, "the object is gzip within gzip, not lines of rows",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCopy(t, "data/")
			test.change(t, c)
			text, r := c.verify(t, "--prefix", c.prefix)
			if r.Verdict != test.verdict || !strings.Contains(text, test.want) {
				t.Errorf("got %s, want %s, and %q in\n%s", r.Verdict, test.verdict, test.want, text)
			}
			if strings.Contains(text, "streamproof explain") {
				t.Errorf("explain needs a stack, and beside a copy there is none:\n%s", text)
			}
		})
	}
}
