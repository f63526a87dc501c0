package draft_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/discover"
	"streamproof/internal/draft"
	"streamproof/internal/pipeline"
)

const (
	base = `{
  "source": "S",
  "columns": [
    {"name": "id", "alias": "COL0", "type": "INTEGER", "fake": {"integers": [[1, 9]]}},
    {"name": "city", "alias": "COL1", "type": "VARCHAR(8)", "fake": {"text": "Lugo"}},
    {"name": "fare", "alias": "COL2", "type": "REAL", "fake": {"integers": [[1, 99]]}}
  ]
}
`
	flinkSQL = `-- COL0 stays in a comment
CREATE TABLE D (
  COL0 INTEGER,
  COL2 FLOAT
);

INSERT INTO D
SELECT COL0, COL2 FROM S WHERE COL1 <> 'COL1';
`
	legacySQL = `CREATE OR REPLACE STREAM "D" ("COL0" INTEGER, col2 REAL);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "D" SELECT STREAM "COL0", col2 FROM "S" WHERE "COL0" < 3;
`
)

// folder makes a pipeline folder.
func folder(t *testing.T, schema, sql string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"schema.json": schema, "pipeline.sql": sql} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t *testing.T, dir string) *draft.Base {
	t.Helper()
	b, err := draft.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// edit returns the base's schema with one text for another.
func edit(t *testing.T, pairs ...string) draft.Draft {
	t.Helper()
	text := base
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%q is not in the schema", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return draft.Draft{Schema: []byte(text)}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	b := open(t, folder(t, base, flinkSQL))
	for name, test := range map[string]struct {
		draft  draft.Draft
		faults []draft.Fault
		want   string // in a refusal, a fault of the query, or why it is not judged
	}{
		"as it is":           {draft: edit(t)},
		"not JSON":           {draft: draft.Draft{Schema: []byte(`{"source":`)}, faults: []draft.Fault{{Column: -1, Message: "read schema.json: unexpected EOF"}}},
		"types that are not": {draft: edit(t, `"REAL"`, `"REEL"`, `"INTEGER"`, `""`), faults: []draft.Fault{{Column: 0, Message: "type is missing"}, {Column: 2, Message: "SQL type REEL is not supported"}}},
		"a name taken":       {draft: edit(t, `"city"`, `"ID"`), faults: []draft.Fault{{Column: 1, Message: `name "ID" is empty or taken`}}},
		"a fake of another":  {draft: edit(t, `"VARCHAR(8)"`, `"BIGINT"`), want: `"Lugo" is not of type BIGINT`},
		"no such samples":    {draft: edit(t, `"source": "S"`, `"source": "S", "samples": "none.csv"`), want: "none.csv: no such file"},
		"a query's fault":    {draft: edit(t, `"REAL"`, `"BOOLEAN"`, `[[1, 99]]}`, `[[0, 1]]}`), want: "BOOLEAN"},
		"another alias":      {draft: edit(t, `"COL1"`, `"CITY"`), want: "COL1"},
	} {
		c := b.Check(test.draft, nil)
		if diff := cmp.Diff(append([]draft.Fault{}, test.faults...), c.Faults); diff != "" {
			t.Errorf("%s: faults (-want +got):\n%s", name, diff)
		}
		var said []string
		said = append(said, c.Refused...)
		if c.Effect != nil {
			for _, fault := range c.Effect.Faults {
				said = append(said, fault.Message)
			}
			said = append(said, c.Effect.NotJudged)
		}
		if text := strings.Trim(strings.Join(said, "\n"), "\n"); !strings.Contains(text, test.want) || test.want == "" && text != "" {
			t.Errorf("%s: got %q, want %q in it", name, text, test.want)
		}
		if (c.Effect == nil) != (len(test.faults) > 0) {
			t.Errorf("%s: got the effect %+v with the faults %v", name, c.Effect, c.Faults)
		}
	}
}

// TestRename: a query gets a schema's new names where it is the same query with them, and only there.
func TestRename(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sql     string
		draft   draft.Draft
		renames bool
		want    []string // in the query
		output  []string
	}{
		"Flink SQL": {
			sql: flinkSQL, draft: edit(t, `"COL0"`, `"ID"`, `"COL1"`, `"TOWN"`), renames: true,
			want: []string{"-- COL0 stays in a comment", "  ID INTEGER,", "SELECT ID, COL2 FROM S WHERE TOWN <> 'COL1'"}, output: []string{"ID id INTEGER", "COL2 fare REAL"},
		},
		"names that need quotes": {
			sql: flinkSQL, draft: edit(t, `"COL0"`, `"order"`, `"COL1"`, "\"a`b\""), renames: true,
			want: []string{"  `order` INTEGER", "SELECT `order`, COL2 FROM S WHERE `a``b` <> 'COL1'"}, output: []string{"order id INTEGER", "COL2 fare REAL"},
		},
		"names that change places": {
			sql: flinkSQL, draft: edit(t, `"COL0"`, `"X"`, `"COL2"`, `"COL0"`, `"X"`, `"COL2"`), renames: true,
			want: []string{"SELECT COL2, COL0 FROM S"}, output: []string{"COL2 id INTEGER", "COL0 fare REAL"},
		},
		"the legacy dialect": {
			sql: legacySQL, draft: edit(t, `"COL0"`, `"ID"`, `"COL2"`, `"fare_eur"`), renames: true,
			want: []string{`"D" ("ID" INTEGER, "fare_eur" REAL)`, `SELECT STREAM "ID", "fare_eur" FROM "S" WHERE "ID" < 3`}, output: []string{"ID id INTEGER", "fare_eur fare REAL"},
		},
		"and retyped":            {sql: flinkSQL, draft: edit(t, `"COL1"`, `"TOWN"`, `"VARCHAR(8)"`, `"VARCHAR(16)"`), renames: true, want: []string{"WHERE TOWN <> 'COL1'"}, output: []string{"COL0 id INTEGER", "COL2 fare REAL"}},
		"a name, not an alias":   {sql: flinkSQL, draft: edit(t, `"city"`, `"town"`), want: []string{flinkSQL}, output: []string{"COL0 id INTEGER", "COL2 fare REAL"}},
		"a name of the output's": {sql: flinkSQL, draft: edit(t, `"fare"`, `"price"`), want: []string{flinkSQL}, output: []string{"COL0 id INTEGER", "COL2 price REAL"}},
		"no use of the column":   {sql: legacySQL, draft: edit(t, `"COL1"`, `"TOWN"`), want: []string{legacySQL}, output: []string{"COL0 id INTEGER", "COL2 fare REAL"}},
		"a query that cannot be judged": {
			sql:    "CREATE TABLE D (N BIGINT);\nINSERT INTO D SELECT COUNT(COL0) FROM S GROUP BY COL1;\n",
			draft:  edit(t, `"COL1"`, `"TOWN"`),
			want:   []string{"GROUP BY COL1"},
			output: []string{"N N BIGINT"},
		},
	} {
		b := open(t, folder(t, base, test.sql))
		test.draft.Rename = true
		c := b.Check(test.draft, nil)
		if c.Effect == nil || c.Effect.Renames != test.renames {
			t.Errorf("%s: got %+v, %+v, want renames %t", name, c, c.Effect, test.renames)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(c.Effect.SQL, want) {
				t.Errorf("%s: got %s, want %q in it", name, c.Effect.SQL, want)
			}
		}
		if test.renames && (len(c.Effect.Faults) > 0 || !c.Effect.Judged) {
			t.Errorf("%s: got %+v, want a query without faults", name, c.Effect.Checked)
		}
		var output []string
		for _, o := range c.Effect.After {
			output = append(output, o.Alias+" "+o.Name+" "+o.Type)
		}
		if !slices.Equal(output, test.output) {
			t.Errorf("%s: got the output %q, want %q", name, output, test.output)
		}
	}
}

// TestPlaces: a column is the same one whatever it is called and wherever it stands, if its place has a name.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const columns = `{
  "source": "S",
  "format": %s,
  "columns": [
    {"name": "id", "alias": "COL0", "type": "INTEGER", "fake": {"integers": [[1, 9]]}},
    {"name": "fare", "alias": "COL1", "type": "REAL", "fake": {"integers": [[1, 9]]}}
  ]
}
`
	const sql = "CREATE TABLE D (COL0 INTEGER);\nINSERT INTO D SELECT COL0 FROM S WHERE COL1 > 1;\n"
	for format, paths := range map[string][2]string{
		`{"type": "json"}`:                {`$.id`, `$['fare']`},
		`{"type": "csv", "header": true}`: {`id`, `fare`},
	} {
		was := fmt.Sprintf(columns, format)
		b := open(t, folder(t, was, sql))
		explicit := strings.NewReplacer(`"name": "id"`, `"path": "`+paths[0]+`", "name": "id"`, `"name": "fare"`, `"path": "`+paths[1]+`", "name": "fare"`).Replace(was)
		if c := b.Check(draft.Draft{Schema: []byte(explicit)}, nil); len(c.Faults) > 0 || c.Text != was {
			t.Errorf("%s: got %v, %s, want the text without paths that are names", format, c.Faults, c.Text)
		}
		moved := fmt.Sprintf(`{"source": "S", "format": %s, "columns": [
			{"name": "price", "path": %q, "alias": "PRICE", "type": "REAL", "fake": {"integers": [[1, 9]]}},
			{"name": "id", "alias": "ID", "type": "INTEGER", "fake": {"integers": [[1, 9]]}}]}`, format, paths[1])
		c := b.Check(draft.Draft{Schema: []byte(moved), Rename: true}, nil)
		if len(c.Faults) > 0 || !c.Effect.Renames || !strings.Contains(c.Effect.SQL, "SELECT ID FROM S WHERE PRICE > 1") {
			t.Errorf("%s: got %v, %+v, want the query with the new names of the moved columns", format, c.Faults, c.Effect)
		}
	}
}

// TestReading: a sample is read as the job reads it, and what is no row is said.
func TestReading(t *testing.T) {
	t.Parallel()
	b := open(t, folder(t, base, flinkSQL))
	sample := draft.Sample{Source: "stream s", Records: []discover.Record{
		{Name: "a", Data: []byte("1,Lugo,2.50\n2,\x1b[8mVigo,3\n")}, {Name: "b", Data: []byte("x,Lugo,1\n3,Ourense\n")}, {Name: "c", Data: []byte("\xff")},
	}}
	r := b.Check(edit(t), &sample).Reading
	if r.Read != 2 || r.Rejected != 3 || !slices.Equal(r.Columns, []int{1, 0, 0}) || len(r.Rows) != 2 || *r.Rows[0][1] != "Lugo" || *r.Rows[1][1] != "\x1b[8mVigo" {
		t.Errorf("got %+v, want 2 rows and 3 lines that are none", r)
	}
	want := []draft.Problem{
		{Where: "b, line 1", Column: "id", Reason: r.Problems[0].Reason, Text: "x,Lugo,1"},
		{Where: "b, line 2", Reason: "wrong number of columns", Text: "3,Ourense"},
		{Where: "c", Reason: "invalid UTF-8", Text: `\xff`},
	}
	if diff := cmp.Diff(want, r.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	r = b.Check(edit(t, `"INTEGER"`, `"VARCHAR"`, `"VARCHAR(8)"`, `"VARCHAR(4)"`), &sample).Reading
	if r.Read != 2 || !slices.Equal(r.Columns, []int{0, 1, 0}) || *r.Rows[1][0] != "x" {
		t.Errorf("got %+v, want x as a row, and a town that is too long", r)
	}
	huge := draft.Sample{Records: []discover.Record{{Data: make([]byte, 9<<20)}, {Data: []byte("1")}}}
	if kept := huge.Keep(); len(kept.Records) != 1 {
		t.Errorf("got %d records kept, want the one that is too large, and no other", len(kept.Records))
	}
	large := draft.Sample{Records: slices.Repeat([]discover.Record{{Data: make([]byte, 1<<20)}}, 20)}
	if kept := large.Keep(); len(kept.Records) != 8 || len(large.Records) != 20 {
		t.Errorf("got %d records kept, want 8 MiB of them", len(kept.Records))
	}
}

// TestSave: what is checked is what is written, and nothing else is.
func TestSave(t *testing.T) {
	t.Parallel()
	dir := folder(t, base, flinkSQL)
	read := func() (string, string) {
		schema, err := os.ReadFile(filepath.Join(dir, "schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		sql, err := os.ReadFile(filepath.Join(dir, "pipeline.sql"))
		if err != nil {
			t.Fatal(err)
		}
		return string(schema), string(sql)
	}
	b := open(t, dir)
	hash := b.Hash()
	for name, test := range map[string]struct {
		base *draft.Base
		draft.Draft
		hash, want string
	}{
		"a fault":              {b, edit(t, `"REAL"`, `"REEL"`), hash, "columns[2]: SQL type REEL is not supported"},
		"a refusal":            {b, edit(t, `"VARCHAR(8)"`, `"BIGINT"`), hash, `"Lugo" is not of type BIGINT`},
		"files that are newer": {b, edit(t, `"city"`, `"town"`), "another", "have changed since"},
		"no project":           {&draft.Base{Pipeline: b.Pipeline}, edit(t, `"city"`, `"town"`), hash, "no project"},
	} {
		if saved, err := test.base.Save(test.Draft, test.hash); err == nil || !strings.Contains(err.Error(), test.want) || saved != nil {
			t.Errorf("%s: got %+v, %v, want %q", name, saved, err, test.want)
		}
		if schema, sql := read(); schema != base || sql != flinkSQL {
			t.Errorf("%s: the files have changed", name)
		}
	}

	renamed := edit(t, `"COL1"`, `"TOWN"`)
	renamed.Rename = true
	saved, err := b.Save(renamed, hash)
	if err != nil {
		t.Fatal(err)
	}
	schema, sql := read()
	if schema != string(renamed.Schema) || !strings.Contains(sql, "WHERE TOWN <> 'COL1'") || saved.Was != base || saved.WasSQL != flinkSQL || saved.QueryFile == "" {
		t.Errorf("got %+v, %s, %s", saved, schema, sql)
	}
	now, err := pipeline.Read(os.DirFS(dir))
	if err != nil || now.Hash() != saved.Pipeline {
		t.Errorf("got the pipeline %v, %v, want %s", now, err, saved.Pipeline)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 2 {
		t.Errorf("%v: left %q beside the pipeline's two files", err, left)
	}
	// As it was, in whatever layout.
	again := open(t, dir)
	if saved, err := again.Save(draft.Draft{Schema: []byte(strings.ReplaceAll(schema, "\n", "\r\n"))}, again.Hash()); err != nil || saved.QueryFile != "" || saved.Pipeline != again.Hash() {
		t.Errorf("got %+v, %v, want that nothing changes", saved, err)
	}
}
