//go:build e2e

package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/local"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/report"
	"streamproof/internal/verifier"
)

// judgeCopy judges a copy as `streamproof verify --dir` does, with a deadline that has passed for everything in it.
func judgeCopy(t *testing.T, s *local.Stack, dir string) *report.Report {
	t.Helper()
	return verifier.Judge(t.Context(), bucket.Dir(dir), verifier.Options{
		DataPrefix: s.Outputs.DataPrefix, ErrorsPrefix: s.Outputs.ErrorsPrefix, DeliveryDeadline: time.Second,
	})
}

// copyBucket copies the bucket's data and ledger to dir, with their times, at a moment when everything is delivered.
func copyBucket(t *testing.T, s *local.Stack, dir string) {
	t.Helper()
	source := bucket.NewS3(s.S3, s.Outputs.BucketName)
	for range 30 {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for _, prefix := range []string{s.Outputs.DataPrefix, s.Outputs.ErrorsPrefix, "ledger/"} { // the ledger last, as the verifier lists
			objects, _, err := source.List(t.Context(), prefix)
			if err != nil {
				t.Fatal(err)
			}
			group, ctx := errgroup.WithContext(t.Context())
			group.SetLimit(16)
			for _, object := range objects {
				group.Go(func() error { return copyObject(ctx, source, object, dir) })
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second) // the deadline
		if r := judgeCopy(t, s, dir); r.Verdict == proof.Proven && r.Counts.AllFound() {
			return
		}
		// The schedule has fired meanwhile: the copy has a tick whose rows came after it.
	}
	t.Fatal("30 copies, and none in which everything is delivered")
}

func copyObject(ctx context.Context, from bucket.Bucket, object bucket.Object, dir string) error {
	data, err := from.Read(ctx, object)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, filepath.FromSlash(object.Key))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return os.Chtimes(path, object.LastModified, object.LastModified)
}

// copyTree copies files with their times.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	source := bucket.Dir(from)
	objects, _, err := source.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if err := copyObject(t.Context(), source, object, to); err != nil {
			t.Fatal(err)
		}
	}
}

// An object of the copy, as its lines.
type object struct {
	path    string
	lines   []string // each with its newline
	written time.Time
}

func (o object) write(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(o.path, []byte(strings.Join(o.lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(o.path, o.written, o.written); err != nil {
		t.Fatal(err)
	}
}

func (o object) remove(t *testing.T) {
	t.Helper()
	if err := os.Remove(o.path); err != nil {
		t.Fatal(err)
	}
}

// readObjects gives the copy's objects in the order in which they were written.
func readObjects(t *testing.T, dir, prefix string) []object {
	t.Helper()
	var objects []object
	err := filepath.WalkDir(filepath.Join(dir, prefix), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		lines := slices.DeleteFunc(strings.SplitAfter(string(data), "\n"), func(line string) bool { return line == "" })
		objects = append(objects, object{path, lines, info.ModTime()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(objects, func(a, b object) int {
		return cmp.Or(a.written.Compare(b.written), strings.Compare(a.path, b.path))
	})
	return objects
}

// brokenOnPurpose damages copies of what was delivered, one fault at a time, and checks that each is counted.
func brokenOnPurpose(t *testing.T, s *local.Stack, copied string) {
	whole := judgeCopy(t, s, copied).Counts
	leaked := rowThatWasFilteredOut(t, copied)

	tests := map[string]func(t *testing.T, objects []object) (damage proof.Counts){
		"an object deleted": func(t *testing.T, objects []object) proof.Counts {
			objects[0].remove(t)
			n := int64(len(objects[0].lines))
			return proof.Counts{Delivered: -n, Missing: n}
		},
		"an object copied": func(t *testing.T, objects []object) proof.Counts {
			double := objects[len(objects)-1]
			double.path += "-copy"
			double.write(t)
			return proof.Counts{Duplicated: int64(len(double.lines))}
		},
		"an old object copied, and a later equal row deleted": func(t *testing.T, objects []object) proof.Counts {
			row, old, later := equalRows(t, copied, objects)
			double := old
			double.path += "-copy"
			double.lines = []string{row}
			double.write(t)
			at := slices.Index(later.lines, row)
			later.lines = slices.Delete(slices.Clone(later.lines), at, at+1)
			later.write(t)
			return proof.Counts{Delivered: -1, Missing: 1, Duplicated: 1}
		},
		"a byte of a number changed": func(t *testing.T, objects []object) proof.Counts {
			o := objects[0]
			o.lines = slices.Clone(o.lines)
			changed := strings.Replace(o.lines[0], ".0,", ".5,", 1) // trips have no fractions of a mile, so no tick owes this
			if changed == o.lines[0] {
				t.Fatalf("the row %q has no .0", changed)
			}
			o.lines[0] = changed
			o.write(t)
			return proof.Counts{Delivered: -1, Missing: 1, Unexpected: 1}
		},
		"two rows glued": func(t *testing.T, objects []object) proof.Counts {
			o := objects[0]
			o.lines = slices.Clone(o.lines)
			o.lines[0] = strings.TrimSuffix(o.lines[0], "\n")
			o.write(t)
			return proof.Counts{Delivered: -2, Missing: 2, Corrupt: 1}
		},
		"a row that the query filters out": func(t *testing.T, objects []object) proof.Counts {
			o := objects[len(objects)-1]
			o.path += "-leak"
			o.lines = []string{leaked + "\n"}
			o.write(t)
			return proof.Counts{Leaked: 1}
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyTree(t, copied, dir)
			want := damage(t, readObjects(t, dir, s.Outputs.DataPrefix))
			want.Owed = whole.Owed
			want.Delivered += whole.Delivered
			got := judgeCopy(t, s, dir)
			t.Log(got.LastLine())
			got.Counts.Late = 0 // the deadline of a copy is short
			if diff := gocmp.Diff(got.Counts, want); diff != "" || got.Verdict != proof.NotProven {
				t.Errorf("got %s %v; counts (-got +want):\n%s", got.LastLine(), got.Reasons, diff)
			}
		})
	}
}

// readLedger returns the copy's complete ticks in the order of their claims, and the query and generator that they
// share.
func readLedger(t *testing.T, dir string) ([]*ledger.Tick, *query.Query, *generator.Generator) {
	t.Helper()
	source := bucket.Dir(dir)
	entries, _, err := source.List(t.Context(), ledger.TicksPrefix)
	if err != nil {
		t.Fatal(err)
	}
	var ticks []*ledger.Tick
	for _, entry := range entries {
		data, err := source.Read(t.Context(), entry)
		if err != nil {
			t.Fatal(err)
		}
		tick, err := ledger.DecodeTick(data)
		if err != nil {
			t.Fatal(err)
		}
		// One that is only claimed owes nothing yet.
		if tick.State == ledger.Complete {
			ticks = append(ticks, tick)
		}
	}
	slices.SortFunc(ticks, func(a, b *ledger.Tick) int { return a.ClaimedAt.Compare(b.ClaimedAt) })
	published, err := os.ReadFile(filepath.Join(dir, ledger.PipelineKey(ticks[0].Pipeline)))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ledger.DecodePipeline(published, ticks[0].Pipeline)
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(p, ticks[0].Seed)
	if err != nil {
		t.Fatal(err)
	}
	return ticks, q, g
}

// tickRows makes the rows of a tick, those that the query keeps or all of them.
func tickRows(t *testing.T, q *query.Query, g *generator.Generator, tick *ledger.Tick, filtered bool) []string {
	t.Helper()
	sql, err := engine.New(q)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	of := generator.Tick{Time: tick.Time, Records: tick.Records, Spread: time.Duration(tick.SpreadSeconds) * time.Second}
	err = sql.Rows(g.Records(of, 0, of.Records-1), filtered, func(key []byte) { rows = append(rows, string(key)) })
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// rowThatWasFilteredOut is what a record of the first tick would have given without the query's WHERE.
func rowThatWasFilteredOut(t *testing.T, dir string) string {
	t.Helper()
	ticks, q, g := readLedger(t, dir)
	kept := map[string]bool{}
	for _, tick := range ticks {
		for _, row := range tickRows(t, q, g, tick, true) {
			kept[row] = true
		}
	}
	for _, row := range tickRows(t, q, g, ticks[0], false) {
		if !kept[row] {
			return q.Output.Format([]byte(row))
		}
	}
	t.Fatal("the query keeps every row")
	return ""
}

// equalRows finds a row that a tick owes, with an object written before that tick's claim that has the row too, and a
// later one.
func equalRows(t *testing.T, dir string, objects []object) (row string, old, later object) {
	t.Helper()
	ticks, q, g := readLedger(t, dir)
	for _, tick := range ticks[1:] {
		owed := map[string]bool{}
		for _, row := range tickRows(t, q, g, tick, true) {
			owed[row] = true
		}
		before := map[string]object{}
		for _, o := range objects {
			for _, line := range o.lines {
				key, err := q.Output.Append(nil, bytes.TrimSuffix([]byte(line), []byte("\n")))
				if err != nil {
					t.Fatal(err)
				}
				if !owed[string(key)] {
					continue
				}
				if o.written.Before(tick.ClaimedAt) {
					before[line] = o
				} else if old, ok := before[line]; ok {
					return line, old, o
				}
			}
		}
	}
	t.Fatal("no row of a later tick is equal to one delivered before its claim")
	return "", old, later
}

// tickWithAnEqualRow finds a tick near the current time that owes a row in common with the given one. Both have n
// records.
func tickWithAnEqualRow(t *testing.T, tick time.Time, n int) time.Time {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(p, 1) // the template's seed
	if err != nil {
		t.Fatal(err)
	}
	first := map[string]bool{}
	for _, row := range tickRows(t, q, g, &ledger.Tick{Time: tick, Records: n}, true) {
		first[row] = true
	}
	for other := time.Now(); ; other = other.Add(time.Millisecond) {
		for _, row := range tickRows(t, q, g, &ledger.Tick{Time: other, Records: n}, true) {
			if first[row] {
				return other
			}
		}
	}
}
