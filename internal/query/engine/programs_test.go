package engine_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/dialect"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
)

// programs are also run by the Flink job's JobTest.
func programs(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(table + "programs/*.golden")
	if err != nil || len(files) < 8 {
		t.Fatalf("got %v, %v, want 8 programs or more", files, err)
	}
	return files
}

// The verifier computes the rows that the Flink job delivered, each as often: for several SELECTs, for views over views
// and for views over several SELECTs.
func TestProgramsMatchFlink(t *testing.T) {
	t.Parallel()
	for _, golden := range programs(t) {
		name := strings.TrimSuffix(filepath.Base(golden), ".golden")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sql := read(t, "programs/"+name+".sql")
			p, err := pipeline.Parse(read(t, "schema.json"), sql)
			if err != nil {
				t.Fatal(err)
			}
			if legacy, err := os.ReadFile(table + "programs/" + name + ".legacy.sql"); err == nil {
				flink, err := dialect.Translate(string(legacy), p.Schema)
				if err != nil || flink != string(sql) {
					t.Errorf("its translation is %s, %v", flink, err)
				}
			}
			q, err := query.Compile(p)
			if err != nil {
				t.Fatal(err)
			}
			e, err := engine.New(q)
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			err = e.Rows(&nullable{rows: tableRows(t)}, true, func(key []byte) { got = append(got, q.Output.Format(key)) })
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(read(t, "programs/"+name+".golden"))) {
				key, err := q.Output.Append(nil, []byte(strings.TrimSuffix(line, "\n")))
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				want = append(want, q.Output.Format(key))
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
				t.Errorf("(-Flink +verifier)\n%s", diff)
			}
		})
	}
}
