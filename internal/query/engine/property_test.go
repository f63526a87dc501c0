package engine_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
)

// templates are expressions by type. %i stands for an INTEGER, and so on.
var templates = map[byte][]string{
	'i': {"I", "J", "7", "-1", "0", "2147483647", "%i + %i", "%i - %i", "%i * %i", "%i / %i", "MOD(%i, %i)", "-%i", "ABS(%i)", "NULLIF(%i, %i)", "COALESCE(%i, %i)",
		"CASE WHEN %l THEN %i END", "CASE %i WHEN %i THEN %i ELSE %i END", "CHAR_LENGTH(%t)", "POSITION(%t IN %t)", "TRY_CAST(%b AS INTEGER)", "TRY_CAST(%d AS INTEGER)",
		"TRY_CAST(%t AS INTEGER)", "TRY_CAST(%l AS INTEGER)", "TIMESTAMPDIFF(MINUTE, %s, %s)", "TIMESTAMPDIFF(DAY, %s, %s)", "K", "COALESCE(K, %i)"},
	'b': {"B", "3000000000", "%b + %b", "%b - %i", "%b * %b", "%b / %b", "MOD(%b, %b)", "-%b", "ABS(%b)", "TRY_CAST(%i AS BIGINT)", "TRY_CAST(%f AS BIGINT)",
		"TRY_CAST(%t AS BIGINT)", "EXTRACT(HOUR FROM %s)", "YEAR(%s)", "HOUR(P)", "MONTH(Z)", "CASE WHEN %l THEN %b ELSE %i END"},
	'f': {"F", "G", "%f + %f", "%f - %f", "%f * %f", "%f / %f", "%f * 2", "%i + %f", "-%f", "ABS(%f)", "FLOOR(%f)", "CEIL(%f)", "TRY_CAST(%d AS FLOAT)", "TRY_CAST(%b AS FLOAT)",
		"CASE WHEN %l THEN %f ELSE 0 END", "NULLIF(%f, 0)", "H"},
	'd': {"D", "E", "%d + %d", "%d - %d", "%d * %d", "%d / %d", "%d * 0.1", "%f * 1.609", "-%d", "ABS(%d)", "FLOOR(%d)", "TRY_CAST(%i AS DOUBLE)", "TRY_CAST(%b AS DOUBLE)",
		"TRY_CAST(%f AS DOUBLE)", "TRY_CAST(%t AS DOUBLE)", "CASE WHEN %l THEN %d ELSE 0.5 END"},
	't': {"C", "V", "'it''s'", "'é%%'", "%t || %t", "UPPER(%t)", "LOWER(%t)", "TRIM(%t)", "LTRIM(%t)", "SUBSTRING(%t, %i)", "SUBSTRING(%t, %i, %i)", "REPLACE(%t, %t, %t)",
		"TRY_CAST(%i AS STRING)", "TRY_CAST(%b AS STRING)", "TRY_CAST(%s AS STRING)", "TRY_CAST(%l AS STRING)", "TRY_CAST(%t AS VARCHAR(3))",
		"DATE_FORMAT(%s, 'yyyy-MM-dd HH:mm')", "CASE WHEN %l THEN %t ELSE %t END", "COALESCE(%t, '')", "W", "TRY_CAST(Z AS STRING)", "DATE_FORMAT(P, 'HH:mm:ss')"},
	's': {"T", "U", "TIMESTAMP '2016-02-29 23:59:59'", "FLOOR(%s TO HOUR)", "FLOOR(%s TO YEAR)", "TIMESTAMPADD(SECOND, %i, %s)", "TIMESTAMPADD(DAY, %i, %s)",
		"%s + INTERVAL '1' DAY", "%s - INTERVAL '90' MINUTE", "CASE WHEN %l THEN %s END", "FLOOR(P TO MINUTE)"},
	'l': {"L", "TRUE", "%i = %i", "%i < %b", "%b <> %b", "%f >= %f", "%f < 3.3", "%d > %d", "%d <= 0", "%t = %t", "%t < %t", "%s > %s", "%s < '2016-02-01 00:00:00'", "%l = %l",
		"%i IN (1, 2, 7)", "%t NOT IN ('N', '')", "%i BETWEEN %i AND %i", "%s NOT BETWEEN %s AND %s", "%i BETWEEN SYMMETRIC %i AND %i", "%t LIKE '%%n_'", "%t NOT LIKE 'N%%'",
		"%l AND %l", "%l OR %l", "NOT %l", "%l IS TRUE", "%l IS NOT FALSE", "%l IS UNKNOWN", "%t IS NULL", "%i IS DISTINCT FROM %i", "CASE WHEN %l THEN %l ELSE FALSE END",
		"Y", "A < Z", "Z = DATE '2016-02-29'", "TRY_CAST(%s AS DATE) >= A", "P > O", "P = %s", "M > Q", "Q <= 12.5", "M BETWEEN Q AND 7", "M IS NULL"},
}

var destinations = map[byte]string{'i': "INTEGER", 'b': "BIGINT", 'f': "FLOAT", 'd': "DOUBLE", 't': "VARCHAR", 's': "TIMESTAMP", 'l': "BOOLEAN"}

// draw generates an expression of a type, fully parenthesized.
func draw(t *rapid.T, kind byte, depth int) string {
	all := templates[kind]
	if depth == 0 {
		all = all[:2]
	}
	template := rapid.SampledFrom(all).Draw(t, "form")
	var b strings.Builder
	compound := false
	for i := 0; i < len(template); i++ {
		switch {
		case template[i] != '%':
			b.WriteByte(template[i])
		case template[i+1] == '%':
			b.WriteByte('%')
			i++
		default:
			i++
			compound = true
			b.WriteString(draw(t, template[i], depth-1))
		}
	}
	if compound {
		return "(" + b.String() + ")"
	}
	return b.String()
}

// Each expression that the verifier accepts yields values of its declared type, or is reported as unknown. Most
// expressions built from the forms are accepted.
func TestExpressionTypes(t *testing.T) {
	t.Parallel()
	schema := read(t, "schema.json")
	rows := tableRows(t)
	taken, all, values := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]byte("ibfdtsl")).Draw(t, "type")
		x := draw(t, kind, 3)
		where := draw(t, 'l', 1)
		p, err := pipeline.Parse(schema, fmt.Appendf(nil, "CREATE TABLE R (N INTEGER, X %s); INSERT INTO R SELECT N, %s FROM S WHERE %s OR N < 99", destinations[kind], x, where))
		if err != nil {
			t.Fatal(err)
		}
		all++
		q, err := query.Compile(p)
		if err != nil {
			if !strings.Contains(err.Error(), "pipeline.sql:1:") {
				t.Fatalf("%s: %v, which names no place", x, err)
			}
			return
		}
		taken++
		sql, err := engine.New(q)
		if err != nil {
			t.Fatalf("%s: %v", x, err)
		}
		for _, row := range append(rows, randomRow(t)) {
			for _, filtered := range []bool{true, false} {
				got := 0
				err := sql.Rows(&nullable{rows: [][]any{row}}, filtered, func([]byte) { got++ })
				switch {
				case err != nil && (!filtered || strings.Contains(err.Error(), "is not of type") || strings.Contains(err.Error(), "run the query")):
					t.Fatalf("%s where %s, of %v: %v", x, where, row, err)
				case err == nil && filtered && got != 1:
					t.Fatalf("%s where %s, of %v: %d rows", x, where, row, got)
				case err == nil:
					values++
				}
			}
		}
	})
	if taken*2 < all || values == 0 {
		t.Errorf("of %d expressions %d are taken, and give %d values", all, taken, values)
	}
}

// The engine gives the rows that SQLite gives, and is unsure wherever SQLite is. It may be unsure where SQLite, which
// leaves out more of a condition, is not.
func TestEngineMatchesSQLite(t *testing.T) {
	t.Parallel()
	schema := read(t, "schema.json")
	rows := tableRows(t)
	known, unknown, surer := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]byte("ibfdtsl")).Draw(t, "type")
		x, where, other := draw(t, kind, 3), draw(t, 'l', 3), draw(t, kind, 2)
		p, err := pipeline.Parse(schema, fmt.Appendf(nil, "CREATE TABLE R (N INTEGER, X %s); CREATE VIEW V AS SELECT *, %s AS X_ FROM S WHERE %s; "+
			"INSERT INTO R SELECT N, X_ FROM V WHERE %s UNION ALL SELECT N, %s FROM S WHERE %[3]s", destinations[kind], x, where, draw(t, 'l', 2), other))
		if err != nil {
			t.Fatal(err)
		}
		q, err := query.Compile(p)
		if err != nil {
			return
		}
		e, err := engine.New(q)
		if err != nil {
			t.Fatalf("%s: %v", p.SQL, err)
		}
		s, err := engine.OpenSQLite(q)
		if err != nil {
			t.Fatalf("%s: %v", p.SQL, err)
		}
		defer s.Close()
		for _, row := range append(rows, randomRow(t)) {
			for _, filtered := range []bool{true, false} {
				given := func(c computer) (keys []string, err error) {
					err = c.Rows(&nullable{rows: [][]any{row}}, filtered, func(key []byte) { keys = append(keys, q.Output.Format(key)) })
					return keys, err
				}
				got, unsure := given(e)
				want, wantUnsure := given(s)
				switch {
				case unsure == nil && (wantUnsure != nil || !slices.Equal(got, want)):
					t.Fatalf("%s of %v, filtered %t: got %q, want %q, %v as SQLite", p.SQL, row, filtered, got, want, wantUnsure)
				case unsure == nil:
					known++
				case wantUnsure == nil:
					surer++
				default:
					unknown++
				}
			}
		}
	})
	t.Logf("%d known, %d unknown, %d surer", known, unknown, surer)
	if known < unknown || surer*100 > known {
		t.Errorf("the engine computed %d rows, not %d others, and not %d that SQLite computed", known, unknown, surer)
	}
}

// A query returns the same rows directly, through views and as parts of a UNION ALL, unless the verifier cannot compute
// them.
func TestViewEqualsQuery(t *testing.T) {
	t.Parallel()
	schema := read(t, "schema.json")
	rows := tableRows(t)
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]byte("ibfdtsl")).Draw(t, "type")
		x, inner, outer := draw(t, kind, 2), draw(t, 'l', 1), draw(t, 'l', 1)
		given := func(row []any, sql string, args ...any) (keys []string, known bool) {
			p, err := pipeline.Parse(schema, fmt.Appendf(nil, "CREATE TABLE R (N INTEGER, X "+destinations[kind]+"); "+sql, args...))
			if err != nil {
				t.Fatal(err)
			}
			q, err := query.Compile(p)
			if err != nil {
				return nil, false
			}
			e, err := engine.New(q)
			if err != nil {
				t.Fatalf("%s: %v", p.SQL, err)
			}
			err = e.Rows(&nullable{rows: [][]any{row}}, true, func(key []byte) { keys = append(keys, q.Output.Format(key)) })
			return keys, err == nil
		}
		row := rapid.SampledFrom(append(rows, randomRow(t))).Draw(t, "row")
		got, known := given(row, "CREATE VIEW V AS SELECT *, %[1]s AS X_ FROM S WHERE %[2]s; CREATE VIEW W (N, X) AS SELECT N, X_ FROM V WHERE %[3]s UNION ALL SELECT N, X_ FROM V; "+
			"INSERT INTO R SELECT * FROM W UNION ALL SELECT N, X FROM (SELECT N, X_ AS X FROM V WHERE %[3]s) AS Q", x, inner, outer)
		if !known {
			return
		}
		compared++
		filtered, known := given(row, "INSERT INTO R SELECT N, %s FROM S WHERE (%s) AND (%s)", x, inner, outer)
		all, alsoKnown := given(row, "INSERT INTO R SELECT N, %s FROM S WHERE %s", x, inner)
		want := slices.Concat(filtered, all, filtered)
		if !known || !alsoKnown || !slices.Equal(got, want) {
			t.Fatalf("%s where %s, and where %s, of %v: got %q by way of views, and %q without (known: %v, %v)", x, inner, outer, row, got, want, known, alsoKnown)
		}
	})
	if compared < 10 {
		t.Errorf("%d queries were compared", compared)
	}
}

func randomRow(t *rapid.T) []any {
	integer := func() int32 { return rapid.Int32().Draw(t, "integer") }
	text := rapid.StringMatching(`[A-Za-z0-9 é😀%_.-]{0,20}`)
	time := func() string {
		return fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d", rapid.IntRange(0, 9999).Draw(t, "year"), rapid.IntRange(1, 12).Draw(t, "month"),
			rapid.IntRange(1, 28).Draw(t, "day"), rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"), rapid.IntRange(0, 59).Draw(t, "second"))
	}
	float := func() string {
		f := rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32).Draw(t, "real")
		return strconv.FormatFloat(float64(f), 'g', -1, 32)
	}
	double := func() string {
		return strconv.FormatFloat(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "double"), 'g', -1, 64)
	}
	decimal := func(whole, scale int) string {
		return rapid.StringMatching(fmt.Sprintf(`-?[1-9][0-9]{0,%d}\.[0-9]{%d}`, whole-1, scale)).Draw(t, "decimal")
	}
	orNull := func(value any) any {
		if rapid.Bool().Draw(t, "null") {
			return nil
		}
		return value
	}
	return []any{
		"12", fmt.Sprint(integer()), fmt.Sprint(integer()), fmt.Sprint(rapid.Int64().Draw(t, "bigint")), float(), float(), double(), double(),
		rapid.StringMatching(`[A-Za-zé]`).Draw(t, "char"), text.Draw(t, "varchar"), time(), time(), fmt.Sprint(rapid.Bool().Draw(t, "boolean")),
		orNull(time() + ".000000001"), time() + ".1", time()[:10], orNull(time()[:10]), orNull(decimal(17, 3)), decimal(8, 2),
		orNull(fmt.Sprint(integer())), orNull(text.Draw(t, "varchar or NULL")), orNull(float()), orNull("true"),
	}
}

// A decimal number of at most the permitted digits is the DOUBLE that Flink and a delivered line have.
func TestDecimalLiteralsAreTheNearestDoubles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[1-9][0-9]{0,14}`).Draw(t, "digits")
		point := rapid.IntRange(0, len(digits)).Draw(t, "point")
		number := digits[:point] + "." + digits[point:]
		if point == 0 {
			number = "0." + strings.Repeat("0", rapid.IntRange(0, 12).Draw(t, "zeros")) + digits
		} else if point == len(digits) {
			number += "0"
		}
		p, err := pipeline.Parse([]byte(schemaJSON), fmt.Appendf(nil, "CREATE TABLE T (X INTEGER, Y DOUBLE); INSERT INTO T SELECT A, %s FROM S", number))
		if err != nil {
			t.Fatal(err)
		}
		q, err := query.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		sql, err := engine.New(q)
		if err != nil {
			t.Fatal(err)
		}
		want, err := q.Output.Append(nil, []byte("1,"+number))
		if err != nil {
			t.Fatal(err)
		}
		err = sql.Rows(&records{lines: []string{"1,1,a,1"}}, true, func(key []byte) {
			if string(key) != string(want) {
				t.Errorf("%s is %s", number, q.Output.Format(key))
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
}
