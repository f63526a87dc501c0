package dialect_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"streamproof/internal/dialect"
)

// expressions generates expressions of the legacy dialect over the columns of small, valid and invalid ones.
func expressions(depth int) *rapid.Generator[string] {
	leaves := rapid.SampledFrom([]string{"A", "B", "C", "D", `"e"`, "S.A", "rowtime", "1", "0", "-2", "3.5", "1e3", "'it''s'", "''", "NULL", "TRUE",
		"TIMESTAMP '2016-02-01 00:00:00'", "DATE '2016-02-01'", "INTERVAL '5' MINUTE", "INTERVAL '100' SECOND", "CURRENT_TIMESTAMP", "APPROXIMATE_ARRIVAL_TIME"})
	if depth == 0 {
		return leaves
	}
	return rapid.Custom(func(t *rapid.T) string {
		sub := func() string { return expressions(depth-1).Draw(t, "operand") }
		form := rapid.SampledFrom([]string{"leaf", "(%s)", "%s + %s", "%s - %s", "%s * %s", "%s / %s", "- %s", "%s || %s", "%s = %s", "%s <= %s", "NOT %s",
			"%s AND %s", "%s OR %s", "%s IS NULL", "%s IS NOT TRUE", "%s IS DISTINCT FROM %s", "%s BETWEEN %s AND %s", "%s NOT IN (%s, %s)", "%s LIKE %s",
			"CASE WHEN %s THEN %s ELSE %s END", "CASE %s WHEN %s THEN %s END", "CAST(%s AS INTEGER)", "CAST(%s AS VARCHAR(4))", "CAST(%s AS TIMESTAMP)",
			"CAST(%s AS DECIMAL(10, 2))", "(%s - %s) SECOND", "COALESCE(%s, %s)", "NULLIF(%s, %s)", "UPPER(%s)", "SUBSTRING(%s FROM %s FOR %s)", "SUBSTRING(%s, %s)",
			"POSITION(%s IN %s)", "TRIM(BOTH %s FROM %s)", "OVERLAY(%s PLACING %s FROM %s)", "FLOOR(%s)", "FLOOR(%s TO HOUR)", "STEP(%s BY INTERVAL '10' SECOND)",
			"EXTRACT(SECOND FROM %s)", "MOD(%s, %s)", "POWER(%s, %s)", "UNIX_TIMESTAMP(%s)", "TO_TIMESTAMP(%s)", "TSDIFF(%s, %s)", "CHAR_TO_DATE('yyyy', %s)"}).Draw(t, "form")
		if form == "leaf" {
			return leaves.Draw(t, "leaf")
		}
		args := make([]any, strings.Count(form, "%s"))
		for i := range args {
			args[i] = sub()
		}
		return fmt.Sprintf(form, args...)
	})
}

// Printed Flink SQL parses to the same tree: no operator and no parenthesis is lost.
func TestParsePrinted(t *testing.T) {
	schema := small(t)
	translated := 0
	rapid.Check(t, func(t *rapid.T) {
		text := expressions(3).Draw(t, "expression")
		flink, err := dialect.Part(text, schema)
		if err != nil {
			return // of the wrong type
		}
		translated++
		x, err := dialect.ParseExpression(flink)
		if err != nil {
			t.Fatalf("%s became %s: %v", text, flink, err)
		}
		if again := dialect.Print(x); again != flink {
			t.Fatalf("%s became %s, and that %s", text, flink, again)
		}
		if strings.Contains(strings.ReplaceAll(flink, "TRY_CAST(", ""), "CAST(") {
			t.Fatalf("%s became %s, which the job does not take", text, flink)
		}
	})
	if translated == 0 {
		t.Error("no expression was translated")
	}
}

// Spaces and comments make no difference.
func TestSpelling(t *testing.T) {
	schema := small(t)
	rapid.Check(t, func(t *rapid.T) {
		text := expressions(2).Draw(t, "expression")
		want, wantErr := dialect.Part(text, schema)
		between := rapid.SampledFrom([]string{"  ", "\n", "\t", " /* and */ ", " -- so\n "}).Draw(t, "between")
		other := strings.ReplaceAll(text, " ", between)
		if strings.Contains(text, "'") { // spaces may be part of a value
			other = between + text + between
		}
		got, err := dialect.Part(other, schema)
		if got != want || (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %s, %v, want %s, %v", other, got, err, want, wantErr)
		}
	})
}

func FuzzTranslate(f *testing.F) {
	for _, file := range []string{"testdata/taxi/exercise.sql", "testdata/taxi/tumbling.sql", "testdata/ticker/dates.sql", "testdata/ticker/two-windows.sql",
		"testdata/taxi/metadata.flink.sql", "testdata/iot/reserved-words.flink.sql"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, text := range []string{"", ";", "'", "CREATE STREAM", `CREATE STREAM "`, "CREATE PUMP P AS INSERT INTO T SELECT STREAM ((((", "INSERT INTO T SELECT 1e+", "\xff",
		"CREATE STREAM T (A INTEGER); CREATE PUMP P AS INSERT INTO T SELECT STREAM A FROM T", table + "INSERT INTO T SELECT * FROM S",
		pump + "SELECT STREAM CASE WHEN A THEN INTERVAL -'1' DAY TO SECOND END, U&'x' UESCAPE '!' FROM (SELECT STREAM * FROM S) GROUP BY STEP(ROWTIME BY 1)"} {
		f.Add(text)
	}
	schema := small(f)
	f.Fuzz(func(t *testing.T, text string) {
		flink, err := dialect.Translate(text, schema)
		if err != nil {
			faults := dialect.Faults(err)
			if len(faults) == 0 {
				t.Fatalf("an error without faults: %v", err)
			}
			for _, fault := range faults {
				if at := fault.Pos; at.Offset < 0 || at.Offset > len(text) || at.Line < 1 || at.Column < 1 || fault.Problem == "" {
					t.Fatalf("%v at %+v in %d bytes", fault, at, len(text))
				}
			}
			return
		}
		script, err := dialect.Parse(flink)
		if err != nil || script.Dialect != dialect.Flink {
			t.Fatalf("%q became %q: %v", text, flink, err)
		}
		if again, err := dialect.Translate(flink, schema); err != nil || again != flink {
			t.Fatalf("%q became %q, and that %q, %v", text, flink, again, err)
		}
	})
}
