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
	"streamproof/internal/proof"
	"streamproof/pipeline"
)

// A dataSet is one that a person has, with the query that is asked of it.
type dataSet struct {
	file string
	// edit is what a person changes in the schema that was discovered.
	edit func(schema string) string
	sql  string
	// row is what the query makes of a row of the file, read here without any code of the project's: its values, with a bar
	// between them.
	row func(t *testing.T, row string) (output string, kept bool)
}

// TestDataSets goes with another data set the way that a person goes: the schema is discovered, a query written, the project
// built, records of the file produced, and what is delivered is proven, and then broken.
func TestDataSets(t *testing.T) {
	sets := map[string]dataSet{
		"clicks": {
			file: "clicks.jsonl",
			sql: `-- Pages that were slow, or nobody knows how slow.
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
			edit: func(schema string) string { return strings.Replace(schema, `"type": "REAL"`, `"type": "DECIMAL(8,2)"`, 1) },
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
		t.Run(name, func(t *testing.T) { set.run(t) })
	}
}

func (d dataSet) run(t *testing.T) {
	root := copyProject(t)
	p := d.pipeline(t, filepath.Join(root, "pipeline"))
	s := startIn(t, root, map[string]string{"ScheduleState": "DISABLED"})
	const records, poisoned = 400, 60
	first := time.Now().Truncate(time.Millisecond)
	produce(t, s, first, records)
	producePoisoned(t, s, first.Add(time.Millisecond), records, poisoned)
	r := settle(t, s)
	t.Log(r.LastLine())
	if r.Verdict != proof.Proven || !r.Counts.AllFound() || r.Counts.Rejects < poisoned || r.Counts.Foreign != 0 {
		t.Fatalf("got %s %v", r.LastLine(), r.Reasons)
	}
	g, err := generator.New(p, 1) // the template's seed
	if err != nil {
		t.Fatal(err)
	}
	d.checkOutput(t, s, g, first, records)
	checkReasons(t, s, g, generator.Tick{Time: first.Add(time.Millisecond), Records: records, Poison: poisoned, Spread: 5 * time.Second})

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
	if diff := gocmp.Diff(got.Counts, want); diff != "" || got.Verdict != proof.NotProven {
		t.Errorf("got %s %v; counts (-got +want):\n%s", got.LastLine(), got.Reasons, diff)
	}
}

// copyProject copies the project's sources to a folder, so that it can have another pipeline.
func copyProject(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	made := []string{".git", ".venv", ".checkov", ".aws-sam", ".streamproof", "bin", "target"}
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

// pipeline writes the data set's pipeline in place of the one that is there.
func (d dataSet) pipeline(t *testing.T, dir string) *pipeline.Pipeline {
	t.Helper()
	schema := filepath.Join(dir, pipeline.SchemaFile)
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

// checkOutput compares what stands in S3 of the first tick with what the query makes of its records: each is a row of the file.
func (d dataSet) checkOutput(t *testing.T, s *local.Stack, g *generator.Generator, tick time.Time, records int) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", d.file))
	if err != nil {
		t.Fatal(err)
	}
	of := generator.Tick{Time: tick, Records: records, Spread: 5 * time.Second} // local.yaml's spread
	own := strings.SplitAfter(string(file), "\n")
	want := map[string]int{}
	rows := 0
	for i := range records {
		row := string(g.Append(nil, of, i))
		if !slices.Contains(own, row) {
			t.Fatalf("the record %q is no line of %s", row, d.file)
		}
		if output, kept := d.row(t, row); kept {
			want[output]++
			rows++
		}
	}
	if rows == 0 || rows == records {
		t.Fatalf("the query keeps %d of %d rows", rows, records)
	}
	// The second tick has rows of the same kinds, and some more of each.
	got := map[string]int{}
	for line := range errorLines(t, s, s.Outputs.DataPrefix) {
		values, err := csv.NewReader(bytes.NewReader(line)).Read()
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got[strings.Join(values, "|")]++
	}
	for row, n := range want {
		if got[row] < n {
			t.Errorf("%q stands there %d times, want %d at least", row, got[row], n)
		}
	}
	for row := range got {
		if want[row] == 0 && !slices.ContainsFunc(own, func(line string) bool {
			if line == "" || line == own[0] && filepath.Ext(d.file) == ".csv" {
				return false
			}
			output, kept := d.row(t, line)
			return kept && output == row
		}) {
			t.Errorf("%q stands there, and is made of no line of %s", row, d.file)
		}
	}
}

// checkReasons sees that what was made malformed is rejected, byte for byte, for the reason that the generator says.
func checkReasons(t *testing.T, s *local.Stack, g *generator.Generator, tick generator.Tick) {
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
	if len(g.Faults()) < 10 {
		t.Errorf("the records can have only the faults %q", g.Faults())
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
