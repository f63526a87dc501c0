package record_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// table is also read by the Flink job's RecordsTest.
type table struct {
	Schemas map[string]json.RawMessage `json:"schemas"`
	Cases   []struct {
		Name   string `json:"name"`
		Schema string `json:"schema"`
		Record content
		// Want is what the record gives, in order: a row is an array of canonical values, all else an object.
		Want []json.RawMessage `json:"want"`
	} `json:"cases"`
}

// content is bytes: text, or in base64 what is none.
type content []byte

func (c *content) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*c = content(text)
		return nil
	}
	var other struct {
		Base64 []byte `json:"base64"`
	}
	err := json.Unmarshal(data, &other)
	*c = other.Base64
	return err
}

// want is one of a case's.
type want struct {
	Values []*string
	Reason string
	Column string
	Data   string
}

func readTable(t testing.TB) table {
	t.Helper()
	file, err := os.ReadFile("testdata/records.json")
	if err != nil {
		t.Fatal(err)
	}
	var out table
	decoder := json.NewDecoder(bytes.NewReader(file))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func newReader(t testing.TB, schemaJSON []byte) *record.Reader {
	t.Helper()
	schema, err := schema.Parse(schemaJSON)
	if err != nil {
		t.Fatal(err)
	}
	return record.NewReader(schema)
}

func rows(r *record.Reader, data []byte) (out []want) {
	for row := range r.Rows(data) {
		if row.Err != nil {
			out = append(out, want{Reason: row.Err.Reason, Column: row.Err.Column, Data: string(row.Raw)})
			continue
		}
		values := []*string{}
		for _, f := range row.Fields {
			if text := string(f.Text); f.Null {
				values = append(values, nil)
			} else {
				values = append(values, &text)
			}
		}
		out = append(out, want{Values: values})
	}
	return out
}

// TestTable: what the Flink job makes of a record, too.
func TestTable(t *testing.T) {
	t.Parallel()
	all := readTable(t)
	names := map[string]bool{}
	for _, test := range all.Cases {
		if names[test.Name] {
			t.Errorf("two cases are called %s", test.Name)
		}
		names[test.Name] = true
		t.Run(test.Name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, all.Schemas[test.Schema])
			var wants []want
			for _, raw := range test.Want {
				var w want
				if raw[0] == '[' {
					if err := json.Unmarshal(raw, &w.Values); err != nil {
						t.Fatal(err)
					}
				} else {
					var fault struct {
						Reason, Column string
						Data           content
					}
					if err := json.Unmarshal(raw, &fault); err != nil {
						t.Fatal(err)
					}
					w = want{Reason: fault.Reason, Column: fault.Column, Data: string(fault.Data)}
				}
				wants = append(wants, w)
			}
			for range 2 { // nothing of a record is left for the next one
				if diff := cmp.Diff(wants, rows(r, test.Record)); diff != "" {
					t.Fatalf("%q (-want +got):\n%s", test.Record, diff)
				}
			}
		})
	}
}
