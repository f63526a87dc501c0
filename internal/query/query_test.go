package query_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/query"
	"streamproof/pipeline"
)

// records are CSV lines without quotes.
type records struct {
	lines  []string
	fields [][]byte
}

func (r *records) Next() bool {
	if len(r.lines) == 0 {
		return false
	}
	r.fields = bytes.Split([]byte(r.lines[0]), []byte(","))
	r.lines = r.lines[1:]
	return true
}

func (r *records) Field(i int) []byte { return r.fields[i] }

const schema = `{"source": "S", "columns": [
	{"name": "id", "alias": "A", "type": "INTEGER", "fake": {}},
	{"name": "amount", "alias": "B", "type": "REAL", "fake": {}},
	{"name": "flag", "alias": "C", "type": "VARCHAR(3)", "fake": {}},
	{"name": "other", "alias": "D", "type": "REAL", "fake": {}}
]}`

const destination = "CREATE TABLE T (X INTEGER, Y FLOAT);\n"

func compile(t *testing.T, sql string) (*query.Query, error) {
	t.Helper()
	p, err := pipeline.Parse([]byte(schema), []byte(sql))
	if err != nil {
		t.Fatal(err)
	}
	return query.Compile(p)
}

func run(t *testing.T, q *query.Query, filtered bool, lines ...string) []string {
	t.Helper()
	engine, err := q.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}()
	var got []string
	for range 2 { // an engine runs its query as often as it is asked to
		got = nil
		err = engine.Rows(&records{lines: lines}, filtered, func(key []byte) { got = append(got, q.Output.Format(key)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestRows(t *testing.T) {
	lines := []string{"1,3.3,N,3.3", "2,4,Y,3", "3,-1.5,N,0", "2147483647,0.1,N,0.1"}
	tests := map[string]struct {
		where string
		want  []string
	}{
		"no condition": {"", []string{"1,3.3", "2,4", "3,-1.5", "2147483647,0.1"}},
		"integer":      {"WHERE A < 3", []string{"1,3.3", "2,4"}},
		// 3.3 as a 32-bit float is a little less than 3.3, and 0.1 a little more than 0.1.
		"a 32-bit float and a double": {"WHERE B < 3.3 AND A = 1 OR B <= 0.1 OR B = 4.0", []string{"1,3.3", "2,4", "3,-1.5"}},
		"and, or, not, parentheses":   {"where not (A = 1 or A = 2) and B <> 0.5 /* x */", []string{"3,-1.5", "2147483647,0.1"}},
		"negative literal":            {"WHERE B <= -1", []string{"3,-1.5"}},
		"two columns":                 {"WHERE B > D -- the rest", []string{"2,4"}},
		"null":                        {"WHERE A IS NOT NULL AND C IS NOT NULL AND A >= 3", []string{"3,-1.5", "2147483647,0.1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			q, err := compile(t, destination+"INSERT INTO T SELECT A, B FROM S "+test.where+";")
			if err != nil {
				t.Fatal(err)
			}
			if got := run(t, q, true, lines...); !cmp.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got, want := run(t, q, false, lines...), []string{"1,3.3", "2,4", "3,-1.5", "2147483647,0.1"}; !cmp.Equal(got, want) {
				t.Errorf("without its WHERE, got %q, want %q", got, want)
			}
		})
	}
}

func TestEmbeddedPipelineCanBeJudged(t *testing.T) {
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
		"group by":            {"INSERT INTO T SELECT A, B FROM S GROUP BY A, B", `2:34: unexpected token "GROUP"`},
		"arithmetic":          {"INSERT INTO T SELECT A + 1, B FROM S", `2:24: unexpected token "+"`},
		"a function":          {"INSERT INTO T SELECT ABS(A), B FROM S", `unexpected token "("`},
		"like":                {"INSERT INTO T SELECT A, B FROM S WHERE C LIKE 'a'", `unexpected token "LIKE"`},
		"distinct":            {"INSERT INTO T SELECT DISTINCT A, B FROM S", `unexpected token "A"`},
		"a join":              {"INSERT INTO T SELECT A, B FROM S, S", `unexpected token ","`},
		"an unknown column":   {"INSERT INTO T SELECT A, COL99 FROM S", "S has no column COL99"},
		"another case":        {"INSERT INTO T SELECT a, B FROM S", "S has no column a"},
		"a quoted column":     {`INSERT INTO T SELECT "A", B FROM S`, "unexpected token"},
		"an unknown source":   {"INSERT INTO T SELECT A, B FROM Z", "the schema's source is S"},
		"another destination": {"INSERT INTO U SELECT A, B FROM S", "inserts into U"},
		"too few columns":     {"INSERT INTO T SELECT A FROM S", "1 columns are selected for 2"},
		"another type":        {"INSERT INTO T SELECT B, A FROM S", "how Flink turns B REAL into X INTEGER"},
		"text comparison":     {"INSERT INTO T SELECT A, B FROM S WHERE C = 3", "compare C VARCHAR(3)"},
		"mixed comparison":    {"INSERT INTO T SELECT A, B FROM S WHERE A = B", "an integer with a float"},
		"two literals":        {"INSERT INTO T SELECT A, B FROM S WHERE 1 = 1", "two literals"},
		"a long literal":      {"INSERT INTO T SELECT A, B FROM S WHERE B < 1.2345678901234567", "longer than"},
		"a large literal":     {"INSERT INTO T SELECT A, B FROM S WHERE B < 16777217", "a float with 16777217"},
		"an overflow":         {"INSERT INTO T SELECT A, B FROM S WHERE A < 2147483648", "longer than"},
		"no insert":           {"", "it has to have"},
		"two inserts":         {"INSERT INTO T SELECT A, B FROM S; INSERT INTO T SELECT A, B FROM S", "one INSERT only"},
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
