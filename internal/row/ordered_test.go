package row_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// jsonSchemas are those of lines of JSON: with names that other columns have as aliases, and that no string can hold as
// they are.
var jsonSchemas = []row.Schema{
	allTypes, allTypes[:2], allTypes[:1], allTypes[1:2], allTypes[2:3], allTypes[6:],
	{
		{Name: "i", Alias: "s", Type: schema.Type{Kind: schema.Integer}},
		{Name: "s", Alias: "i", Type: schema.Type{Kind: schema.VarChar}},
	},
	{{Name: "ñ", Alias: "\xff", Type: schema.Type{Kind: schema.Date}}},
	{{Name: "\x01", Alias: "a\tb", Type: schema.Type{Kind: schema.Integer}}},
	{{Name: `q"`, Alias: `b\`, Type: schema.Type{Kind: schema.BigInt}}},
}

// TestOrderedJSONIsAnyJSON checks that the fast way of reading JSON gives the same key, the same fields or the same
// error as the way for any JSON, whatever the line is: most have one surprise.
func TestOrderedJSONIsAnyJSON(t *testing.T) {
	t.Parallel()
	typical := map[schema.Kind]string{
		schema.Integer: "7", schema.Real: "1.5", schema.Double: "0.1", schema.BigInt: "12", schema.VarChar: `"ab"`, schema.Date: `"2026-11-23"`,
		schema.Timestamp: `"2026-11-23 20:00:00"`, schema.Boolean: "true",
	}
	value := rapid.OneOf(rapid.SampledFrom([]string{
		"null", "nul", "true", "false", "True", "0x1", "1_0", "NaN", "Infinity", "1e999", "2147483648", "9223372036854775808", "{}", "[1]",
		`""`, `"abcde"`, `"1"`, `"true"`, `"2026-11-23 20:00:00.5"`, `"2026-02-30"`, `"\u0041"`, "\"\t\"", "\"\x00\"", "\"\x7f\"", "\"é\"", "\"\xff\"",
		"\"\xed\xa0\x80\"",
	}), rapid.StringMatching(`-?[01]{0,2}(\.[05]{0,2})?([eE][+-]?[0-2]?)?`), rapid.StringMatching(`"[ab\\n"]{0,3}"`))
	fast := 0
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(jsonSchemas).Draw(t, "schema")
		var parts []string
		for i, c := range s {
			parts = append(parts, "{,"[min(i, 1):][:1], `"`+rapid.SampledFrom([]string{c.Name, c.Name, c.Alias}).Draw(t, "name")+`"`, ":", typical[c.Type.Kind])
		}
		parts = append(parts, "}")
		for range rapid.IntRange(0, 2).Draw(t, "surprises") {
			switch at := rapid.IntRange(1, len(parts)-1).Draw(t, "at"); rapid.SampledFrom([]string{"value", "value", "blank", "part", "none"}).Draw(t, "surprise") {
			case "value":
				parts[(at-1)/4*4+3] = value.Draw(t, "value")
			case "blank":
				parts[at] = rapid.SampledFrom([]string{" ", "\t", "\u00a0", "\x00"}).Draw(t, "blank") + parts[at]
			case "part":
				parts[at] = rapid.SampledFrom(parts).Draw(t, "part")
			case "none":
				parts[at] = ""
			}
		}
		line := []byte(strings.Join(parts, "") + rapid.SampledFrom([]string{"", "", "", " ", "}", "x"}).Draw(t, "behind"))
		sameAsAnyJSON(t, s, line)
		if s.IsOrdered(line) {
			fast++
		}
	})
	if fast == 0 {
		t.Error("no line was read the fast way")
	}
}

// sameAsAnyJSON checks that a line, which begins with a brace, is read alike in both ways.
func sameAsAnyJSON(t rapid.TB, s row.Schema, line []byte) {
	t.Helper()
	gotFields, wantFields := make([]row.Field, len(s)), make([]row.Field, len(s))
	got, err := s.AppendFields([]byte("before"), gotFields, line)
	want, wantErr := s.AppendAnyJSON([]byte("before"), wantFields, line)
	if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) {
		t.Fatalf("%q is read as %q (%v), and as any JSON as %q (%v)", line, got, err, want, wantErr)
	}
	if diff := cmp.Diff(gotFields, wantFields); err == nil && diff != "" {
		t.Fatalf("%q: fields (-got +as any JSON):\n%s", line, diff)
	}
}
