package engine_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/schema"
)

// records are CSV lines without quotes.
type records struct {
	lines  []string
	fields [][]byte
	next   int
}

func (r *records) Rewind() { r.next = 0 }

func (r *records) Next() bool {
	if r.next == len(r.lines) {
		return false
	}
	r.fields = bytes.Split([]byte(r.lines[r.next]), []byte(","))
	r.next++
	return true
}

func (r *records) Field(i int) ([]byte, bool) { return r.fields[i], false }

const schemaJSON = `{"source": "S", "columns": [
	{"name": "id", "alias": "A", "type": "INTEGER", "fake": {}},
	{"name": "amount", "alias": "B", "type": "REAL", "fake": {}},
	{"name": "flag", "alias": "C", "type": "VARCHAR(3)", "fake": {}},
	{"name": "other", "alias": "D", "type": "REAL", "fake": {}}
]}`

const destination = "CREATE TABLE T (X INTEGER, Y FLOAT);\n"

func compile(t *testing.T, sql string) *query.Query {
	t.Helper()
	p, err := pipeline.Parse([]byte(schemaJSON), []byte(sql))
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
	sql, err := engine.New(q)
	if err != nil {
		t.Fatal(err)
	}
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

// A row that the verifier cannot compute is an error with its reason. Without the WHERE, such rows are skipped.
func TestUncertainRows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sql, want  string
		unfiltered []string
	}{
		"division by zero": {"CREATE TABLE T (X INTEGER, Y INTEGER); INSERT INTO T SELECT A, 6 / A FROM S", "a division of 6 by 0", []string{"2,3"}},
		"in the WHERE":     {"CREATE TABLE T (X INTEGER, Y INTEGER); INSERT INTO T SELECT A, 1 FROM S WHERE 6 / A > 9", "a division of 6 by 0", []string{"0,1", "2,1"}},
		"of constants":     {"CREATE TABLE T (X INTEGER, Y INTEGER); INSERT INTO T SELECT A, 1 / 0 FROM S", "a division of 1 by 0", nil},
		"an infinity":      {"CREATE TABLE T (X INTEGER, Y FLOAT); INSERT INTO T SELECT A, B / D FROM S", "no finite number", []string{"2,0.5"}},
		"a longer text":    {"CREATE TABLE T (X INTEGER, Y VARCHAR(2)); INSERT INTO T SELECT A, C FROM S", "is not of type VARCHAR(2)", []string{`2,"Y"`}},
		"a shorter text":   {"CREATE TABLE T (X INTEGER, Y CHAR(3)); INSERT INTO T SELECT A, C FROM S", "the job rejects", []string{`0,"abc"`}},
		"a NULL as text":   {"CREATE TABLE T (X INTEGER, Y VARCHAR(3)); INSERT INTO T SELECT A, NULLIF(C, 'abc') FROM S", "a NULL that reads as empty text", []string{`2,"Y"`}},
		"a NULL as all":    {"CREATE TABLE T (X INTEGER); INSERT INTO T SELECT NULLIF(A, 0) FROM S", "a NULL that reads as empty text", []string{"2"}},
		"left out before":  {"CREATE TABLE T (X INTEGER, Y INTEGER); INSERT INTO T SELECT A, 1 FROM S WHERE A <> 0 AND 6 / A > 2", "", []string{"0,1", "2,1"}},
		// Flink computes the SELECTs side by side, so the rows of the others are delivered.
		"in one of two":       {"CREATE TABLE T (X INTEGER, Y INTEGER); INSERT INTO T SELECT A, 6 / A FROM S UNION ALL SELECT A, 7 FROM S", "a division of 6 by 0", []string{"2,3", "0,7", "2,7"}},
		"in the other":        {"CREATE TABLE T (X INTEGER, Y INTEGER); INSERT INTO T SELECT A, 7 FROM S UNION ALL SELECT A, 6 / A FROM S WHERE A >= 0", "a division of 6 by 0", []string{"0,7", "2,7", "2,3"}},
		"in a view":           {"CREATE TABLE T (X INTEGER, Y INTEGER); CREATE VIEW V AS SELECT A, 6 / A AS Z FROM S; INSERT INTO T SELECT A, Z FROM V", "a division of 6 by 0", []string{"2,3"}},
		"left out by it":      {"CREATE TABLE T (X INTEGER, Y INTEGER); CREATE VIEW V AS SELECT A, 6 / A AS Z FROM S WHERE A > 0; INSERT INTO T SELECT A, Z FROM V", "", []string{"2,3"}},
		"asked for by none":   {"CREATE TABLE T (X INTEGER, Y INTEGER); CREATE VIEW V AS SELECT A, 6 / A AS Z FROM S; INSERT INTO T SELECT A, 1 FROM V", "a division of 6 by 0", []string{"0,1", "2,1"}},
		"left out too late":   {"CREATE TABLE T (X INTEGER, Y INTEGER); CREATE VIEW V AS SELECT A, 6 / A AS Z FROM S; INSERT INTO T SELECT A, Z FROM V WHERE A > 0", "a division of 6 by 0", []string{"2,3"}},
		"in either order":     {"CREATE TABLE T (X INTEGER, Y INTEGER); CREATE VIEW V AS SELECT A FROM S WHERE A > 0; INSERT INTO T SELECT A, 1 FROM V WHERE 6 / A > 0", "a division of 6 by 0", []string{"0,1", "2,1"}},
		"no division by zero": {"CREATE TABLE T (X INTEGER, Y INTEGER); INSERT INTO T SELECT A, 6 / A FROM S WHERE A <> 0", "", []string{"2,3"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := compile(t, test.sql)
			sql, err := engine.New(q)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // one fault does not stay for the next run
				err = sql.Rows(&records{lines: []string{"0,1,abc,0", "2,1,Y,2"}}, true, func([]byte) {})
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("got error %v, want one with %q", err, test.want)
				}
				var got []string
				err = sql.Rows(&records{lines: []string{"0,1,abc,0", "2,1,Y,2"}}, false, func(key []byte) { got = append(got, q.Output.Format(key)) })
				if err != nil || !cmp.Equal(got, test.unfiltered) {
					t.Errorf("without its WHERE, got %q, %v, want %q", got, err, test.unfiltered)
				}
			}
		})
	}
}

// nullable are records whose values are NULL where they are nil.
type nullable struct {
	rows [][]any
	row  []any
	next int
}

func (r *nullable) Rewind() { r.next = 0 }

func (r *nullable) Next() bool {
	if r.next == len(r.rows) {
		return false
	}
	r.row = r.rows[r.next]
	r.next++
	return true
}

func (r *nullable) Field(i int) ([]byte, bool) {
	text, ok := r.row[i].(string)
	return []byte(text), !ok
}

// TestNullsDatesAndDecimals: days and decimal numbers compare exactly, by value. The verifier refuses every
// other use of them.
func TestNullsDatesAndDecimals(t *testing.T) {
	t.Parallel()
	const schemaJSON = `{"source": "S", "format": {"nulls": [""]}, "columns": [
		{"name": "n", "alias": "N", "type": "INTEGER"}, {"name": "d", "alias": "D", "type": "DATE", "nullable": true},
		{"name": "m", "alias": "M", "type": "DECIMAL(38,10)", "nullable": true}, {"name": "t", "alias": "T", "type": "TIMESTAMP", "pattern": "yyyy-MM-dd HH:mm:ss[.SSSSSSSSS]", "nullable": true},
		{"name": "v", "alias": "V", "type": "VARCHAR", "nullable": true}]}`
	rows := [][]any{
		{"1", "2026-01-31", "12345678901234567890.0000000001", "2026-01-31 00:00:00", "a"},
		{"2", "2026-02-01", "-12345678901234567890.0000000001", "2026-01-31 00:00:00.000001", nil},
		{"3", nil, "0.0000000000", "2026-01-31 23:59:59.123456789", ""},
		{"4", "1969-12-31", nil, nil, "b"},
		{"5", "9999-12-31", "-0.5", "2027-01-01 00:00:00", "c"},
	}
	tests := map[string]struct {
		sql, want string // the rows' numbers and values, or
		refused   string
		unknown   string
	}{
		"WHERE D IS NULL":                           {want: "3"},
		"WHERE D > DATE '2026-01-31'":               {want: "2 5"},
		"WHERE D = '2026-01-31'":                    {want: "1"},
		"WHERE D < DATE '2026-02-01'":               {want: "1 4"},
		"WHERE M = 0":                               {want: "3"},
		"WHERE M < -0.4":                            {want: "2 5"},
		"WHERE M > 12345678901234567":               {want: "1"},
		"WHERE M BETWEEN -1 AND 0.0":                {want: "3 5"},
		"WHERE 0 BETWEEN M AND M":                   {want: "3"},
		"WHERE NOT M > 0":                           {want: "2 3 5"},
		"WHERE M IS NOT NULL AND V IS NOT NULL":     {want: "1 3 5"},
		"WHERE T > '2026-01-31 00:00:00'":           {want: "2 3 5"},
		"WHERE T = TIMESTAMP '2026-01-31 00:00:00'": {want: "1"},
		"WHERE COALESCE(V, 'z') = 'z'":              {want: "2"},
		"WHERE M + 1 > 0":                           {refused: "DECIMAL(p,s) + INTEGER"},
		"WHERE M IN (1, 2)":                         {refused: "DECIMAL(p,s) IN a list"},
		"WHERE D = DATE '1960-01-01'":               {refused: "only DATE 'yyyy-MM-dd' from 1970 on is supported"},
		"WHERE D = T":                               {refused: "DATE with TIMESTAMP(n)"},
		"WHERE M = V":                               {refused: "DECIMAL(p,s) with TEXT"},
		"WHERE TIMESTAMPDIFF(DAY, T, T) = 0":        {refused: "TIMESTAMPDIFF(DAY, T, T)"},
		"WHERE EXTRACT(YEAR FROM D) = 1969":         {unknown: "before 1970"},
	}
	for where, test := range tests {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			p := &pipeline.Pipeline{SQL: []byte("CREATE TABLE R (N INTEGER, D DATE); INSERT INTO R SELECT N, D FROM S " + where)}
			var err error
			if p.Schema, err = schema.Parse([]byte(schemaJSON)); err != nil {
				t.Fatal(err)
			}
			q, err := query.Compile(p)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("got error %v, want one with %q", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sql, err := engine.New(q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			err = sql.Rows(&nullable{rows: rows}, true, func(key []byte) {
				n, _, _ := strings.Cut(q.Output.Format(key), ",")
				got = append(got, n)
			})
			if test.unknown != "" {
				if err == nil || !strings.Contains(err.Error(), test.unknown) {
					t.Errorf("got error %v, want one with %q", err, test.unknown)
				}
				return
			}
			if err != nil || strings.Join(got, " ") != test.want {
				t.Errorf("got rows %v, %v, want %s", got, err, test.want)
			}
		})
	}
}

// A schema's names may be keywords, and a query may qualify them with the source's name.
func TestNames(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Parse([]byte(`{"source": "order", "columns": [
		{"name": "a", "alias": "value", "type": "INTEGER", "fake": {}}, {"name": "b", "alias": "group", "type": "BOOLEAN", "fake": {}}]}`),
		[]byte("CREATE TABLE T (X INTEGER, Y BOOLEAN); INSERT INTO T SELECT `o`.`value`, `group` FROM `order` AS o WHERE o.`group`"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := query.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := run(t, q, true, "1,TRUE", "2,false"), []string{"1,true"}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
