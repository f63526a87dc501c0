package query_test

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

const schemaJSON = `{"source": "S", "columns": [
	{"name": "id", "alias": "A", "type": "INTEGER", "fake": {}},
	{"name": "amount", "alias": "B", "type": "REAL", "fake": {}},
	{"name": "flag", "alias": "C", "type": "VARCHAR(3)", "fake": {}},
	{"name": "other", "alias": "D", "type": "REAL", "fake": {}}
]}`

const destination = "CREATE TABLE T (X INTEGER, Y FLOAT);\n"

// Each view doubles the one before it, in parts and in text.
var manyParts, longColumn = func() (parts, text string) {
	parts = "CREATE VIEW V0 AS SELECT A, B FROM S; "
	text = parts
	for i := range 40 {
		parts += fmt.Sprintf("CREATE VIEW V%d AS SELECT A, B FROM V%d UNION ALL SELECT A, B FROM V%d; ", i+1, i, i)
		text += fmt.Sprintf("CREATE VIEW V%d AS SELECT A + A AS A, B FROM V%d; ", i+1, i)
	}
	const insert = "INSERT INTO T SELECT A, B FROM V40"
	return parts + insert, text + insert
}()

func compile(t *testing.T, sql string) (*query.Query, error) {
	t.Helper()
	p, err := pipeline.Parse([]byte(schemaJSON), []byte(sql))
	if err != nil {
		t.Fatal(err)
	}
	return query.Compile(p)
}

func TestCompileEmbeddedPipeline(t *testing.T) {
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := query.Compile(p); err != nil {
		t.Error(err)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := map[string]struct{ sql, want string }{
		"group by":                 {"INSERT INTO T SELECT A, B FROM S GROUP BY A, B", "2:34: GROUP BY, which is computed over several rows"},
		"a window":                 {"INSERT INTO T SELECT A, B FROM TABLE(TUMBLE(TABLE S, DESCRIPTOR(p), INTERVAL '1' MINUTE))", "2:32: a window"},
		"a random number":          {"INSERT INTO T SELECT RAND_INTEGER(A), B FROM S", "2:22: RAND_INTEGER, which gives another value each time"},
		"the time":                 {"INSERT INTO T SELECT A, B FROM S WHERE LOCALTIMESTAMP > TIMESTAMP '2016-02-01 00:00:00'", "2:40: LOCALTIMESTAMP, which depends on when Flink computes it"},
		"the processing time":      {"INSERT INTO T SELECT A, B FROM S WHERE PROCTIME() IS NULL", "2:40: PROCTIME, which depends on when Flink computes it"},
		"an aggregate":             {"INSERT INTO T SELECT COUNT(*), 1.5 FROM S", "2:22: COUNT, which is computed over several rows"},
		"an unknown function":      {"INSERT INTO T SELECT SOUNDEX(C), B FROM S", "2:22: SOUNDEX(TEXT)"},
		"a CAST":                   {"INSERT INTO T SELECT CAST(C AS INTEGER), B FROM S", "2:22: CAST would stop the job at a value that it cannot convert"},
		"decimals":                 {"INSERT INTO T SELECT A, B FROM S WHERE A * 1.5 > 3", "2:42: INTEGER * DECIMAL"},
		"a pattern":                {"INSERT INTO T SELECT A, B FROM S WHERE C LIKE D", "2:47: LIKE with a pattern that is no literal"},
		"an escape":                {"INSERT INTO T SELECT A, B FROM S WHERE C LIKE 'a!%' ESCAPE '!'", "2:60: LIKE with ESCAPE"},
		"a number for a condition": {"INSERT INTO T SELECT A, B FROM S WHERE A", "2:40: INTEGER as a condition"},
		"UNION of other types":     {"INSERT INTO T SELECT A, B FROM S UNION ALL SELECT 3000000000, B FROM S", "2:51: a column of BIGINT in UNION ALL with one of INTEGER"},
		"UNION of other numbers":   {"INSERT INTO T SELECT A, B FROM S UNION ALL SELECT A, A FROM S", "2:54: a column of INTEGER in UNION ALL with one of REAL"},
		"UNION of fewer columns":   {"INSERT INTO T SELECT A, B FROM S UNION ALL SELECT A FROM S", "2:44: 1 columns are selected, and 2 by the SELECT before"},
		"UNION of decimals":        {"INSERT INTO T SELECT A, 1.5 FROM S UNION ALL SELECT A, 2.25 FROM S", "2:25: a column of DECIMAL in UNION ALL"},
		"UNION of two":             {"INSERT INTO T SELECT A, B FROM S UNION SELECT A, B FROM S", "unexpected token"},
		"a view of another":        {"CREATE VIEW V AS SELECT A FROM S WHERE B > 1; INSERT INTO T SELECT A, B FROM V", "2:71: V has no column B"},
		"a view's own name":        {"CREATE VIEW V (X, Y) AS SELECT A, B FROM S; INSERT INTO T SELECT A, Y FROM V", "2:66: V has no column A"},
		"columns of one name":      {"CREATE VIEW V AS SELECT A, B AS A FROM S; INSERT INTO T SELECT A, 1.5 FROM V", "2:64: two columns are called A"},
		"a view of fewer columns":  {"CREATE VIEW V (X, Y) AS SELECT A FROM S; INSERT INTO T SELECT X, Y FROM V", "2:16: V has 2 columns, and its query 1"},
		"a view of a later view":   {"CREATE VIEW V AS SELECT A, B FROM W; CREATE VIEW W AS SELECT A, B FROM S; INSERT INTO T SELECT A, B FROM V", "2:18: it reads W, and the schema's source is S"},
		"a view of itself":         {"CREATE VIEW V AS SELECT A, B FROM V; INSERT INTO T SELECT A, B FROM V", "it reads V, and the schema's source is S"},
		"a view twice":             {"CREATE VIEW V AS SELECT A, B FROM S; CREATE VIEW V AS SELECT A, B FROM S; INSERT INTO T SELECT A, B FROM V", "2:50: there is a view V already"},
		"a view of a window":       {"CREATE VIEW P AS SELECT *, PROCTIME() AS p FROM S; CREATE VIEW V (A, B) AS SELECT A, B FROM TABLE(TUMBLE(TABLE P, DESCRIPTOR(p), INTERVAL '1' MINUTE)) GROUP BY A, B; INSERT INTO T SELECT A, B FROM V", "2:93: a window (TUMBLE), which is computed over several rows"},
		"a view of the time":       {"CREATE VIEW P AS SELECT *, PROCTIME() AS p FROM S; INSERT INTO T SELECT A, B FROM P", "2:28: PROCTIME, which depends on when Flink computes it"},
		"a view that is grouped":   {"CREATE VIEW V AS SELECT A, B FROM S GROUP BY A, B; INSERT INTO T SELECT A, B FROM V", "2:37: GROUP BY, which is computed over several rows"},
		"a view of a decimal":      {"CREATE VIEW V AS SELECT A, 1.5 AS B FROM S; INSERT INTO T SELECT A, B FROM V", "2:28: a column of DECIMAL that is read by another SELECT"},
		"a view of NULL":           {"CREATE VIEW V AS SELECT A, NULL AS B FROM S; INSERT INTO T SELECT A, B FROM V", "2:28: a column of NULL that is read by another SELECT"},
		"a view of a blank":        {"CREATE VIEW V AS SELECT A, B, 'x ' AS X FROM S; INSERT INTO T SELECT A, B FROM V", "2:31: a text that ends with a blank"},
		"one of two blanks":        {"CREATE VIEW V AS SELECT A, B, 'x' AS X FROM S UNION ALL SELECT A, B, 'y ' FROM S; INSERT INTO T SELECT A, B FROM V", "2:70: a text that ends with a blank"},
		"a view as a pattern":      {"CREATE VIEW V AS SELECT A, B, C, 'x%' AS X FROM S; INSERT INTO T SELECT A, B FROM V WHERE C LIKE X", "LIKE with a pattern that is no literal"},
		"a subquery's other name":  {"INSERT INTO T SELECT S.A, B FROM (SELECT A, B FROM S) AS Q", `unexpected token "S.A"`},
		"many SELECTs":             {manyParts, "more than 64 SELECTs, with those of its views"},
		"a long column":            {longColumn, "it reads a column that is too long once its views are expanded"},
		"a part of UNION":          {"INSERT INTO T SELECT A, B FROM S UNION ALL SELECT A, B FROM S WHERE RAND() < 0.5", "2:69: RAND, which gives another value each time"},
		"distinct":                 {"INSERT INTO T SELECT DISTINCT A, B FROM S", "2:22: DISTINCT, which is computed over several rows"},
		"a join":                   {"INSERT INTO T SELECT A, B FROM S, S", `unexpected token ","`},
		"an unknown column":        {"INSERT INTO T SELECT A, COL99 FROM S", "S has no column COL99"},
		"another case":             {"INSERT INTO T SELECT a, B FROM S", "S has no column a"},
		"a quoted column":          {`INSERT INTO T SELECT "A", B FROM S`, "unexpected token"},
		"a quoted source":          {`INSERT INTO T SELECT A, B FROM "S"`, "unexpected token"},
		"another qualifier":        {"INSERT INTO T SELECT S.A, B FROM S AS R", `unexpected token "S.A"`},
		"an unknown source":        {"INSERT INTO T SELECT A, B FROM Z", "the schema's source is S"},
		"another destination":      {"INSERT INTO U SELECT A, B FROM S", "inserts into U"},
		"too few columns":          {"INSERT INTO T SELECT A FROM S", "1 columns are selected for 2"},
		"another type":             {"INSERT INTO T SELECT B, A FROM S", "how Flink turns B REAL into X INTEGER"},
		"text comparison":          {"INSERT INTO T SELECT A, B FROM S WHERE C = 3", "2:42: equal INTEGER with TEXT"},
		"mixed comparison":         {"INSERT INTO T SELECT A, B FROM S WHERE A = B", "2:42: equal INTEGER with REAL"},
		"two literals":             {"INSERT INTO T SELECT A, B FROM S WHERE 1 = 1", "two literals"},
		"a long literal":           {"INSERT INTO T SELECT A, B FROM S WHERE B < 1.2345678901234567", "longer than"},
		"a large literal":          {"INSERT INTO T SELECT A, B FROM S WHERE B < 16777217", "a float compared with 16777217"},
		"an overflow":              {"INSERT INTO T SELECT A, B FROM S WHERE A < 9223372036854775808", "longer than a BIGINT"},
		"no insert":                {"", "1:1: there is no INSERT"},
		"two inserts":              {"INSERT INTO T SELECT A, B FROM S; INSERT INTO T SELECT A, B FROM S", "2:35: line 2 already has the INSERT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t, destination+test.sql)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestDestination(t *testing.T) {
	tests := map[string]struct {
		sql  string
		want row.Schema
		err  string
	}{
		"with the schema's names": {sql: "CREATE TABLE T (A INTEGER, amount FLOAT, `value` VARCHAR(3)); INSERT INTO T SELECT A, B, C FROM S", want: row.Schema{
			{Name: "id", Alias: "A", Type: schema.Type{Kind: schema.Integer}},
			{Name: "amount", Alias: "amount", Type: schema.Type{Kind: schema.Real}},
			{Name: "value", Alias: "value", Type: schema.Type{Kind: schema.VarChar, Length: 3}},
		}},
		"of any query": {
			sql: `-- a view first
				CREATE TEMPORARY VIEW V AS SELECT UPPER(C) || ';' AS C, A FROM S /* CREATE TABLE */;
				CREATE TABLE T (n BIGINT);
				INSERT INTO T SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE V, DESCRIPTOR(pt), INTERVAL '1' MINUTE)) GROUP BY C`,
			want: row.Schema{{Name: "n", Alias: "n", Type: schema.Type{Kind: schema.BigInt}}},
		},
		"no table":         {sql: "INSERT INTO T SELECT A FROM S", err: "1:1: there is no CREATE TABLE"},
		"two tables":       {sql: "CREATE TABLE T (A INTEGER); CREATE TABLE U (A INTEGER); INSERT INTO T SELECT A FROM S", err: "1:29: line 1 already has the CREATE TABLE"},
		"an unknown type":  {sql: "CREATE TABLE T (A MAP); INSERT INTO T SELECT A FROM S", err: "1:17: SQL type MAP is not supported"},
		"a name twice":     {sql: "CREATE TABLE T (A INTEGER, id INTEGER); INSERT INTO T SELECT A FROM S", err: "1:28: two columns are called id"},
		"a broken table":   {sql: "CREATE TABLE T (A INTEGER", err: "1:26: unexpected token"},
		"an open sentence": {sql: "CREATE TABLE T (A INTEGER) WITH ('format' = 'csv'); INSERT INTO T SELECT A FROM S", err: "1:28: leave out WITH"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := pipeline.Parse([]byte(schemaJSON), []byte(test.sql))
			if err != nil {
				t.Fatal(err)
			}
			got, err := query.Destination(p)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

// Destination and Compile read the same columns from every query that the verifier accepts.
func TestDestinationMatchesOutput(t *testing.T) {
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := query.Destination(p)
	if err != nil || !slices.Equal(got, q.Output) {
		t.Errorf("got %+v, %v, want %+v", got, err, q.Output)
	}
}

// The verifier runs the translation of the legacy dialect, here the project's own query.
func TestLegacyDialect(t *testing.T) {
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	want, err := query.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := os.ReadFile("../dialect/testdata/taxi/exercise.sql")
	if err != nil {
		t.Fatal(err)
	}
	if p, err = pipeline.Parse(p.SchemaJSON, legacy); err != nil {
		t.Fatal(err)
	}
	got, err := query.Compile(p)
	if err != nil || !reflect.DeepEqual(got.Parts, want.Parts) || !slices.Equal(got.Output, want.Output) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	output, err := query.Destination(p)
	if err != nil || !slices.Equal(output, want.Output) {
		t.Errorf("got %+v, %v, want %+v", output, err, want.Output)
	}
}

func TestLegacyDialectErrors(t *testing.T) {
	for sql, want := range map[string]string{
		`CREATE STREAM T (X INTEGER); CREATE PUMP P AS INSERT INTO T SELECT STREAM A FROM S WHERE ROWTIME IS NULL`:                                                                       "LOCALTIMESTAMP, which depends on when Flink computes it",
		`CREATE STREAM T (X BIGINT); CREATE PUMP P AS INSERT INTO T SELECT STREAM COUNT(*) FROM S GROUP BY FLOOR(ROWTIME TO DAY)`:                                                        "a window (TUMBLE), which is computed over several rows",
		`CREATE STREAM U (Y TIMESTAMP); CREATE PUMP Q AS INSERT INTO U SELECT STREAM ROWTIME FROM S; CREATE STREAM T (X INTEGER); CREATE PUMP P AS INSERT INTO T SELECT STREAM 1 FROM U`: "LOCALTIMESTAMP, which depends on when Flink computes it",
		`CREATE STREAM T (X INTEGER); CREATE PUMP P AS INSERT INTO T SELECT STREAM Z FROM S`:                                                                                             "pipeline.sql:1:75: S has no column Z",
		`CREATE STREAM T (X INTEGER NOT NULL); CREATE PUMP P AS INSERT INTO T SELECT STREAM A FROM S`:                                                                                    `unexpected token "NOT"`,
	} {
		_, err := compile(t, sql)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", sql, err, want)
		}
	}
}

// written writes a query of one SELECT of columns, with a comparison.
func written(q *query.Query) string {
	var columns []string
	for _, x := range q.Parts[0].Columns {
		columns = append(columns, q.Source.Columns[x.Column].Alias)
	}
	where := q.Parts[0].Where
	return fmt.Sprintf("SELECT %s WHERE (%s %s %v)", strings.Join(columns, ", "), q.Source.Columns[where.Args[0].Column].Alias, where.Op, where.Args[1].Value)
}

// TestExercise: the SQL of the exercise, in the dialect of the closed service, is the query of pipeline.sql.
func TestExercise(t *testing.T) {
	t.Parallel()
	want, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/analytics.sql")
	if err != nil {
		t.Fatal(err)
	}
	exercise := *want
	exercise.SQL = text
	for _, p := range []*pipeline.Pipeline{want, &exercise} {
		q, err := query.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		const want = "SELECT COL0, COL3, COL4, COL18 WHERE (COL0 < 3)"
		if got := written(q); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
