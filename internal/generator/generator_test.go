package generator_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/big"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"streamproof/internal/generator"
	"streamproof/internal/golden"
	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
)

func embedded(t testing.TB) schema.Schema {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p.Schema
}

// field returns a value of a row, or NULL.
func field(r *generator.Records, column int) string {
	text, null := r.Field(column)
	if null {
		return "NULL"
	}
	return string(text)
}

func newGenerator(t testing.TB, seed uint64) *generator.Generator {
	t.Helper()
	g, err := generator.New(&pipeline.Pipeline{Schema: embedded(t)}, seed)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var tickTime = time.Date(2026, 2, 28, 23, 59, 50, 123e6, time.UTC)

// TestGolden pins the bytes of records and keys. If it fails, ledgers that were written before cannot be judged any
// more: raise generator.Version, or undo the change.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		seed uint64
		tick generator.Tick
	}{
		{1, generator.Tick{Time: tickTime, Records: 40, Spread: 20 * time.Second}},
		{1 << 63, generator.Tick{Time: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), Records: 5}},
		{0, generator.Tick{Time: time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC), Records: 10_000_000, Spread: 10 * time.Minute}},
	} {
		g := newGenerator(t, tc.seed)
		vendor, err := g.KeyOf(embedded(t).Columns[0].Alias)
		if err != nil {
			t.Fatal(err)
		}
		uniform, err := g.KeyOf(generator.Uniform)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for i := range min(tc.tick.Records, 40) {
			// From both ends of the tick.
			if i%2 == 1 {
				i = tc.tick.Records - i
			}
			got = fmt.Appendf(got, "%d ", i)
			got = append(g.AppendKey(got, tc.tick, i, uniform), ' ')
			got = append(g.AppendKey(got, tc.tick, i, vendor), ' ')
			got = g.Append(got, tc.tick, i)
		}
		name := filepath.Join("testdata", fmt.Sprintf("v1-seed-%d.txt", tc.seed))
		checkGolden(t, name, got)
	}
}

// TestValues checks each column against the exercise's script (see shared/facts.md), whose ranges are written out here
// on purpose.
func TestValues(t *testing.T) {
	t.Parallel()
	coordinate := func(prefix string) *regexp.Regexp {
		return regexp.MustCompile(`^` + regexp.QuoteMeta(prefix) + `(0\d{4}){3}$`)
	}
	moment := regexp.MustCompile(`^2026-0[23]-\d\d \d\d:\d\d:\d\d$`)
	whole := func(lo, hi int) []string {
		var values []string
		for i := lo; i <= hi; i++ {
			values = append(values, strconv.Itoa(i))
		}
		return values
	}
	taxes := []string{"0.00", "0.01", "0.02", "0.03", "0.04", "0.05", "0.06", "0.07", "0.08", "0.09"}
	want := []struct {
		syntax *regexp.Regexp
		values []string // every one of them occurs, and no other
	}{
		0: {values: whole(1, 4)}, 3: {values: whole(1, 9)}, 4: {values: whole(1, 10)}, 7: {values: whole(1, 6)}, 8: {values: []string{"N"}},
		11: {values: whole(1, 5)}, 12: {values: whole(1, 100)}, 13: {values: whole(0, 2)}, 14: {values: taxes},
		15: {values: whole(0, 199)}, 16: {values: whole(0, 19)}, 17: {values: []string{"0.3"}},
		1: {syntax: moment}, 2: {syntax: moment},
		5: {syntax: coordinate("-73.")}, 6: {syntax: coordinate("40.")}, 9: {syntax: coordinate("-73.")}, 10: {syntax: coordinate("40.")},
		18: {syntax: regexp.MustCompile(`^\d{1,3}\.\d\d$`)},
	}
	g := newGenerator(t, 7)
	tick := generator.Tick{Time: tickTime, Records: 20_000, Spread: 20 * time.Second}
	seen := make([]map[string]bool, len(want))
	for c := range seen {
		seen[c] = map[string]bool{}
	}
	for i := range tick.Records {
		record := string(g.Append(nil, tick, i))
		fields := strings.Split(strings.TrimSuffix(record, "\n"), ",")
		if len(fields) != len(want) || !strings.HasSuffix(record, "\n") {
			t.Fatalf("record %d has %d columns, want %d: %q", i, len(fields), len(want), record)
		}
		for c, f := range fields {
			seen[c][f] = true
			if s := want[c].syntax; s != nil && !s.MatchString(f) {
				t.Fatalf("record %d: column %d is %q, want %s", i, c, f, s)
			}
		}
		pickup, dropoff := parseTime(t, fields[1]), parseTime(t, fields[2])
		if planned := tickTime.Add(tick.Planned(i)).Truncate(time.Second); !pickup.Equal(planned) {
			t.Fatalf("record %d: pick-up at %s, want %s", i, pickup, planned)
		}
		if ride := dropoff.Sub(pickup); ride < 0 || ride > 59*time.Minute || ride%time.Minute != 0 {
			t.Fatalf("record %d: ride of %s, want 0 to 59 whole minutes", i, ride)
		}
	}
	for c := range want {
		for _, v := range want[c].values {
			if !seen[c][v] {
				t.Errorf("column %d is never %s in %d records", c, v, tick.Records)
			}
		}
		if n := len(want[c].values); n > 0 && n != len(seen[c]) {
			t.Errorf("column %d has %d different values, want %d", c, len(seen[c]), n)
		}
	}
}

func parseTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(schema.TimestampLayout, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func drawTick(t *rapid.T) generator.Tick {
	return generator.Tick{
		Time:    time.UnixMilli(rapid.Int64Range(-1e12, 4e12).Draw(t, "tick")),
		Records: rapid.IntRange(1, 10_000_000).Draw(t, "records"),
		Spread:  time.Duration(rapid.IntRange(0, 600).Draw(t, "spread")) * time.Second,
	}
}

// TestRecord: whatever the seed, tick and index, a record is one line of CSV whose values are of the schema's types, a
// sum is the sum of its parts, and fields, columns and keys agree with the line.
func TestRecord(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	rapid.Check(t, func(t *rapid.T) {
		g, err := generator.New(&pipeline.Pipeline{Schema: s}, rapid.Uint64().Draw(t, "seed"))
		if err != nil {
			t.Fatal(err)
		}
		tick := drawTick(t)
		index := rapid.IntRange(0, tick.Records-1).Draw(t, "index")
		line := g.Append(nil, tick, index)

		records, err := csv.NewReader(bytes.NewReader(line)).ReadAll()
		if err != nil || len(records) != 1 || bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("%q is not one line of CSV: %v", line, err)
		}
		fields := records[0]
		for i, c := range s.Columns {
			switch c.Type.Kind {
			case schema.Integer:
				_, err = strconv.ParseInt(fields[i], 10, 32)
			case schema.Real, schema.Double:
				_, err = strconv.ParseFloat(fields[i], 64)
			case schema.Timestamp:
				_, err = time.Parse(schema.TimestampLayout, fields[i])
			case schema.Char:
				if len(fields[i]) != c.Type.Length {
					err = fmt.Errorf("length %d", len(fields[i]))
				}
			default:
				t.Fatalf("the test does not know type %s", c.Type)
			}
			if err != nil {
				t.Fatalf("%s is %q: %v", c.Name, fields[i], err)
			}
			if got := string(g.AppendColumn(nil, tick, index, i)); got != fields[i] {
				t.Fatalf("AppendColumn(%s) = %q, want %q", c.Name, got, fields[i])
			}
			key, err := g.KeyOf(c.Name)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(g.AppendKey(nil, tick, index, key)); got != fields[i] || g.NameOf(key) != c.Name {
				t.Fatalf("key %s = %q, want %q", g.NameOf(key), got, fields[i])
			}
			if len(c.Fake.Sum) == 0 {
				continue
			}
			want := new(big.Rat)
			for _, name := range c.Fake.Sum {
				part, _ := new(big.Rat).SetString(fields[s.Index(name)])
				want.Add(want, part)
			}
			if got := fields[i]; got != want.FloatString(2) {
				t.Fatalf("%s is %s, want %s", c.Name, got, want.FloatString(2))
			}
		}

		one := g.Records(tick, index, index)
		if !one.Next() || field(one, 0) != fields[0] || field(one, len(fields)-1) != fields[len(fields)-1] {
			t.Fatalf("Records gives other values than %q", line)
		}
		if one.Next() {
			t.Fatal("Records gives more than was asked for")
		}
	})
}

// TestOrder: it does not matter in which order, in which batches and by which generator records are made, nor in which
// zone the tick's time is.
func TestOrder(t *testing.T) {
	t.Parallel()
	schema := embedded(t)
	rapid.Check(t, func(t *rapid.T) {
		seed, tick := rapid.Uint64().Draw(t, "seed"), drawTick(t)
		indexes := rapid.SliceOfN(rapid.IntRange(0, tick.Records-1), 1, 20).Draw(t, "indexes")
		one, _ := generator.New(&pipeline.Pipeline{Schema: schema}, seed)
		first := map[int]string{}
		for _, i := range indexes {
			first[i] = string(one.Append(nil, tick, i))
		}
		other, _ := generator.New(&pipeline.Pipeline{Schema: schema}, seed)
		tick.Time = tick.Time.In(time.FixedZone("elsewhere", 5*3600+1800)).Add(999 * time.Microsecond)
		var batch []byte
		slices.Reverse(indexes)
		for _, i := range indexes {
			start := len(batch)
			batch = other.Append(batch, tick, i)
			if got := string(batch[start:]); got != first[i] {
				t.Fatalf("record %d is %q, and was %q", i, got, first[i])
			}
		}
	})
}

// TestInputsMatter: other seeds, ticks and indexes give other records. Fifteen random digits do not meet by chance.
func TestInputsMatter(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for seed := range uint64(5) {
		g := newGenerator(t, seed)
		key, _ := g.KeyOf(generator.Uniform)
		for ms := range 5 {
			for index := range 100 {
				tick := generator.Tick{Time: time.UnixMilli(int64(ms)), Records: 100}
				input := fmt.Sprintf("seed %d, tick %d, index %d", seed, ms, index)
				for _, output := range []string{string(g.Append(nil, tick, index)), string(g.AppendKey(nil, tick, index, key))} {
					if other, taken := seen[output]; taken {
						t.Fatalf("%s and %s both give %q", input, other, output)
					}
					seen[output] = input
				}
			}
		}
	}
}

func TestPlanned(t *testing.T) {
	t.Parallel()
	tick := generator.Tick{Records: 10_000_000, Spread: 10 * time.Hour}
	if got, want := tick.Planned(9_999_999), 10*time.Hour-3600*time.Microsecond; got != want {
		t.Errorf("Planned(last) = %s, want %s", got, want)
	}
	if got := (generator.Tick{Records: 3}).Planned(2); got != 0 {
		t.Errorf("Planned without a spread = %s, want 0", got)
	}
}

func TestSpecs(t *testing.T) {
	t.Parallel()
	tick := generator.Tick{Time: tickTime, Records: 1}
	for name, tc := range map[string]struct {
		columns string // of schema.json
		want    string // the record, or
		faults  []string
	}{
		"sums of sums, negatives, decimals": {
			columns: `{"name":"a","alias":"A","type":"REAL","fake":{"integers":[[-7,-7]]}},
				{"name":"b","alias":"B","type":"REAL","fake":{"prefix":"-1.","integers":[[5,5]],"width":2}},
				{"name":"c","alias":"C","type":"REAL","fake":{"text":"0.3"}},
				{"name":"d","alias":"D","type":"REAL","fake":{"sum":["A","b"]}},
				{"name":"e","alias":"E","type":"DOUBLE","fake":{"sum":["d","c"]}}`,
			want: "-7,-1.05,0.3,-8.05,-7.75\n",
		},
		"times of times": {
			columns: `{"name":"a","alias":"A","type":"TIMESTAMP","fake":{"time":"planned"}},
				{"name":"b","alias":"B","type":"TIMESTAMP","fake":{"time":"a","plusMinutes":[1,1]}},
				{"name":"c","alias":"C","type":"TIMESTAMP","fake":{"time":"B","plusMinutes":[-1441,-1441]}}`,
			want: "2026-02-28 23:59:50,2026-03-01 00:00:50,2026-02-27 23:59:50\n",
		},
		"every fault is named": {
			columns: `{"name":"none","alias":"C0","type":"REAL","fake":{}},
				{"name":"both","alias":"C1","type":"REAL","fake":{"text":"1","sum":["none"]}},
				{"name":"prefixed","alias":"C2","type":"REAL","fake":{"text":"1","prefix":"0."}},
				{"name":"lines","alias":"C3","type":"VARCHAR","fake":{"text":"a\nb"}},
				{"name":"empty","alias":"C4","type":"INTEGER","fake":{"integers":[[2,1]]}},
				{"name":"wide","alias":"C5","type":"REAL","fake":{"integers":[[0,100]],"width":2}},
				{"name":"forward","alias":"C6","type":"REAL","fake":{"sum":["later"]}},
				{"name":"coordinate","alias":"C7","type":"DOUBLE","fake":{"prefix":"40.","integers":[[0,9999]],"width":5}},
				{"name":"uneven","alias":"C8","type":"DOUBLE","fake":{"prefix":"0.","integers":[[0,10]]}},
				{"name":"fine","alias":"C9","type":"DOUBLE","fake":{"sum":["coordinate"]}},
				{"name":"unevenSum","alias":"C10","type":"DOUBLE","fake":{"sum":["uneven"]}},
				{"name":"notATime","alias":"C11","type":"REAL","fake":{"time":"planned"}},
				{"name":"ofWhat","alias":"C12","type":"TIMESTAMP","fake":{"time":"fine"}},
				{"name":"tooLong","alias":"C13","type":"CHAR(1)","fake":{"text":"NN"}},
				{"name":"tooBig","alias":"C14","type":"INTEGER","fake":{"integers":[[0,2147483648]]}},
				{"name":"nan","alias":"C15","type":"REAL","fake":{"text":"NaN"}},
				{"name":"later","alias":"C16","type":"REAL","fake":{"text":"1"}},
				{"name":"tooShort","alias":"C17","type":"CHAR(2)","fake":{"text":"N"}}`,
			faults: []string{
				"none: 0 of", "both: 2 of", "prefixed: prefix", "lines: a newline in a value", "empty: range [2, 1]", "wide: range [0, 100] does not fit",
				"forward: column later is not an earlier", "fine: column coordinate cannot be added", "unevenSum: column uneven cannot be added",
				"notATime: a time", "ofWhat: column fine is faulty itself", `tooLong: "NN" is not of type CHAR(1)`, `tooShort: "N" is not of type CHAR(2)`, `tooBig: "2147483648"`, `nan: "NaN"`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema := schema.Schema{Source: "S"}
			if err := json.Unmarshal([]byte("["+tc.columns+"]"), &schema.Columns); err != nil {
				t.Fatal(err)
			}
			g, err := generator.New(&pipeline.Pipeline{Schema: schema}, 1)
			if tc.faults == nil {
				if err != nil {
					t.Fatal(err)
				}
				if got := string(g.Append(nil, tick, 0)); got != tc.want {
					t.Errorf("record is %q, want %q", got, tc.want)
				}
				return
			}
			if err == nil {
				t.Fatal("New succeeded, want an error")
			}
			for _, fault := range tc.faults {
				if !strings.Contains(err.Error(), "column "+fault) {
					t.Errorf("error does not say %q:\n%v", fault, err)
				}
			}
			if got, want := strings.Count(err.Error(), "\n")+1, len(tc.faults); got != want {
				t.Errorf("error names %d faults, want %d:\n%v", got, want, err)
			}
		})
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	_, err := newGenerator(t, 1).KeyOf("VendorName")
	if err == nil || !strings.Contains(err.Error(), `"VendorName"`) || !strings.Contains(err.Error(), embedded(t).Columns[0].Name) {
		t.Errorf("error %v does not name the key and the columns", err)
	}
}

// TestAllocations: making records into a buffer allocates nothing.
func TestAllocations(t *testing.T) {
	g := newGenerator(t, 1)
	tick := generator.Tick{Time: tickTime, Records: 1000, Spread: time.Second}
	key, _ := g.KeyOf(generator.Uniform)
	buffer := make([]byte, 0, 4096)
	if got := testing.AllocsPerRun(100, func() {
		g.AppendKey(g.Append(buffer, tick, 7), tick, 7, key)
	}); got != 0 {
		t.Errorf("%v allocations a record, want 0", got)
	}
}

func BenchmarkAppend(b *testing.B) {
	g := newGenerator(b, 1)
	tick := generator.Tick{Time: tickTime, Records: 10_000_000, Spread: 20 * time.Second}
	var buffer []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buffer = g.Append(buffer[:0], tick, i%tick.Records)
	}
	b.SetBytes(int64(len(buffer)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// checkGolden compares generated bytes. A mismatch is a reminder to raise the version.
func checkGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	golden.Check(t, file, got)
	if t.Failed() {
		t.Logf("generator.Version is %d: raise it, or undo the change", generator.Version)
	}
}
