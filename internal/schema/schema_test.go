package schema_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
)

func TestSchema(t *testing.T) {
	t.Parallel()
	column := `{"name": "a", "alias": "COL0", "type": "INTEGER", "fake": {"text": "1"}}`
	tests := map[string]struct {
		file   string
		faults []string // parts of the error
	}{
		"plain":             {file: `{"source":"S","columns":[` + column + `]}`},
		"the default named": {file: `{"source":"S","format":{"type":"csv"},"columns":[` + column + `]}`},
		"one name for both": {file: `{"source":"S","columns":[{"name":"COL0","alias":"COL0","type":"REAL","fake":{}}]}`},
		"another's name":    {file: `{"source":"S","columns":[` + column + `,{"name":"col0","alias":"B","type":"REAL","fake":{}}]}`, faults: []string{`columns[1]: name "col0" is empty or taken`}},
		"empty":             {file: `{}`, faults: []string{"source is empty", "columns is empty"}},
		"unknown field":     {file: `{"source":"S","format":{"type":"csv","separator":","},"columns":[` + column + `]}`, faults: []string{"separator"}},
		"two values":        {file: `{"source":"S","columns":[` + column + `]} {}`, faults: []string{"after the closing brace"}},
		"UTF-16":            {file: "\xff\xfe{\x00", faults: []string{"schema.json is not UTF-8 (UTF-16 text)"}},
		"a byte order mark": {file: "\ufeff" + `{"source":"S","columns":[` + column + `]}`, faults: []string{"schema.json: it begins with a byte order mark"}},
		"not UTF-8":         {file: "{\"source\":\"\xff\"}", faults: []string{"not UTF-8"}},
		"csv": {
			file: `{"source":"S","format":{"type":"csv","delimiter":";","quote":"","newline":"\r\n","header":true,"nulls":["","\\N"]},"columns":[
				{"name":"a","alias":"COL0","path":"A b","type":"DECIMAL(10,2)","nullable":true,"fake":{}},
				{"name":"d","alias":"COL1","type":"DATE","pattern":"dd/MM/yyyy","fake":{}},
				{"name":"t","alias":"COL2","type":"TIMESTAMP","pattern":"yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX","fake":{}}]}`,
		},
		"multiline": {file: `{"source":"S","format":{"multiline":true},"columns":[` + column + `]}`},
		"json": {
			file: `{"source":"S","format":{"type":"json"},"columns":[{"name":"a","alias":"COL0","path":"$.u['a b'].c","type":"BIGINT","fake":{}},{"name":"b","alias":"COL1","type":"REAL","fake":{}}]}`,
		},
		"faults of a format": {
			file:   `{"source":"S","format":{"delimiter":"ab","quote":"x","newline":"\r","nulls":["a","a","\n"]},"columns":[` + column + `]}`,
			faults: []string{"delimiter", "quote", "newline", "nulls[1]", "nulls[2]"},
		},
		"multiline without a quote": {file: `{"source":"S","format":{"multiline":true,"quote":""},"columns":[` + column + `]}`, faults: []string{"multiline needs a quote"}},
		"decimal":                   {file: `{"source":"S","format":{"delimiter":";","decimal":","},"columns":[` + column + `]}`},
		"decimal is the delimiter":  {file: `{"source":"S","format":{"decimal":","},"columns":[` + column + `]}`, faults: []string{`decimal and delimiter are both ","`}},
		"another decimal":           {file: `{"source":"S","format":{"decimal":"'"},"columns":[` + column + `]}`, faults: []string{"format: decimal"}},
		"json with a decimal":       {file: `{"source":"S","format":{"type":"json","decimal":","},"columns":[` + column + `]}`, faults: []string{"csv only"}},
		"CHAR":                      {file: `{"source":"S","columns":[{"name":"a","alias":"A","type":"CHAR","fake":{}}]}`, faults: []string{"columns[0]: CHAR needs a length"}},
		"another type":              {file: `{"source":"S","format":{"type":"xml"},"columns":[` + column + `]}`, faults: []string{`type is "xml"`}},
		"json with a delimiter":     {file: `{"source":"S","format":{"type":"json","delimiter":";"},"columns":[` + column + `]}`, faults: []string{"csv only"}},
		"a path without a header":   {file: `{"source":"S","columns":[{"name":"a","alias":"COL0","path":"A","type":"REAL","fake":{}}]}`, faults: []string{"path is for json"}},
		"names of a header": {
			file: `{"source":"S","format":{"header":true},"columns":[{"name":"a","alias":"COL0","unnamed":true,"type":"REAL","fake":{}},
				{"name":"b","alias":"COL1","path":"x","type":"REAL","fake":{}}, {"name":"c","alias":"COL2","path":"x","type":"REAL","fake":{}}]}`,
		},
		"unnamed": {
			file: `{"source":"S","columns":[{"name":"a","alias":"COL0","unnamed":true,"type":"REAL","fake":{}}]}`, faults: []string{"columns[0]: unnamed is for csv with a header"},
		},
		"unnamed with a path": {
			file:   `{"source":"S","format":{"header":true},"columns":[{"name":"a","alias":"COL0","path":"x","unnamed":true,"type":"REAL","fake":{}}]}`,
			faults: []string{"columns[0]: unnamed is for csv with a header"},
		},
		"paths": {
			file: `{"source":"S","format":{"type":"json"},"columns":[
				{"name":"a","alias":"A","path":"$.x","type":"REAL","fake":{}}, {"name":"b","alias":"B","path":"$['x']","type":"REAL","fake":{}},
				{"name":"c","alias":"C","path":"$.x[*]","type":"REAL","fake":{}}, {"name":"d","alias":"D","path":"$","type":"REAL","fake":{}},
				{"name":"g","alias":"G","path":"$['\\ud83d\\ude00']","type":"REAL","fake":{}}, {"name":"h","alias":"H","path":"$['\\\\\\xff']","type":"REAL","fake":{}},
				{"name":"i","alias":"I","path":"$['\\\\ud83d']","type":"REAL","fake":{}},
				{"name":"e","alias":"E","path":"a.b","type":"REAL","fake":{}}, {"name":"f","alias":"F","path":"$[","type":"REAL","fake":{}}]}`,
			faults: []string{"columns[1]: path $.x is taken", "columns[2]: path", "columns[3]: path", "columns[4]: path", "columns[5]: path", "columns[7]: path", "columns[8]: path"},
		},
		"patterns": {
			file: `{"source":"S","columns":[
				{"name":"a","alias":"A","pattern":"yyyy-MM-dd","type":"REAL","fake":{}}, {"name":"b","alias":"B","pattern":"yyyy-MM-dd HH:mm","type":"DATE","fake":{}},
				{"name":"c","alias":"C","pattern":"yyyy-MM-dd","type":"TIMESTAMP","fake":{}}, {"name":"d","alias":"D","pattern":"YYYY","type":"DATE","fake":{}}]}`,
			faults: []string{"columns[0]: a pattern is for", "columns[1]: pattern", "columns[2]: pattern", "columns[3]: pattern"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := schema.Parse([]byte(test.file))
			if (err != nil) != (len(test.faults) > 0) {
				t.Fatalf("got %v, want faults %q", err, test.faults)
			}
			for _, part := range test.faults {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %q in it", err, part)
				}
			}
			if _, err := pipeline.Parse([]byte(test.file), nil); (err != nil) != (len(test.faults) > 0) {
				t.Errorf("Parse gave %v", err)
			}
		})
	}
}

func TestParseType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"integer": "INTEGER", "FLOAT": "REAL", "varchar(8)": "VARCHAR(8)", "STRING": "VARCHAR", "CHAR(1)": "CHAR(1)", "DATE": "DATE",
		"DECIMAL": "DECIMAL(10,0)", "NUMERIC(38)": "DECIMAL(38,0)", "DECIMAL(10,2)": "DECIMAL(10,2)", "dec(10, 10)": "DECIMAL(10,10)",
		"DECIMAL(39)": "", "DECIMAL(2,3)": "", "VARCHAR(8,2)": "", "REAL(3)": "", "DATE(1)": "", "MONEY": "", "": "", "CHAR(0)": "",
	} {
		got, err := schema.ParseType(text)
		if want == "" {
			if err == nil {
				t.Errorf("%q: got %s, want an error", text, got)
			}
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
		if again, err := schema.ParseType(got.String()); err != nil || again != got {
			t.Errorf("%s: read again as %s, %v", got, again, err)
		}
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, value, want string // "" is no value
	}{
		{"yyyy-MM-dd HH:mm:ss", "2026-11-23 20:00:09", "2026-11-23T20:00:09Z"},
		{"yyyy-MM-dd HH:mm:ss", "2026-11-23 20:00:09.5", ""},
		{"yyyy-MM-dd HH:mm:ss", "2026-02-29 20:00:09", ""},
		{"yyyy-MM-dd HH:mm:ss", "2026-11-23 2:00:09", ""},
		{"yyyy-MM-dd HH:mm:ss", " 2026-11-23 20:00:09", ""},
		{"yyyy-MM-dd HH:mm:ss.SSS", "2026-11-23 20:00:09.125", "2026-11-23T20:00:09.125Z"},
		{"yyyy-MM-dd HH:mm:ss.SSS", "2026-11-23 20:00:09.1250", ""},
		{"yyyy-MM-dd HH:mm:ss,SSS", "2026-11-23 20:00:09,125", "2026-11-23T20:00:09.125Z"},
		{"yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]XXX", "2026-11-23T20:00:09Z", "2026-11-23T20:00:09Z"},
		{"yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]XXX", "2026-11-23T20:00:09.25+01:00", "2026-11-23T19:00:09.25Z"},
		{"yyyy-MM-dd'T'HH:mm:ss[.SSSSSS]XXX", "2026-11-23T20:00:09.1234567Z", ""},
		{"yyyy-MM-dd'T'HH:mm:ss'Z'", "2026-11-23T20:00:09Z", "2026-11-23T20:00:09Z"},
		{"dd/MM/yyyy", "23/11/2026", "2026-11-23T00:00:00Z"},
		{"MM/dd/yyyy", "23/11/2026", ""},
		{"M/d/yyyy h:mm a", "1/2/2026 1:05 PM", "2026-01-02T13:05:00Z"},
		{"M/d/yyyy h:mm a", "01/2/2026 1:05 PM", ""},
		{"dd/MMM/yyyy:HH:mm:ss xx", "10/Oct/2026:13:55:36 -0700", "2026-10-10T20:55:36Z"},
		{"EEE, dd MMM yyyy HH:mm:ss xx", "Mon, 23 Nov 2026 20:00:00 +0000", "2026-11-23T20:00:00Z"},
		{"EEE, dd MMM yyyy HH:mm:ss xx", "Tue, 23 Nov 2026 20:00:00 +0000", ""},
		{"yyyyMMdd", "20261123", "2026-11-23T00:00:00Z"},
		{"yyyyMMdd", "2026112", ""},
		{"dMMyyyy", "1122026", ""}, // the day takes two digits
		{"dd/MM/yyyy hh:mm a", "23/11/2026 12:05 AM", "2026-11-23T00:05:00Z"},
		{"dd/MM/yyyy hh:mm a", "23/11/2026 12:05 PM", "2026-11-23T12:05:00Z"},
		{"dd/MM/yyyy hh:mm a", "23/11/2026 00:05 PM", ""},
		{"dd/MM/yyyy hh:mm a", "23/11/2026 13:05 PM", ""},
		{"dd/MM/yyyy hh:mm a", "23/11/2026 11:05 pm", ""},
		{"yyyy-MM-dd HH:mmXX", "2026-11-23 20:00+2359", "2026-11-22T20:01:00Z"},
		{"yyyy-MM-dd HH:mmXX", "2026-11-23 20:00+2400", ""},
		{"yyyy-MM-dd HH:mmXX", "2026-11-23 20:00+0160", ""},
		{"yyyy-MM-dd HH:mmX", "2026-11-23 20:00-05", "2026-11-24T01:00:00Z"},
		{"yyyy-MM-dd HH:mmxx", "2026-11-23 20:00Z", ""},
		{"yyyy-MM-dd HH:mmXXX", "0000-01-01 00:00+00:01", ""},
		{"yyyy-MM-dd HH:mmXXX", "9999-12-31 23:59-00:01", ""},
		{"yyyy-MM-dd HH:mm:ss[.SSS]", "2026-11-23 20:00:09.", ""},
		{"yyyy-MM-dd HH:mm:ss[.SSS]", "2026-11-23 20:00:09", "2026-11-23T20:00:09Z"},
	}
	for _, test := range tests {
		p, err := schema.ParsePattern(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		got, ok := p.Parse(test.value)
		if text := got.Format(time.RFC3339Nano); ok != (test.want != "") || ok && text != test.want {
			t.Errorf("%s: %q is %s, %t, want %q", test.pattern, test.value, text, ok, test.want)
		}
	}
	for _, pattern := range []string{
		"", "yyyy", "yyyy-MM", "HH:mm", "YYYY-MM-dd", "yyyy-MM-dd HH", "yyyy-MM-dd mm:ss", "yyyy-MM-dd hh:mm", "yyyy-MM-dd HH:mm a", "yyyy-MM-MM",
		"yyyy-MM-dd HH:mm:ssSSS", "yyyy-MM-dd HH:mm:ss.SSSSSSSSSS", "yyyy-MM-dd'T", "yyyy-MM-dd'20'", "yyyy-MM-ddTHH:mm", "yyyy_MM_dd", "yyyy-MM-dd yyyy", "yy-MM-dd", "yyyy-MM-dd HH:mm:ss.SSS.SSS", "yyyy-MM-dd XXX",
	} {
		if p, err := schema.ParsePattern(pattern); err == nil {
			t.Errorf("%q is read as %s, want an error", pattern, p)
		}
	}
}

// FuzzPattern: a pattern is refused, or reads values without a panic; what it writes of a time that it has read is
// read as the same.
func FuzzPattern(f *testing.F) {
	f.Add("yyyy-MM-dd HH:mm:ss", "2026-11-23 20:00:09")
	f.Add("d/M/yyyy h:mm a", "1/2/2026 1:05 PM")
	f.Add("yyyyMMddHHmmss", "20260102030405")
	f.Add("EEE, dd MMM yyyy HH:mm:ss[.SSS] XXX", "Mon, 23 Nov 2026 20:00:00.1 +01:00")
	f.Fuzz(func(t *testing.T, pattern, value string) {
		p, err := schema.ParsePattern(pattern)
		if err != nil {
			return
		}
		if p.String() != pattern {
			t.Errorf("%q is called %q", pattern, p)
		}
		if at, ok := p.Parse(value); ok && at.Location() != time.UTC {
			t.Errorf("%q: %q is %s, want UTC", pattern, value, at)
		} else if ok {
			written := p.Append(nil, at)
			if again, ok := p.Parse(string(written)); !ok && !greedy(pattern) || ok && !again.Equal(at) {
				t.Errorf("%q: %s is written as %q, which is %s, %t", pattern, at, written, again, ok)
			}
		}
	})
}

// greedy reports whether a part of a pattern may take digits of the next part.
func greedy(pattern string) bool {
	return regexp.MustCompile(`(^|[^M])M[yhHmsd]|(^|[^d])d[yhHmsM]|(^|[^hH])[hH][yMdms]|S\][yMdhHms]`).MatchString(pattern)
}

// TestEncode checks that Parse reads what Encode has written.
func TestEncode(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := anySchema(t)
		data, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := schema.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		s.Format, got.Format = s.Format.OrDefault(), got.Format.OrDefault()
		samePattern := cmp.Comparer(func(a, b *schema.Pattern) bool { return a.String() == b.String() })
		if diff := cmp.Diff(s, got, samePattern); diff != "" {
			t.Fatalf("(-want +got):\n%s\n%s", diff, data)
		}
		if lines := bytes.Count(data, []byte("\n")); lines > len(s.Columns)+6 {
			t.Fatalf("got %d lines for %d columns:\n%s", lines, len(s.Columns), data)
		}
	})
}

func anySchema(t *rapid.T) schema.Schema {
	s := schema.Schema{Source: rapid.StringN(1, 9, -1).Draw(t, "source")}
	switch rapid.IntRange(0, 2).Draw(t, "format") {
	case 0:
		s.Format = schema.JSONFormat()
	case 1:
		s.Format = schema.Format{
			Type: schema.CSV, Delimiter: rapid.SampledFrom([]string{",", ";", "\t", "|", "\x01"}).Draw(t, "delimiter"),
			Quote: rapid.SampledFrom([]string{`"`, "'", ""}).Draw(t, "quote"), Newline: rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "newline"),
			Header: rapid.Bool().Draw(t, "header"), Decimal: ".",
		}
		if s.Format.Delimiter != "," {
			s.Format.Decimal = rapid.SampledFrom([]string{",", "."}).Draw(t, "decimal")
		}
		s.Format.Multiline = s.Format.Quote != "" && rapid.Bool().Draw(t, "multiline")
		if rapid.Bool().Draw(t, "nulls") {
			s.Format.Nulls = []string{"", `\N`}
		}
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.StringN(1, 9, -1), 1, 9, strings.ToUpper).Draw(t, "names") {
		c := schema.Column{Name: "n" + name, Alias: "a" + name, Nullable: rapid.Bool().Draw(t, "nullable")}
		typ := rapid.SampledFrom([]string{"INTEGER", "DECIMAL(10,2)", "TIMESTAMP", "DATE", "CHAR(3)", "VARCHAR", "BOOLEAN"}).Draw(t, "type")
		c.Type, _ = schema.ParseType(typ)
		if c.Type.Kind == schema.Date && rapid.Bool().Draw(t, "pattern") {
			c.Pattern, _ = schema.ParsePattern("dd/MM/yyyy")
		}
		switch {
		case s.Format.Type == schema.JSON:
			c.Path = schema.Path{"x", name}
		case s.Format.Header:
			c.Path = schema.Path{name}
		}
		c.Fake = rapid.SampledFrom([]schema.Fake{{Text: "x"}, {Prefix: "-7.", Integers: [][2]int64{{0, 9}}, Width: 2}, {Time: "planned", PlusMinutes: [2]int64{0, 9}}, {Sum: []string{"a"}}}).Draw(t, "fake")
		s.Columns = append(s.Columns, c)
	}
	return s
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]schema.Path{
		"$.a": {"a"}, "$.a['b'].c": {"a", "b", "c"}, "$[ 'a' ]": {"a"}, "$.0": {"0"}, "$.é~b|#%;?^{}_": {"é~b|#%;?^{}_"},
		`$['user id']["x"]`: {"user id", "x"}, `$['a\'b']`: {"a'b"}, `$["a\"b"]`: {`a"b`}, `$['a"b']`: {`a"b`}, `$["a'b"]`: {"a'b"},
		`$['\b\f\n\r\t\\\u00e9\U0041']`: {"\b\f\n\r\t\\éA"}, "$['a\nb']": {"a\nb"}, "$['']": {""}, `$['[0].*']`: {"[0].*"},
		"$": nil, "": nil, "a": nil, "@.a": nil, "$a": nil, "$.": nil, "$.a.": nil, "$..a": nil, "$.a b": nil, " $.a": nil, "$.a ": nil,
		"$[0]": nil, "$[*]": nil, "$.*": nil, "$['a','b']": nil, "$.a[b]": nil, "$['a'": nil, "$['a": nil, `$['a"]`: nil, "$['a'b']": nil,
		`$['\q']`: nil, `$['\x41']`: nil, `$['\ud83d\ude00']`: nil, `$['\uDFFF']`: nil, `$['\u00g0']`: nil, `$['\']`: nil,
	} {
		got, err := schema.ParsePath(text)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
}

// FuzzPath: the names of a path are those that it was made of.
func FuzzPath(f *testing.F) {
	for _, name := range []string{"a", "a b", "it's", `"`, "", "é", "a.b", "\n", `\`, "$", "0", "]", "\x00", "\u2028"} {
		f.Add(name, "b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, ""), strings.ToValidUTF8(b, "")
		path := schema.Path{a, b}
		got, err := schema.ParsePath(path.String())
		if diff := cmp.Diff(path, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", path, err, diff)
		}
	})
}
