package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"streamproof/internal/golden"
	"streamproof/internal/schema"
)

// TestResolved checks that the resolved schemas that tests of the Flink job read match the schemas beside them.
func TestResolved(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../*/testdata/*/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../query/testdata/schema.json", "testdata/schema.json", "../../pipeline/schema.json")
	if len(files) < 6 {
		t.Fatalf("got only %q", files)
	}
	for _, file := range files {
		resolved := filepath.Join(filepath.Dir(file), "schema.resolved.json")
		if file == "../../pipeline/schema.json" {
			resolved = "testdata/project.resolved.json"
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, resolved, resolve(t, text))
	}
}

// TestResolvedRecords is TestResolved for the schemas of the table of records.
func TestResolvedRecords(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../record/testdata/records.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	for name, text := range table.Schemas {
		table.Schemas[name] = resolve(t, text)
	}
	var got []byte
	for _, name := range slices.Sorted(maps.Keys(table.Schemas)) {
		got = fmt.Appendf(got, ",\n%q: %s", name, bytes.TrimSuffix(table.Schemas[name], []byte("\n")))
	}
	golden.Check(t, "../record/testdata/schemas.resolved.json", append(append([]byte("{"), got[1:]...), "\n}\n"...))
}

// TestResolvedFormats is TestResolved for the schemas of the generator's golden files.
func TestResolvedFormats(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../generator/testdata/v1-format-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden files of the generator: %q, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var table struct {
			Schema json.RawMessage `json:"schema"`
		}
		if err := json.Unmarshal(text, &table); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, strings.Replace(file, "v1-format-", "v1-schema-", 1), resolve(t, table.Schema))
	}
}

func resolve(t *testing.T, text []byte) []byte {
	t.Helper()
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolved()
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}
