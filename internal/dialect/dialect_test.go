package dialect_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"streamproof/internal/dialect"
	"streamproof/internal/pipeline"
	"streamproof/internal/schema"
)

// small has columns of several kinds.
func small(t testing.TB) schema.Schema {
	t.Helper()
	p, err := pipeline.Parse([]byte(`{"source": "S", "columns": [
		{"name": "id", "alias": "A", "type": "INTEGER", "fake": {}},
		{"name": "amount", "alias": "B", "type": "REAL", "fake": {}},
		{"name": "flag", "alias": "C", "type": "VARCHAR(3)", "fake": {}},
		{"name": "moment", "alias": "D", "type": "TIMESTAMP", "fake": {}},
		{"name": "ratio", "alias": "e", "type": "DOUBLE", "fake": {}}
	]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.Schema
}

const (
	stream = `CREATE STREAM T (X INTEGER, Y VARCHAR(9));` + "\n"
	pump   = stream + "CREATE PUMP P AS INSERT INTO T\n"
	table  = "CREATE TABLE T (X INTEGER, Y VARCHAR(9));\n"
)

func TestErrors(t *testing.T) {
	schema := small(t)
	tests := map[string]struct{ text, want string }{
		// of the text
		"nothing":             {"-- only a comment", "1:18: there is no statement"},
		"an open quote":       {stream + "CREATE PUMP \"P AS", `2:13: " is never closed`},
		"an open text":        {pump + "SELECT STREAM 'x FROM S", "3:15: ' is never closed"},
		"an open comment":     {"/* CREATE", "1:1: /* is never closed"},
		"after other letters": {"-- ünï\n" + `CREATE STREAM "ü" (X INTEGER); x`, `2:32: unexpected token "x" (only CREATE STREAM, CREATE PUMP and ALTER PUMP can stand here)`},
		"an open parenthesis": {"CREATE STREAM T (X INTEGER;", `1:27: unexpected token ";" (expected ")")`},
		"a closed one":        {pump + "SELECT STREAM A) FROM S", `3:16: unexpected token ")"`},
		"no semicolon":        {"CREATE STREAM T (X INTEGER)\nCREATE PUMP", `2:1: unexpected token "CREATE"`},
		"depth":               {pump + "SELECT STREAM " + strings.Repeat("(", 200) + "A" + strings.Repeat(")", 200) + " FROM S", "nested too deeply"},
		"length":              {pump + "SELECT STREAM A" + strings.Repeat("+ 1", 20_000) + " FROM S", "the text is too long"},
		"length of what it becomes": {"CREATE STREAM T (X VARCHAR(9)); CREATE PUMP P AS INSERT INTO T SELECT STREAM " +
			strings.Repeat("SUBSTRING(C, CHAR_LENGTH(", 40) + "C" + strings.Repeat("), 1)", 40) + " FROM S", "1:1: its translation is too long"},
		// of the dialect
		"both":                {stream + "INSERT INTO T SELECT A FROM S", "2:1: INSERT is Flink SQL, and the CREATE STREAM of line 1 is the legacy dialect: write all statements in one of them"},
		"the other way round": {table + "CREATE PUMP P AS INSERT INTO T SELECT STREAM A, C FROM S", "2:1: CREATE PUMP is the legacy dialect, and the CREATE TABLE of line 1 is Flink SQL"},
		"SELECT STREAM":       {table + "INSERT INTO T SELECT STREAM A, C FROM S", "2:22: SELECT STREAM is the legacy dialect"},
		"quotes of Flink":     {"CREATE STREAM `T` (X INTEGER)", "1:15: unexpected token \"`T`\" (the legacy dialect quotes a name as \"T\")"},
		"quotes of the other": {table + `INSERT INTO T SELECT "A", C FROM S`, "2:22: unexpected token \"\\\"A\\\"\" (Flink SQL quotes a name as A, and a text as 'A')"},
		// of the legacy dialect
		"a keyword as name":      {"CREATE STREAM FROM (X INTEGER)", `1:15: unexpected token "FROM" (expected a name)`},
		"an empty name":          {`CREATE STREAM "" (X INTEGER)`, "1:15: a name is empty"},
		"a stream twice":         {stream + stream, `2:15: there is a stream "T" already`},
		"the source":             {"CREATE STREAM S (X INTEGER)", `1:15: there is a stream "S" already`},
		"the errors":             {`CREATE STREAM "error_stream" (X INTEGER)`, `there is a stream "error_stream" already`},
		"a column twice":         {"CREATE STREAM T (X INTEGER, x REAL)", `1:29: two columns are called "X"`},
		"an unknown type":        {"CREATE STREAM T (X MONEY)", "1:20: SQL type MONEY is not supported"},
		"a length too many":      {"CREATE STREAM T (X INTEGER(3))", "1:20: SQL type INTEGER takes no such length"},
		"a length of 0":          {"CREATE STREAM T (X CHAR(0))", "1:20: SQL type CHAR cannot have a length of 0"},
		"a scale":                {"CREATE STREAM T (X DECIMAL(3, 4))", "1:20: SQL type DECIMAL cannot have a scale above its precision"},
		"no length":              {"CREATE STREAM T (X CHAR(n))", `1:25: unexpected token "n" (expected a length)`},
		"no pump":                {stream, `1:15: nothing is inserted into "T"`},
		"a pump twice":           {pump + "SELECT STREAM A, C FROM S; CREATE PUMP P AS INSERT INTO T SELECT STREAM A, C FROM S", `3:40: there are two pumps "P"`},
		"an unknown pump":        {pump + "SELECT STREAM A, C FROM S; ALTER PUMP Q START", `3:39: there is no pump "Q" before this`},
		"a stopped pump":         {pump + "SELECT STREAM A, C FROM S; ALTER PUMP P STOP", `2:1: the pump "P" is stopped`},
		"into nothing":           {"CREATE PUMP P AS INSERT INTO U SELECT STREAM A FROM S", `1:30: there is no stream "U"`},
		"into another case":      {stream + `CREATE PUMP P AS INSERT INTO "t" SELECT STREAM A, C FROM S`, `2:30: there is no stream "t", but "T"`},
		"into the source":        {"CREATE PUMP P AS INSERT INTO S SELECT STREAM * FROM S", `1:30: "S" is the source`},
		"from nothing":           {pump + "SELECT STREAM A, C FROM U", `3:25: there is no stream "U" (the source is "S")`},
		"into itself":            {pump + "SELECT STREAM X, Y FROM T", `1:15: "T" is inserted into itself`},
		"an unknown column":      {pump + "SELECT STREAM A, Z FROM S", "3:18: S has no column Z"},
		"one of another case":    {pump + "SELECT STREAM A, E FROM S", `3:18: S has no column E, but e: write it as "e"`},
		"one by its name":        {pump + `SELECT STREAM "id", C FROM S`, "3:15: S has no column id: queries call it A"},
		"one of another stream":  {pump + "SELECT STREAM U.A, C FROM S", `3:15: this query reads nothing called "U"`},
		"one without its alias":  {pump + "SELECT STREAM S.A, C FROM S AS U", `3:15: this query reads nothing called "S"`},
		"too few columns":        {pump + "SELECT STREAM A FROM S", `3:1: 1 columns are selected for 2 of "T"`},
		"too many":               {pump + "SELECT STREAM * FROM S", `3:1: 5 columns are selected for 2 of "T"`},
		"in a UNION ALL":         {pump + "SELECT STREAM A, C FROM S UNION ALL SELECT STREAM A FROM S", `3:37: 1 columns are selected for 2 of "T"`},
		"an unknown target":      {stream + "CREATE PUMP P AS INSERT INTO T (X, Z) SELECT STREAM A, C FROM S", "2:36: T has no column Z"},
		"a target twice":         {stream + "CREATE PUMP P AS INSERT INTO T (X, X) SELECT STREAM A, A FROM S", `2:36: column "X" is inserted twice`},
		"a text into a number":   {pump + "SELECT STREAM C, C FROM S", `3:15: column "X": VARCHAR(3) cannot be inserted into INTEGER: CAST it`},
		"a number into a text":   {pump + "SELECT STREAM A, B FROM S", `3:18: column "Y": REAL cannot be inserted into VARCHAR(9): CAST it`},
		"a time into a number":   {pump + "SELECT STREAM D, C FROM S", `3:15: column "X": TIMESTAMP cannot be inserted into INTEGER: CAST it`},
		"a comparison":           {pump + "SELECT STREAM A, C FROM S WHERE C < A", "3:35: cannot apply < to VARCHAR(3) and INTEGER: CAST one of them"},
		"a text as a time":       {pump + "SELECT STREAM A, C FROM S WHERE D > '2016-01-01'", "3:35: cannot apply > to TIMESTAMP and CHAR(10): CAST one of them"},
		"a sum of texts":         {pump + "SELECT STREAM A + C, C FROM S", "3:17: cannot apply + to INTEGER and VARCHAR(3): CAST them to numbers"},
		"no condition":           {pump + "SELECT STREAM A, C FROM S WHERE A", "3:33: a condition has to be BOOLEAN, not INTEGER"},
		"NOT of a number":        {pump + "SELECT STREAM A, C FROM S WHERE NOT A", "3:37: A has to be BOOLEAN, not INTEGER"},
		"an argument":            {pump + "SELECT STREAM CHAR_LENGTH(A), C FROM S", "3:27: CHAR_LENGTH takes a text, not INTEGER"},
		"no argument":            {pump + "SELECT STREAM CHAR_LENGTH(), C FROM S", "3:15: CHAR_LENGTH takes 1 argument"},
		"CASE":                   {pump + "SELECT STREAM CASE WHEN A = 1 THEN A ELSE C END, C FROM S", "3:15: the values of CASE are INTEGER and VARCHAR(3)"},
		"an aggregate in WHERE":  {pump + "SELECT STREAM A, C FROM S WHERE COUNT(*) > 1 GROUP BY A, C, FLOOR(ROWTIME TO DAY)", "3:33: COUNT can only stand in SELECT and HAVING, with GROUP BY"},
		"one in another":         {pump + "SELECT STREAM SUM(COUNT(*)), C FROM S GROUP BY C, FLOOR(ROWTIME TO DAY)", "3:19: COUNT stands inside another aggregate"},
		"one without a window":   {pump + "SELECT STREAM COUNT(*), 'x' FROM S", "3:15: COUNT needs a window"},
		"no group":               {pump + "SELECT STREAM COUNT(*), C FROM S GROUP BY A, FLOOR(ROWTIME TO DAY)", "3:25: C has to stand in GROUP BY or in an aggregate"},
		"two windows":            {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR(ROWTIME TO DAY), FLOOR(ROWTIME TO HOUR)", "3:68: there are two windows over ROWTIME"},
		"ROWTIME alone":          {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY ROWTIME", "3:45: ROWTIME alone is not a window"},
		"ROWTIME of another":     {pump + "SELECT STREAM COUNT(*), 'x' FROM S AS U GROUP BY FLOOR(S.ROWTIME TO DAY)", `3:56: this query reads nothing called "S"`},
		"ROWTIME that is set":    {pump + "SELECT STREAM A AS ROWTIME, C FROM S", "3:20: a row's ROWTIME cannot be set"},
		"a long interval":        {pump + "SELECT STREAM A, C FROM S WHERE D + INTERVAL '9999' DAY > D", "3:37: an INTERVAL has to be shorter than 1000 days in Flink"},
		"a window of a text":     {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY STEP(ROWTIME BY '1')", "3:61: the size of a window has to be an INTERVAL of whole SECONDs"},
		"all columns in a group": {pump + "SELECT STREAM * FROM S GROUP BY FLOOR(ROWTIME TO DAY)", "3:15: * is not in GROUP BY"},
		"HAVING alone":           {pump + "SELECT STREAM A, C FROM S HAVING A > 1", "3:34: HAVING without GROUP BY"},
		"a bad CAST":             {pump + "SELECT STREAM CAST(D AS INTEGER), C FROM S", "3:15: TIMESTAMP cannot be CAST to INTEGER"},
		"a STEP":                 {pump + "SELECT STREAM A, C FROM S WHERE STEP(D BY INTERVAL '7' SECOND) > D", "3:43: STEP takes an INTERVAL of seconds"},
		"several":                {pump + "SELECT STREAM Z, Q FROM S", "3:15: S has no column Z\npipeline.sql:3:18: S has no column Q"},
		"a destination of more columns": {"CREATE STREAM T (X INTEGER);\nCREATE STREAM U (X INTEGER, \"x\" INTEGER);\nCREATE PUMP P AS INSERT INTO T SELECT STREAM A FROM S;\n" +
			"CREATE PUMP Q AS INSERT INTO U SELECT STREAM A, A FROM S", `2:15: the destination "U" has 2 columns, and "T" has 1`},
		"one of other types": {"CREATE STREAM T (X INTEGER, Y CHAR(2));\nCREATE STREAM U (X INTEGER, Y VARCHAR(2));\nCREATE PUMP P AS INSERT INTO T SELECT STREAM A, C FROM S;\n" +
			"CREATE PUMP Q AS INSERT INTO U SELECT STREAM A, C FROM S", `2:29: the destination "U" has the column "Y" VARCHAR(2) where "T" has "Y" CHAR(2): all rows of a stack's one delivery stream have the same columns`},
		"one of other NULLs": {"CREATE STREAM T (X INTEGER);\nCREATE STREAM U (X INTEGER NOT NULL);\nCREATE PUMP P AS INSERT INTO T SELECT STREAM A FROM S;\n" +
			"CREATE PUMP Q AS INSERT INTO U SELECT STREAM A FROM S", `2:18: the destination "U" has the column "X" INTEGER NOT NULL where "T" has "X" INTEGER:`},
		// a window of the closed service's template
		"its number":            {pump + "SELECT STREAM COUNT(*), FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 9 TO SECOND) FROM S GROUP BY FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 9 TO SECOND)", "3:25: the number of a window is an INTERVAL, which no column can hold: select ROWTIME"},
		"another origin":        {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:01') SECOND / 10 TO SECOND)", "3:45: GROUP BY takes ROWTIME only in FLOOR(ROWTIME TO MINUTE), STEP("},
		"a divisor of zero":     {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 0 TO SECOND)", "3:45: GROUP BY takes ROWTIME only in"},
		"a divisor of tenths":   {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 0.5 TO SECOND)", "3:45: GROUP BY takes ROWTIME only in"},
		"a column as divisor":   {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / A TO SECOND)", "3:45: GROUP BY takes ROWTIME only in"},
		"a coarser difference":  {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') MINUTE / 2 TO SECOND)", "3:45: GROUP BY takes ROWTIME only in"},
		"a window of centuries": {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') DAY / 9999999999 TO DAY)", "3:45: GROUP BY takes ROWTIME only in"},
		"two of the template":   {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR((ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND), FLOOR(ROWTIME TO MINUTE)", "there are two windows over ROWTIME"},
		"an event time":         {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR((D - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND), FLOOR(ROWTIME TO MINUTE)", "3:45: FLOOR of an INTERVAL is only carried over for a window over ROWTIME: for another time, write STEP(time BY"},
		// constructs that are not carried over come first
		"a log parser with columns":  {pump + "SELECT STREAM l.r.COLUMN1, l.r.COLUMN2 FROM (SELECT STREAM SYS_LOG_PARSE(C) FROM S) AS l(r)", "pipeline.sql:3:60: SYS_LOG_PARSE is not carried over"},
		"its columns by three names": {pump + "SELECT STREAM U.R.COLUMN1, U.R.COLUMN2 FROM (SELECT STREAM SYS_LOG_PARSE(C) AS R FROM S) AS U", "pipeline.sql:3:60: SYS_LOG_PARSE is not carried over"},
		"another row's value":        {pump + "SELECT STREAM A, LAG(C, 1) IGNORE NULLS OVER (ROWS 1 PRECEDING) FROM S", "pipeline.sql:3:18: LAG is not carried over"},
		"a value without NULLs":      {pump + "SELECT STREAM FIRST_VALUE(A) IGNORE NULLS, C FROM S", "3:30: IGNORE NULLS is not carried over; use WHERE x IS NOT NULL"},
		"a filtered aggregate":       {pump + "SELECT STREAM SUM(A) FILTER (WHERE B > 0), C FROM S", "3:22: FILTER is not carried over; use CASE in the aggregate"},
		"columns of an alias":        {pump + "SELECT STREAM q, C FROM (SELECT STREAM A FROM S) AS U(q)", "3:54: a list of columns behind an alias is not carried over; name the columns in the query itself"},
		"MONOTONIC before a window":  {pump + "SELECT STREAM COUNT(*), Z FROM S GROUP BY FLOOR((MONOTONIC(D) - TIMESTAMP '1970-01-01 00:00:00') SECOND / 60 TO SECOND) * 60 + TIMESTAMP '1970-01-01 00:00:00'", "pipeline.sql:3:50: MONOTONIC is not carried over"},
		"a text as a name":           {pump + `SELECT STREAM A, C FROM S WHERE C = "it's"`, "3:37: S has no column it's; if it is a text, write it in single quotes: 'it''s'"},
		"a part of a column":         {pump + "SELECT STREAM A, S.C.D FROM S", `3:20: this query reads nothing called "C"`},
		"all pumps are stopped":      {pump + `SELECT STREAM A, C FROM S; ALTER PUMP "public".* STOP`, `2:1: the pump "P" is stopped`},
		"a list of pumps":            {pump + "SELECT STREAM A, C FROM S; ALTER PUMP P, Q START", `3:42: there is no pump "Q" before this`},
		// of Flink SQL
		"another statement":        {table + "DROP TABLE T", `2:1: unexpected token "DROP" (only CREATE and INSERT can stand here)`},
		"CAST":                     {table + "INSERT INTO T SELECT CAST(C AS INT), C FROM S", "2:22: CAST would stop the job"},
		"WITH":                     {"CREATE TABLE T (X INTEGER) WITH ('connector' = 'print')", "1:28: leave out WITH: the job itself sends the rows of T to Firehose"},
		"DECIMAL":                  {"CREATE TABLE T (X DECIMAL(3, 1)); INSERT INTO T SELECT A FROM S", "1:19: column X: DECIMAL cannot be delivered"},
		"two tables":               {"CREATE TABLE T (X INTEGER);\nCREATE TABLE U (X INTEGER); INSERT INTO U SELECT A FROM S", "2:1: line 1 already has the CREATE TABLE, and a stack has one delivery stream: insert into that one"},
		"two inserts":              {table + "INSERT INTO T SELECT A, C FROM S;\n  INSERT INTO T SELECT 1, C FROM S", "3:3: line 2 already has the INSERT, and the job takes one: combine them with UNION ALL"},
		"opaque inserts":           {table + "INSERT INTO T SELECT A FROM S JOIN Z ON TRUE;\nINSERT INTO T VALUES (1)", "3:1: line 2 already has the INSERT"},
		"an opaque table":          {table + "CREATE TABLE U (X ARRAY<INT>); INSERT INTO T SELECT A, C FROM S", "2:1: line 1 already has the CREATE TABLE"},
		"no INSERT":                {table, "1:1: there is no INSERT: write one CREATE TABLE and one INSERT"},
		"no CREATE TABLE":          {"INSERT INTO T SELECT A, C FROM S", "1:1: there is no CREATE TABLE: write one"},
		"neither":                  {"CREATE VIEW V AS SELECT A FROM S", "1:1: there is no CREATE TABLE: write one CREATE TABLE and one INSERT\npipeline.sql:1:1: there is no INSERT"},
		"a second CAST":            {table + "INSERT INTO T SELECT CAST('1' AS INT), CAST(A AS STRING) FROM S", "2:40: CAST would stop the job"},
		"an unbalanced expression": {table + "INSERT INTO T SELECT (A, C FROM S", `2:34: unexpected token "<EOF>" (expected ")")`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			flink, err := dialect.Translate(test.text, schema)
			if err == nil {
				t.Fatalf("got %s, want an error with %q", flink, test.want)
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			var faults dialect.Errors
			if !errors.As(err, &faults) || !strings.HasPrefix(err.Error(), "pipeline.sql:") {
				t.Errorf("got %T, %v, want Errors with the file's name", err, err)
			}
		})
	}
}

// Every CAST is found, in statements beyond the grammar too, and nothing that only looks like one.
func TestCasts(t *testing.T) {
	t.Parallel()
	schema := small(t)
	for items, want := range map[string][]int{
		"CAST(A AS INT)":                  {8},
		"'x', cast (CAST(A))":             {13, 19},
		"ARRAY[CAST (A AS INT)]":          {14},
		"TRY_CAST(A AS INT)":              nil,
		"'CAST(', `CAST(`, CASTS":         nil,
		"-- CAST(A)\n /* CAST(A) */ A, 1": nil,
	} {
		_, err := dialect.Translate("CREATE TABLE T (X INT); INSERT INTO T\nSELECT "+items+" FROM S", schema)
		var got []int
		for _, fault := range dialect.Faults(err) {
			if !strings.HasPrefix(fault.Problem, "CAST would stop the job") || fault.Pos.Line != 2 {
				t.Errorf("%s: got %v", items, fault)
			}
			got = append(got, fault.Pos.Column)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got CAST in columns %v, want %v", items, got, want)
		}
	}
}

// TestDivisions checks that each divisor that may be zero has a warning, if Flink would throw, and no other.
func TestDivisions(t *testing.T) {
	t.Parallel()
	schema := small(t)
	const warning = " of integers stops the job at a divisor of 0, again after each restart: write NULLIF(divisor, 0), which gives NULL"
	for query, want := range map[string]string{
		"SELECT A / A FROM S":                                                      "2:24: /",
		"SELECT MOD(7, A) FROM S":                                                  "2:22: MOD",
		"SELECT 7 % A FROM S":                                                      "2:24: %",
		"SELECT A / 0 FROM S":                                                      "2:24: /",
		"SELECT 1.5 / A FROM S":                                                    "2:26: /", // a DECIMAL
		"SELECT A / CHAR_LENGTH(C) FROM S":                                         "2:24: /",
		"SELECT A FROM S WHERE 10 / A > 2":                                         "2:40: /",
		"SELECT A / COUNT(C) FROM S GROUP BY A":                                    "2:24: /",
		"SELECT CASE WHEN B <> 0 THEN 1 / A END FROM S":                            "2:46: /",
		"SELECT SUM(A) OVER (ORDER BY D) / A FROM S":                               "2:47: /",
		"SELECT X / 2, 1 / X FROM (SELECT A + 1 AS X FROM S)":                      "2:31: /",
		"SELECT A / B, B / A, A / e, 1e0 / A FROM S":                               "",
		"SELECT A / SQRT(A), SUM(B) / A, TRY_CAST(A AS DOUBLE) / A FROM S":         "",
		"SELECT A / NULLIF(A, 0), A / 3, A / -3, A % 2 FROM S":                     "",
		"SELECT SUM(A) / COUNT(*) FROM S GROUP BY C":                               "",
		"SELECT CASE WHEN A <> 0 AND B > 1 THEN 1 / A END FROM S":                  "",
		"SELECT CASE WHEN C = 'x' OR A = 0 THEN 0 ELSE 1 / A END FROM S":           "",
		"SELECT 1 / A FROM S WHERE A > 0":                                          "",
		"SELECT SUM(B) OVER (ORDER BY D) / A, LAG(A) OVER (ORDER BY D) / B FROM S": "2:47: /",
	} {
		text := "CREATE TABLE T (X DOUBLE);\nINSERT INTO T " + query
		script, err := dialect.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if want != "" {
			want = "pipeline.sql:" + want + warning
		}
		if got := script.Warnings(schema).Error(); got != want {
			t.Errorf("%s:\ngot %s\nwant %s", query, got, want)
		}
	}
	text := pump + "SELECT STREAM A / A, C FROM S"
	script, err := dialect.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := script.Warnings(schema); got != nil {
		t.Errorf("legacy dialect, which turns such divisors into NULL: got %v", got)
	}
}

// A byte order mark is not part of the text in either dialect, and shifts no position.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	schema := small(t)
	for _, text := range []string{pump + "SELECT STREAM A, C FROM S", table + "INSERT INTO T SELECT A, C FROM S"} {
		want, err := dialect.Translate(text, schema)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := dialect.Translate("\ufeff"+text, schema); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	_, err := dialect.Translate("\ufeffCREATE STREAM T (X MONEY)", schema)
	if got, want := fmt.Sprint(err), "pipeline.sql:1:20: SQL type MONEY"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// All expressions for the same window translate to the same SQL. ROWTIME is the window's end.
func TestWindows(t *testing.T) {
	t.Parallel()
	const epoch = "TIMESTAMP '1970-01-01 00:00:00'"
	for by, size := range map[string]string{
		"FLOOR((ROWTIME - " + epoch + ") SECOND / 10 TO SECOND)":                        "'10' SECOND",
		"FLOOR((S.ROWTIME - " + epoch + ") MINUTE / 5 TO MINUTE)":                       "'5' MINUTE",
		"floor((s.rowtime - timestamp '1970-01-01 00:00:00') second / 2 to second)":     "'2' SECOND",
		"FLOOR((\"S\".\"ROWTIME\" - TIMESTAMP '1970-01-01 00:00:00.000') HOUR TO HOUR)": "'1' HOUR",
		"FLOOR((ROWTIME - " + epoch + ") SECOND(10) / 90 TO SECOND)":                    "'90' SECOND",
		"FLOOR((ROWTIME - " + epoch + ") DAY TO SECOND / 10 TO MINUTE)":                 "'10' MINUTE",
		"FLOOR((ROWTIME - " + epoch + ") SECOND / 3600 TO SECOND)":                      "'0 01:00:00' DAY(3) TO SECOND",
		"FLOOR((ROWTIME - TIMESTAMP '2000-01-01 00:00:00') DAY / 1 TO DAY)":             "'1' DAY",
		"FLOOR((ROWTIME - " + epoch + ") SECOND / 60 TO SECOND) * 60 + " + epoch:        "'60' SECOND",
		epoch + " + 15 * FLOOR((ROWTIME - " + epoch + ") MINUTE / 15 TO MINUTE)":        "'15' MINUTE",
		"STEP(ROWTIME BY INTERVAL '10' SECOND)":                                         "'10' SECOND",
	} {
		text := "CREATE STREAM T (N BIGINT, C VARCHAR(3), \"END\" TIMESTAMP, H INTEGER);\nCREATE PUMP P AS INSERT INTO T\n" +
			"SELECT STREAM COUNT(*), C, ROWTIME, EXTRACT(HOUR FROM \"S\".\"ROWTIME\") FROM S GROUP BY C, " + by + " HAVING ROWTIME > " + epoch
		got, err := dialect.Translate(text, small(t))
		if err != nil {
			t.Errorf("%s: %v", by, err)
			continue
		}
		_, got, _ = strings.Cut(strings.Join(strings.Fields(got), " "), "INSERT INTO T ")
		want := "SELECT COUNT(*), C, window_end, TRY_CAST(EXTRACT(HOUR FROM window_end) AS INTEGER) " +
			"FROM TABLE(TUMBLE(TABLE S_TIMED, DESCRIPTOR(ROWTIME), INTERVAL " + size + ")) GROUP BY C, window_start, window_end HAVING window_end > " + epoch + ";"
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", by, got, want)
		}
	}
}

// Flink SQL beyond this package's grammar stays as it is.
func TestFlinkSQLUnchanged(t *testing.T) {
	schema := small(t)
	for _, text := range []string{
		"CREATE TABLE T (X INTEGER, Y STRING);\r\n\r\nINSERT INTO T SELECT A, C FROM S -- the end",
		"CREATE TABLE T (X INTEGER NOT NULL, PRIMARY KEY (X) NOT ENFORCED); INSERT INTO T SELECT A FROM S",
		"CREATE TABLE T (X ARRAY<INT>, Y MAP<STRING, INT>); INSERT INTO T SELECT ARRAY[A], MAP['a', A] FROM S",
		"/*+ OPTIONS('a;b') */ CREATE VIEW V AS SELECT *, PROCTIME() AS pt FROM S;\n" +
			"CREATE TABLE T (X BIGINT); INSERT INTO T SELECT COUNT(*) FROM TABLE(HOP(TABLE V, DESCRIPTOR(pt), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)) GROUP BY window_start, window_end",
		"CREATE VIEW V AS SELECT *, PROCTIME() AS pt FROM S; CREATE TABLE T (X BIGINT, Y TIMESTAMP);\n" +
			"INSERT INTO T SELECT COUNT(*), window_end FROM TABLE(TUMBLE(TABLE V, DESCRIPTOR(pt), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
		"CREATE VIEW V AS SELECT A, LAG(A) OVER (ORDER BY pt) AS L FROM (SELECT *, PROCTIME() AS pt FROM S); CREATE TABLE T (X INT); INSERT INTO T SELECT L FROM V",
		"CREATE FUNCTION f AS 'a.B'; CREATE TABLE T (X INT); INSERT INTO T SELECT f(A) FROM S JOIN Z ON A = Z.B",
		"CREATE TABLE T (X INT); INSERT INTO T (X) WITH q AS (SELECT A FROM S) SELECT A FROM q",
		"CREATE TABLE T (`from` INT, `a``b` STRING); INSERT INTO T SELECT A, `C` || 'x' FROM `S` WHERE `A` IN (1, 2) AND C SIMILAR TO 'x' ORDER BY A",
		"CREATE TABLE T (X STRING); INSERT INTO T SELECT JSON_VALUE(C, '$.a' RETURNING STRING NULL ON EMPTY) FROM S",
		"CREATE TABLE T (X STRING, Y TIMESTAMP(3), Z STRING); INSERT INTO T SELECT reason, arrival_time, CURRENT_USER FROM error_stream",
		"CREATE TABLE T (X STRING); INSERT INTO T SELECT SHARD_ID FROM S_WITH_METADATA",
		"CREATE TABLE T (X BIGINT, Y DOUBLE); INSERT INTO T SELECT A, B FROM S UNION ALL SELECT 1, e FROM S;",
	} {
		got, err := dialect.Translate(text, schema)
		if err != nil || got != text {
			t.Errorf("%s:\ngot %s, %v", text, got, err)
		}
		if script, err := dialect.Parse(text); err != nil || script.Dialect != dialect.Flink {
			t.Errorf("%s: got %v, want Flink SQL", text, err)
		}
	}
}
