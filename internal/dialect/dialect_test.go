package dialect_test

import (
	"errors"
	"strings"
	"testing"

	"streamproof/internal/dialect"
	"streamproof/pipeline"
)

// small has columns of several kinds.
func small(t testing.TB) pipeline.Schema {
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
		"quotes of the other": {table + `INSERT INTO T SELECT "A", C FROM S`, "2:22: unexpected token \"\\\"A\\\"\" (Flink SQL quotes a name as A)"},
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
		"one by its name":        {pump + `SELECT STREAM "id", C FROM S`, "3:15: S has no column id: the query knows it as A"},
		"one of another stream":  {pump + "SELECT STREAM U.A, C FROM S", `3:15: nothing that is read here is called "U"`},
		"one without its alias":  {pump + "SELECT STREAM S.A, C FROM S AS U", `3:15: nothing that is read here is called "S"`},
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
		"no condition":           {pump + "SELECT STREAM A, C FROM S WHERE A", "3:33: a condition is INTEGER and has to be BOOLEAN"},
		"NOT of a number":        {pump + "SELECT STREAM A, C FROM S WHERE NOT A", "3:37: A is INTEGER and has to be BOOLEAN"},
		"an argument":            {pump + "SELECT STREAM CHAR_LENGTH(A), C FROM S", "3:27: CHAR_LENGTH of INTEGER, and it takes a text"},
		"no argument":            {pump + "SELECT STREAM CHAR_LENGTH(), C FROM S", "3:15: CHAR_LENGTH takes 1 argument"},
		"CASE":                   {pump + "SELECT STREAM CASE WHEN A = 1 THEN A ELSE C END, C FROM S", "3:15: the values of CASE are INTEGER and VARCHAR(3)"},
		"an aggregate in WHERE":  {pump + "SELECT STREAM A, C FROM S WHERE COUNT(*) > 1 GROUP BY A, C, FLOOR(ROWTIME TO DAY)", "3:33: COUNT cannot stand here"},
		"one in another":         {pump + "SELECT STREAM SUM(COUNT(*)), C FROM S GROUP BY C, FLOOR(ROWTIME TO DAY)", "3:19: COUNT in another aggregate"},
		"one without a window":   {pump + "SELECT STREAM COUNT(*), 'x' FROM S", "3:15: COUNT needs a window"},
		"no group":               {pump + "SELECT STREAM COUNT(*), C FROM S GROUP BY A, FLOOR(ROWTIME TO DAY)", "3:25: C stands neither in GROUP BY nor in an aggregate"},
		"two windows":            {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY FLOOR(ROWTIME TO DAY), FLOOR(ROWTIME TO HOUR)", "3:68: there are two windows over ROWTIME"},
		"ROWTIME alone":          {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY ROWTIME", "3:45: ROWTIME alone makes no window"},
		"ROWTIME in a group":     {pump + "SELECT STREAM EXTRACT(HOUR FROM ROWTIME), 'x' FROM S GROUP BY FLOOR(ROWTIME TO DAY)", "3:33: ROWTIME stands neither in GROUP BY"},
		"ROWTIME that is set":    {pump + "SELECT STREAM A AS ROWTIME, C FROM S", "3:20: a row's ROWTIME cannot be set"},
		"a long interval":        {pump + "SELECT STREAM A, C FROM S WHERE D + INTERVAL '9999' DAY > D", "3:37: an INTERVAL of Flink is shorter than 1000 days"},
		"a window of a text":     {pump + "SELECT STREAM COUNT(*), 'x' FROM S GROUP BY STEP(ROWTIME BY '1')", "3:61: a window's size has to be INTERVAL"},
		"all columns in a group": {pump + "SELECT STREAM * FROM S GROUP BY FLOOR(ROWTIME TO DAY)", "3:15: * is not in GROUP BY"},
		"HAVING alone":           {pump + "SELECT STREAM A, C FROM S HAVING A > 1", "3:34: HAVING without GROUP BY"},
		"a bad CAST":             {pump + "SELECT STREAM CAST(D AS INTEGER), C FROM S", "3:15: TIMESTAMP cannot be CAST to INTEGER"},
		"a STEP":                 {pump + "SELECT STREAM A, C FROM S WHERE STEP(D BY INTERVAL '7' SECOND) > D", "3:43: a STEP has to be INTERVAL of seconds"},
		"several":                {pump + "SELECT STREAM Z, Q FROM S", "3:15: S has no column Z\npipeline.sql:3:18: S has no column Q"},
		"a destination of more columns": {"CREATE STREAM T (X INTEGER);\nCREATE STREAM U (X INTEGER, \"x\" INTEGER);\nCREATE PUMP P AS INSERT INTO T SELECT STREAM A FROM S;\n" +
			"CREATE PUMP Q AS INSERT INTO U SELECT STREAM A, A FROM S", `2:15: the destination "U" has 2 columns, and "T" has 1`},
		"one of other types": {"CREATE STREAM T (X INTEGER, Y CHAR(2));\nCREATE STREAM U (X INTEGER, Y VARCHAR(2));\nCREATE PUMP P AS INSERT INTO T SELECT STREAM A, C FROM S;\n" +
			"CREATE PUMP Q AS INSERT INTO U SELECT STREAM A, C FROM S", `2:29: the destination "U" has the column "Y" VARCHAR(2) where "T" has "Y" CHAR(2): a stack has one delivery stream`},
		"one of other NULLs": {"CREATE STREAM T (X INTEGER);\nCREATE STREAM U (X INTEGER NOT NULL);\nCREATE PUMP P AS INSERT INTO T SELECT STREAM A FROM S;\n" +
			"CREATE PUMP Q AS INSERT INTO U SELECT STREAM A FROM S", `2:18: the destination "U" has the column "X" INTEGER NOT NULL where "T" has "X" INTEGER:`},
		// of Flink SQL
		"another statement":        {table + "DROP TABLE T", `2:1: unexpected token "DROP" (only CREATE and INSERT can stand here)`},
		"CAST":                     {table + "INSERT INTO T SELECT CAST(C AS INT), C FROM S", "2:22: CAST would stop the job"},
		"WITH":                     {"CREATE TABLE T (X INTEGER) WITH ('connector' = 'print')", "1:28: WITH cannot stand here"},
		"DECIMAL":                  {"CREATE TABLE T (X DECIMAL(3, 1)); INSERT INTO T SELECT A FROM S", "1:19: column X: DECIMAL cannot be delivered"},
		"two tables":               {"CREATE TABLE T (X INTEGER);\nCREATE TABLE U (X INTEGER); INSERT INTO U SELECT A FROM S", "2:1: there is a CREATE TABLE in line 1 already"},
		"two inserts":              {table + "INSERT INTO T SELECT A, C FROM S;\n  INSERT INTO T SELECT 1, C FROM S", "3:3: there is an INSERT in line 2 already: make one of the two, with UNION ALL"},
		"no table":                 {table + "INSERT INTO U SELECT A, C FROM S", "2:13: there is no table U"},
		"an unknown view":          {table + "INSERT INTO T SELECT A, C FROM V", "2:32: there is no table V (the source is S)"},
		"its case":                 {table + "INSERT INTO T SELECT a, C FROM S", "2:22: S has no column a, but A"},
		"an unknown column of it":  {table + "INSERT INTO T SELECT A, UPPER(Z) FROM S", "2:31: S has no column Z"},
		"of a view":                {"CREATE VIEW V (P, Q) AS SELECT A, C FROM S;\n" + table + "INSERT INTO T SELECT A, Q FROM V", "3:22: V has no column A"},
		"too few in Flink":         {table + "INSERT INTO T SELECT A FROM S", "2:15: 1 columns are selected for 2 of T"},
		"a text in Flink":          {table + "INSERT INTO T SELECT C, C FROM S", "2:22: C is VARCHAR(3) and cannot be inserted into X INTEGER: use TRY_CAST"},
		"a wider number":           {"CREATE TABLE T (X FLOAT);\nINSERT INTO T SELECT e FROM S", "2:22: e is DOUBLE and cannot be inserted into X FLOAT: use TRY_CAST"},
		"a column of the table":    {table + "INSERT INTO T (X, Z) SELECT A, C FROM S", "2:19: T has no column Z"},
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

// What this package's grammar does not know, it leaves as it is.
func TestFlinkSQLStaysAsItIs(t *testing.T) {
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
