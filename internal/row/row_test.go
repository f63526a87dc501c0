package row_test

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"streamproof/internal/row"
	"streamproof/pipeline"
)

var schema = row.Schema{
	{Name: "i", Alias: "alias", Type: pipeline.Type{Kind: pipeline.Integer}},
	{Name: "f", Type: pipeline.Type{Kind: pipeline.Real}},
	{Name: "s", Type: pipeline.Type{Kind: pipeline.VarChar, Length: 4}},
	{Name: "t", Type: pipeline.Type{Kind: pipeline.Timestamp}},
	{Name: "b", Type: pipeline.Type{Kind: pipeline.BigInt}},
	{Name: "d", Type: pipeline.Type{Kind: pipeline.Double}},
	{Name: "o", Type: pipeline.Type{Kind: pipeline.Boolean}},
}

func key(t *testing.T, line string) string {
	t.Helper()
	got, err := schema.Append([]byte("before"), []byte(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if !bytes.HasPrefix(got, []byte("before")) {
		t.Fatalf("%s: what was in dst is gone", line)
	}
	return string(got[len("before"):])
}

func TestEqualRows(t *testing.T) {
	t.Parallel()
	const one = `1,3.3,ab,2026-11-23 20:00:00,5,0.1,true`
	for _, same := range []string{
		`1,3.30,ab,2026-11-23 20:00:00.000,5,1e-1,true`,
		`"1","3.3","ab","2026-11-23 20:00:00","5","0.1","true"`,
		`1,3.3000000000001,ab,2026-11-23 20:00:00,5,0.1,true`, // the same 32-bit float
		`{"i":1,"f":3.3,"s":"ab","t":"2026-11-23 20:00:00","b":5,"d":0.1,"o":true}`,
		`{"alias":1,"f":3.3,"s":"ab","t":"2026-11-23 20:00:00","b":5,"d":0.1,"o":true}`,
		` {"o":true,"d":0.10,"b":5,"t":"2026-11-23 20:00:00.0","s":"ab","f":33e-1,"i":1}`[1:],
	} {
		if key(t, same) != key(t, one) {
			t.Errorf("%s is another row than %s", same, one)
		}
	}
	for _, other := range []string{
		`2,3.3,ab,2026-11-23 20:00:00,5,0.1,true`,
		`1,3.31,ab,2026-11-23 20:00:00,5,0.1,true`,
		`1,3.3,Ab,2026-11-23 20:00:00,5,0.1,true`,
		`1,3.3,ab,2026-11-23 20:00:01,5,0.1,true`,
		`1,3.3,ab,2026-11-23 20:00:00,6,0.1,true`,
		`1,3.3,ab,2026-11-23 20:00:00,5,0.1000000000001,true`,
		`1,3.3,ab,2026-11-23 20:00:00,5,0.1,false`,
		`,3.3,ab,2026-11-23 20:00:00,5,0.1,true`,
	} {
		if key(t, other) == key(t, one) {
			t.Errorf("%s is the same row as %s", other, one)
		}
	}
	if key(t, `,,,,,,`) != key(t, `{"i":null,"f":null,"s":"","t":null,"b":null,"d":null,"o":null}`) {
		t.Error("NULL in CSV is another value than in JSON")
	}
	if key(t, `,0,,,,0,`) != key(t, `,-0.0,,,,-0,`) {
		t.Error("a negative zero is another value than zero")
	}
}

func TestQuotes(t *testing.T) {
	t.Parallel()
	if got, want := key(t, `1,,"a,""b",,,,`), key(t, `{"i":1,"f":null,"s":"a,\"b","t":null,"b":null,"d":null,"o":null}`); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		``:                           "empty line",
		`1,2,3`:                      "has not the 7 columns",
		`1,,,,,,,`:                   "has not the 7 columns",
		`1,,"a",,,,,`:                "has not the 7 columns",
		`x,,,,,,`:                    `column i: "x" is not of type INTEGER`,
		`2147483648,,,,,,`:           "is not of type INTEGER",
		`-2147483649,,,,,,`:          "is not of type INTEGER",
		`+1,,,,,,`:                   "is not of type INTEGER",
		`1_0,,,,,,`:                  "is not of type INTEGER",
		`"",,,,,,`:                   "is not of type INTEGER",
		` 1,,,,,,`:                   "is not of type INTEGER",
		`,NaN,,,,,`:                  "is not of type REAL",
		`,inf,,,,,`:                  "is not of type REAL",
		`,0x1p2,,,,,`:                "is not of type REAL",
		`,1e39,,,,,`:                 "is not of type REAL",
		`,,abcde,,,,`:                "is not of type VARCHAR(4)",
		`,,a"b,,,,`:                  "is not of type VARCHAR(4)",
		",,\xff,,,,":                 "is not of type VARCHAR(4)",
		`,,"a,,,,`:                   "a quote is not closed",
		`,,"a"b,,,,`:                 "text after a closing quote",
		`,,,2026-02-30 20:00:00,,,`:  "is not of type TIMESTAMP",
		`,,,,9223372036854775808,,`:  "is not of type BIGINT",
		`,,,,-9223372036854775809,,`: "is not of type BIGINT",
		`,,,,,1e999,`:                "is not of type DOUBLE",
		`,,,,,,TRUE`:                 "is not of type BOOLEAN",
		`{"i":1}`:                    "column f is missing",
		`{"i":1,"i":1}`:              "duplicate",
		`{"i":1,"alias":1}`:          "column i is given twice",
		`{"x":1}`:                    `column "x" is not one of the output's`,
		`{"i":"1"}`:                  "not of type INTEGER",
		`{"i":1.5}`:                  "not of type INTEGER",
		`{"i":[1]}`:                  "not of type INTEGER",
		`{"i":1`:                     "unexpected EOF",
		`{"i":null,"f":null,"s":null,"t":null,"b":null,"d":null,"o":null} x`: "after the closing brace",
	} {
		dst := []byte("before")
		got, err := schema.Append(dst, []byte(line))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", line, err, want)
		}
		if string(got) != "before" {
			t.Errorf("%s: dst came back as %q", line, got)
		}
	}
}

// What the judge's engine gives and what the same row reads as must be one key, and formatting must not lose a value.
func TestValuesAndLinesMeet(t *testing.T) {
	t.Parallel()
	numbers := row.Schema{
		{Name: "i", Type: pipeline.Type{Kind: pipeline.Integer}},
		{Name: "b", Type: pipeline.Type{Kind: pipeline.BigInt}},
		{Name: "f", Type: pipeline.Type{Kind: pipeline.Real}},
		{Name: "d", Type: pipeline.Type{Kind: pipeline.Double}},
	}
	rapid.Check(t, func(t *rapid.T) {
		values := []any{
			int64(rapid.Int32().Draw(t, "i")),
			rapid.Int64().Draw(t, "b"),
			float64(rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32).Draw(t, "f")),
			rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "d"),
		}
		for i := range values {
			if rapid.Bool().Draw(t, "null") {
				values[i] = nil
			}
		}
		want, err := numbers.AppendValues(nil, values)
		if err != nil {
			t.Fatal(err)
		}
		line := numbers.Format(want)
		got, err := numbers.Append(nil, []byte(line))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%v is %x as values and %x as the line %s", values, want, got, line)
		}
	})
}

// Numbers read as strconv reads them, the short ones that are read faster too.
func TestNumbersReadAsStrconvReadsThem(t *testing.T) {
	t.Parallel()
	floats := row.Schema{schema[1], schema[5]}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{0,9}\.?[0-9]{0,9}([eE][+-]?[0-9]{1,2})?`).Draw(t, "text")
		single, err32 := strconv.ParseFloat(text, 32)
		double, err64 := strconv.ParseFloat(text, 64)
		got, err := floats.Append(nil, []byte(`"`+text+`","`+text+`"`))
		if (err == nil) != (err32 == nil && err64 == nil) {
			t.Fatalf("%q: got error %v, want as %v and %v", text, err, err32, err64)
		}
		if err != nil {
			return
		}
		want, err := floats.AppendValues(nil, []any{single, double})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%q is %s, want %s", text, floats.Format(got), floats.Format(want))
		}
	})
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte(`1,3.3,ab,2026-11-23 20:00:00,5,0.1,true`))
	f.Add([]byte(`{"i":1,"f":3.3,"s":"ab","t":"2026-11-23 20:00:00","b":5,"d":0.1,"o":true}`))
	f.Add([]byte(`,,"a,""b",,,,`))
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		key, err := schema.Append(nil, line)
		if !bytes.Equal(before, line) {
			t.Fatal("the line was changed")
		}
		if err == nil {
			_ = schema.Format(key) // takes every key apart
		}
	})
}
