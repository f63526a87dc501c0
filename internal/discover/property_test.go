package discover_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"streamproof/internal/discover"
	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// kinds are columns as people have them, each with how a value of it is made.
var kinds = map[string]*rapid.Generator[string]{
	"INTEGER": rapid.Map(rapid.Int32(), func(n int32) string { return fmt.Sprint(n) }),
	"BIGINT":  rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(n) }),
	"DECIMAL": rapid.StringMatching(`[1-9][0-9]{19,30}`),
	"money":   rapid.Map(rapid.IntRange(-99999, 99999), func(n int) string { return fmt.Sprintf("%.2f", float64(n)/100) }),
	"REAL":    rapid.Map(rapid.Float32Range(-1e6, 1e6), func(f float32) string { return fmt.Sprint(f) }),
	"DOUBLE":  rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) string { return fmt.Sprint(f) }),
	"place":   rapid.StringMatching(`-73\.[0-9]{15}`),
	"TIMESTAMP": rapid.Map(rapid.Int64Range(0, 4e9), func(n int64) string {
		return time.Unix(n, 0).UTC().Format(schema.TimestampLayout)
	}),
	"instant": rapid.Map(rapid.Int64Range(0, 4e12), func(n int64) string { return time.UnixMilli(n).UTC().Format("2006-01-02T15:04:05.000Z07:00") }),
	"DATE":    rapid.Map(rapid.Int64Range(0, 4e9), func(n int64) string { return time.Unix(n, 0).UTC().Format("2006-01-02") }),
	"day":     rapid.Map(rapid.Int64Range(0, 4e9), func(n int64) string { return time.Unix(n, 0).UTC().Format("02/01/2006") }),
	"BOOLEAN": rapid.Map(rapid.Bool(), func(b bool) string { return fmt.Sprint(b) }),
	"flag":    rapid.SampledFrom([]string{"Y", "N"}),
	"code":    rapid.StringMatching(`0[0-9]{4}`),
	"word":    rapid.StringMatching(`[a-zé]{1,12}`),
	"text":    rapid.StringMatching(`[a-z]{1,5}( [a-z;,|"\t']{1,5}){0,3} [a-z]{1,3}`),
}

// table is a schema and rows of it. The first column is of numbers, as most tables have one.
func table(t *rapid.T) (columns []string, rows [][]string) {
	names := rapid.SliceOfN(rapid.SampledFrom([]string{
		"INTEGER", "BIGINT", "DECIMAL", "money", "REAL", "DOUBLE", "place", "TIMESTAMP", "instant", "DATE", "day", "BOOLEAN", "flag", "code", "word", "text",
	}), 1, 7).Draw(t, "columns")
	columns = append([]string{"INTEGER"}, names...)
	for range rapid.IntRange(20, 60).Draw(t, "rows") {
		var values []string
		for _, name := range columns {
			values = append(values, kinds[name].Draw(t, name))
		}
		rows = append(rows, values)
	}
	return columns, rows
}

// TestProposalReadsCSV checks for any table, in any format, that the format is found and that all values are of the
// proposed types.
func TestProposalReadsCSV(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		columns, rows := table(t)
		delimiter := rapid.SampledFrom([]string{",", ";", "|", "\t"}).Draw(t, "delimiter")
		if delimiter != "," && rapid.Bool().Draw(t, "decimal comma") {
			for _, values := range rows {
				for i, name := range columns {
					if slices.Contains([]string{"money", "REAL", "DOUBLE", "place"}, name) {
						values[i] = strings.Replace(values[i], ".", ",", 1)
					}
				}
			}
		}
		newline := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "newline")
		header, oneEach, all := rapid.Bool().Draw(t, "header"), rapid.Bool().Draw(t, "a record each"), rapid.Bool().Draw(t, "all quoted")
		var lines []string
		if header {
			var names []string
			for i := range columns {
				names = append(names, fmt.Sprintf("column %c", 'a'+i))
			}
			lines = append(lines, strings.Join(names, delimiter)+newline)
		}
		for _, values := range rows {
			var fields []string
			for _, value := range values {
				if all || strings.ContainsAny(value, delimiter+"\"") {
					value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
				}
				fields = append(fields, value)
			}
			lines = append(lines, strings.Join(fields, delimiter)+newline)
		}
		sample := records(lines...)
		if !oneEach {
			sample = file(strings.Join(lines, ""))
		}
		p, err := discover.Discover(sample, discover.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if f := p.Format; f.Type != schema.CSV || f.Delimiter != delimiter || f.Newline != newline || f.Header != header {
			t.Fatalf("got format %+v", f)
		}
		check(t, p, columns, rows)
		r := record.NewReader(p.Schema("S"))
		got := 0
		for one := range r.Rows([]byte(strings.Join(lines, ""))) {
			if got++; one.Err != nil {
				t.Fatalf("%q: %v", one.Raw, one.Err)
			}
		}
		if got != len(rows) {
			t.Fatalf("got %d rows, want %d", got, len(rows))
		}
	})
}

// TestProposalReadsJSON is the same for JSON, where each column may be missing or null here and there.
func TestProposalReadsJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		columns, rows := table(t)
		var lines []string
		for _, values := range rows {
			inner, outer := map[string]any{}, map[string]any{}
			for i, value := range values {
				into := inner
				if i%2 == 0 {
					into = outer
				}
				var v any = value
				switch columns[i] {
				case "INTEGER", "BIGINT", "DECIMAL", "money", "REAL", "DOUBLE", "place", "BOOLEAN":
					v = json.RawMessage(value)
				}
				into[fmt.Sprintf("c%d", i)] = v
			}
			outer["in"] = inner
			line, err := json.Marshal(outer)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(line)+rapid.SampledFrom([]string{"", "\n"}).Draw(t, "end"))
		}
		sample := records(lines...)
		if rapid.Bool().Draw(t, "one record") {
			sample = file(strings.Join(lines, ""))
		}
		p, err := discover.Discover(sample, discover.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Format.Type != schema.JSON {
			t.Fatalf("got format %+v", p.Format)
		}
		byName := map[string]discover.Column{}
		for _, c := range p.Columns {
			byName[c.Name] = c
		}
		ordered := *p
		ordered.Columns = nil
		for i := range columns {
			name := fmt.Sprintf("c%d", i)
			if i%2 == 1 {
				name = "in_" + name
			}
			ordered.Columns = append(ordered.Columns, byName[name])
		}
		check(t, &ordered, columns, rows)
	})
}

// made has the producer make a few records of a schema, each a row of it.
func made(s schema.Schema) error {
	g, err := generator.New(&pipeline.Pipeline{Schema: s}, 1)
	if err != nil {
		return err
	}
	r := record.NewReader(s)
	for i := range 5 {
		data := g.Append(nil, generator.Tick{Time: time.Unix(1767225600, 0), Records: 5}, i)
		rows := 0
		for one := range r.Rows(data) {
			if rows++; one.Err != nil {
				return fmt.Errorf("%q: %w", data, one.Err)
			}
		}
		if rows != 1 {
			return fmt.Errorf("%q is %d rows", data, rows)
		}
	}
	return nil
}

func check(t *rapid.T, p *discover.Proposal, columns []string, rows [][]string) {
	if len(p.Columns) != len(columns) || p.Sample.Rows != len(rows) || p.Sample.FaultyRows > 0 {
		t.Fatalf("got %d columns and %+v, want %d columns and %d rows", len(p.Columns), p.Sample, len(columns), len(rows))
	}
	s := p.Schema("S")
	if err := made(s); err != nil {
		t.Fatal(err)
	}
	for i, c := range p.Columns {
		if c.Values != len(rows) || c.Agree != len(rows) || c.Nullable || len(c.Disagreeing) > 0 || c.Widest != nil {
			t.Fatalf("%s: %+v", columns[i], c)
		}
		for _, values := range rows {
			if !record.Reads(&s.Columns[i], p.Format, values[i]) {
				t.Fatalf("%s: %q is not of type %s %s", columns[i], values[i], c.Type, c.Pattern)
			}
		}
		var wrong bool
		switch kind := c.Type.Kind; columns[i] {
		case "INTEGER", "BOOLEAN":
			wrong = string(kind) != columns[i]
		case "BIGINT":
			wrong = kind != schema.BigInt && kind != schema.Integer
		case "REAL", "money":
			wrong = kind != schema.Real && kind != schema.Integer
		case "DOUBLE", "place":
			wrong = kind != schema.Double && kind != schema.Real && kind != schema.Integer
		case "DECIMAL":
			wrong = kind != schema.Decimal
		case "TIMESTAMP":
			wrong = kind != schema.Timestamp || c.Pattern.String() != ""
		case "instant":
			wrong = kind != schema.Timestamp || c.Pattern.String() != "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"
		case "DATE":
			wrong = kind != schema.Date || c.Pattern.String() != ""
		case "day":
			wrong = kind != schema.VarChar && kind != schema.Char && c.Pattern.String() != "dd/MM/yyyy"
		default:
			wrong = kind != schema.VarChar && kind != schema.Char
		}
		if wrong {
			t.Fatalf("%s is proposed as %s %s: %q", columns[i], c.Type, c.Pattern, c.Examples)
		}
	}
}

// checkFaults checks that the faults of a proposal are exactly the rows that its schema rejects, each with its place. A
// row that the sample cuts off is not a fault.
func checkFaults(t interface {
	Errorf(format string, args ...any)
	Fatal(args ...any)
}, sample []discover.Record, p *discover.Proposal) {
	r := record.NewReader(p.Schema("S"))
	left := map[string]int{}
	count := 0
	for _, f := range p.Faults {
		if f.Count != 1+len(f.Others) || f.Reason == "" {
			t.Errorf("got fault %+v", f)
		}
		count += f.Count
		for _, place := range append(f.Others, f.Where) {
			left[place]++
		}
	}
	if count != p.Sample.Rejected {
		t.Errorf("got %d faults, and %d rejected", count, p.Sample.Rejected)
	}
	read := 0
	for _, one := range sample {
		ended := ""
		for row := range r.Rows(one.Data) {
			place := one.Name
			if strings.Contains(strings.TrimSpace(string(one.Data)), "\n") {
				place += fmt.Sprintf(", line %d", 1+strings.Count(string(one.Data[:row.Offset]), "\n"))
			}
			switch {
			case row.Err == nil && ended == "":
				read++
			case row.Err != nil && left[place] > 0 && ended == "":
				left[place]--
			case one.Cut && row.Err != nil:
				ended = place // and so is all that follows
			case one.Cut && ended != "" && p.Format.Type == schema.JSON: // within a value that is cut
			default:
				t.Errorf("%s is no fault, and the reader says %v, after %q:\n%q\n%+v", place, row.Err, ended, one.Data, p)
			}
		}
	}
	for place, n := range left {
		if n > 0 {
			t.Errorf("%d rows of %s are faults, and are not rejected", n, place)
		}
	}
	if read == 0 {
		t.Errorf("no row is read")
	}
}

// TestAnySample: whatever is sampled, either there is a reason for no schema, or the schema reads each row that is no
// fault.
func TestAnySample(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{
		"1", "-2.5", "007", "x", "id", "name", "NULL", "N/A", "true", "2026-01-02", "1.234,5", "+3", "", " ", "é", "\xe9", "\x00", "\a", "\ufeff",
		",", ",", ",", ";", "\t", "|", "\n", "\n", "\n", "\r\n", "\"", "'", "sep=;",
		"{", "}", "[", "]", ":", `{"a":1}`, `{"a":{"b":2}}`, `{"a":[]}`, `{"a":null,"c":"x"}`, `{"a":{}}`, `"a":`, "{\n", "1,2\n", "a,b\n", "1;x\n", "{\"a\":1,\n",
	})
	row := rapid.SampledFrom([]string{"1,2.5,x\n", `{"a":1,"b":"x"}` + "\n", "1;2;3\r\n", "\"a\nb\",1\n", "{\n  \"a\": 1\n}\n", "only text\n"})
	rapid.Check(t, func(t *rapid.T) {
		var sample []discover.Record
		for i := range rapid.IntRange(1, 3).Draw(t, "records") {
			rows := strings.Repeat(row.Draw(t, "row"), rapid.IntRange(0, 30).Draw(t, "rows"))
			parts := strings.Join(rapid.SliceOfN(part, 0, 12).Draw(t, "parts"), "")
			if rapid.Bool().Draw(t, "rows first") {
				parts, rows = rows, parts
			}
			sample = append(sample, discover.Record{Data: []byte(parts + rows), Name: fmt.Sprintf("record %d", i), Cut: rapid.Bool().Draw(t, "cut")})
		}
		p, err := discover.Discover(sample, discover.Options{})
		var undecided *discover.UndecidedError
		switch {
		case errors.As(err, &undecided) && undecided.Reason != "":
		case err != nil:
			t.Fatal(err)
		case len(p.Columns) > 0:
			checkFaults(t, sample, p)
		}
	})
}

// FuzzDiscover checks that any bytes give a schema that can be written, read and merged with itself, or an error that
// says why there is none, and that the counts add up.
func FuzzDiscover(f *testing.F) {
	for _, seed := range []string{
		clicks, "", "\n", "1,2\n3,4\n", "a;b\r\n1;2\r\n", "{", "[{}]", "[[{\"a\":1}]]", "{\"a\":{\"a\":null}}", "\"a\nb\",\"", "'", "\ufeffx", "\x00", "<a/>",
		"{\"v\":7}\n{\"v\":{\"k\":1}}\n", "sep=;\r\na;b\r\n1;2\r\n", "a,,a\n1,2,3\n", "{\n\"a\":1,\n\"b\":2\n", "caf\xe9\n", "1\n\n2\n", "\xff\xfea\x00",
		"{\"\":{\"\":1},\"COL0\":2}", "{\"a\":1}\n1,2,3\n", "1e999,-0,.5,5.,00,+1\n", "name,name\n1,2\n", "2026-01-02,02/03/2026,1/1/2026 1:02 AM\n", "{\"a\u0000b\":1}", "{\"\\u0000\":1}",
	} {
		f.Add([]byte(seed), []byte("1,2\n"), false)
	}
	f.Fuzz(func(t *testing.T, a, b []byte, cut bool) {
		sample := []discover.Record{{Data: a, Name: "a"}, {Data: b, Name: "b", Cut: cut}}
		p, err := discover.Discover(sample, discover.Options{})
		if p.Sample.Records != 2 || p.Sample.Bytes != int64(len(a)+len(b)) {
			t.Errorf("got %+v", p.Sample)
		}
		if undecided := (*discover.UndecidedError)(nil); err != nil {
			if !errors.As(err, &undecided) || !utf8.ValidString(err.Error()) {
				t.Errorf("got %q (%T)", err, err)
			}
			return
		}
		if p.Sample.Rows == 0 || len(p.Rows) == 0 || p.Sample.MostRows == 0 {
			t.Errorf("there is no row: %+v", p.Sample)
		}
		for _, r := range p.Rows {
			if len(r) != len(p.Columns) {
				t.Errorf("a row of %d values for %d columns", len(r), len(p.Columns))
			}
		}
		for _, c := range p.Columns {
			if c.Agree > c.Values || c.Values+c.Nulls != p.Sample.Rows || (c.Agree < c.Values) != (c.Widest != nil) || c.Nullable != (c.Nulls > 0) {
				t.Errorf("%d rows, and %+v", p.Sample.Rows, c)
			}
		}
		if len(p.Columns) == 0 {
			return // of objects without members there is no schema
		}
		checkFaults(t, sample, p)
		s := p.Schema("S")
		file, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := schema.Parse(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := made(s); err != nil {
			t.Errorf("%v\n%s", err, file)
		}
		m, err := discover.Merge(again, p)
		if err != nil || m.Changed {
			t.Errorf("merged with itself: %v, %+v\n%s", err, m, file)
		}
		if _, err := json.Marshal(p); err != nil {
			t.Error(err)
		}
	})
}
