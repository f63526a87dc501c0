package dialect_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/dialect"
	"streamproof/internal/golden"
	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
)

// schemaOf reads the schema.json of a directory of testdata, or the project's own if it has none.
func schemaOf(t *testing.T, dir string) schema.Schema {
	t.Helper()
	file := filepath.Join("testdata", dir, "schema.json")
	if _, err := os.Stat(file); err != nil {
		file = "../../pipeline/schema.json"
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.Parse(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.Schema
}

const translated = ".flink.sql"

// programs are testdata's programs in the legacy dialect.
func programs(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		if !strings.HasSuffix(file, translated) {
			all = append(all, file)
		}
	}
	if len(all) < 25 {
		t.Fatalf("got %d programs, want at least 25", len(all))
	}
	return all
}

// TranslationTest of the Flink job has Flink plan each of the golden translations.
func TestTranslate(t *testing.T) {
	for _, file := range programs(t) {
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			schema := schemaOf(t, filepath.Base(filepath.Dir(file)))
			got, err := dialect.Translate(string(text), schema)
			if err != nil {
				t.Fatal(err)
			}
			goldenFile := strings.TrimSuffix(file, ".sql") + translated
			golden.Check(t, goldenFile, got)
			// The job accepts exactly one of each.
			if strings.Count(got, "CREATE TABLE ") != 1 || strings.Count(got, "INSERT INTO ") != 1 {
				t.Errorf("want one CREATE TABLE and one INSERT")
			}
			// The translation is Flink SQL, which stays as it is.
			again, err := dialect.Translate(got, schema)
			if err != nil || again != got {
				t.Errorf("the translation of the translation: %v\n%s", err, cmp.Diff(got, again))
			}
		})
	}
}

// TestTypesOfRecords: columns have the types in schema.json, including DATE, DECIMAL and fractions of a second, so that
// nothing is converted without need, and no text is cut.
func TestTypesOfRecords(t *testing.T) {
	t.Parallel()
	schema, err := schema.Parse([]byte(`{"source":"S","columns":[{"name":"d","alias":"D","type":"DATE"},{"name":"m","alias":"M","type":"DECIMAL(8,2)"},
		{"name":"t","alias":"T","type":"TIMESTAMP","pattern":"yyyy-MM-dd HH:mm:ss.SSS"},{"name":"u","alias":"U","type":"TIMESTAMP"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := dialect.Translate(`CREATE STREAM R (A DATE, B DOUBLE, C TIMESTAMP, E VARCHAR(22), F VARCHAR(22), G VARCHAR(10));
		CREATE PUMP P AS INSERT INTO R SELECT STREAM D, M, T, CAST(T AS VARCHAR(22)), CAST(U AS VARCHAR(22)), CAST(D AS VARCHAR(10)) FROM S`, schema)
	if err != nil {
		t.Fatal(err)
	}
	const want = `INSERT INTO R
SELECT D, TRY_CAST(M AS DOUBLE), T, TRY_CAST(T AS STRING), TRY_CAST(U AS VARCHAR(22)), TRY_CAST(D AS VARCHAR(10))
FROM S;`
	if flat := strings.Join(strings.Fields(got), " "); !strings.HasSuffix(flat, strings.Join(strings.Fields(want), " ")) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSeveralSelects: each of several SELECTs returns the stream's own types. Flink would choose one for UNION ALL by
// its own rules, and would give a view the selected type, so that a REAL filled with an INTEGER would be divided as an
// integer.
func TestSeveralSelects(t *testing.T) {
	t.Parallel()
	const stream = "CREATE STREAM R (X DOUBLE); CREATE PUMP P AS INSERT INTO R "
	for program, want := range map[string]string{
		stream + "SELECT STREAM A FROM S":                                  "CREATE TABLE R ( X DOUBLE ); INSERT INTO R SELECT A FROM S;",
		stream + "SELECT STREAM A FROM S UNION ALL SELECT STREAM B FROM S": "CREATE TABLE R ( X DOUBLE ); INSERT INTO R SELECT TRY_CAST(A AS DOUBLE) FROM S UNION ALL SELECT TRY_CAST(B AS DOUBLE) FROM S;",
		"CREATE STREAM T (Y REAL); CREATE PUMP Q AS INSERT INTO T SELECT STREAM A FROM S; " + stream + "SELECT STREAM Y / 2 FROM T": "CREATE TEMPORARY VIEW T (Y) AS SELECT TRY_CAST(A AS FLOAT) FROM S; CREATE TABLE R ( X DOUBLE ); INSERT INTO R SELECT Y / 2 FROM T;",
	} {
		got, err := dialect.Translate(program, small(t))
		if got = strings.Join(strings.Fields(got), " "); err != nil || got != want {
			t.Errorf("%s:\ngot %s, %v\nwant %s", program, got, err, want)
		}
	}
}
