package engine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/record"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// An expression is an entry of the table. The Flink job's ExpressionsTest computes the same table.
type expression struct {
	SQL  string `json:"sql"`
	Type string `json:"type"`
	// Form is the name of the form that it tests. It is empty if the verifier refuses the expression.
	Form string `json:"form,omitempty"`
	// Refused is why the verifier cannot compute it.
	Refused string `json:"refused,omitempty"`
	// Unknown are the numbers of the rows that the verifier cannot compute.
	Unknown []int `json:"unknown,omitempty"`
}

const table = "../testdata/"

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(table + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func expressions(t *testing.T) []expression {
	t.Helper()
	var all []expression
	if err := json.Unmarshal(read(t, "expressions.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// flinkLines returns the lines that the Flink job writes, one for each row, by expression.
func flinkLines(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for block := range strings.SplitSeq(strings.TrimSuffix(string(read(t, "flink.golden")), "\n\n"), "\n\n") {
		lines := strings.Split(block, "\n")
		all[lines[0]] = lines[1:]
	}
	return all
}

// tableRows returns the rows that the expressions are computed over, as the verifier reads regenerated records.
func tableRows(t *testing.T) (rows [][]any) {
	t.Helper()
	schema, err := schema.Parse(read(t, "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	reader := record.NewReader(schema)
	for r := range reader.Rows(read(t, "rows.csv")) {
		if r.Err != nil {
			t.Fatalf("%s: %v", r.Raw, r.Err)
		}
		var values []any
		for _, f := range r.Fields {
			if f.Null {
				values = append(values, nil)
			} else {
				values = append(values, string(f.Text))
			}
		}
		rows = append(rows, values)
	}
	return rows
}

func compileExpression(t *testing.T, x expression) (*query.Query, error) {
	t.Helper()
	typ := strings.Replace(x.Type, "REAL", "FLOAT", 1)
	p, err := pipeline.Parse(read(t, "schema.json"), fmt.Appendf(nil, "CREATE TABLE R (N INTEGER, X %s); INSERT INTO R SELECT N, %s FROM S", typ, x.SQL))
	if err != nil {
		t.Fatal(err)
	}
	return query.Compile(p)
}

// TestExpressionsMatchFlink checks that the verifier, and SQLite, compute the values that the Flink job writes, or
// report that they cannot. Every form has an expression in the table. The rows are parsed as the verifier parses
// objects in S3.
func TestExpressionsMatchFlink(t *testing.T) {
	t.Parallel()
	flink := flinkLines(t)
	used := map[string]bool{}
	computed, refused := 0, 0
	records := tableRows(t)
	for _, x := range expressions(t) {
		lines := flink[x.SQL+": "+x.Type]
		q, err := compileExpression(t, x)
		switch {
		case err != nil:
			refused++
			if x.Refused == "" || !strings.Contains(err.Error(), x.Refused) || x.Form != "" {
				t.Errorf("%s: got error %v, want one with %q", x.SQL, err, x.Refused)
			}
			continue
		case x.Refused != "":
			t.Errorf("%s: it is taken, and was to be refused: %s", x.SQL, x.Refused)
			continue
		case !slices.Contains(q.Forms(), x.Form):
			t.Errorf("%s is made of %q, and not of %q", x.SQL, q.Forms(), x.Form)
		case len(lines) != len(records):
			t.Errorf("%s: Flink gives %d rows of %d", x.SQL, len(lines), len(records))
			continue
		}
		computed++
		for _, form := range q.Forms() {
			used[form] = true
		}
		for name, computer := range computers(t, q) {
			if got := compareRows(t, x, q, computer, records, lines); !slices.Equal(got, x.Unknown) {
				t.Errorf("%s: got unknown rows %v of %s, want %v", x.SQL, got, name, x.Unknown)
			}
		}
	}
	for _, form := range query.Forms() {
		if !used[form] {
			t.Errorf("no expression of the table tests the form %s", form)
		}
	}
	if computed < 45 || computed+refused < 60 {
		t.Errorf("the table has %d expressions that are computed, and %d that are refused", computed, refused)
	}
	t.Logf("%d computed, %d refused, %d forms", computed, refused, len(query.Forms()))
}

// A computer computes a query's rows: the verifier's engine, or SQLite.
type computer interface {
	Rows(records engine.Records, filtered bool, emit func(key []byte)) error
}

func computers(t *testing.T, q *query.Query) map[string]computer {
	t.Helper()
	e, err := engine.New(q)
	if err != nil {
		t.Fatal(err)
	}
	s, err := engine.OpenSQLite(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return map[string]computer{"the engine": e, "SQLite": s}
}

// compareRows returns the numbers of the rows that cannot be computed.
func compareRows(t *testing.T, x expression, q *query.Query, c computer, given [][]any, lines []string) []int {
	t.Helper()
	var unknown []int
	for i, record := range given {
		var got [][]byte
		err := c.Rows(&nullable{rows: [][]any{record}}, true, func(key []byte) { got = append(got, slices.Clone(key)) })
		if err != nil {
			unknown = append(unknown, i+1)
			continue
		}
		want, err := q.Output.Append(nil, []byte(lines[i]))
		if err != nil || len(got) != 1 || !slices.Equal(got[0], want) {
			t.Errorf("%s: for %v got %s, want %s as in Flink (%v)", x.SQL, record, formats(q.Output, got), lines[i], err)
		}
	}
	return unknown
}

func formats(output row.Schema, keys [][]byte) string {
	var all []string
	for _, key := range keys {
		all = append(all, output.Format(key))
	}
	return strings.Join(all, " and ")
}
