package row_test

import (
	"bytes"
	"errors"
	"testing"

	"streamproof/internal/pipeline"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// FuzzRoundTrip checks that a line is a row or an *Error, and that a row is read again from JSON and from CSV with each
// delimiter, unless CSV says that it cannot hold it.
func FuzzRoundTrip(f *testing.F) {
	p, err := pipeline.Embedded()
	if err != nil {
		f.Fatal(err)
	}
	schemas := map[string]row.Schema{
		"all types":  allTypes,
		"one column": {{Name: "s", Type: schema.Type{Kind: schema.VarChar, Length: 8}}},
		"one number": {{Name: "i", Type: schema.Type{Kind: schema.Integer}}},
		"records":    row.Of(p.Schema),
	}
	for _, line := range []string{
		`1,3.3,ab,2026-11-23 20:00:00,5,0.1,true`,
		`"1";"3.3";"a,""b";"2026-11-23 20:00:00.5";"5";"0.1";"true"`,
		"007|1e-1||||-0|false",
		"\t\t\t\t\t\t",
		`{"i":1,"f":3.3,"s":"ab","t":"2026-11-23 20:00:00","b":5,"d":0.1,"o":true}`,
		`{"alias":1,"f":null,"s":"\u00e9\n","t":null,"b":null,"d":33E-1,"o":null}`,
		`{"s":"{a"}`, `"{a"`, `{"s":""}`, `""`, `{"i":null}`, `-5`, "", "\xff",
		`2,2026-01-02 03:04:05,2026-01-02 03:31:05,6,7,-73.039950286808589,40.016850019401875,2,N,-73.044250921801673,40.030430293309409,3,30,2,0.05,13,13,0.3,58.35`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.IndexByte(line, '\n') >= 0 {
			return // it is not one line
		}
		for name, s := range schemas {
			original := bytes.Clone(line)
			fields := make([]row.Field, len(s))
			got, err := s.AppendFields([]byte("before"), fields, line)
			if !bytes.Equal(line, original) {
				t.Fatalf("%s: reading has changed %q into %q", name, original, line)
			}
			if len(line) > 0 && line[0] == '{' {
				sameAsAnyJSON(t, s, line)
			}
			plain, plainErr := s.Append([]byte("before"), line)
			if (err == nil) != (plainErr == nil) || !bytes.Equal(got, plain) {
				t.Fatalf("%s: %q is %q (%v) with fields and %q (%v) without", name, line, got, err, plain, plainErr)
			}
			if err != nil {
				if fault := (*row.Error)(nil); !errors.As(err, &fault) || string(got) != "before" || err.Error() == "" {
					t.Fatalf("%s: %q: %v (%T), dst is %q", name, line, err, err, got)
				}
				continue
			}
			key := bytes.Clone(got[len("before"):])
			_ = s.Format(key)
			_ = row.Columns(line)
			writers := map[string]row.Writer{"JSON": s.JSON()}
			for _, delimiter := range []byte(row.Delimiters) {
				writers["CSV "+string(delimiter)] = s.CSV(delimiter)
			}
			for format, write := range writers {
				out, err := write([]byte("before"), fields)
				if fault := (*row.Error)(nil); errors.As(err, &fault) && format != "JSON" && string(out) == "before" && holdsWhatCSVCannot(s, fields) {
					continue
				}
				if err != nil {
					t.Fatalf("%s: %q is not written as %s: %v", name, line, format, err)
				}
				written := bytes.TrimPrefix(out, []byte("before"))
				if bytes.IndexByte(written, '\n') != len(written)-1 {
					t.Fatalf("%s: %q is written as %s in more than one line, %q", name, line, format, written)
				}
				again, err := s.Append(nil, written[:len(written)-1])
				if err != nil || !bytes.Equal(again, key) {
					t.Fatalf("%s: %q is written as %s, %q, and read again as %s (%v), not %s", name, line, format, written, again, err, key)
				}
			}
		}
	})
}

// holdsWhatCSVCannot: text with a newline, or NULL where an empty field is something else.
func holdsWhatCSVCannot(s row.Schema, fields []row.Field) bool {
	for i, field := range fields {
		kind := s[i].Type.Kind
		text := kind == schema.Char || kind == schema.VarChar
		if field.Null && (text || len(s) == 1) || text && bytes.IndexByte(field.Text, '\n') >= 0 {
			return true
		}
	}
	return false
}
