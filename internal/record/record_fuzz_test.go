package record_test

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"streamproof/internal/pipeline"
	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// FuzzReader checks for any record that no reader panics, that the parts of the record are in order and do not overlap,
// that a row has one value for each column, all of it UTF-8, and that each row is also a row alone.
func FuzzReader(f *testing.F) {
	all := readTable(f)
	var readers []*record.Reader
	var columns []int
	at := map[string]int{}
	for name, schemaJSON := range all.Schemas {
		schema, err := schema.Parse(schemaJSON)
		if err != nil {
			f.Fatal(err)
		}
		at[name] = len(readers)
		readers, columns = append(readers, newReader(f, schemaJSON)), append(columns, len(schema.Columns))
	}
	for _, test := range all.Cases {
		f.Add(uint8(at[test.Schema]), []byte(test.Record))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		i := int(which) % len(readers)
		end, count := 0, 0
		var raws [][]byte
		for row := range readers[i].Rows(data) {
			count++
			start := row.Offset
			if start < end || start+len(row.Raw) > len(data) || !bytes.Equal(row.Raw, data[start:start+len(row.Raw)]) {
				t.Fatalf("the bytes at %d come after those up to %d", start, end)
			}
			end = start + len(row.Raw)
			if row.Err != nil {
				if row.Err.Reason == record.InvalidUTF8 && utf8.Valid(row.Raw) && !bytes.Contains(row.Raw, []byte(`\u`)) {
					t.Errorf("%q is UTF-8", row.Raw)
				}
				continue
			}
			raws = append(raws, row.Raw)
			if len(row.Fields) != columns[i] {
				t.Fatalf("got %d values, want %d", len(row.Fields), columns[i])
			}
			for _, field := range row.Fields {
				if !utf8.Valid(field.Text) {
					t.Errorf("%q is not UTF-8", field.Text)
				}
			}
		}
		if len(data) == 0 && count != 1 {
			t.Errorf("an empty record gave %d rows", count)
		}
		for _, raw := range raws {
			if again := rows(readers[i], raw); len(again) != 1 || again[0].Reason != "" {
				t.Errorf("%q is a row in its record, and alone %+v", raw, again)
			}
		}
	})
}

// BenchmarkReader reads records of one row: of the project's own schema, and of JSON.
func BenchmarkReader(b *testing.B) {
	p, err := pipeline.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	clicks, err := schema.Parse([]byte(`{"source":"S","format":{"type":"json"},"columns":[
		{"name":"event","alias":"A","type":"VARCHAR(16)"},{"name":"at","alias":"B","type":"TIMESTAMP","pattern":"yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX"},
		{"name":"user","alias":"C","path":"$.user.id","type":"VARCHAR(16)"},{"name":"age","alias":"D","path":"$.user.age","type":"INTEGER","nullable":true},
		{"name":"ok","alias":"E","type":"BOOLEAN"},{"name":"price","alias":"F","type":"DECIMAL(8,2)"}]}`))
	if err != nil {
		b.Fatal(err)
	}
	for name, bench := range map[string]struct {
		schema schema.Schema
		record string
	}{
		"csv": {p.Schema, "2,2016-01-01 00:00:00,2016-01-01 00:12:00,2,1.10,-73.990371704101563,40.734695434570313,1,N,-73.981842041015625," +
			"40.732406616210937,2,7.5,0.5,0.5,0,0,0.3,8.8\n"},
		"json": {clicks, `{"event":"click","at":"2026-11-23T20:00:00.123Z","user":{"id":"u-1","age":31,"geo":{"lat":40.4168,"lon":-3.7038}},` +
			`"tags":["a","b"],"ok":true,"price":3.5}` + "\n"},
	} {
		b.Run(name, func(b *testing.B) {
			r := record.NewReader(bench.schema)
			data := []byte(bench.record)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				for row := range r.Rows(data) {
					if row.Err != nil {
						b.Fatal(row.Err)
					}
				}
			}
		})
	}
}
