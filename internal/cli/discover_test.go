package cli

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"streamproof/internal/discover"
	"streamproof/internal/generator"
	"streamproof/internal/golden"
	"streamproof/internal/pipeline"
	"streamproof/internal/sample"
)

// tripLines are records of the project's own schema.
func tripLines(t *testing.T, poison int) string {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	g, err := generator.New(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for i := range 300 {
		b = g.Append(b, generator.Tick{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Records: 300, Poison: poison}, i)
	}
	return string(b)
}

// withPipeline makes a project with the project's own pipeline, and goes there.
func withPipeline(t *testing.T) (schema string, p *pipeline.Pipeline) {
	t.Helper()
	return pipelineIn(t, project(t))
}

func pipelineIn(t *testing.T, dir string) (schema string, p *pipeline.Pipeline) {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"schema.json": p.SchemaJSON, "pipeline.sql": p.SQL} {
		if err := os.MkdirAll(filepath.Join(dir, "pipeline"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "pipeline", name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "pipeline", "schema.json"), p
}

// input writes a file beside the project.
func input(t *testing.T, data string) string {
	t.Helper()
	if err := os.WriteFile("input", []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return "input"
}

func discoverWith(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Run(t.Context(), append([]string{"discover"}, args...), &out, &errs)
	return status, out.String(), errs.String()
}

const orders = `id;customer;amount;placed;express
1;"Smith; Sons";12.50;2026-01-02 03:04:05;true
2;"O""Neil";7;2026-01-02 03:04:06;false
3;Ng;;2026-01-02 03:04:07;true
`

const visits = `{"at":"2026-11-23T20:00:00.123Z","user":{"id":"u-1","geo":{"lat":40.4168,"lon":-3.70379001}},"pages":["/","/a"],"new":true}
{"at":"2026-11-23T20:00:01Z","user":{"id":"u-2"},"pages":[],"new":false}
{"at":
`

func TestDiscoverText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	schema, p := pipelineIn(t, dir)
	file := filepath.Join(dir, "input")
	tests := map[string]struct {
		input  string
		args   []string
		status int
	}{
		"trips":     {input: tripLines(t, 20), args: []string{"--schema", schema}},
		"orders":    {input: orders},
		"visits":    {input: strings.Repeat(visits[:strings.LastIndex(visits, "{")], 20) + visits[strings.LastIndex(visits, "{"):]},
		"many-rows": {input: "1,a\n2,b\n3,c\x1b[31m\n"},
	}
	for name, test := range tests {
		if err := os.WriteFile(file, []byte(test.input), 0o600); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := discoverWith(t, append(test.args, "--file", file)...)
		if status != test.status {
			t.Errorf("%s: got status %d: %s", name, status, stderr)
		}
		golden.Check(t, "testdata/discover-"+name+".txt", strings.ReplaceAll(stdout, dir, "PROJECT"))
	}
	if err := os.WriteFile(file, []byte(orders), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, _ := discoverWith(t, "--file", file, "--json")
	golden.Check(t, "testdata/discover-orders.json", strings.ReplaceAll(stdout, dir, "PROJECT"))
	if got := new(discovered); status != exitDone || json.Unmarshal([]byte(stdout), got) != nil || len(got.Schema.Columns) != 5 || got.Written {
		t.Errorf("got status %d, %+v", status, got)
	}
	if data, err := os.ReadFile(schema); err != nil || !bytes.Equal(data, p.SchemaJSON) {
		t.Errorf("%v: the schema has changed without --write", err)
	}
}

// TestDiscoverWrite: what is written is what a person has written there, and what is new; or nothing is.
func TestDiscoverWrite(t *testing.T) {
	schema, p := withPipeline(t)
	for _, poison := range []int{0, 20} {
		status, stdout, stderr := discoverWith(t, "--write", "--file", input(t, tripLines(t, poison)))
		data, err := os.ReadFile(schema)
		if status != exitDone || err != nil || !bytes.Equal(data, p.SchemaJSON) || !strings.HasSuffix(stdout, "schema.json already says this.\n") {
			t.Errorf("%d poisoned: status %d, %v; the schema has changed, or is said to have:\n%s%s", poison, status, err, stdout, stderr)
		}
	}
	tests := []struct {
		name, input, stderr string // a part of it
		args                []string
		status              int
		want                string // the file, "" where it is as it was
	}{
		{name: "other data", input: orders[strings.Index(orders, "\n")+1:], args: []string{"--write"}, status: exitFault, stderr: "describes other data"},
		{name: "JSON", input: visits[:strings.LastIndex(visits, "{")], args: []string{"--write"}, status: exitFault, stderr: "the schema is for CSV, but the sample is JSON"},
		{
			name: "another format", input: orders, args: []string{"--write", "--replace"}, stderr: "pipeline.sql does not fit this schema, change it, too: ",
			want: `{
  "source": "SOURCE_SQL_STREAM_001",
  "format": {"type": "csv", "delimiter": ";", "header": true, "nulls": [""]},
  "columns": [
    {"name": "id", "alias": "COL0", "type": "INTEGER", "fake": {"integers": [[1, 3]]}},
    {"name": "customer", "alias": "COL1", "type": "VARCHAR(16)", "fake": {"text": "Smith; Sons"}},
    {"name": "amount", "alias": "COL2", "type": "REAL", "nullable": true, "fake": {"integers": [[7, 12]]}},
    {"name": "placed", "alias": "COL3", "type": "TIMESTAMP", "fake": {"time": "planned"}},
    {"name": "express", "alias": "COL4", "type": "BOOLEAN", "fake": {"text": "true"}}
  ]
}
`,
		},
		{
			name: "a day", input: "1,\"Jan 2, 2026\"\n2,\"Jan 3, 2026\"\n", args: []string{"--write", "--replace"}, stderr: "pipeline.sql does not fit this schema, change it, too: ",
			want: `{
  "source": "SOURCE_SQL_STREAM_001",
  "columns": [
    {"name": "COL0", "alias": "COL0", "type": "INTEGER", "fake": {"integers": [[1, 2]]}},
    {"name": "COL1", "alias": "COL1", "type": "DATE", "pattern": "MMM d, yyyy", "fake": {"time": "planned"}}
  ]
}
`,
		},
		{name: "an empty file", args: []string{"--write"}, status: exitFault, stderr: "input: all 1 records are empty"},
		{name: "another file", input: "1,a\n2,b\n", args: []string{"--write", "--schema", "other.json"}},
		{
			name: "replaced", input: "1,a\n2,b\n", args: []string{"--write", "--replace"}, stderr: "pipeline.sql does not fit this schema, change it, too: ",
			want: `{
  "source": "SOURCE_SQL_STREAM_001",
  "columns": [
    {"name": "COL0", "alias": "COL0", "type": "INTEGER", "fake": {"integers": [[1, 2]]}},
    {"name": "COL1", "alias": "COL1", "type": "CHAR(1)", "fake": {"text": "a"}}
  ]
}
`,
		},
		{
			name: "a column more", input: "1,a,2.5\n2,b,3.5\n", args: []string{"--write"},
			want: `{
  "source": "SOURCE_SQL_STREAM_001",
  "columns": [
    {"name": "COL0", "alias": "COL0", "type": "INTEGER", "fake": {"integers": [[1, 2]]}},
    {"name": "COL1", "alias": "COL1", "type": "CHAR(1)", "fake": {"text": "a"}},
    {"name": "COL2", "alias": "COL2", "type": "REAL", "fake": {"integers": [[2, 3]]}}
  ]
}
`,
		},
		{
			name: "a header with missing, repeated and two-line names", input: ",a,A,\"per\nunit\"\n" + strings.Repeat("1,2,3,x\n", 20), args: []string{"--write", "--replace"},
			stderr: "pipeline.sql does not fit this schema, change it, too: ",
			want: `{
  "source": "SOURCE_SQL_STREAM_001",
  "format": {"type": "csv", "multiline": true, "header": true},
  "columns": [
    {"name": "COL0", "alias": "COL0", "unnamed": true, "type": "INTEGER", "fake": {"text": "1"}},
    {"name": "a", "alias": "COL1", "type": "INTEGER", "fake": {"text": "2"}},
    {"name": "A_2", "alias": "COL2", "path": "A", "type": "INTEGER", "fake": {"text": "3"}},
    {"name": "per unit", "alias": "COL3", "path": "per\nunit", "type": "CHAR(1)", "fake": {"text": "x"}}
  ]
}
`,
		},
		{name: "a file that is broken", input: "1,a\n", args: []string{"--write", "--schema", "input"}, status: exitUsage, stderr: "read the existing schema"},
	}
	for _, test := range tests {
		before, err := os.ReadFile(schema)
		if err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := discoverWith(t, append(test.args, "--file", input(t, test.input))...)
		if status != test.status || !strings.Contains(stderr, test.stderr) {
			t.Errorf("%s: got status %d, %q, want %d, %q\n%s", test.name, status, stderr, test.status, test.stderr, stdout)
		}
		want := test.want
		if want == "" {
			want = string(before)
		}
		if after, err := os.ReadFile(schema); err != nil || string(after) != want {
			t.Errorf("%s: %v; the file is\n%s", test.name, err, after)
		}
		if test.status != exitDone {
			continue
		}
		written := schema
		if test.want == "" {
			written = "other.json"
		}
		data, err := os.ReadFile(written)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pipeline.Parse(data, p.SQL); err != nil {
			t.Errorf("%s: what was written is refused: %v", test.name, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(schema), "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("%v: left %q beside the pipeline's two files", err, left)
	}
}

// TestDiscoverSamples: the file that was sampled becomes the schema's samples, or nothing is written.
func TestDiscoverSamples(t *testing.T) {
	schema, _ := withPipeline(t)
	dir := filepath.Dir(schema)
	file := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	zipped := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	good := strings.Repeat(visits[:strings.LastIndex(visits, "{")], 10)
	const other = "pipeline.sql does not fit this schema"
	for _, test := range []struct {
		name, input, stdout, stderr string
		args                        []string
		status                      int
		samples                     string // the file that the schema names then
	}{
		{name: "visits.jsonl", input: good, args: []string{"--replace"}, stderr: other, stdout: "is written, and its samples", samples: "visits.jsonl"},
		{name: "visits.jsonl", input: good, stdout: "already says this", samples: "visits.jsonl"},
		{name: "visits.jsonl", input: good + good, stderr: other, stdout: "is written, and its samples", samples: "visits.jsonl"},
		{name: "visits 2.data", input: good, stderr: other, stdout: "is written, and its samples", samples: "samples.jsonl"},
		{name: "visits.jsonl", input: visits + good, status: exitFault, stderr: "samples visits.jsonl: line 3: not JSON", samples: "samples.jsonl"},
		{name: "large.jsonl", input: strings.Repeat(good, 1000), status: exitFault, stderr: "more than the 1048576 bytes", samples: "samples.jsonl"},
		{name: "orders.csv.gz", input: zipped(orders), args: []string{"--replace"}, stderr: other, stdout: "is written, and its samples", samples: "orders.csv"},
	} {
		if err := os.WriteFile(test.name, []byte(test.input), 0o600); err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := discoverWith(t, append(test.args, "--write", "--samples", "--file", test.name)...)
		if status != test.status || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) {
			t.Errorf("%s: got status %d, %q, want %d, %q\n%s", test.name, status, stderr, test.status, test.stderr, stdout)
		}
		p, err := pipeline.Read(os.DirFS(dir))
		if err != nil || p.Schema.Samples != test.samples || string(p.Samples) != file(test.samples) {
			t.Fatalf("%s: %v; the schema names %s, want %s", test.name, err, p.Schema.Samples, test.samples)
		}
		if want := strings.Contains(file("schema.json"), "fake"); want {
			t.Errorf("%s: the schema has fake values, too: %s", test.name, file("schema.json"))
		}
	}
	if got := file("orders.csv"); got != orders {
		t.Errorf("the samples are %q", got)
	}

	// A build goes by `sql translate`, and finds what is at fault.
	if err := os.WriteFile(filepath.Join(dir, "orders.csv"), []byte(orders+"4;x;y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"samples orders.csv: line 5: wrong number of columns", "schema.json names the samples orders.csv, which are not there"} {
		var stdout, stderr bytes.Buffer
		if status := Run(t.Context(), []string{"sql", "translate", filepath.Join(dir, "pipeline.sql")}, &stdout, &stderr); status != exitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("sql translate: got status %d, %q, want %q", status, stderr.String(), want)
		}
		_ = os.Remove(filepath.Join(dir, "orders.csv"))
	}
}

func TestDiscoverUsage(t *testing.T) {
	withPipeline(t)
	for name, value := range map[string]string{
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
		"AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	input(t, "1\n")
	for args, want := range map[string]string{
		"":                                    "no local stack runs",
		"--stream s":                          "no region",
		"--stream s --region eu-west-1":       "no AWS credentials",
		"--stream s --state-dir none":         "no local stack runs",
		"--s3 bucket/prefix":                  "want s3://BUCKET/PREFIX",
		"--s3 s3://":                          "want s3://BUCKET/PREFIX",
		"--s3 s3://b/p --file input":          "can't be used together",
		"--stack a --stream s":                "--stack samples the stack's own stream",
		"--file input --region eu-west-1":     "leave out --region",
		"--region eu-west-1":                  "name what to sample",
		"--stream s --region r --state-dir d": "--region is for AWS",
		"--file none":                         "none",
		"--file input --records 0":            "--records is 0",
		"--seconds 0":                         "--seconds is 0",
		"--from middle":                       "--from",
		"--file input --replace":              "--replace requires --write",
		"--file input --samples":              "--samples requires --write and --file",
		"--stream s --write --samples":        "--samples requires --write and --file",
		"--file input --delimiter ab":         "--delimiter is",
		"--file input --delimiter a":          "--delimiter is",
		"--file input --schema none":          "none",
	} {
		status, _, stderr := discoverWith(t, strings.Fields(args)...)
		if status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("discover %s: got status %d, %q, want %d, %q", args, status, stderr, exitUsage, want)
		}
	}
	for args, want := range map[string]string{"--no-header": "no header", "--header": "", `--delimiter \t`: `delimiter "\t"`} {
		input(t, "id,x\n1,a\n2,b\n")
		status, stdout, stderr := discoverWith(t, append(strings.Fields(args), "--file", "input")...)
		if status != exitDone || !strings.Contains(stdout, want) {
			t.Errorf("discover %s: got status %d, %s%s", args, status, stdout, stderr)
		}
	}
}

func TestStreamSource(t *testing.T) {
	t.Parallel()
	read := &sample.Sample{
		Shards: []sample.Shard{{ID: "shardId-000000000000", Records: 3}, {ID: "shardId-000000000001"}}, Aggregates: 2, Broken: 1,
		Records: []discover.Record{{}},
	}
	got, records, err := streamSource("trips", read, nil)
	want := "stream trips (3 of shardId-000000000000, 0 of shardId-000000000001; 2 aggregates unpacked; 1 broken aggregates)"
	if got != want || len(records) != 1 || err != nil {
		t.Errorf("got %q, %d records, %v, want %q", got, len(records), err, want)
	}
	if _, _, err := streamSource("trips", nil, fmt.Errorf("no")); err == nil {
		t.Error("the error is lost")
	}
}
