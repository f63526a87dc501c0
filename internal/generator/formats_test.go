package generator_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// TestFormats pins what fake values look like in a format, or why it cannot have them.
func TestFormats(t *testing.T) {
	t.Parallel()
	const all = `{"name":"n","alias":"N","type":"INTEGER","fake":{"integers":[[-7,-7]]}},
		{"name":"f","alias":"F","type":"REAL","fake":{"prefix":"12.","integers":[[5,5]],"width":2}},
		{"name":"m","alias":"M","type":"DECIMAL(10,2)","fake":{"sum":["f","n"]}},
		{"name":"t","alias":"T","type":"TIMESTAMP","pattern":"dd/MM/yyyy HH:mm","fake":{"time":"planned"}},
		{"name":"d","alias":"D","type":"DATE","fake":{"time":"t","plusMinutes":[1440,1440]}},
		{"name":"e","alias":"E","type":"DATE","pattern":"d MMM yyyy","fake":{"text":"2026-03-01"}},
		{"name":"b","alias":"B","type":"BOOLEAN","fake":{"text":"TRUE"}},
		{"name":"v","alias":"V","type":"VARCHAR","fake":{"text":"a;b, \"c\"'é"}}`
	tests := map[string]struct {
		format, columns, want string
		faults                []string
	}{
		"plain": {
			format: `{"type":"csv"}`, columns: all,
			want: "-7,12.05,5.05,28/02/2026 23:59,2026-03-01,1 Mar 2026,TRUE,\"a;b, \"\"c\"\"'é\"\n",
		},
		"a comma for a point": {
			format: `{"type":"csv","delimiter":";","decimal":",","quote":"'","newline":"\r\n"}`, columns: all,
			want: "-7;12,05;5,05;28/02/2026 23:59;2026-03-01;1 Mar 2026;TRUE;'a;b, \"c\"''é'\r\n",
		},
		"times with the delimiter": {
			format: `{"type":"csv","delimiter":"/"}`, columns: all,
			want: "-7/12.05/5.05/\"28/02/2026 23:59\"/2026-03-01/1 Mar 2026/TRUE/\"a;b, \"\"c\"\"'é\"\n",
		},
		"no quotes": {
			format: `{"type":"csv","delimiter":"|","quote":""}`, columns: all,
			want: "-7|12.05|5.05|28/02/2026 23:59|2026-03-01|1 Mar 2026|TRUE|a;b, \"c\"'é\n",
		},
		"no quotes where they are needed": {
			format: `{"type":"csv","delimiter":";","quote":""}`, columns: all,
			faults: []string{`column v: "a;b, \"c\"'é" would need quotes, which the format does not have`},
		},
		"json": {
			format: `{"type":"json"}`, columns: all,
			want: `{"n":-7,"f":12.05,"m":5.05,"t":"28/02/2026 23:59","d":"2026-03-01","e":"1 Mar 2026","b":true,"v":"a;b, \"c\"'é"}` + "\n",
		},
		"paths": {
			format: `{"type":"json"}`,
			columns: `{"name":"a","alias":"A","path":"$.u.id","type":"BIGINT","fake":{"integers":[[9,9]]}},
				{"name":"b","alias":"B","path":"$['the \"name\"']","type":"CHAR(1)","fake":{"text":"\n"}},
				{"name":"c","alias":"C","path":"$.u.x.y","type":"VARCHAR","fake":{"prefix":"\"","integers":[[7,7]],"width":2}}`,
			want: `{"u":{"id":9,"x":{"y":"\"07"}},"the \"name\"":"\n"}` + "\n",
		},
		"one path in another": {
			format: `{"type":"json"}`,
			columns: `{"name":"a","alias":"A","path":"$.u","type":"VARCHAR","fake":{"text":"x"}},
				{"name":"b","alias":"B","path":"$.u.id","type":"VARCHAR","fake":{"text":"x"}},
				{"name":"c","alias":"C","path":"$.w.x","type":"VARCHAR","fake":{"text":"x"}},
				{"name":"d","alias":"D","path":"$.w","type":"VARCHAR","fake":{"text":"x"}}`,
			faults: []string{"column b: path $.u leads to a value and to an object", "column d: path $.w leads to a value and to an object"},
		},
		"no number of JSON": {
			format: `{"type":"json"}`,
			columns: `{"name":"a","alias":"A","type":"INTEGER","fake":{"integers":[[0,9]],"width":2}},
				{"name":"b","alias":"B","type":"REAL","fake":{"text":"1."}}`,
			faults: []string{`column a: "00" is not a number in JSON`, `column b: "1." is not a number in JSON`},
		},
		"nulls": {
			format: `{"type":"csv","nulls":["-","x","05"]}`,
			columns: `{"name":"a","alias":"A","type":"VARCHAR","nullable":true,"fake":{"text":"x"}},
				{"name":"b","alias":"B","type":"VARCHAR","fake":{"text":"x"}},
				{"name":"c","alias":"C","type":"INTEGER","nullable":true,"fake":{"integers":[[5,5]],"width":2}},
				{"name":"d","alias":"D","type":"TIMESTAMP","nullable":true,"fake":{"time":"planned"}}`,
			want: "\"x\",x,\"05\",2026-02-28 23:59:50\n",
		},
		"a header of constants": {
			format: `{"type":"csv","header":true}`, columns: `{"name":"a","alias":"A","type":"VARCHAR","fake":{"text":"a"}}`,
			faults: []string{"every row would equal the header"},
		},
		"what no pattern reads": {
			format: `{"type":"csv"}`,
			columns: `{"name":"a","alias":"A","type":"DATE","pattern":"dMyyyy","fake":{"time":"planned"}},
				{"name":"b","alias":"B","type":"TIMESTAMP","pattern":"yyyy-MM-dd HH:mm","fake":{"text":"2026-01-01 00:00:01"}},
				{"name":"c","alias":"C","type":"DECIMAL(4,2)","fake":{"text":"123.4"}}`,
			faults: []string{`column a: pattern "dMyyyy" does not always read`, `column b: "2026-01-01 00:00:01" cannot be written`, `column c: "123.4" is not of type DECIMAL(4,2)`},
		},
		"lines": {
			format: `{"type":"csv","multiline":true}`, columns: `{"name":"a","alias":"A","type":"VARCHAR","fake":{"text":"a\nb"}}`,
			want: "\"a\nb\"\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := parseSchema(t, fmt.Sprintf(`{"source":"S","format":%s,"columns":[%s]}`, test.format, test.columns))
			g, err := generator.New(&pipeline.Pipeline{Schema: schema}, 1)
			if test.faults != nil {
				if err == nil || strings.Count(err.Error(), "\n")+1 != len(test.faults) {
					t.Fatalf("got %v, want %q", err, test.faults)
				}
				for _, fault := range test.faults {
					if !strings.Contains(err.Error(), fault) {
						t.Errorf("got %v, want %q in it", err, fault)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tick := generator.Tick{Time: tickTime, Records: 1}
			if got := string(g.Append(nil, tick, 0)); got != test.want {
				t.Errorf("got  %s want %s", got, test.want)
			}
			checkRecords(t, g, schema, generator.Tick{Time: tickTime, Records: 200, Poison: 100})
		})
	}
}

func parseSchema(t testing.TB, text string) schema.Schema {
	t.Helper()
	schema, err := schema.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// checkRecords reads the records as the analytics application does. The good rows must be those of Records, value by
// value. The others must be those of Rejects, with the reason of their fault.
func checkRecords(t fataler, g *generator.Generator, schema schema.Schema, tick generator.Tick) {
	reader := record.NewReader(schema)
	last := tick.Records - 1
	rows := g.Records(tick, 0, last)
	rejects := map[int]string{}
	for i, line := range g.Rejects(tick, 0, last) {
		rejects[i] = string(line)
	}
	for i := range tick.Records {
		fault, data := g.FaultOf(tick, i), g.Append(nil, tick, i)
		bad := 0
		for r := range reader.Rows(data) {
			switch {
			case r.Err != nil && (r.Err.Reason != fault.Reason() || string(r.Raw) != rejects[i] || bad > 0):
				t.Fatalf("record %d, %q: %q is rejected, %v; want %q, %q", i, data, r.Raw, r.Err, rejects[i], fault)
			case r.Err != nil:
				bad++
				continue
			case !rows.Next():
				t.Fatalf("record %d, %q: Records has no row any more", i, data)
			}
			for c, f := range r.Fields {
				text, null := rows.Field(c)
				if null != f.Null || !null && !equalValues(schema.Columns[c].Type.Kind, string(text), string(f.Text)) {
					t.Fatalf("record %d, %q: column %s is %q (%t), want %q (%t)", i, data, schema.Columns[c].Name, text, null, f.Text, f.Null)
				}
			}
		}
		if want := min(len(fault), 1); bad != want {
			t.Fatalf("record %d, %q with fault %q: %d rejects, want %d", i, data, fault, bad, want)
		}
	}
	if rows.Next() {
		t.Fatalf("Records has rows that no record has")
	}
}

// equalValues knows that a number may be written in several ways, and a boolean, too.
func equalValues(kind schema.Kind, a, b string) bool {
	switch kind {
	case schema.Boolean:
		return strings.EqualFold(a, b)
	case schema.Integer, schema.BigInt, schema.Real, schema.Double, schema.Decimal:
		x, ok := new(big.Rat).SetString(a)
		y, also := new(big.Rat).SetString(b)
		return ok && also && x.Cmp(y) == 0
	}
	return a == b
}

// TestAnyFormat: whatever the format and the columns, the records are read as the rows that they are made of, and what
// is malformed is rejected for its reason; and so are records made of samples that are such rows.
func TestAnyFormat(t *testing.T) {
	t.Parallel()
	var made, refused atomic.Int64
	defer func() {
		if t.Logf("%d schemas, and %d refused", made.Load(), refused.Load()); made.Load() < refused.Load() {
			t.Error("most schemas are refused")
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		schema := anySchema(t)
		g, err := generator.New(&pipeline.Pipeline{Schema: schema}, rapid.Uint64().Draw(t, "seed"))
		if err != nil {
			refused.Add(1) // TestFormats has the reasons
			return
		}
		made.Add(1)
		tick := drawTick(t)
		tick.Records = rapid.IntRange(1, 60).Draw(t, "few")
		tick.Poison = rapid.IntRange(0, tick.Records).Draw(t, "bad")
		checkRecords(t, g, schema, tick)

		var file []byte
		if schema.Format.Header {
			for i, c := range schema.Columns {
				if i > 0 {
					file = append(file, schema.Format.Delimiter...)
				}
				file = append(file, c.Place()[0]...)
			}
			file = append(file, '\n')
		}
		plain := tick
		plain.Poison = 0
		for i := range tick.Records {
			file = g.Append(file, plain, i)
		}
		schema.Samples = "samples.txt"
		if g, err = generator.New(&pipeline.Pipeline{Schema: schema, Samples: file}, 1); err != nil {
			t.Fatalf("%v: %q", err, file)
		}
		checkRecords(t, g, schema, tick)
		own := strings.SplitAfter(string(file), "\n")
		for i := range tick.Records {
			if row := string(g.Append(nil, plain, i)); !schema.Format.Multiline && !slices.Contains(own, row) {
				t.Fatalf("%q is none of the samples %q", row, file)
			}
		}
	})
}

func anySchema(t *rapid.T) schema.Schema {
	s := schema.Schema{Source: "S", Format: schema.JSONFormat()}
	if rapid.Bool().Draw(t, "csv") {
		s.Format = schema.DefaultFormat()
		s.Format.Delimiter = rapid.SampledFrom([]string{",", ";", "\t", "|", "/", ":", " "}).Draw(t, "delimiter")
		s.Format.Quote = rapid.SampledFrom([]string{`"`, "'", ""}).Draw(t, "quote")
		s.Format.Newline = rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "newline")
		s.Format.Header = rapid.Bool().Draw(t, "header")
		s.Format.Multiline = s.Format.Quote != "" && rapid.Bool().Draw(t, "multiline")
		if s.Format.Delimiter != "," && rapid.Bool().Draw(t, "comma") {
			s.Format.Decimal = ","
		}
		if rapid.Bool().Draw(t, "nulls") {
			s.Format.Nulls = rapid.SampledFrom([][]string{{""}, {"NULL", `\N`}, {"x", "0"}, {"x", "y", "z", "w", "q", "v"}}).Draw(t, "texts")
		}
	}
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ax,;'\"|\té \r\n")), 1, 4, -1)
	for i := range rapid.IntRange(1, 5).Draw(t, "columns") {
		name := fmt.Sprintf("c%d", i)
		c := schema.Column{Name: name, Alias: "A" + name, Nullable: rapid.Bool().Draw(t, "nullable")}
		if s.Format.Type == schema.JSON && rapid.Bool().Draw(t, "deep") {
			c.Path = schema.Path{rapid.SampledFrom([]string{"a", "b", "é\""}).Draw(t, "above"), name}
		}
		integers := schema.Fake{Integers: [][2]int64{{0, 20}}}
		now := schema.Fake{Time: schema.PlannedTime, PlusMinutes: [2]int64{-1000, 1000}}
		switch kind := rapid.SampledFrom([]schema.Kind{schema.Integer, schema.BigInt, schema.Real, schema.Double, schema.Decimal,
			schema.Timestamp, schema.Date, schema.VarChar, schema.Boolean}).Draw(t, "kind"); kind {
		case schema.Timestamp:
			c.Pattern, _ = schema.ParsePattern(rapid.SampledFrom([]string{"", "dd/MM/yyyy HH:mm", "yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX", "M/d/yyyy h:mm a", "EEE, dd MMM yyyy HH:mm:ss xx", "yyyyMMddHHmmss.SSS"}).Draw(t, "pattern")) // nil for ""
			c.Type, c.Fake = schema.Type{Kind: kind}, now
		case schema.Date:
			c.Pattern, _ = schema.ParsePattern(rapid.SampledFrom([]string{"", "dd/MM/yyyy", "d MMM yyyy", "yyyyMMdd"}).Draw(t, "pattern")) // nil for ""
			c.Type, c.Fake = schema.Type{Kind: kind}, now
		case schema.VarChar:
			c.Fake.Text = text.Draw(t, "text")
			c.Type = schema.Type{Kind: kind, Length: rapid.SampledFrom([]int{0, 10}).Draw(t, "length")}
		case schema.Boolean:
			c.Type, c.Fake.Text = schema.Type{Kind: kind}, "True"
		case schema.Decimal:
			c.Type, c.Fake = schema.Type{Kind: kind, Length: 6, Scale: 3}, schema.Fake{Prefix: "-1.", Integers: [][2]int64{{0, 999}}, Width: 3}
		case schema.Real, schema.Double:
			c.Type, c.Fake = schema.Type{Kind: kind}, schema.Fake{Prefix: "0.", Integers: [][2]int64{{0, 9}}}
		default:
			c.Type, c.Fake = schema.Type{Kind: kind}, integers
		}
		s.Columns = append(s.Columns, c)
	}
	return s
}

// TestSamples: a record is a row of the file as it stands there, whose values are NULL where they are, and poison
// spoils it.
func TestSamples(t *testing.T) {
	t.Parallel()
	const csv = "id;name;at;amount;day\n" +
		"1;\"a;b\";23/11/2026 20:00;12,5;2026-02-01\n2;;23/11/2026 20:01;;\n003;\"it \"\"is\"\"\";23/11/2026 20:02;-1,25;2026-02-03\n" +
		"id;name;at;amount;day\n4;\"two\nlines\";;0;2026-02-04"
	const csvColumns = `{"name":"id","alias":"A","type":"INTEGER"},{"name":"name","alias":"B","type":"VARCHAR(20)"},
		{"name":"at","alias":"C","type":"TIMESTAMP","pattern":"dd/MM/yyyy HH:mm","nullable":true},
		{"name":"amount","alias":"D","type":"DECIMAL(6,2)","nullable":true},{"name":"day","alias":"E","type":"DATE","nullable":true}`
	const jsonRows = "{\"u\": {\"id\": 1, \"n\": null}, \"ok\": true, \"x\": [1, 2]}\n\n[{\"u\":{\"id\":2,\"n\":\"é\\n\"},\"ok\":false},\n" +
		"{\n  \"u\": {\"id\": 3},\n  \"ok\": true\n}]{\"ok\":true,\"u\":{\"n\":\"\",\"id\":4}}"
	const jsonColumns = `{"name":"id","alias":"A","path":"$.u.id","type":"BIGINT"},{"name":"n","alias":"B","path":"$.u.n","type":"VARCHAR(5)","nullable":true},
		{"name":"ok","alias":"C","type":"BOOLEAN"},{"name":"x","alias":"D","type":"VARCHAR","nullable":true}`
	tests := map[string]struct {
		schema, file string
		rows         []string // by the value of the first column, in order
		fields       []string
	}{
		"csv": {
			schema: `{"source":"S","samples":"s.csv","format":{"delimiter":";","decimal":",","multiline":true,"header":true,"nulls":[""]},"columns":[` + csvColumns + `]}`,
			file:   csv,
			rows: []string{
				"1;\"a;b\";23/11/2026 20:00;12,5;2026-02-01\n", "2;;23/11/2026 20:01;;\n",
				"003;\"it \"\"is\"\"\";23/11/2026 20:02;-1,25;2026-02-03\n", "4;\"two\nlines\";;0;2026-02-04\n",
			},
			fields: []string{
				"1|a;b|2026-11-23 20:00:00|12.50|2026-02-01", "2||2026-11-23 20:01:00|NULL|NULL",
				"3|it \"is\"|2026-11-23 20:02:00|-1.25|2026-02-03", "4|two\nlines|NULL|0.00|2026-02-04",
			},
		},
		"json": {
			schema: `{"source":"S","samples":"s.jsonl","format":{"type":"json"},"columns":[` + jsonColumns + `]}`,
			file:   jsonRows,
			rows: []string{
				"{\"u\": {\"id\": 1, \"n\": null}, \"ok\": true, \"x\": [1, 2]}\n", "{\"u\":{\"id\":2,\"n\":\"é\\n\"},\"ok\":false}\n",
				"{\n  \"u\": {\"id\": 3},\n  \"ok\": true\n}\n", "{\"ok\":true,\"u\":{\"n\":\"\",\"id\":4}}\n",
			},
			fields: []string{"1|NULL|true|[1,2]", "2|é\n|false|NULL", "3|NULL|true|NULL", "4||true|NULL"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := parseSchema(t, test.schema)
			g, err := generator.New(&pipeline.Pipeline{Schema: schema, Samples: []byte(test.file)}, 7)
			if err != nil {
				t.Fatal(err)
			}
			tick := generator.Tick{Time: tickTime, Records: 400, Spread: time.Second}
			var rows, fields []string
			records := g.Records(tick, 0, tick.Records-1)
			seen := map[string]bool{}
			for i := range tick.Records {
				records.Next()
				row := string(g.Append(nil, tick, i))
				if seen[row] {
					continue
				}
				seen[row] = true
				var values []string
				for c := range schema.Columns {
					values = append(values, field(records, c))
				}
				rows, fields = append(rows, row), append(fields, strings.Join(values, "|"))
			}
			slices.Sort(fields)
			if diff := cmp.Diff(test.fields, fields); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			slices.Sort(rows)
			want := slices.Sorted(slices.Values(test.rows))
			if diff := cmp.Diff(want, rows); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			tick.Poison = 300
			checkRecords(t, g, schema, tick)

			key, err := g.KeyOf("B")
			if err != nil {
				t.Fatal(err)
			}
			for i := range tick.Records {
				if len(g.AppendKey(nil, tick, i, key)) == 0 {
					t.Fatalf("record %d has an empty partition key", i)
				}
			}
		})
	}
}

// TestGoldenSamples pins which row a record is, and how it is spoiled. If it fails, see TestGolden.
func TestGoldenSamples(t *testing.T) {
	t.Parallel()
	schema := parseSchema(t, `{"source":"S","samples":"s.csv","columns":[{"name":"a","alias":"A","type":"INTEGER"},{"name":"b","alias":"B","type":"CHAR(1)"}]}`)
	g, err := generator.New(&pipeline.Pipeline{Schema: schema, Samples: []byte("1,x\n2,y\n3,z\n4,\"w\"\n5,v\n")}, 1)
	if err != nil {
		t.Fatal(err)
	}
	tick := generator.Tick{Time: tickTime, Records: 24, Poison: 12}
	var got []string
	for i := range tick.Records {
		got = append(got, string(g.Append(nil, tick, i)))
	}
	data, _ := json.Marshal(got)
	const want = `["3,z\n","4,\"w\"\n5\n5,v\n","2,y\n","5,v\n3,z,0\n","2,y\n","1x,x\n","1,x\n","2147483648,x\n","2,y\n","3,zx\n1,x\n","1,x\n","2,\"y\n","5,v\n","1\",x\n4,\"w\"\n","5,v\n","1,x\n2,y\r\n","4,\"w\"\n","4,\"w\"\n3\ufffd,z\n4,\"w\"\n","3,z\n","3,z\n\n4,\"w\"\n","2,y\n","","2,y\n","5,v\n3\n5,v\n"]`
	if string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
}

// A formatGolden is a schema with records of it, good ones and poisoned. Data and rejects are in base64.
type formatGolden struct {
	Schema  json.RawMessage `json:"schema"`
	Samples string          `json:"samples,omitempty"`
	Records []formatRecord  `json:"records"`
}

type formatRecord struct {
	Fault  generator.Fault `json:"fault,omitempty"`
	Reason string          `json:"reason,omitempty"`
	Record []byte          `json:"record"`
	Reject []byte          `json:"reject,omitempty"`
}

// TestGoldenFormats pins the bytes of records in other formats. The analytics application's PoisonTest reads the file,
// too, and finds that each has the reject that is said here, and no other. If it fails, see TestGolden.
func TestGoldenFormats(t *testing.T) {
	t.Parallel()
	const columns = `{"name":"i","alias":"I","type":"INTEGER","nullable":true%[1]s},{"name":"b","alias":"B","type":"BIGINT"%[2]s},
		{"name":"f","alias":"F","type":"REAL"%[3]s},{"name":"d","alias":"D","type":"DOUBLE"%[3]s},{"name":"m","alias":"M","type":"DECIMAL(6,2)"%[4]s},
		{"name":"t","alias":"T","type":"TIMESTAMP","pattern":"dd/MM/yyyy HH:mm:ss"%[5]s},{"name":"day","alias":"DAY","type":"DATE"%[5]s},
		{"name":"o","alias":"O","type":"BOOLEAN"%[6]s},{"name":"c","alias":"C","type":"CHAR(3)"%[7]s},{"name":"v","alias":"V","type":"VARCHAR(20)"%[8]s}`
	fakes := fmt.Sprintf(columns, `,"fake":{"integers":[[0,9]]}`, `,"fake":{"integers":[[-5,5]]}`, `,"fake":{"prefix":"1.","integers":[[0,9]]}`,
		`,"fake":{"prefix":"-12.","integers":[[0,99]],"width":2}`, `,"fake":{"time":"planned"}`, `,"fake":{"text":"true"}`, `,"fake":{"text":"née"}`, `,"fake":{"text":"a;\"b\", c"}`)
	none := fmt.Sprintf(columns, "", "", "", "", "", "", "", "")
	nested := strings.NewReplacer(`"alias":"B"`, `"alias":"B","path":"$.deep.b"`, `"alias":"V"`, `"alias":"V","path":"$.deep['the v']"`)
	for name, test := range map[string]struct{ format, columns, samples string }{
		"csv":  {format: `{"delimiter":";","decimal":",","newline":"\r\n","header":true,"nulls":["","x"]}`, columns: fakes},
		"json": {format: `{"type":"json"}`, columns: nested.Replace(fakes)},
		"csv-samples": {format: `{"delimiter":"|","quote":"'","multiline":true,"nulls":["\\N"]}`, columns: none,
			samples: "\\N|7|1.5|2e3|12.50|01/02/2026 03:04:05|2026-02-01|TRUE|a b|'two\nlines, it''s'\n'1'|'-1'|0|'0'|0|'01/02/2026 03:04:05'|'2026-02-01'|'false'|'a|b'|''"},
		"json-samples": {format: `{"type":"json"}`, columns: nested.Replace(none),
			samples: "{\n \"b\": 1, \"f\": 1, \"d\": -0.5, \"m\": 3.25,\n \"t\": \"01/02/2026 03:04:05\", \"day\": \"2026-02-01\", \"o\": false, \"c\": 123,\n" +
				" \"deep\": {\"b\": 9, \"the v\": [1, {\"x\": \" y\"}]}}\n" +
				`[{"i":null,"deep":{"the v":"é\u00e9","b":-3},"f":1e2,"d":1E-3,"m":0,"t":"01/02/2026 03:04:05","day":"2026-02-01","o":true,"c":"\"\\\n"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			named := ""
			if test.samples != "" {
				named = `"samples":"samples.txt",`
			}
			text := fmt.Sprintf(`{"source":"S",%s"format":%s,"columns":[%s]}`, named, test.format, test.columns)
			p := &pipeline.Pipeline{Schema: parseSchema(t, text)}
			if named != "" {
				p.Samples = []byte(test.samples)
			}
			g, err := generator.New(p, 1)
			if err != nil {
				t.Fatal(err)
			}
			tick := generator.Tick{Time: tickTime, Records: 4 * len(g.Faults(generator.Tick{})), Spread: 20 * time.Second, Poison: 3 * len(g.Faults(generator.Tick{}))}
			checkRecords(t, g, p.Schema, tick)
			want := formatGolden{Schema: json.RawMessage(text), Samples: test.samples}
			rejects := map[int][]byte{}
			for i, row := range g.Rejects(tick, 0, tick.Records-1) {
				rejects[i] = slices.Clone(row)
			}
			for i := range tick.Records {
				fault := g.FaultOf(tick, i)
				want.Records = append(want.Records, formatRecord{fault, fault.Reason(), g.Append([]byte{}, tick, i), rejects[i]})
			}
			got, err := json.MarshalIndent(want, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "v1-format-"+name+".json")
			checkGolden(t, file, got)
		})
	}
}

// TestSamplesErrors checks that an error names the line that is not a row.
func TestSamplesErrors(t *testing.T) {
	t.Parallel()
	const csv, object = `{"source":"S","samples":"s.txt","format":{"header":true},"columns":[{"name":"a","alias":"A","type":"INTEGER"}]}`,
		`{"source":"S","samples":"s.txt","format":{"type":"json"},"columns":[{"name":"a","alias":"A","type":"INTEGER"}]}`
	for _, test := range []struct{ schema, file, want string }{
		{csv, "a\n1\nx\n", "samples s.txt: line 3: column a: not an integer"},
		{csv, "1\n\n2\n", "samples s.txt: line 2: blank line"},
		{csv, "a\na\n", "samples s.txt: it has no rows"},
		{csv, "", "samples s.txt: line 1: empty record"},
		{object, "{\"a\":1}\n{\"a\":1}\n{\"a\":\n", "samples s.txt: line 3: not JSON"},
		{object, "{\"a\":1} 7", "samples s.txt: line 1: not an object"},
		{csv, "1\n" + strings.Repeat("0", 300_000) + "\n", "samples s.txt: line 2: the row has 300000 bytes"},
	} {
		_, err := generator.New(&pipeline.Pipeline{Schema: parseSchema(t, test.schema), Samples: []byte(test.file)}, 1)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%.20q: got %v, want %q", test.file, err, test.want)
		}
	}
}
