package pipeline_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/pipeline"
)

// TestTheFile: the project's own schema is read as it always was, its hash is what the ledgers of running stacks name,
// and it would be written as it stands.
func TestTheFile(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if !p.Schema.Format.IsDefault() || len(p.Schema.Columns) != 19 {
		t.Errorf("got format %+v and %d columns", p.Schema.Format, len(p.Schema.Columns))
	}
	file, err := os.ReadFile("../../pipeline/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Schema.Encode()
	if diff := cmp.Diff(string(file), string(got)); diff != "" || err != nil {
		t.Errorf("Encode: %v (-want +got):\n%s", err, diff)
	}
}

// TestSamples: a pipeline has the samples that its schema names, and its hash is of them, too.
func TestSamples(t *testing.T) {
	t.Parallel()
	const columns = `"columns":[{"name":"a","alias":"A","type":"INTEGER"}]}`
	const with, without = `{"source":"S","samples":"a-b_1.jsonl",` + columns, `{"source":"S",` + columns
	const sql = "SELECT 1"
	folder := func(schema, samples string) fstest.MapFS {
		files := fstest.MapFS{"schema.json": {Data: []byte(schema)}, "pipeline.sql": {Data: []byte(sql)}}
		if samples != "none" {
			files["a-b_1.jsonl"] = &fstest.MapFile{Data: []byte(samples)}
		}
		return files
	}
	hashes := map[string]bool{}
	for samples, schema := range map[string]string{"": with, "{}": with, "{} ": with, "none": without} {
		p, err := pipeline.Read(folder(schema, samples))
		if err != nil {
			t.Errorf("%q: %v", samples, err)
			continue
		}
		if want := strings.TrimPrefix(samples, "none"); string(p.Samples) != want || (p.Samples == nil) != (samples == "none") {
			t.Errorf("got samples %q, want %q", p.Samples, want)
		}
		if hashes[p.Hash()] {
			t.Errorf("%q: its hash is another one's", samples)
		}
		hashes[p.Hash()] = true
	}
	// As it was before there were samples: sha256 of "68\n" and the schema, "8\n" and the SQL.
	p, err := pipeline.Parse([]byte(without), []byte(sql))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Hash(), "b945df5b9a928ce71d2fa11450e7e6e5921f51c6cd99b5a0aa466eb7accbb2c8"; got != want {
		t.Errorf("got hash %s, want %s", got, want)
	}

	for name, test := range map[string]struct {
		folder fstest.MapFS
		want   string
	}{
		"not there":   {folder(with, "none"), "a-b_1.jsonl, which are not there"},
		"too many":    {folder(with, strings.Repeat("{}\n", pipeline.MaxSamples/3+1)), "a-b_1.jsonl has 1048578 bytes"},
		"not UTF-8":   {folder(with, "\xff"), "a-b_1.jsonl is not UTF-8"},
		"a path":      {folder(strings.Replace(with, "a-b_1", "../a", 1), "{}"), `samples is "../a.jsonl"`},
		"the schema":  {folder(strings.Replace(with, "a-b_1.jsonl", "schema.json", 1), "{}"), `samples is "schema.json"`},
		"Go's":        {folder(strings.Replace(with, "a-b_1.jsonl", "a.go", 1), "{}"), `samples is "a.go"`},
		"no schema":   {fstest.MapFS{}, "schema.json"},
		"a bad file":  {folder("{", "{}"), "schema.json"},
		"no pipeline": {fstest.MapFS{"schema.json": {Data: []byte(without)}}, "pipeline.sql"},
	} {
		if _, err := pipeline.Read(test.folder); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, test.want)
		}
	}
	if _, err := pipeline.ParseWithSamples([]byte(without), []byte(sql), []byte("{}")); err == nil {
		t.Error("samples that no schema names are taken")
	}
}
