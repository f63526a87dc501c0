//go:build e2e

package e2e_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"streamproof/internal/cli"
	"streamproof/internal/dialect"
	"streamproof/internal/local"
	"streamproof/internal/local/runner"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/stack"
)

// queryChange is what sql run prints.
type queryChange struct {
	Pipeline, Previous string
	Judged             bool
	NotJudged          string
	Faults             []struct {
		Line, Column int
		Message      string
		Translated   string
	}
	Did         []string
	Columns     []string
	Rows        [][]*string
	RolledBack  bool
	Error       string
	Schedule    stack.Schedule
	Application stack.Application
}

// shownQuery is what sql show prints.
type shownQuery struct {
	Pipeline, By string
	Agrees       bool
	SQL          string
	Rollbacks    []struct{ Failed, JudgedBy, Why string }
}

// The exercise's own query, and one that stops the job at the first trip with five passengers.
const (
	vendorOne = `-- only the first vendor
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (COL0 integer, COL3 integer, COL4 real, COL18 real);
CREATE OR REPLACE PUMP "STREAM_PUMP" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM COL0, COL3, COL4, COL18 FROM "SOURCE_SQL_STREAM_001" WHERE COL0 < 2;
`
	divides = `CREATE TABLE DESTINATION_SQL_STREAM (COL0 INTEGER, COL3 INTEGER, COL4 FLOAT, COL18 FLOAT);
INSERT INTO DESTINATION_SQL_STREAM
SELECT COL0, 10 / (COL3 - 5), COL4, COL18 FROM SOURCE_SQL_STREAM_001;
`
)

// An application with two destinations over a stream in between: most trips give two or three rows.
const severalDestinations = `CREATE OR REPLACE STREAM "LONG_TRIPS" ("vendor" integer, "miles" real, "total" real);
CREATE OR REPLACE PUMP "LONG_PUMP" AS INSERT INTO "LONG_TRIPS"
SELECT STREAM COL0, COL4, COL18 FROM "SOURCE_SQL_STREAM_001" WHERE COL4 > 0.5;

CREATE OR REPLACE STREAM "EARNINGS" (COL0 integer, COL3 integer, COL4 real, COL18 real);
CREATE OR REPLACE PUMP "EARNINGS_PUMP" AS INSERT INTO "EARNINGS"
SELECT STREAM "vendor", 100, "miles", "total" / "miles" FROM "LONG_TRIPS" WHERE "vendor" < 3;

CREATE OR REPLACE STREAM "COPIES" (COL0 integer, COL3 integer, COL4 real, COL18 real);
CREATE OR REPLACE PUMP "COPIES_PUMP" AS INSERT INTO "COPIES"
SELECT STREAM "vendor", 200, "miles" / 2, "total" FROM "LONG_TRIPS"
UNION ALL SELECT STREAM COL0, COL3, COL4, COL18 FROM "SOURCE_SQL_STREAM_001" WHERE COL3 < 4;
`

// sqlRun runs a query on the stack, as a user would.
func sqlRun(t *testing.T, s *local.Stack, sql string, want int) (c queryChange) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "query.sql")
	if err := os.WriteFile(file, []byte(sql), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var stdout, stderr bytes.Buffer
	status := cli.Run(t.Context(), []string{"sql", "run", file, "--state-dir", s.StateDir(), "--json"}, &stdout, &stderr)
	t.Logf("streamproof sql run, %s:\n%s%s", time.Since(began).Round(time.Second), stderr.String(), stdout.String())
	if status != want {
		t.Fatalf("exit status %d, want %d", status, want)
	}
	if err := json.Unmarshal(stdout.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func sqlShow(t *testing.T, s *local.Stack) (q shownQuery) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := cli.Run(t.Context(), []string{"sql", "show", "--state-dir", s.StateDir(), "--json"}, &stdout, &stderr); status != 0 {
		t.Fatalf("streamproof sql show: exit status %d: %s", status, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), &q); err != nil {
		t.Fatal(err)
	}
	return q
}

// TestSQLRun changes the query of a running stack by hand, and finally by a deploy. The verdict over all of it is
// PROVEN.
func TestSQLRun(t *testing.T) {
	inTurn(t, 220*time.Second)
	s := startWith(t, "default")
	produce(t, s, time.Now(), 300)
	provenSoFar(t, s)
	deployed := sqlShow(t, s)
	if deployed.By != "deploy" || !deployed.Agrees || !strings.HasPrefix(s.Outputs.Query, "pipeline "+deployed.Pipeline[:12]+" of the deploy of ") {
		t.Errorf("deployed: got %+v and the output %q", deployed, s.Outputs.Query)
	}

	t.Run("in the legacy dialect", func(t *testing.T) {
		c := sqlRun(t, s, vendorOne, 0)
		if !c.Judged || c.Pipeline == deployed.Pipeline || c.Previous != deployed.Pipeline || c.Schedule.State != "ENABLED" || c.Application.Status != "RUNNING" {
			t.Errorf("got %+v", c)
		}
		if len(c.Rows) != 10 || !slices.Equal(c.Columns, []string{"COL0", "COL3", "COL4", "COL18"}) {
			t.Errorf("got %d rows of %q", len(c.Rows), c.Columns)
		}
		for _, row := range c.Rows {
			if len(row) != 4 || row[0] == nil || *row[0] != "1" {
				t.Errorf("got a row of another vendor: %v", row)
			}
		}
		if job(t, s).RestoredFrom == "" {
			t.Error("the job was started without its savepoint")
		}
		if q := sqlShow(t, s); q.SQL != vendorOne || q.By != "sql run" || !q.Agrees {
			t.Errorf("shown: got %+v", q)
		}
		if again := sqlRun(t, s, vendorOne, 0); !strings.Contains(strings.Join(again.Did, " "), "already runs") || again.Application.Version != c.Application.Version {
			t.Errorf("the same again: got %+v", again)
		}
		produce(t, s, time.Now(), 300)
		if r := provenSoFar(t, s); len(r.Covers.Pipelines) != 2 {
			t.Errorf("judged by %d pipelines, want 2", len(r.Covers.Pipelines))
		}
	})
	t.Run("of several destinations", func(t *testing.T) {
		before := provenSoFar(t, s).Counts.Owed
		c := sqlRun(t, s, severalDestinations, 0)
		if !c.Judged || len(c.Rows) != 10 {
			t.Errorf("got %+v", c)
		}
		produce(t, s, time.Now(), 300)
		if r := provenSoFar(t, s); len(r.Covers.Pipelines) != 3 || r.Counts.Owed-before <= 300 || r.Counts.Missing+r.Counts.Duplicated > 0 {
			t.Errorf("judged by %d pipelines, with %d rows more: %s", len(r.Covers.Pipelines), r.Counts.Owed-before, r.LastLine())
		}
	})
	byHand := sqlShow(t, s)

	t.Run("with faults", func(t *testing.T) {
		before := job(t, s)
		c := sqlRun(t, s, strings.NewReplacer("COL3, COL4", "COLX, COL4", "COL0 < 2", "COL0 < 'x'").Replace(vendorOne), 2)
		if len(c.Faults) != 2 || c.Faults[0].Line != 4 || c.Faults[0].Column != 21 || c.Faults[1].Column != 79 || c.Pipeline != byHand.Pipeline {
			t.Errorf("the translator's: got %+v", c.Faults)
		}
		c = sqlRun(t, s, strings.Replace(divides, "10 / (COL3 - 5)", "UPPER(COL3, 1)", 1), 2)
		if len(c.Faults) != 1 || c.Faults[0].Line != 3 || c.Faults[0].Column != 14 {
			t.Errorf("Flink's own: got %+v", c.Faults)
		}
		if now := job(t, s); now.Version != before.Version || now.Starts != before.Starts || sqlShow(t, s).Pipeline != byHand.Pipeline {
			t.Errorf("the job was %+v and is %+v: want nothing touched", before, now)
		}
	})

	t.Run("rolled back", func(t *testing.T) {
		c := sqlRun(t, s, divides, 3)
		if !c.RolledBack || c.Pipeline != byHand.Pipeline || !strings.Contains(c.Error, "by zero") || c.Schedule.State != "ENABLED" || c.Application.Status != "RUNNING" {
			t.Errorf("got %+v", c)
		}
		if q := sqlShow(t, s); q.Pipeline != byHand.Pipeline || !q.Agrees || len(q.Rollbacks) != 1 || q.Rollbacks[0].JudgedBy != byHand.Pipeline {
			t.Errorf("shown: got %+v", q)
		}
		produce(t, s, time.Now(), 300)
		if r := provenSoFar(t, s); r.Counts.Duplicated+r.Counts.Missing > 0 {
			t.Errorf("got %s", r.LastLine())
		}
		full, _, err := s.VerifyFull(t.Context())
		if err != nil || full.Verdict != proof.Proven {
			t.Errorf("in full: got %s %v, %v", full.LastLine(), full.Reasons, err)
		}
	})

	t.Run("replaced by a deploy", func(t *testing.T) {
		operate(t, s, "pause", "DISABLED", "READY")
		deploy(t, s, builtWith(t, filepath.Join("..", ".aws-sam", "local"), "WHERE COL0 < 3", "WHERE COL0 < 4"), s.Name, "default")
		operate(t, s, "resume", "ENABLED", "RUNNING")
		now, err := stack.Open(t.Context(), s.AWS, s.Name)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(now.Outputs.Query)
		if q := now.Outputs.Query; !strings.Contains(q, ": it replaces the query set by hand on ") || !strings.Contains(q, byHand.Pipeline) {
			t.Errorf("the output says %q", q)
		}
		if q := sqlShow(t, s); q.By != "deploy" || !q.Agrees || !strings.Contains(q.SQL, "COL0 < 4") || len(q.Rollbacks) != 1 {
			t.Errorf("shown: got %+v", q)
		}
		if job(t, s).State != runner.Running {
			t.Errorf("the job is %+v", job(t, s))
		}
		produce(t, s, time.Now(), 300)
		provenSoFar(t, s)
	})
}

// builtWith copies what was built, as if pipeline.sql had another text.
func builtWith(t *testing.T, built, from, to string) string {
	t.Helper()
	ours, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	other, err := pipeline.Parse(ours.SchemaJSON, []byte(strings.Replace(string(ours.SQL), from, to, 1)))
	if err != nil {
		t.Fatal(err)
	}
	flink, err := dialect.Translate(string(other.SQL), other.Schema)
	if err != nil {
		t.Fatal(err)
	}
	dir := copied(t, built)
	file := filepath.Join(t.TempDir(), "pipeline.sql")
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {absolute("..", "pipeline", "pipeline.sql"): file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{file: other.SQL, overlay: replace} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for function, source := range map[string]string{"ProducerFunction": "producer", "DeployerFunction": "deployer"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-trimpath", "-buildvcs=false", "-tags=lambda.norpc", "-ldflags=-s -w",
			"-o", filepath.Join(dir, function, "bootstrap"), "./functions/"+source)
		build.Dir = ".."
		build.Env = append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0", "GOOS=linux")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	replaceInJAR(t, filepath.Join(dir, "DeployerFunction", "streamproof-analytics.jar"), "pipeline/pipeline.sql", flink)
	return dir
}

func replaceInJAR(t *testing.T, jar, name, text string) {
	t.Helper()
	in, err := zip.OpenReader(jar)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(jar + ".new")
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(out)
	for _, f := range in.File {
		var err error
		switch {
		case strings.HasSuffix(f.Name, "/"):
			_, err = w.Create(f.Name)
		case f.Name != name:
			err = w.Copy(f)
		default:
			var entry io.Writer
			if entry, err = w.Create(name); err == nil {
				_, err = io.WriteString(entry, text)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(jar+".new", jar); err != nil {
		t.Fatal(err)
	}
}
