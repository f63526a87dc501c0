package generator_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
	"streamproof/internal/stream/kpl"
)

// poisoned is a line of the golden file. Record is the bytes as ISO 8859-1, so that each is one character.
type poisoned struct {
	Index  int             `json:"index"`
	Fault  generator.Fault `json:"fault"`
	Reason string          `json:"reason"`
	Record string          `json:"record"`
}

// TestGoldenPoison pins the bytes of poisoned records. The analytics application's PoisonTest reads the file, too, and
// finds that each is rejected for its reason. If it fails, see TestGolden.
func TestGoldenPoison(t *testing.T) {
	t.Parallel()
	g := newGenerator(t, 1)
	tick := generator.Tick{Time: tickTime, Records: 200, Spread: 20 * time.Second, Poison: 5 * len(g.Faults(generator.Tick{}))}
	var got bytes.Buffer
	for i := range tick.Records {
		fault := g.FaultOf(tick, i)
		if fault == "" {
			continue
		}
		var record strings.Builder
		for _, b := range g.Append(nil, tick, i) {
			record.WriteRune(rune(b))
		}
		if err := json.NewEncoder(&got).Encode(poisoned{i, fault, fault.Reason(), record.String()}); err != nil {
			t.Fatal(err)
		}
	}
	checkGolden(t, filepath.Join("testdata", "v1-poison.jsonl"), got.Bytes())
}

// TestPoison: a record is poisoned where the definition says so, with the fault that it says; the good rows and the
// rejects of records are their lines; a bad line has the fault that it is said to have, and a good one none; and other
// records and all keys are as they are without poison.
func TestPoison(t *testing.T) {
	t.Parallel()
	schema := embedded(t)
	rapid.Check(t, func(t *rapid.T) {
		g, err := generator.New(&pipeline.Pipeline{Schema: schema}, rapid.Uint64().Draw(t, "seed"))
		if err != nil {
			t.Fatal(err)
		}
		key, _ := g.KeyOf(generator.Uniform)
		tick := drawTick(t)
		if rapid.Bool().Draw(t, "small") {
			tick.Records = rapid.IntRange(1, 300).Draw(t, "few records")
		}
		tick.Poison = rapid.OneOf(rapid.IntRange(0, tick.Records), rapid.IntRange(0, min(20, tick.Records)), rapid.Just(tick.Records)).Draw(t, "poison")
		without := tick
		without.Poison = 0
		first := rapid.IntRange(0, tick.Records-1).Draw(t, "first")
		last := min(first+rapid.IntRange(0, 100).Draw(t, "length"), tick.Records-1)

		before := func(i int) int64 {
			n := new(big.Int).Mul(big.NewInt(int64(i)), big.NewInt(int64(tick.Poison)))
			return n.Div(n, big.NewInt(int64(tick.Records))).Int64()
		}
		var wantRows, wantRejects []string
		for i := first; i <= last; i++ {
			record := string(g.Append(nil, tick, i))
			if a, b := g.AppendKey(nil, tick, i, key), g.AppendKey(nil, without, i, key); !bytes.Equal(a, b) {
				t.Fatalf("the key of record %d is %q, and %q without poison", i, a, b)
			}
			fault := g.FaultOf(tick, i)
			var want generator.Fault
			if k := before(i); before(i+1) > k {
				want = g.Faults(generator.Tick{})[k%int64(len(g.Faults(generator.Tick{})))]
			}
			if fault != want {
				t.Fatalf("record %d has fault %q, want %q", i, fault, want)
			}
			if fault == "" {
				if well := string(g.Append(nil, without, i)); record != well {
					t.Fatalf("record %d is %q, want %q", i, record, well)
				}
				wantRows = append(wantRows, strings.TrimSuffix(record, "\n"))
				continue
			}
			if fault == generator.EmptyRecord {
				if record != "" {
					t.Fatalf("record %d is %q, want it empty", i, record)
				}
				wantRejects = append(wantRejects, fmt.Sprintf("%d ", i))
				continue
			}
			lines := strings.SplitAfter(record, "\n")
			if lines[len(lines)-1] != "" {
				t.Fatalf("record %d is %q, want a newline at its end", i, record)
			}
			rejects := 0
			for _, line := range lines[:len(lines)-1] {
				line = strings.TrimSuffix(line, "\n")
				switch reason := reasonOf(schema, line); reason {
				case "":
					wantRows = append(wantRows, line)
				case fault.Reason():
					wantRejects = append(wantRejects, fmt.Sprintf("%d %s", i, line))
					rejects++
				default:
					t.Fatalf("record %d: line %q is rejected for %q, want %q", i, line, reason, fault.Reason())
				}
			}
			if rejects != 1 {
				t.Fatalf("record %d is %q with %d bad lines, want 1", i, record, rejects)
			}
		}

		if diff := cmp.Diff(wantRows, rowsOf(g, schema, tick, first, last)); diff != "" {
			t.Fatalf("good rows (-lines of the records +rows):\n%s", diff)
		}
		var rejects []string
		for i, line := range g.Rejects(tick, first, last) {
			rejects = append(rejects, fmt.Sprintf("%d %s", i, line))
		}
		if diff := cmp.Diff(wantRejects, rejects); diff != "" {
			t.Fatalf("rejects (-lines of the records +rejects):\n%s", diff)
		}
		for range g.Rejects(tick, first, last) {
			break // does not panic
		}
	})
}

func rowsOf(g *generator.Generator, schema schema.Schema, tick generator.Tick, first, last int) (rows []string) {
	records := g.Records(tick, first, last)
	for range (last - first) / 2 {
		records.Next()
	}
	records.Rewind() // from wherever it is
	for records.Next() {
		fields := make([]string, len(schema.Columns))
		for c := range fields {
			fields[c] = field(records, c)
		}
		rows = append(rows, strings.Join(fields, ","))
	}
	if records.Next() {
		rows = append(rows, "a row after the last one")
	}
	return rows
}

// reasonOf returns why a line is rejected, or nothing. It checks in the order of the application's LineParser, as far
// as the faults need it.
func reasonOf(s schema.Schema, line string) string {
	switch {
	case line == "":
		return "blank line"
	case !utf8.ValidString(line):
		return "invalid UTF-8"
	}
	fields := strings.Split(line, ",")
	for i, field := range fields {
		switch {
		case strings.HasPrefix(field, `"`) && !strings.Contains(strings.Join(fields[i:], ",")[1:], `"`):
			return "unclosed quote"
		case strings.Contains(field, `"`):
			return "misplaced quote"
		case strings.Contains(field, "\r"):
			return "carriage return"
		}
	}
	if len(fields) != len(s.Columns) {
		return "wrong number of columns"
	}
	number := func(err error, otherwise string) string {
		switch {
		case err == nil:
			return ""
		case strings.Contains(err.Error(), "out of range"):
			return "out of range"
		}
		return otherwise
	}
	for i, column := range s.Columns {
		var err error
		reason := ""
		switch field := fields[i]; column.Type.Kind {
		case schema.Integer:
			_, err = strconv.ParseInt(field, 10, 32)
			reason = number(err, "not an integer")
		case schema.BigInt:
			_, err = strconv.ParseInt(field, 10, 64)
			reason = number(err, "not an integer")
		case schema.Real:
			_, err = strconv.ParseFloat(field, 32)
			reason = number(err, "not a number")
		case schema.Double:
			_, err = strconv.ParseFloat(field, 64)
			reason = number(err, "not a number")
		case schema.Timestamp:
			if _, err = time.Parse(schema.TimestampLayout, field); err != nil {
				reason = "not a timestamp"
			}
		case schema.Boolean:
			if !strings.EqualFold(field, "true") && !strings.EqualFold(field, "false") {
				reason = "not a boolean"
			}
		case schema.Char:
			if utf8.RuneCountInString(field) != column.Type.Length {
				reason = "wrong length"
			}
		case schema.VarChar:
			if column.Type.Length > 0 && utf8.RuneCountInString(field) > column.Type.Length {
				reason = "wrong length"
			}
		}
		if reason != "" {
			return reason
		}
	}
	return ""
}

// TestLayouts: a tick of many poisoned records has every fault with every layout and every column that it can spoil,
// and the good lines of one record differ.
func TestLayouts(t *testing.T) {
	t.Parallel()
	g, s := newGenerator(t, 3), embedded(t)
	tick := generator.Tick{Time: tickTime, Records: 20_000, Poison: 20_000}
	without := generator.Tick{Time: tickTime, Records: 20_000}
	layouts := map[generator.Fault]map[string]bool{}
	columns := map[generator.Fault]map[int]bool{}
	for _, fault := range g.Faults(generator.Tick{}) {
		layouts[fault], columns[fault] = map[string]bool{}, map[int]bool{}
	}
	for i := range tick.Records {
		fault, layout := g.FaultOf(tick, i), ""
		lines := strings.Split(string(g.Append(nil, tick, i)), "\n")
		lines = lines[:len(lines)-1]
		for at, line := range lines {
			if reasonOf(s, line) == "" {
				layout += "+"
			} else {
				layout += "−"
			}
			if slices.Contains(lines[at+1:], line) {
				t.Fatalf("record %d has a line twice: %q", i, lines)
			}
		}
		layouts[fault][layout] = true
		for _, bad := range g.Rejects(tick, i, i) {
			fields := strings.Split(string(bad), ",")
			for c := range min(len(fields), len(s.Columns)) {
				if fields[c] != string(g.AppendColumn(nil, without, i, c)) {
					columns[fault][c] = true
				}
			}
		}
	}
	for fault, got := range layouts {
		want := map[string]bool{"−": true, "+−": true, "−+": true, "+−+": true}
		switch fault {
		case generator.BlankLine:
			want = map[string]bool{"+−+": true}
		case generator.EmptyRecord:
			want = map[string]bool{"": true}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("layouts of %q (-want +got):\n%s", fault, diff)
		}
	}
	for fault, kinds := range map[generator.Fault][]schema.Kind{
		generator.LetterInInteger: {schema.Integer}, generator.IntegerOverflow: {schema.Integer}, generator.NoSuchTime: {schema.Timestamp},
		generator.FloatOverflow: {schema.Real, schema.Double}, generator.TextTooLong: {schema.Char},
		generator.MisplacedQuote: {schema.Integer, schema.Real, schema.Double, schema.Timestamp, schema.Char},
	} {
		for c, column := range s.Columns {
			if got, want := columns[fault][c], slices.Contains(kinds, column.Type.Kind); got != want {
				t.Errorf("%s of type %s was spoiled with %q: %t, want %t", column.Name, column.Type, fault, got, want)
			}
		}
	}
}

// TestFaults: a schema has the faults that its columns can have, and each is rejected for its reason.
func TestFaults(t *testing.T) {
	t.Parallel()
	anySchema := []generator.Fault{
		generator.TooManyColumns, generator.UnclosedQuote, generator.MisplacedQuote, generator.CarriageReturn,
		generator.InvalidUTF8, generator.BlankLine, generator.EmptyRecord,
	}
	for columns, want := range map[string][]generator.Fault{
		`{"name":"a","alias":"A","type":"VARCHAR","fake":{"text":"x"}}`:                                                                anySchema,
		`{"name":"a","alias":"A","type":"VARCHAR(1001)","fake":{"text":"x"}}`:                                                          anySchema,
		`{"name":"a","alias":"A","type":"VARCHAR(5)","fake":{"text":"né"}}`:                                                            append([]generator.Fault{generator.TextTooLong}, anySchema...),
		`{"name":"a","alias":"A","type":"BOOLEAN","fake":{"text":"TRUE"}}`:                                                             append([]generator.Fault{generator.NotABoolean}, anySchema...),
		`{"name":"a","alias":"A","type":"BIGINT","fake":{"integers":[[0,9]]}}`:                                                         append([]generator.Fault{generator.LetterInInteger, generator.IntegerOverflow}, anySchema...),
		`{"name":"a","alias":"A","type":"DOUBLE","fake":{"integers":[[0,9]]}}`:                                                         append([]generator.Fault{generator.LetterInNumber, generator.FloatOverflow}, anySchema...),
		`{"name":"a","alias":"A","type":"TIMESTAMP","fake":{"time":"planned"}}`:                                                        append([]generator.Fault{generator.NoSuchTime}, anySchema...),
		`{"name":"a","alias":"A","type":"VARCHAR","fake":{"text":"x"}},{"name":"b","alias":"B","type":"CHAR(2)","fake":{"text":"xx"}}`: append([]generator.Fault{generator.TooFewColumns, generator.TextTooLong}, anySchema...),
	} {
		schema := schema.Schema{Source: "S"}
		if err := json.Unmarshal([]byte("["+columns+"]"), &schema.Columns); err != nil {
			t.Fatal(err)
		}
		g, err := generator.New(&pipeline.Pipeline{Schema: schema}, 1)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		got := g.Faults(generator.Tick{})
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("faults of %s (-want +got):\n%s", columns, diff)
		}
		tick := generator.Tick{Time: tickTime, Records: 100, Poison: 100}
		for i, line := range g.Rejects(tick, 0, 99) {
			if fault := g.FaultOf(tick, i); fault != generator.EmptyRecord && reasonOf(schema, string(line)) != fault.Reason() {
				t.Errorf("%s: %q is rejected for %q, want %q", columns, line, reasonOf(schema, string(line)), fault.Reason())
			}
		}
	}
}

// TestRejectsAllocations: making rejects into one buffer allocates next to nothing.
func TestRejectsAllocations(t *testing.T) {
	g := newGenerator(t, 1)
	tick := generator.Tick{Time: tickTime, Records: 1_000_000, Poison: 1000}
	if got := testing.AllocsPerRun(10, func() {
		for range g.Rejects(tick, 0, tick.Records-1) {
		}
	}); got > 20 {
		t.Errorf("%v allocations for 1,000 rejects, want 20 at most", got)
	}
}

// BenchmarkRejects makes the 100 rejects of a tick of 10,000,000 records.
func BenchmarkRejects(b *testing.B) {
	g := newGenerator(b, 1)
	tick := generator.Tick{Time: tickTime, Records: 10_000_000, Spread: 20 * time.Second, Poison: 100}
	for b.Loop() {
		for range g.Rejects(tick, 0, tick.Records-1) {
		}
	}
}

// BenchmarkRecords reads four columns of each row, as the query does, of a tick with and without poison.
func BenchmarkRecords(b *testing.B) {
	g := newGenerator(b, 1)
	for _, poison := range []int{0, 1000} {
		b.Run(fmt.Sprintf("poison=%d", poison), func(b *testing.B) {
			tick := generator.Tick{Time: tickTime, Records: 1_000_000, Spread: 20 * time.Second, Poison: poison}
			for b.Loop() {
				for r := g.Records(tick, 0, tick.Records-1); r.Next(); {
					for _, column := range []int{0, 3, 4, 18} {
						r.Field(column)
					}
				}
			}
			b.ReportMetric(float64(b.N)*float64(tick.Records)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// TestPoisonedAggregates: in a tick that is packed, aggregates are malformed, too, each for its reason. Each is owed
// as one reject, with all of its bytes; all other records are as in a tick that is not packed.
func TestPoisonedAggregates(t *testing.T) {
	t.Parallel()
	g := newGenerator(t, 1)
	tick := generator.Tick{Time: tickTime, Records: 100, Aggregates: true}
	tick.Poison = len(g.Faults(tick))
	seen := map[generator.Fault]string{}
	for i, reject := range g.Rejects(tick, 0, tick.Records-1) {
		fault, data := g.FaultOf(tick, i), g.Append(nil, tick, i)
		records, ok, err := kpl.Deaggregate(data)
		if !fault.OfAggregate() {
			if ok {
				t.Errorf("%s: %q is an aggregate", fault, data)
			}
			continue
		}
		seen[fault] = base64.StdEncoding.EncodeToString(data)
		if err == nil || err.Error() != fault.Reason() || records != nil {
			t.Errorf("%s: got %v, %v, want its reason", fault, records, err)
		}
		if !bytes.Equal(reject, data) {
			t.Errorf("%s: the reject is %q, want %q", fault, reject, data)
		}
		if g.Records(tick, i, i).Next() {
			t.Errorf("%s: the record has a good row", fault)
		}
	}
	if len(seen) != 4 || len(g.Faults(tick)) != len(g.Faults(generator.Tick{}))+4 {
		t.Errorf("got aggregates with the faults %q", slices.Sorted(maps.Keys(seen)))
	}
	got, err := json.MarshalIndent(seen, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, filepath.Join("testdata", "v2-aggregates.json"), append(got, '\n'))
}
