//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"streamproof/internal/cli"
	"streamproof/internal/generator"
	"streamproof/internal/local"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/schema"
)

// A dataSet is a user's data, with a query over it.
type dataSet struct {
	file string
	// edit changes the discovered schema as a user would.
	edit func(schema string) string
	sql  string
	// row computes the query for a row of the file, without any of the project's code: the values, separated by bars.
	row func(t *testing.T, row string) (output string, kept bool)
}

// TestDataSets takes other data sets along a user's path: discover the schema, write a query, build the project,
// produce records from the file, and prove the delivery. Then it breaks what was delivered.
func TestDataSets(t *testing.T) {
	t.Parallel()
	sets := map[string]dataSet{
		"clicks": {
			file: "clicks.jsonl",
			sql: `-- Pages that were slow, or of unknown speed.
CREATE TABLE SLOW (
  SEEN     TIMESTAMP,
  VISITOR  VARCHAR(8),
  PAGE     VARCHAR(64),
  LAT      DOUBLE,
  MS       INTEGER,
  CAME_BY  VARCHAR(64)
);

INSERT INTO SLOW
SELECT COL0, COL1, COL5, COL3, COL6, COALESCE(COL8, '-')
FROM SOURCE_SQL_STREAM_001
WHERE COL6 > 1000 OR COL6 IS NULL;
`,
			row: clicksRow,
		},
		"ventas": {
			file: "ventas.csv",
			edit: func(schema string) string {
				return strings.Replace(schema, `"type": "REAL"`, `"type": "DECIMAL(8,2)"`, 1)
			},
			sql: `-- Sales of some size, by shop.
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" ("fecha" DATE, "articulo" VARCHAR(64), "importe" DOUBLE, "unidades" INTEGER);
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "COL0", "COL2", CAST("COL3" AS DOUBLE), "COL4"
FROM "SOURCE_SQL_STREAM_001"
WHERE "COL3" >= 12.5 AND "COL0" >= DATE '2026-10-01';
`,
			row: ventasRow,
		},
	}
	for name, set := range sets {
		t.Run(name, func(t *testing.T) {
			inTurn(t, 80*time.Second)
			set.run(t)
		})
	}
}

func (d dataSet) run(t *testing.T) {
	root := copyProject(t)
	p := d.pipeline(t, filepath.Join(root, "pipeline"))
	s := startIn(t, root, "no schedule")
	g, err := generator.New(p, 1) // the template's seed
	if err != nil {
		t.Fatal(err)
	}
	const records, poisoned = 400, 60
	proven := func(poison int) {
		t.Helper()
		tick := generator.Tick{Time: time.Now().Truncate(time.Millisecond), Records: records, Poison: poison, Spread: 5 * time.Second} // local.yaml's spread
		producePoisoned(t, s, tick.Time, records, poison)
		r := settle(t, s)
		t.Log(r.LastLine())
		if r.Verdict != proof.Proven || !r.Counts.AllFound() || r.Counts.Rejects != int64(poison) || r.Counts.Foreign != 0 {
			t.Fatalf("got %s %v", r.LastLine(), r.Reasons)
		}
		if poison > 0 {
			checkRejects(t, s, g, tick)
		} else {
			d.checkOutput(t, s, g, tick)
		}
	}
	proven(0)
	proven(poisoned)

	copied := t.TempDir()
	copyBucket(t, s, copied)
	whole := judgeCopy(t, s, copied).Counts
	lost := readObjects(t, copied, s.Outputs.DataPrefix)[0]
	lost.remove(t)
	got := judgeCopy(t, s, copied)
	t.Log(got.LastLine())
	want, n := whole, int64(len(lost.lines))
	want.Delivered, want.Missing = want.Delivered-n, n
	want.Late, got.Counts.Late = 0, 0 // the deadline of a copy is short
	if diff := gocmp.Diff(got.Counts, want); diff != "" || got.Verdict != proof.NotProven || want.Delivered == 0 {
		t.Errorf("got %s %v; counts (-got +want):\n%s", got.LastLine(), got.Reasons, diff)
	}
}

// copyProject copies the project's sources to a folder, so that it can have another pipeline.
func copyProject(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	made := []string{".git", ".venv", ".lint", ".checkov", ".aws-sam", ".streamproof", "bin", "node_modules", "target"}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.Contains(made, entry.Name()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		to := filepath.Join(root, strings.TrimPrefix(path, ".."))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
	venv, err := filepath.EvalSymlinks("../.venv")
	if err != nil {
		t.Fatal(err)
	}
	if venv, err = filepath.Abs(venv); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(venv, filepath.Join(root, ".venv")); err != nil {
		t.Fatal(err)
	}
	return root
}

// pipeline replaces the project's pipeline with the data set's.
func (d dataSet) pipeline(t *testing.T, dir string) *pipeline.Pipeline {
	t.Helper()
	schema := filepath.Join(dir, schema.File)
	discover := func(more ...string) string {
		var stdout, stderr bytes.Buffer
		args := append([]string{"discover", "--file", filepath.Join("testdata", d.file), "--write", "--samples", "--schema", schema}, more...)
		if status := cli.Run(t.Context(), args, &stdout, &stderr); status != 0 {
			t.Fatalf("discover: status %d\n%s%s", status, stdout.String(), stderr.String())
		}
		data, err := os.ReadFile(schema)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	proposed := discover("--replace")
	t.Log(proposed)
	if d.edit != nil {
		edited := d.edit(proposed)
		if edited == proposed {
			t.Fatal("there is nothing to edit in the schema")
		}
		write(t, schema, edited)
		if kept := discover(); kept != edited {
			t.Errorf("what a person has written was changed:\n%s", gocmp.Diff(edited, kept))
		}
	}
	write(t, filepath.Join(dir, pipeline.SQLFile), d.sql)
	p, err := pipeline.Read(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkOutput compares the objects in S3 with what the query gives for the only tick's records, each a row of the file.
func (d dataSet) checkOutput(t *testing.T, s *local.Stack, g *generator.Generator, tick generator.Tick) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", d.file))
	if err != nil {
		t.Fatal(err)
	}
	own := strings.SplitAfter(string(file), "\n")
	want, got := map[string]int{}, map[string]int{}
	for i := range tick.Records {
		row := string(g.Append(nil, tick, i))
		if !slices.Contains(own, row) {
			t.Fatalf("the record %q is no line of %s", row, d.file)
		}
		if output, kept := d.row(t, row); kept {
			want[output]++
		}
	}
	for line := range errorLines(t, s, s.Outputs.DataPrefix) {
		values, err := csv.NewReader(bytes.NewReader(line)).Read()
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[strings.Join(values, "|")]++
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(want) < 10 || len(want) > len(own)-5 {
		t.Errorf("the query keeps %d different rows of %d", len(want), len(own))
	}
}

// checkRejects checks that each malformed record is rejected, byte for byte, for the generator's reason.
func checkRejects(t *testing.T, s *local.Stack, g *generator.Generator, tick generator.Tick) {
	t.Helper()
	want, got := map[string]int{}, map[string]int{}
	for i, row := range g.Rejects(tick, 0, tick.Records-1) {
		want[g.FaultOf(tick, i).Reason()+": "+string(row)]++
	}
	for _, one := range rejects(t, s) {
		got[one.Reason+": "+string(one.Data)]++
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("rejects (-want +got):\n%s", diff)
	}
	if len(g.Faults(generator.Tick{})) < 10 {
		t.Errorf("the records can have only the faults %q", g.Faults(generator.Tick{}))
	}
}

func clicksRow(t *testing.T, row string) (string, bool) {
	var c struct {
		At   time.Time `json:"at"`
		User struct {
			ID  string `json:"id"`
			Geo *struct {
				Lat json.Number `json:"lat"`
			} `json:"geo"`
		} `json:"user"`
		Page     string  `json:"page"`
		MS       *int    `json:"ms"`
		Referrer *string `json:"referrer"`
	}
	if err := json.Unmarshal([]byte(row), &c); err != nil {
		t.Fatalf("%q: %v", row, err)
	}
	seen, lat, ms, came := c.At.UTC().Format("2006-01-02 15:04:05.999"), "", "", "-"
	if c.User.Geo != nil {
		lat = c.User.Geo.Lat.String()
	}
	if c.MS != nil {
		ms = strconv.Itoa(*c.MS)
	}
	if c.Referrer != nil {
		came = *c.Referrer
	}
	return strings.Join([]string{seen, c.User.ID, c.Page, lat, ms, came}, "|"), c.MS == nil || *c.MS > 1000
}

func ventasRow(t *testing.T, row string) (string, bool) {
	reader := csv.NewReader(strings.NewReader(row))
	reader.Comma = ';'
	fields, err := reader.Read()
	if err != nil {
		t.Fatalf("%q: %v", row, err)
	}
	day, err := time.Parse("02/01/2006", fields[0])
	if err != nil {
		t.Fatal(err)
	}
	amount, err := strconv.ParseFloat(strings.Replace(fields[3], ",", ".", 1), 64)
	kept := err == nil && amount >= 12.5 && day.Format(time.DateOnly) >= "2026-10-01"
	text := strconv.FormatFloat(amount, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return strings.Join([]string{day.Format(time.DateOnly), fields[2], text, fields[4]}, "|"), kept
}
