package discover_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"streamproof/internal/discover"
	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// columnsOf returns the columns of a proposal as one line: name, type, pattern, and a question mark if it may be NULL.
func columnsOf(p *discover.Proposal) string {
	var all []string
	for _, c := range p.Columns {
		text := strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Name, c.Type, c.Pattern))
		if c.Nullable {
			text += " ?"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// faultsOf writes the faults of a proposal in a line, each with all its places.
func faultsOf(p *discover.Proposal) string {
	var all []string
	for _, f := range p.Faults {
		places := append([]string{f.Where}, f.Others...)
		all = append(all, f.Reason+" in "+strings.ReplaceAll(strings.Join(places, " and "), "file, ", ""))
	}
	return strings.Join(all, "; ")
}

// notesOf returns all notes for a person, including those of columns.
func notesOf(p *discover.Proposal) string {
	notes := slices.Clone(p.Notes)
	for _, c := range p.Columns {
		notes = append(notes, c.Notes...)
	}
	return strings.Join(notes, "\n")
}

// A kind is a sample as people have it, and what has to be made of it.
type kind struct {
	records []discover.Record
	header  bool   // the format has one
	columns string // empty where there is no proposal
	faults  string
	notes   []string // parts of the notes or of the error
	silent  []string // parts that no note may have
}

func checkKinds(t *testing.T, kinds map[string]kind) {
	t.Helper()
	for name, want := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := discover.Discover(want.records, discover.Options{})
			told := notesOf(p)
			if err != nil {
				told = err.Error()
			}
			if got := columnsOf(p); (err != nil) != (want.columns == "") || err == nil && got != want.columns {
				t.Errorf("got columns %s, %v, want %s", got, err, want.columns)
			}
			for _, part := range want.notes {
				if !strings.Contains(told, part) {
					t.Errorf("got %q, which does not say %q", told, part)
				}
			}
			for _, part := range want.silent {
				if strings.Contains(told, part) {
					t.Errorf("got %q, which says %q", told, part)
				}
			}
			if err != nil {
				return
			}
			if p.Format.Header != want.header {
				t.Errorf("got a header %t, want %t", p.Format.Header, want.header)
			}
			if got := faultsOf(p); got != want.faults {
				t.Errorf("got faults %s, want %s", got, want.faults)
			}
			checkFaults(t, want.records, p)
			schema := p.Schema("S")
			if _, err := schema.Encode(); err != nil {
				t.Error(err)
			}
			if err := made(schema); err != nil {
				t.Error(err)
			}
		})
	}
}

// rows are so many lines of CSV: a number, a word and a fraction, between a delimiter.
func rows(n int, delimiter, newline string) string {
	return repeat(n, func(i int) string {
		return strings.Join([]string{fmt.Sprint(i), fmt.Sprintf("w%d", i%7), fmt.Sprintf("%d.5", i)}, delimiter) + newline
	})
}

// TestHeaders: where the header is, and what the columns are called.
func TestHeaders(t *testing.T) {
	t.Parallel()
	checkKinds(t, map[string]kind{
		"a line that names the delimiter": {
			records: file("sep=;\r\nid;Name;Score\r\n" + rows(25, ";", "\r\n")), header: true,
			columns: "id INTEGER, Name VARCHAR(2), Score REAL", faults: "2 columns instead of 3 in line 1",
		},
		"titles before it": {
			records: file("Report of 2026\nmade by hand, by us\n\nid,name,score\n" + rows(25, ",", "\n")), header: true,
			columns: "id INTEGER, name VARCHAR(2), score REAL", faults: "1 column instead of 3 in line 1; 2 columns instead of 3 in line 2; blank line in line 3",
		},
		"a title with as many delimiters": {
			records: file("Report,,\n,,\nid,name,score\n" + rows(40, ",", "\n")), header: true,
			columns: "id INTEGER ?, name VARCHAR(2) ?, score REAL ?", faults: "column id: not an integer in line 1",
		},
		"an empty name": {
			records: file(",name,score\n" + rows(25, ",", "\n")), header: true, columns: "COL0 INTEGER, name VARCHAR(2), score REAL",
			notes: []string{"the header has an empty name for it"},
		},
		"blanks for a name": {records: file("  ,name,score\n" + rows(25, ",", "\n")), header: true, columns: "COL0 INTEGER, name VARCHAR(2), score REAL"},
		"repeated names": {
			records: file("x,X,x\n" + rows(25, ",", "\n")), header: true, columns: "x INTEGER, X_2 VARCHAR(2), x_3 REAL",
			notes: []string{`the sample calls it "X", the name or alias of another column`},
		},
		"two empty names and a repeated one": {
			records: file("a,,a,\n" + repeat(25, func(i int) string { return fmt.Sprintf("%d,%d,%d,%d\n", i, i, i, i) })), header: true,
			columns: "a INTEGER, COL1 INTEGER, a_2 INTEGER, COL3 INTEGER",
		},
		"a name of two lines": {
			records: file("id,\"name of\nthe thing\",score\n" + rows(25, ",", "\n")), header: true, columns: "id INTEGER, name of the thing VARCHAR(2), score REAL",
		},
		"the alias of another column": {
			records: file("col1,name,score\n" + rows(25, ",", "\n")), header: true, columns: "col1_2 INTEGER, name VARCHAR(2), score REAL", notes: []string{`the sample calls it "col1"`},
		},
		"words for NULL below it": {
			records: file("a,b\n" + repeat(25, func(i int) string { return []string{"NULL,1\n", "7,\\N\n", "null,3\n"}[i%3] })), header: true,
			columns: "a INTEGER ?, b INTEGER ?",
		},
		"over numbers that are text": {
			records: file("what,how much\n" + repeat(25, func(i int) string { return fmt.Sprintf("w%d,\"1,%03d.50\"\n", i, i) })), header: true,
			columns: "what VARCHAR(4), how much CHAR(8)", notes: []string{"thousands separators"},
		},
		"one column of text":          {records: file("name\n" + repeat(25, func(i int) string { return fmt.Sprintf("town %d\n", i) })), columns: "COL0 VARCHAR(8)", notes: []string{`the first row, "name", may be a header`}},
		"one column of several lines": {records: file("col\n\"two\nlines\"\n"), columns: "COL0 VARCHAR(16)", notes: []string{`the first row, "col", may be a header`}},
		"years for names": {
			records: file("id,2019,2020\n" + repeat(25, func(i int) string { return fmt.Sprintf("%d,%d,%d\n", i, i, i) })), columns: "COL0 INTEGER, COL1 INTEGER, COL2 INTEGER",
			faults: "column COL0: not an integer in line 1", notes: []string{`row 1, "id,2019,2020", looks like a header`},
		},
		"two lines of it": {
			records: file("t,v\ndegrees,volts\n" + repeat(25, func(i int) string { return fmt.Sprintf("%d,%d\n", i, i) })), header: true,
			columns: "t INTEGER, v INTEGER", faults: "column t: not an integer in line 2", notes: []string{`row 1, "degrees,volts", looks like a header`},
		},
		"a row of text that was sent twice": {records: records("a,b\n", "c,d\n", "a,b\n", "e,f\n", "g,h\n"), columns: "COL0 CHAR(1), COL1 CHAR(1)"},
	})
}

// TestJSONValues covers members that are objects in some rows only, and values that are not integers.
func TestJSONValues(t *testing.T) {
	t.Parallel()
	mixed := func(n int, rare string, every int) []discover.Record {
		return file(repeat(n, func(i int) string {
			if i%every == every-1 {
				return fmt.Sprintf(`{"id":%d,"v":%s}`+"\n", i, rare)
			}
			return fmt.Sprintf(`{"id":%d,"v":7}`+"\n", i)
		}))
	}
	objects := func(n int, rare string) []discover.Record {
		return file(repeat(n, func(i int) string {
			if i == 30 {
				return `{"v":` + rare + "}\n"
			}
			return fmt.Sprintf(`{"v":{"k":%d}}`+"\n", i)
		}))
	}
	pretty := "{\n" + repeat(1000, func(i int) string { return fmt.Sprintf("\"k%d\":%d,\n", i, i) })
	cut := func(text string) []discover.Record {
		return []discover.Record{{Data: []byte(text), Name: "file", Cut: true}}
	}
	checkKinds(t, map[string]kind{
		"an object in half of the rows": {records: mixed(40, `{"k":1}`, 2), columns: "id INTEGER, v VARCHAR(8)", notes: []string{"20 values are arrays or objects", "20 values are numbers"}},
		"an object in few rows":         {records: mixed(40, `{"k":1}`, 40), columns: "id INTEGER, v INTEGER", faults: "column v: not an integer in line 40"},
		"a number in few objects":       {records: objects(40, "7"), columns: "v_k INTEGER ?", faults: "column v_k: not an object in line 31"},
		"null in few objects":           {records: objects(40, "null"), columns: "v_k INTEGER ?"},
		"an empty object among others":  {records: objects(40, "{}"), columns: "v_k INTEGER ?"},
		"an array in half of the rows":  {records: mixed(40, `[1]`, 2), columns: "id INTEGER, v VARCHAR(4)"},
		"objects and arrays of objects": {
			records: file(repeat(20, func(i int) string { return []string{`{"v":{"k":1}}`, `{"v":[{"k":1}]}`}[i%2] + "\n" })), columns: "v VARCHAR(16)",
		},
		"only empty objects": {records: file(strings.Repeat(`{"v":{}}`+"\n", 20)), columns: "v VARCHAR(2)"},
		"deep down": {
			records: file(repeat(20, func(i int) string { return []string{`{"a":{"b":{"c":1}}}`, `{"a":{"b":2}}`}[i%2] + "\n" })), columns: "a_b VARCHAR(8)",
		},
		"an object longer than the sample": {records: cut(pretty), notes: []string{"file begins with a JSON value that continues past the sampled part: take a larger sample"}},
		"nested objects longer than the sample": {
			records: cut("{\n\"features\": [\n" + strings.Repeat("{\n\"id\": 0\n},\n", 300)), notes: []string{"take a larger sample"},
		},
		"an array longer than the sample": {records: cut("[\n" + strings.Repeat("{\"id\": 1},\n", 30)), columns: "id INTEGER"},
		"an object that ends too early":   {records: file(pretty), notes: []string{"1 of 1 rows that look like JSON cannot be read", "truncated JSON (1, first \"{\" in file, line 1)"}},
		"an object without a comma":       {records: file("{\n\"a\": 1\n\"b\": 2,\n\"c\": 3\n}\n"), notes: []string{"broken JSON"}},
		"a broken object among others of several lines": {
			records: file(strings.Repeat("{\n  \"a\": 1,\n  \"b\": 2\n}\n", 30) + "{\n  \"a\": 1\n  \"b\": 2\n}\n" + strings.Repeat("{\n  \"a\": 1,\n  \"b\": 2\n}\n", 30)),
			columns: "a INTEGER, b INTEGER", faults: "not JSON in line 122 and line 123 and line 124; JSON that is not an object in line 122 and line 123; truncated JSON in line 121",
		},
		"a broken element of an array": {
			records: file("[\n" + strings.Repeat("{\"a\":1},\n", 10) + "{\"a\":},\n" + strings.Repeat("{\"a\":1},\n", 10) + "{\"a\":1}\n]\n"),
			columns: "a INTEGER",
			faults:  "not JSON in line 13 and line 14 and line 15 and line 16 and line 17 and line 18 and line 19 and line 20 and line 21 and line 22 and line 24; broken JSON in line 12",
		},
		"a title before it":     {records: file("All events\n" + strings.Repeat("{\"a\":1}\n", 30)), columns: "a INTEGER", faults: "not JSON in line 1"},
		"CSV and JSON by turns": {records: file(strings.Repeat("1,x\n{\"a\":1}\n", 15)), notes: []string{`mixes formats: 15 rows look like JSON (such as "{\"a\":1}") and 15 lines do not (such as "1,x")`}},
		"JSON in few rows of CSV": {
			records: file(strings.Repeat("1,x\n", 30) + "{\"a\":1}\n" + strings.Repeat("1,x\n", 30)), columns: "COL0 INTEGER, COL1 CHAR(1)", faults: "JSON among CSV in line 31",
		},
		"text behind each object": {records: file(strings.Repeat("{\"a\":1}|x\n", 30)), notes: []string{"JSON with text after it (30"}},
		"more broken values than are followed to their end": {
			records: file(repeat(60, func(int) string { return "{\"a\":\n{\"a\":1}\n" }) + strings.Repeat("{\"a\":1}\n\n", 2000)),
			columns: "a INTEGER", faults: "truncated JSON in " + strings.TrimSuffix(repeat(60, func(i int) string { return fmt.Sprintf("line %d and ", 2*i+1) }), " and "),
		},
		// Without that limit, this takes minutes.
		"nothing but broken values": {records: file(strings.Repeat("{\"a\":[\n", 100_000)), notes: []string{"100000 of 100000 rows that look like JSON cannot be read"}},
		"arrays of arrays":          {records: file("[\n[1,2],\n[3,4]\n]\n"), notes: []string{"JSON that is not an object"}},
		"an empty array":            {records: file("[]\n"), notes: []string{"the sample has no rows"}},
	})
}

// TestEncodings covers text that is not UTF-8, and single control characters, which are text.
func TestEncodings(t *testing.T) {
	t.Parallel()
	var little, big bytes.Buffer
	for _, c := range utf16.Encode([]rune("a;b\n1;2\n")) {
		little.Write([]byte{byte(c), byte(c >> 8)})
		big.Write([]byte{byte(c >> 8), byte(c)})
	}
	text := rows(25, ";", "\n")
	checkKinds(t, map[string]kind{
		"UTF-16 with a mark":           {records: file("\xff\xfe" + little.String()), notes: []string{"UTF-16 text, not UTF-8"}},
		"UTF-16 without a mark":        {records: file(little.String()), notes: []string{"UTF-16 text, not UTF-8"}},
		"UTF-16 with high bytes first": {records: file(big.String()), notes: []string{"UTF-16 text, not UTF-8"}},
		"UTF-32":                       {records: file("\xff\xfe\x00\x00a\x00\x00\x00"), notes: []string{"UTF-32 text, not UTF-8"}},
		"Latin-1 in all lines":         {records: file("A\xf1o;Ciudad\n2019;M\xe1laga\n2020;C\xe1diz\n"), notes: []string{"3 of the 3 lines", "not UTF-8, perhaps Latin-1", `first "Año;Ciudad"`}},
		"Windows-1252":                 {records: file(strings.Repeat("1;it\x92s \x80 5\n", 9)), notes: []string{"9 of the 9 lines cannot be read: not UTF-8, perhaps Windows-1252", "first \"1;it’s € 5\""}, silent: []string{"several forms"}},
		"one byte of no encoding":      {records: file(text + "7;\x81;1.5\n"), columns: "COL0 INTEGER, COL1 VARCHAR(2), COL2 REAL", faults: "not UTF-8 in line 26"},
		"Latin-1 in JSON":              {records: file(strings.Repeat("{\"a\":\"caf\xe9\"}\n", 9)), notes: []string{"not UTF-8, perhaps Latin-1"}},
		"gzip":                         {records: file(gzipped("a,b\n")), notes: []string{"gzip (1, "}},
		"an aggregate":                 {records: file("\xf3\x89\x9a\xc2\x0a\x04pk-0\x1a\x13"), notes: []string{"an aggregate of the Kinesis Producer Library"}},
		"one NUL": {
			records: file(text + "7;A\x00B;1.5\n"), columns: "COL0 INTEGER, COL1 VARCHAR(4), COL2 REAL", notes: []string{`1 values have control characters, such as "A\x00B"`},
		},
		"one BEL in a short record": {records: records("1,a\n", "2,\a\n", "3,c\n"), columns: "COL0 INTEGER, COL1 CHAR(1)", notes: []string{`such as "\a"`}},
		"NUL in a number":           {records: file(text + "7\x00;x;1.5\n"), columns: "COL0 INTEGER, COL1 VARCHAR(2), COL2 REAL", faults: "column COL0: not an integer in line 26"},
		"a mark before JSON":        {records: file("\ufeff" + strings.Repeat("{\"a\":1}\n", 30)), columns: "a INTEGER", faults: "byte order mark before JSON in line 1"},
		"a mark before an array":    {records: file("\ufeff[{\"a\":1},{\"a\":2}]"), notes: []string{"byte order mark before JSON"}},
		"a mark before numbers": {
			records: file("\ufeff" + text), columns: "COL0 INTEGER, COL1 VARCHAR(2), COL2 REAL", faults: "byte order mark in line 1",
		},
	})
}

// TestForms: lines that are no rows, and lines of one text each.
func TestForms(t *testing.T) {
	t.Parallel()
	log := func(page string) string {
		return repeat(30, func(i int) string {
			return fmt.Sprintf("192.0.2.%d - - [10/Oct/2026:13:55:%02d -0700] \"GET /%s%d.gif HTTP/1.0\" 200 2326\n", i, i, page, i)
		})
	}
	checkKinds(t, map[string]kind{
		"a log of a web server":                  {records: file(log("a")), columns: "COL0 VARCHAR(128)", notes: []string{"each line is one text"}, silent: []string{"header"}},
		"a log with a comma in all of its lines": {records: file(log("a,b;c")), columns: "COL0 VARCHAR(128)"},
		"blank lines":                            {records: file("\n" + rows(10, ",", "\n") + "\n" + rows(10, ",", "\n") + "\n"), columns: "COL0 INTEGER, COL1 VARCHAR(2), COL2 REAL", faults: "blank line in line 1 and line 12 and line 23"},
		"blank lines that end with \\r\\n":       {records: file(rows(10, ",", "\r\n") + "\r\n"), columns: "COL0 INTEGER, COL1 VARCHAR(2), COL2 REAL", faults: "blank line in line 11"},
		"blanks in a line":                       {records: file(rows(20, ",", "\n") + "  \n"), columns: "COL0 INTEGER, COL1 VARCHAR(2), COL2 REAL", faults: "1 column instead of 3 in line 21"},
		"an empty record":                        {records: records("1,2\n", "", "3,4\n"), columns: "COL0 INTEGER, COL1 INTEGER", faults: "empty record in record 2"},
		"a value of another type":                {records: file(rows(30, ",", "\n") + "x,y,z\n"), columns: "COL0 INTEGER, COL1 VARCHAR(2), COL2 REAL", faults: "column COL0: not an integer in line 31"},
		"a few faults in each of many columns": {
			records: file(repeat(20, func(i int) string {
				fields := slices.Repeat([]string{"1"}, 20)
				fields[i] = "x"
				return strings.Join(fields, ",") + "\n"
			})),
			columns: strings.TrimSuffix(repeat(20, func(i int) string { return fmt.Sprintf("COL%d CHAR(1), ", i) }), ", "), notes: []string{"only 19 of 20 values are INTEGER"},
		},
	})
}

// TestTextNotes checks the notes on why a column is text although its values look like another type.
func TestTextNotes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		values []string
		want   string // the type
		notes  []string
	}{
		"points between thousands": {[]string{"-21.419,06", "37.996,97", "-53,9"}, "VARCHAR(16)", []string{"numbers with thousands separators, which no numeric type reads"}},
		"commas between thousands": {[]string{"100,000.00", "5,000", "12"}, "VARCHAR(16)", []string{"numbers with thousands separators, which no numeric type reads"}},
		"blanks between thousands": {[]string{"1 000", "12 345,6", "7"}, "VARCHAR(8)", []string{"numbers with thousands separators, which no numeric type reads"}},
		"a comma":                  {[]string{"1,5", "2,25"}, "VARCHAR(4)", []string{"numbers with a comma, which a numeric type reads only if it is the format's `decimal`"}},
		"a comma between thousands, perhaps": {
			[]string{"1,234", "2,500", "725"}, "VARCHAR(8)",
			[]string{"numbers with a comma or point that may separate thousands, which no numeric type reads; if it precedes a fraction, set it as the format's `decimal`"},
		},
		"a plus":       {[]string{"+1", "+2.5", "3"}, "VARCHAR(4)", []string{"numbers with a plus sign, which a numeric type would drop"}},
		"money":        {[]string{"$1.50", "-$12", "$ 1,000.00"}, "VARCHAR(16)", []string{"numbers with a unit, which no numeric type reads"}},
		"percent":      {[]string{"1.5%", "12 %"}, "VARCHAR(4)", []string{"numbers with a unit, which no numeric type reads"}},
		"zeros before": {[]string{"007", "8"}, "VARCHAR(4)", []string{"1 of these numbers begin with a zero, which an INTEGER would drop"}},
		"always empty": {[]string{"", "", ""}, "VARCHAR", []string{"empty in every row, so its type is unknown"}},
		"a word for NULL": {
			[]string{"NA", "1", "2", "NA", "-"}, "VARCHAR(2)",
			[]string{"without \"NA\" (2), \"-\" (1) it would be INTEGER: if that means NULL, add it to the format's `nulls`, set that type and make the column `nullable`"},
		},
		"a town called None": {[]string{"None", "Rome", "Oslo"}, "VARCHAR(4)", nil},
		"words":              {[]string{"Rome", "Oslo", "Bern "}, "VARCHAR(8)", nil},
		"a word of text":     {[]string{"1", "x", "2"}, "CHAR(1)", []string{"2 of 3 are numbers"}},
		"blanks":             {[]string{" 1", " 2"}, "VARCHAR(2)", []string{"text because of the blanks around the values"}},
		"control characters": {[]string{"a\x1b[2J", "b"}, "VARCHAR(8)", []string{`1 values have control characters, such as "a\x1b[2J"`}},
	}
	for name, test := range tests {
		var lines strings.Builder
		for _, value := range test.values {
			fmt.Fprintf(&lines, "a,%q\n", value)
		}
		no := false
		p, err := discover.Discover(file(strings.ReplaceAll(lines.String(), `\x1b`, "\x1b")), discover.Options{Header: &no, Delimiter: ","})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c := p.Columns[1]; c.Type.String() != test.want || !slices.Equal(c.Notes, test.notes) {
			t.Errorf("%s: got %s, %q, want %s, %q", name, c.Type, c.Notes, test.want, test.notes)
		}
	}
}

// TestOddHeader: the reader knows a header with missing and repeated names, also after a merge with a schema
// that has it, or has none.
func TestOddHeader(t *testing.T) {
	t.Parallel()
	sample := file(",a,a,\"per\nunit\"\n" + repeat(25, func(i int) string { return fmt.Sprintf("%d,%d,%d,x\n", i, i, i) }))
	p, err := discover.Discover(sample, discover.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := p.Schema("S")
	headerless := p.Schema("S")
	headerless.Format.Header = false
	for i := range headerless.Columns {
		headerless.Columns[i].Path = nil
	}
	for _, current := range []schema.Schema{s, headerless} {
		m, err := discover.Merge(current, p)
		if err != nil || m.Changed == current.Format.Header {
			t.Fatalf("got %v, %+v", err, m)
		}
		r := record.NewReader(m.Schema)
		n := 0
		for one := range r.Rows(sample[0].Data) {
			if n++; one.Err != nil {
				t.Errorf("%q: %v", one.Raw, one.Err)
			}
		}
		if n != 25 {
			t.Errorf("got %d rows, want 25", n)
		}
	}
}
