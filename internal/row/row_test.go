package row_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/record"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

var allTypes = row.Schema{
	{Name: "i", Alias: "alias", Type: schema.Type{Kind: schema.Integer}},
	{Name: "f", Type: schema.Type{Kind: schema.Real}},
	{Name: "s", Type: schema.Type{Kind: schema.VarChar, Length: 4}},
	{Name: "t", Type: schema.Type{Kind: schema.Timestamp}},
	{Name: "b", Type: schema.Type{Kind: schema.BigInt}},
	{Name: "d", Type: schema.Type{Kind: schema.Double}},
	{Name: "o", Type: schema.Type{Kind: schema.Boolean}},
}

func key(t *testing.T, line string) string {
	t.Helper()
	got, err := allTypes.Append([]byte("before"), []byte(line))
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

func TestErrors(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		``:                           "empty line",
		`1,2,3`:                      "does not have the output's 7 columns",
		`1,,,,,,,`:                   "does not have the output's 7 columns",
		`1,,"a",,,,,`:                "does not have the output's 7 columns",
		`x,,,,,,`:                    `column i: "x" is not of type INTEGER`,
		`2147483648,,,,,,`:           "is not of type INTEGER",
		`-2147483649,,,,,,`:          "is not of type INTEGER",
		`+-1,,,,,,`:                  "is not of type INTEGER",
		`+,,,,,,`:                    "is not of type INTEGER",
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
		",,a\rb,,,,":                 "is not of type VARCHAR(4)",
		"1,,,,,,true\r":              "carriage return",
		"1,,a,,,,\r":                 "carriage return",
		"\ufeff1,,,,,,":              "byte order mark",
		"\x1f\x8b\x08\x00":           "gzip",
		"\xff\xfe1\x00,\x00":         "UTF-16 text, not UTF-8",
		"1\x00,\x00,\x00":            "UTF-16 text, not UTF-8",
		"1,,caf\xe9,,,,":             "not UTF-8, perhaps Latin-1",
		"{\"s\":\"caf\xe9\"}":        "not UTF-8, perhaps Latin-1",
		`,,"a,,,,`:                   "a quote is not closed",
		`,,"a"b,,,,`:                 "text after a closing quote",
		`,,,2026-02-30 20:00:00,,,`:  "is not of type TIMESTAMP",
		`,,,,9223372036854775808,,`:  "is not of type BIGINT",
		`,,,,-9223372036854775809,,`: "is not of type BIGINT",
		`,,,,,1e999,`:                "is not of type DOUBLE",
		`,,,,,,yes`:                  "is not of type BOOLEAN",
		`{"i":1}`:                    "column f: it is missing",
		`{"i":1,"i":1}`:              `"i" is given twice`,
		`{"I":1}`:                    `"I" is not one of the columns of the output, but i is`,
		`{"Alias":1}`:                `"Alias" is not one of the columns of the output, but alias is`,
		`{"i":1,"alias":1}`:          "column i: it is given twice",
		`{"x":1}`:                    `"x" is not one of the columns`,
		`{"i":"1"}`:                  "not of type INTEGER",
		`{"i":1.5}`:                  "not of type INTEGER",
		`{"i":[1]}`:                  "not of type INTEGER",
		`{"i":1`:                     "ends too early",
		`{"i":null,"f":null,"s":null,"t":null,"b":null,"d":null,"o":null} x`: "after the closing brace",
	} {
		dst := []byte("before")
		got, err := allTypes.Append(dst, []byte(line))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", line, err, want)
		}
		if string(got) != "before" {
			t.Errorf("%s: dst came back as %q", line, got)
		}
	}
}

// TestFieldsMatchRecords checks that the same texts are values in a record and in a row of the output. It leaves out
// texts, since the output has none that are too short, and times, since the output has some with a fraction.
func TestFieldsMatchRecords(t *testing.T) {
	t.Parallel()
	kinds := []schema.Kind{schema.Integer, schema.BigInt, schema.Real, schema.Double, schema.Boolean, schema.Date}
	digits := `[0-9]{0,3}(2147483647|2147483648|9223372036854775807|9223372036854775808)?`
	number := rapid.StringMatching(`[-+]?` + digits + `(\.[0-9]{0,4})?([eE][-+]?[0-9]{0,3})?`)
	text := rapid.OneOf(number, rapid.StringMatching(`[-+]?0{0,25}[0-9]{1,20}`), rapid.StringMatching(`[-+. 0-9eEx_]{1,8}`), rapid.StringMatching(`[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|yes|T|1`),
		rapid.StringMatching(`[0-9]{4}-[01][0-9]-[0-3][0-9]`), rapid.StringN(1, 5, -1))
	rapid.Check(t, func(t *rapid.T) {
		typ := schema.Type{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
		value := text.Draw(t, "value")
		if strings.ContainsAny(value, "\",;|\t\n\r{") || value == "" {
			t.Skip("not a value without quotes")
		}
		want := record.Reads(&schema.Column{Name: "c", Type: typ}, schema.Format{}, value)
		one := row.Schema{{Name: "c", Alias: "c", Type: typ}}
		fields := make([]row.Field, 1)
		key, err := one.AppendFields(nil, fields, []byte(value))
		if (err == nil) != want {
			t.Fatalf("%s %q: a value of a record: %v; of a row: %v", typ, value, want, err)
		}
		if err != nil {
			return
		}
		line, err := one.JSON()(nil, fields)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := one.Append(nil, bytes.TrimSuffix(line, []byte("\n"))); err != nil || !bytes.Equal(again, key) {
			t.Fatalf("%s %q became %s: %v", typ, value, line, err)
		}
	})
}

// TestValuesMatchLines checks that a row computed by the verifier's engine and the same row read from a line have one
// key, and that formatting loses no value.
func TestValuesMatchLines(t *testing.T) {
	t.Parallel()
	numbers := row.Schema{
		{Name: "i", Type: schema.Type{Kind: schema.Integer}},
		{Name: "b", Type: schema.Type{Kind: schema.BigInt}},
		{Name: "f", Type: schema.Type{Kind: schema.Real}},
		{Name: "d", Type: schema.Type{Kind: schema.Double}},
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
		want, err := keyOf(numbers, values)
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

// keyOf returns the key of values as they are computed: int64, float64, string, bool or nil.
func keyOf(s row.Schema, values []any) (key []byte, err error) {
	for i, v := range values {
		switch v := v.(type) {
		case nil:
			key = s[i].AppendNull(key)
		case int64:
			key, err = s[i].AppendInteger(key, v)
		case float64:
			key, err = s[i].AppendFloat(key, v)
		case string:
			key, err = s[i].AppendText(key, v)
		case bool:
			key, err = s[i].AppendText(key, strconv.FormatBool(v))
		}
		if err != nil {
			return nil, err
		}
	}
	return key, nil
}

// Numbers read as strconv reads them, the short ones that are read faster too.
func TestNumbersMatchStrconv(t *testing.T) {
	t.Parallel()
	floats := row.Schema{allTypes[1], allTypes[5]}
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
		want, err := keyOf(floats, []any{single, double})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%q is %s, want %s", text, floats.Format(got), floats.Format(want))
		}
	})
}

// A line may have any of the delimiters, but is a row in one way only.
func TestDelimiters(t *testing.T) {
	t.Parallel()
	want := key(t, `1,3.3,"a;|",2026-11-23 20:00:00,5,0.1,true`)
	for _, same := range []string{
		`1,3.3,a;|,2026-11-23 20:00:00,5,0.1,true`, // by commas, as it always was
		`1;3.3;"a;|";2026-11-23 20:00:00;5;0.1;true`,
		`1|3.3|"a;|"|2026-11-23 20:00:00|5|0.1|true`,
		"1\t3.3\t\"a;|\"\t2026-11-23 20:00:00\t5\t0.1\ttrue",
		`"1"|"3.3"|"a;|"|"2026-11-23 20:00:00"|"5"|"0.1"|"true"`,
	} {
		if key(t, same) != want {
			t.Errorf("%s is another row", same)
		}
	}
	for line, want := range map[string]string{
		`1;3.3;a|;2026-11-23 20:00:00;5;0.1;true`: "does not have the output's 7 columns", // two delimiters, none of them a comma
		`1;3.3,a;2026-11-23 20:00:00;5;0.1;true`:  `column i: "1;3.3" is not of`,          // the error is the comma's
		`x;;;;;;`:                                 "does not have the output's 7 columns",
		`;;;;;`:                                   "does not have the output's 7 columns",
		`"a"x;;;;;;`:                              "text after a closing quote",
		`1;"a;;;;;;;;`:                            "does not have the output's 7 columns",
		`1:2:a::::`:                               "does not have the output's 7 columns",
	} {
		if _, err := allTypes.Append(nil, []byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", line, err, want)
		}
	}
	one := row.Schema{allTypes[2]}
	if _, err := one.Append(nil, []byte("a,b")); err == nil {
		t.Error("a,b is read as a single column")
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]int{"": 1, "a": 1, "a,b;c": 2, `"a,b";c;`: 3, "a;b|c": 1, "\t": 2, `"a`: 1} {
		if got := row.Columns([]byte(line)); got != want {
			t.Errorf("%q: got %d, want %d", line, got, want)
		}
	}
}

// The cause of an error is for logs that are to have no data in them.
func TestCauseHasNoData(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`data,,,,,,`:               "column i: is not of type INTEGER",
		`,,data!,,,,`:              "column s: is not of type VARCHAR(4)",
		`data`:                     "the line does not have the output's 7 columns",
		`{"x":"data"}`:             `"x" is not one of the columns of the output`,
		`{"i":"data"}`:             "column i: the JSON value is not of type INTEGER",
		`{"s":"data!"}`:            "column i: it is missing",
		`{"i":1,"i":1,"s":"data"}`: `"i" is given twice`,
		`{data`:                    "not JSON from byte 2 on",
		`{"s":"data`:               "the JSON ends too early",
		`{"s":"data"} data`:        "text after the closing brace",
		`,"data,,,,,`:              "column f: a quote is not closed",
	} {
		_, err := allTypes.Append(nil, []byte(line))
		var fault *row.Error
		if !errors.As(err, &fault) {
			t.Errorf("%s: got error %v (%T)", line, err, err)
			continue
		}
		if got := fault.Cause(); !strings.Contains(got, want) || strings.Contains(got, "data") {
			t.Errorf("%s: got cause %q, want %q", line, got, want)
		}
	}
}

func TestTimestampsMatchTime(t *testing.T) {
	t.Parallel()
	times := row.Schema{allTypes[3]}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(19|20|00)[0-9]{2}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?`).Draw(t, "text")
		if rapid.Bool().Draw(t, "spoilt") {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			text = text[:at] + rapid.SampledFrom([]string{"", "x", "-", " ", "0", "\xff"}).Draw(t, "by") + text[at+1:]
		}
		want, err := time.Parse(schema.TimestampLayout, text)
		if err == nil && !strings.HasPrefix(text, want.Format(schema.TimestampLayout)) {
			return // time takes an hour of one digit, or with a space
		}
		got, gotErr := times.Append(nil, []byte(text))
		if (err == nil) != (gotErr == nil) {
			t.Fatalf("%q: got error %v, want as %v", text, gotErr, err)
		}
		if err == nil && times.Format(got) != want.Format(schema.TimestampLayout+".999999999") {
			t.Fatalf("%q is %s, want %s", text, times.Format(got), want)
		}
	})
}

func TestWriters(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ line, json, bars string }{
		"as it is": {
			`1,3.30,ab,2026-11-23 20:00:00,5,1e-1,true`,
			`{"i":1,"f":3.30,"s":"ab","t":"2026-11-23 20:00:00","b":5,"d":1e-1,"o":true}`,
			`1|3.30|ab|2026-11-23 20:00:00|5|1e-1|true`,
		},
		"null and empty":  {`,,,,,,`, `{"i":null,"f":null,"s":"","t":null,"b":null,"d":null,"o":null}`, `||||||`},
		"quoted":          {`"1",,"a,""b",,,,`, `{"i":1,"f":null,"s":"a,\"b","t":null,"b":null,"d":null,"o":null}`, `1||"a,""b"||||`},
		"odd numbers":     {`-007,+.5,,,00,5.,`, `{"i":-7,"f":0.5,"s":"","t":null,"b":0,"d":5,"o":null}`, `-007|+.5|||00|5.|`},
		"large numbers":   {`-0,16777217,,,-9223372036854775808,.1e9,`, `{"i":-0,"f":16777217,"s":"","t":null,"b":-9223372036854775808,"d":1e+08,"o":null}`, `-0|16777217|||-9223372036854775808|.1e9|`},
		"from JSON":       {`{"alias":1,"f":2.0,"s":"\u0041\t","t":null,"b":null,"d":1E2,"o":false}`, `{"i":1,"f":2.0,"s":"A\t","t":null,"b":null,"d":1E2,"o":false}`, "1|2.0|\"A\t\"|||1E2|false"},
		"carriage return": {"1,,\"\r\",,,,", `{"i":1,"f":null,"s":"\r","t":null,"b":null,"d":null,"o":null}`, "1||\"\r\"||||"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := make([]row.Field, len(allTypes))
			want, err := allTypes.AppendFields(nil, fields, []byte(test.line))
			if err != nil {
				t.Fatal(err)
			}
			for what, writer := range map[string]row.Writer{test.json: allTypes.JSON(), test.bars: allTypes.CSV('|')} {
				line, err := writer([]byte("before"), fields)
				if err != nil || string(line) != "before"+what+"\n" {
					t.Errorf("got %q, %v, want %q and a newline", line, err, what)
				}
				if key(t, what) != string(want) {
					t.Errorf("%s is another row than %s", what, test.line)
				}
			}
		})
	}
}

func TestCSVErrors(t *testing.T) {
	t.Parallel()
	text, number := row.Schema{allTypes[2], allTypes[0]}, row.Schema{allTypes[0]}
	for _, test := range []struct {
		schema     row.Schema
		line, want string
	}{
		{text, `{"s":"a\nb","i":1}`, "column s: a newline would end the line of CSV"},
		{text, `{"s":null,"i":1}`, "column s: NULL would read as something else in CSV"},
		{number, `{"i":null}`, "column i: NULL would read as something else in CSV"},
	} {
		fields := make([]row.Field, len(test.schema))
		if _, err := test.schema.AppendFields(nil, fields, []byte(test.line)); err != nil {
			t.Fatal(err)
		}
		got, err := test.schema.CSV(',')([]byte("before"), fields)
		if string(got) != "before" || err == nil || err.Error() != test.want {
			t.Errorf("%s: got %q, %v, want error %q", test.line, got, err, test.want)
		}
	}
}

// A row of any values reads as itself, however it is written.
func TestWritersRoundTrip(t *testing.T) {
	t.Parallel()
	// Text first, where a brace would begin JSON, and alone, where it may be all of the line.
	for _, columns := range []row.Schema{{allTypes[2]}, {{Name: "v", Type: schema.Type{Kind: schema.VarChar}}, allTypes[1], allTypes[2]}} {
		rapid.Check(t, func(t *rapid.T) {
			values := make([]any, len(columns))
			for i, c := range columns {
				switch {
				case c.Type.Kind == schema.Real:
					values[i] = float64(rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32).Draw(t, "f"))
				case c.Type.Length > 0:
					values[i] = rapid.StringOfN(rapid.RuneFrom([]rune("a\",;|\t\r\n{}é\\\x00")), 0, c.Type.Length, -1).Draw(t, "s")
				default:
					values[i] = rapid.String().Draw(t, "v")
				}
			}
			want, err := keyOf(columns, values)
			if err != nil {
				t.Fatal(err)
			}
			checkWriters(t, columns, want, fieldsOf(values))
			checkWriters(t, columns, want, columns.Fields(nil, want))
		})
	}
}

func fieldsOf(values []any) []row.Field {
	var fields []row.Field
	for _, v := range values {
		fields = append(fields, row.Field{Text: fmt.Append(nil, v)})
	}
	return fields
}

// checkWriters checks that what the writers write of a row, in one line, reads as its key.
func checkWriters(t interface{ Fatalf(string, ...any) }, columns row.Schema, want []byte, fields []row.Field) {
	writers := map[string]row.Writer{"json": columns.JSON()}
	for _, delimiter := range []byte(row.Delimiters) {
		writers[string(delimiter)] = columns.CSV(delimiter)
	}
	for name, write := range writers {
		line, err := write(nil, fields)
		if err != nil && name != "json" {
			continue // TestCSVErrors
		}
		if err != nil || bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("%s: %q, %v", name, line, err)
		}
		got, err := columns.Append(nil, line[:len(line)-1])
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %q reads as %x, %v, want %x", name, line, got, err, want)
		}
	}
}

func FuzzAppend(f *testing.F) {
	f.Add([]byte(`1,3.3,ab,2026-11-23 20:00:00,5,0.1,true`))
	f.Add([]byte(`01|+.3|"a|b"|2026-11-23 20:00:00.5|-0|1e-1|false`))
	f.Add([]byte(`{"i":1,"f":3.3,"s":"ab","t":"2026-11-23 20:00:00","b":5,"d":0.1,"o":true}`))
	f.Add([]byte(`{"i":1,"f":3.3,"s":"\n","t":null,"b":null,"d":null,"o":null}`))
	f.Add([]byte(`,,"a,""b",,,,`))
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		fields := make([]row.Field, len(allTypes))
		key, err := allTypes.AppendFields(nil, fields, line)
		if !bytes.Equal(before, line) {
			t.Fatal("the line was changed")
		}
		if err == nil {
			_ = allTypes.Format(key) // takes every key apart
			checkWriters(t, allTypes, key, fields)
			checkWriters(t, allTypes, key, allTypes.Fields(nil, key))
		}
	})
}

// TestDates: a day is one in either format, whether it comes from a line or from the engine, and is written as it was
// read.
func TestDates(t *testing.T) {
	t.Parallel()
	days := row.Schema{{Name: "d", Type: schema.Type{Kind: schema.Date}}, {Name: "i", Type: schema.Type{Kind: schema.Integer}}}
	seen := map[string]bool{}
	for _, day := range []string{"0000-01-01", "0001-01-01", "1969-12-31", "2024-02-29", "2026-02-28", "2026-03-01", "9999-12-31"} {
		want, err := keyOf(days, []any{day, int64(1)})
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(want)] {
			t.Errorf("%s is another day, too", day)
		}
		seen[string(want)] = true
		for _, line := range []string{day + ",1", `"` + day + `";1`, `{"i":1,"d":"` + day + `"}`} {
			if got, err := days.Append(nil, []byte(line)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: got %x, %v, want %x", line, got, err, want)
			}
		}
		if got := days.Format(want); got != day+",1" {
			t.Errorf("%s is formatted as %s", day, got)
		}
		checkWriters(t, days, want, []row.Field{{Text: []byte(day)}, {Text: []byte("1")}})
	}
	for _, line := range []string{
		"2026-02-29,1", "2026-13-01,1", "2026-00-01,1", "2026-01-00,1", "2026-1-1,1", "2026-01-01 ,1", "2026-01-01 00:00:00,1", "20260101,1",
		`"",1`, "2026/01/01,1", "-026-01-01,1", `{"i":1,"d":20260101}`, `{"i":1,"d":true}`,
	} {
		if _, err := days.Append(nil, []byte(line)); err == nil || !strings.Contains(err.Error(), "of type DATE") {
			t.Errorf("%s: got error %v", line, err)
		}
	}
	if got, err := days.Append(nil, []byte(`,1`)); err != nil || days.Format(got) != ",1" {
		t.Errorf("NULL: got %x, %v", got, err)
	}
}
