package discover_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/discover"
	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
)

// TestMergeTrips checks that merging what is discovered of the project's own records, poisoned or not, changes nothing
// in its schema.
func TestMergeTrips(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for poison, warnings := range map[int]int{0: 0, 20: 8} {
		found, err := discover.Discover(trips(t, 400, poison), discover.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := discover.Merge(p.Schema, found)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.Schema, m.Schema); m.Changed || diff != "" || len(m.Changes) > 0 {
			t.Errorf("%d poisoned: changed %t, %q (-want +got):\n%s", poison, m.Changed, m.Changes, diff)
		}
		if len(m.Warnings) != warnings {
			t.Errorf("%d poisoned: got warnings %q, want %d", poison, m.Warnings, warnings)
		}
		data, err := m.Schema.Encode()
		if err != nil || string(data) != string(p.SchemaJSON) {
			t.Errorf("%d poisoned: %v, it would be written as\n%s", poison, err, data)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	column := func(name, alias, typ string) schema.Column {
		parsed, err := schema.ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		return schema.Column{Name: name, Alias: alias, Type: parsed, Fake: schema.Fake{Text: "7"}}
	}
	with := func(c schema.Column, path, pattern string, nullable bool) schema.Column {
		c.Pattern, _ = schema.ParsePattern(pattern)
		c.Nullable = nullable
		switch {
		case strings.HasPrefix(path, "$"):
			c.Path, _ = schema.ParsePath(path)
		case path != "":
			c.Path = schema.Path{path}
		}
		return c
	}
	s := func(format schema.Format, columns ...schema.Column) schema.Schema {
		return schema.Schema{Source: "MINE", Format: format, Columns: columns}
	}
	standard := schema.Format{}
	header := schema.DefaultFormat()
	header.Header = true
	odd := schema.DefaultFormat()
	odd.Newline, odd.Quote, odd.Multiline, odd.Nulls = "\r\n", "'", true, []string{"NA"}
	semicolons := func(decimal string) schema.Format {
		f := schema.DefaultFormat()
		f.Delimiter, f.Decimal = ";", decimal
		return f
	}
	tests := map[string]struct {
		current  schema.Schema
		records  []discover.Record
		want     string // columns, as NAME ALIAS TYPE, and the path where there is one
		format   func(*schema.Format)
		changes  []string // parts
		warnings []string
		other    string
	}{
		"nothing new": {
			current: s(standard, column("n", "COL0", "REAL"), column("s", "COL1", "VARCHAR")),
			records: each("1,a\n2,b\n"), want: "n COL0 REAL; s COL1 VARCHAR",
		},
		"a type that is contradicted": {
			current: s(standard, column("n", "COL0", "INTEGER"), column("s", "COL1", "CHAR(1)")),
			records: each("1,a\n2,b\n2.5,c\n"), want: "n COL0 INTEGER; s COL1 CHAR(1)",
			warnings: []string{`column n is kept as INTEGER, but 1 of 3 values are not, such as "2.5"; REAL would hold 3`},
		},
		"NULL": {
			current: s(standard, column("n", "COL0", "INTEGER"), column("s", "COL1", "CHAR(1)")),
			records: each("1,a\n,b\n3,c\n"), want: "n COL0 INTEGER; s COL1 CHAR(1)",
			warnings: []string{"column n is kept as not nullable, but 1 of 3 values are NULL"},
		},
		"a column more": {
			current: s(standard, column("n", "x", "INTEGER")),
			records: each("1,a,5\n2,b,5\n"), want: "n x INTEGER; COL1 COL1 CHAR(1); COL2 COL2 INTEGER",
			changes: []string{"column COL1 CHAR(1) is new", "column COL2 INTEGER is new"},
		},
		"a new column whose name is taken": {
			current: s(standard, column("COL1", "x", "INTEGER")),
			records: each("1,a\n2,b\n"), want: "COL1 x INTEGER; COL1_2 COL1_2 CHAR(1)",
			changes: []string{"column COL1_2 CHAR(1) is new"},
		},
		"a column less": {
			current: s(standard, column("n", "COL0", "INTEGER"), column("s", "COL1", "CHAR(1)"), column("t", "COL2", "CHAR(1)")),
			records: each("1,a\n2,b\n"), want: "n COL0 INTEGER; s COL1 CHAR(1)",
			changes: []string{"column t is removed: the rows have only 2 columns"},
		},
		"other data":    {current: s(standard, column("a", "COL0", "INTEGER"), column("b", "COL1", "INTEGER")), records: each("x,y\ny,z\n"), other: "describes other data"},
		"other format":  {current: s(standard, column("a", "COL0", "INTEGER")), records: each(`{"a":1}`), other: "the schema is for CSV, but the sample is JSON"},
		"nothing known": {current: s(schema.JSONFormat(), column("a", "COL0", "INTEGER")), records: each(`{"b":1}`), other: "of its 1 columns, 0 are in the sample"},
		"JSON by path": {
			current: s(schema.JSONFormat(), with(column("who", "COL0", "VARCHAR"), "$.user.id", "", false), with(column("rare", "COL1", "DATE"), "$.x", "", true)),
			records: each(`{"n":1,"user":{"id":"a"}}` + "\n" + `{"n":2,"user":{"id":"b"}}`),
			want:    "n COL0_2 INTEGER; who COL0 VARCHAR $.user.id; rare COL1 DATE $.x",
			changes: []string{"column n INTEGER is new"}, warnings: []string{"column rare is in no row of the sample; it is kept"},
		},
		"by the header's names": {
			current: s(header, with(column("kept", "COL0", "REAL"), "amount", "", false), column("id", "COL1", "BIGINT")),
			records: file("id,amount,day\n1,2.5,2026-01-02\n2,3.5,2026-01-03\n"),
			want:    "id COL1 BIGINT; kept COL0 REAL amount; day COL2 DATE",
			changes: []string{"column day DATE is new"},
		},
		"a header that is new": {
			current: s(standard, column("key", "COL0", "REAL"), column("id", "COL1", "BIGINT")),
			records: file("ID,id2\n1,2\n2,3\n"), want: "key COL0 REAL ID; id COL1 BIGINT id2",
			format: func(f *schema.Format) { f.Header = true }, changes: []string{`format: header changes from "false" to "true"`},
		},
		"what the sample does not show": {
			current: s(odd, column("key", "COL0", "REAL"), with(column("id", "COL1", "BIGINT"), "", "", true)),
			records: file("1,2\n2,3\n"), want: "key COL0 REAL; id COL1 BIGINT",
			format: func(f *schema.Format) { *f = odd },
		},
		"another delimiter, and nulls": {
			current: s(odd, column("key", "COL0", "REAL"), with(column("id", "COL1", "BIGINT"), "", "", true)),
			records: file("1;2\n2;\n"), want: "key COL0 REAL; id COL1 BIGINT",
			format: func(f *schema.Format) { *f = odd; f.Delimiter = ";"; f.Nulls = []string{"NA", ""} }, changes: []string{"delimiter", "nulls"},
		},
		"a decimal comma": {
			current: s(semicolons("."), column("key", "COL0", "REAL"), column("id", "COL1", "REAL")),
			records: file("1,5;2\n2,5;3\n"), want: "key COL0 REAL; id COL1 REAL",
			format: func(f *schema.Format) { *f = semicolons(",") }, changes: []string{`format: decimal changes from "." to ","`},
		},
		"a decimal comma that the sample does not show": {
			current: s(semicolons(","), column("key", "COL0", "REAL"), column("id", "COL1", "REAL")),
			records: file("1;2\n2;3\n"), want: "key COL0 REAL; id COL1 REAL",
			format: func(f *schema.Format) { *f = semicolons(",") },
		},
		"a decimal comma that is none": {
			current: s(semicolons(","), column("key", "COL0", "REAL"), column("id", "COL1", "REAL")),
			records: file("1.5;2\n2.5;3\n"), want: "key COL0 REAL; id COL1 REAL",
			format: func(f *schema.Format) { *f = semicolons(".") }, changes: []string{`format: decimal changes from "," to "."`},
		},
		"a decimal comma where commas come to stand between values": {
			current: s(semicolons(","), column("key", "COL0", "REAL"), column("id", "COL1", "REAL")),
			records: file("1,2\n2,3\n"), want: "key COL0 REAL; id COL1 REAL",
			format: func(f *schema.Format) { *f = semicolons("."); f.Delimiter = "," }, changes: []string{"delimiter", "decimal"},
		},
		"another pattern": {
			current: s(standard, with(column("at", "COL0", "TIMESTAMP"), "", "dd/MM/yyyy HH:mm", false), column("n", "COL1", "REAL"), column("m", "COL2", "REAL")),
			records: file("2026-01-02 10:00:00,1,1\n2026-01-02 10:00:01,1,1\n"), want: "at COL0 TIMESTAMP; n COL1 REAL; m COL2 REAL",
			warnings: []string{`column at is kept as TIMESTAMP "dd/MM/yyyy HH:mm", but 2 of 2 values are not, such as "2026-01-02 10:00:00"; TIMESTAMP would hold 2`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := discover.Discover(test.records, discover.Options{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := discover.Merge(test.current, found)
			if other := (*discover.OtherDataError)(nil); test.other != "" {
				if !errors.As(err, &other) || !strings.Contains(err.Error(), test.other) {
					t.Errorf("got %v, want %q", err, test.other)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range m.Schema.Columns {
				path := strings.Join(c.Path, "") // CSV's has one name
				if test.current.Format.Type == schema.JSON && c.Path != nil {
					path = c.Path.String()
				}
				got = append(got, strings.TrimSpace(strings.Join([]string{c.Name, c.Alias, c.Type.String(), path}, " ")))
				if i := slices.IndexFunc(test.current.Columns, func(old schema.Column) bool { return old.Name == c.Name }); i >= 0 {
					if diff := cmp.Diff(test.current.Columns[i].Fake, c.Fake); diff != "" {
						t.Errorf("%s: the fake value (-want +got):\n%s", c.Name, diff)
					}
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			format := schema.DefaultFormat()
			if test.current.Format.Type == schema.JSON {
				format = schema.JSONFormat()
			} else if test.current.Format.Header {
				format.Header = true
			}
			if test.format != nil {
				test.format(&format)
			}
			if diff := cmp.Diff(format, m.Schema.Format.OrDefault()); diff != "" {
				t.Errorf("format (-want +got):\n%s", diff)
			}
			for what, lists := range map[string][2][]string{"changes": {test.changes, m.Changes}, "warnings": {test.warnings, m.Warnings}} {
				want, got := lists[0], lists[1]
				if len(want) != len(got) {
					t.Errorf("%s: got %q, want %q", what, got, want)
					continue
				}
				for i := range want {
					if !strings.Contains(got[i], want[i]) {
						t.Errorf("%s: got %q, want %q", what, got[i], want[i])
					}
				}
			}
			if m.Changed != (len(test.changes) > 0) {
				t.Errorf("changed is %t with the changes %q", m.Changed, m.Changes)
			}
			if len(m.Now) != len(found.Columns) || len(m.Misfits) != len(found.Columns) || m.Schema.Source != "MINE" {
				t.Errorf("got %+v", m)
			}
			if _, err := m.Schema.Encode(); err != nil {
				t.Error(err)
			}
			// A schema that was merged once has nothing new to learn from the same sample.
			again, err := discover.Merge(m.Schema, found)
			if err != nil || again.Changed {
				t.Errorf("merged again: %v, %+v", err, again)
			}
		})
	}
}
