package engine_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/query"
	"streamproof/internal/query/engine"
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

func compile(t *testing.T, sql string) *query.Query {
	t.Helper()
	p, err := pipeline.Parse([]byte(schema), []byte(sql))
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func run(t *testing.T, q *query.Query, filtered bool, lines ...string) []string {
	t.Helper()
	sql, err := engine.Open(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sql.Close(); err != nil {
			t.Error(err)
		}
	}()
	var got []string
	for range 2 { // an engine runs its query as often as it is asked to
		got = nil
		err = sql.Rows(&records{lines: lines}, filtered, func(key []byte) { got = append(got, q.Output.Format(key)) })
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
			q := compile(t, destination+"INSERT INTO T SELECT A, B FROM S "+test.where+";")
			if got := run(t, q, true, lines...); !cmp.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got, want := run(t, q, false, lines...), []string{"1,3.3", "2,4", "3,-1.5", "2147483647,0.1"}; !cmp.Equal(got, want) {
				t.Errorf("without its WHERE, got %q, want %q", got, want)
			}
		})
	}
}
