package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"streamproof/internal/local/flink"
	"streamproof/internal/schema"
)

const testSchema = `{"source": "S", "columns": [{"name": "id", "alias": "A", "type": "INTEGER", "fake": {}}]}`

func TestSQLTranslate(t *testing.T) {
	dir := project(t)
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	file("pipeline/schema.json", testSchema)
	other := file("other.json", strings.Replace(testSchema, `"S"`, `"OTHER"`, 1))
	legacy := file("legacy.sql", `CREATE STREAM T (X INTEGER); CREATE PUMP P AS INSERT INTO T SELECT STREAM a FROM s;`)
	const asFlink = "CREATE TABLE T (\n  X INTEGER\n);\n\nINSERT INTO T\nSELECT A\nFROM S;\n"
	flink := file("flink.sql", asFlink+"-- as it is")
	marked := file("marked.sql", "\ufeff"+asFlink)
	const division = "CREATE TABLE T (X INTEGER);\nINSERT INTO T SELECT A / A FROM S"
	divides := file("divides.sql", division)
	faulty := file("faulty.sql", "CREATE STREAM T (X INTEGER);\nCREATE PUMP P AS INSERT INTO T\n  SELECT STREAM A + B, EXP_AVG(A) FROM S")
	tests := map[string]struct {
		args   []string
		status int
		stdout string
		stderr string
	}{
		"the legacy dialect": {[]string{legacy}, exitDone, asFlink, ""},
		"Flink SQL":          {[]string{flink}, exitDone, asFlink + "-- as it is", ""},
		"a warning":          {[]string{divides}, exitDone, division, divides + ":2:24: warning: / of integers stops the job at a divisor of 0, again after each restart: write NULLIF(divisor, 0), which gives NULL\n"},
		"a byte order mark":  {[]string{marked}, exitDone, asFlink, ""},
		"faults": {[]string{faulty}, exitUsage, "", faulty + ":3:24: EXP_AVG is not carried over; use AVG(x) over shorter windows\n" +
			faulty + ":3:21: S has no column B\n" +
			"streamproof: " + faulty + " is not translated: it has 2 faults\n"},
		"another schema": {[]string{legacy, "--schema", other}, exitUsage, "", legacy + `:1:82: there is no stream "S" (the source is "OTHER"); reference data tables are not carried over` +
			"\nstreamproof: " + legacy + " is not translated: it has 1 fault\n"},
		"no file":   {[]string{"none.sql"}, exitUsage, "", "streamproof: open none.sql: no such file or directory\n"},
		"no schema": {[]string{legacy, "--schema", "none.json"}, exitUsage, "", "streamproof: open none.json: no such file or directory\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := Run(t.Context(), append([]string{"sql", "translate"}, test.args...), &stdout, &stderr)
			if status != test.status || stdout.String() != test.stdout || stderr.String() != test.stderr {
				t.Errorf("got status %d\n%s\n%s\nwant %d\n%s\n%s", status, stdout.String(), stderr.String(), test.status, test.stdout, test.stderr)
			}
		})
	}
}

func TestSQLCheck(t *testing.T) {
	dir := project(t)
	file := filepath.Join(dir, "schema.json")
	if err := os.WriteFile(file, []byte(testSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	parsed, err := schema.Parse([]byte(testSchema))
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := parsed.Resolved()
	if err != nil {
		t.Fatal(err)
	}
	const (
		legacy = "CREATE STREAM T (X INTEGER);\nCREATE PUMP P AS INSERT INTO T SELECT STREAM a FROM s"
		asIs   = "CREATE TABLE T (X INTEGER);\nINSERT INTO T SELECT Z FROM S"
	)
	tests := map[string]struct {
		sql    string
		faults []flink.Fault
		err    error
		stdout string
		stderr string
		want   string
	}{
		"no fault":          {sql: asIs, stdout: "standard input: Flink accepts it\n"},
		"one in Flink SQL":  {sql: asIs, faults: []flink.Fault{{Line: 2, Column: 22, Message: "no Z"}}, stderr: "standard input:2:22: no Z\n", want: "standard input is refused by Flink: it has 1 fault"},
		"in a translation":  {sql: legacy, faults: []flink.Fault{{Line: 6, Column: 8, Message: "no A"}, {Line: 7, Column: 6, Message: "no S"}}, stderr: "standard input: Flink refuses its translation at 6:8: no A\n  SELECT A\nstandard input: Flink refuses its translation at 7:6: no S\n  FROM S;\n", want: "standard input is refused by Flink: it has 2 faults"},
		"one of ours":       {sql: asIs + "; INSERT INTO T SELECT A FROM S", stderr: "standard input:2:32: line 2 already has the INSERT, and the job takes one: combine them with UNION ALL\n", want: "standard input is not translated: it has 1 fault"},
		"Flink cannot plan": {sql: asIs, err: errors.New("no JVM"), want: "no JVM"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			c := checkCmd{translateCmd: translateCmd{File: "-", Schema: file, stdin: strings.NewReader(test.sql)}}
			c.plan = func(_ context.Context, _ *env, got []byte, _ string) ([]flink.Fault, error) {
				if string(got) != string(resolved) {
					t.Errorf("got schema %s, want %s", got, resolved)
				}
				return test.faults, test.err
			}
			got := ""
			if err := c.Run(t.Context(), newEnv(&stdout, &stderr)); err != nil {
				got = err.Error()
			}
			if got != test.want || stdout.String() != test.stdout || stderr.String() != test.stderr {
				t.Errorf("got %q, stdout %q, stderr %q\nwant %q, stdout %q, stderr %q", got, stdout.String(), stderr.String(), test.want, test.stdout, test.stderr)
			}
		})
	}
}

func TestSQLTranslateStandardInput(t *testing.T) {
	dir := project(t)
	schema := filepath.Join(dir, "schema.json")
	if err := os.WriteFile(schema, []byte(testSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"CREATE TABLE T (X INTEGER); INSERT INTO T SELECT A FROM S": "",
		"CREATE TABLE T (X INTEGER":                                 "standard input:1:26: unexpected token \"<EOF>\" (expected \")\")\n",
	} {
		var stdout, stderr bytes.Buffer
		c := translateCmd{File: "-", Schema: schema, stdin: strings.NewReader(text)}
		err := c.Run(newEnv(&stdout, &stderr))
		if (err != nil) != (want != "") || stderr.String() != want || want == "" && stdout.String() != text {
			t.Errorf("%q: got %v, %q, %q, want %q on stderr", text, err, stdout.String(), stderr.String(), want)
		}
	}
}
