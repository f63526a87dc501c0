package dialect

import "cmp"

// instead has the replacement for each legacy construct that is not carried over.
var instead = map[string]string{
	"OVER": "in Flink SQL, use an aggregate OVER (PARTITION BY … ORDER BY t RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW), " +
		"where a view has PROCTIME() AS t, or the window functions HOP and CUMULATE",
	"WINDOW":              "in Flink SQL, write the window in the parentheses of OVER, ordered by a column that a view has as PROCTIME()",
	"WINDOWED BY STAGGER": "in Flink SQL, use the window function TUMBLE or SESSION over a column that a view has as PROCTIME()",
	"JOIN": "in Flink SQL, use a window join of two TUMBLE functions, or a lookup join for reference data; " +
		"or join where the rows are read, with Athena or Redshift",
	"ORDER BY":                          "leave it out: rows have no order within an object in S3",
	"LIMIT":                             "in Flink SQL, use ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY …) over a TUMBLE function, and WHERE it is at most n",
	"SELECT DISTINCT":                   "use GROUP BY the columns and FLOOR(ROWTIME TO MINUTE)",
	"UNION":                             "use UNION ALL",
	"EXCEPT":                            "use WHERE, if both read the same stream",
	"INTERSECT":                         "use WHERE, if both read the same stream",
	"VALUES":                            "SELECT from a stream",
	"WITH":                              "CREATE a STREAM with a PUMP for each query",
	"a query in an expression":          "CREATE a STREAM with a PUMP, and use WHERE over it",
	"CURSOR":                            "in Flink SQL, use a view of the query, and a window function over it",
	"RANDOM_CUT_FOREST":                 "in Flink SQL, use a function of your own that scores rows: CREATE FUNCTION name AS 'class', with the class in the job",
	"HOTSPOTS":                          "use GROUP BY a grid of the coordinates, as FLOOR(x * 10), and FLOOR(ROWTIME TO MINUTE), with HAVING COUNT(*) > a threshold",
	"TOP_K_ITEMS_TUMBLING":              "in Flink SQL, use ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY n DESC) over COUNT(*) AS n in a TUMBLE window, and WHERE it is at most k",
	"GROUP_RANK":                        "in Flink SQL, use ROW_NUMBER() or RANK() OVER (PARTITION BY window_start, window_end ORDER BY …)",
	"COUNT_DISTINCT_ITEMS":              "use COUNT(DISTINCT x) with GROUP BY FLOOR(ROWTIME TO MINUTE)",
	"EXP_AVG":                           "use AVG(x) over shorter windows",
	"a value of another row":            "in Flink SQL, use LAG(x) OVER (PARTITION BY … ORDER BY t), where a view has PROCTIME() AS t",
	"MONOTONIC":                         "leave it out: windows in Flink need no monotonic expression",
	"a log parser":                      "use SUBSTRING(line FROM 'pattern') for each column, or REGEXP_EXTRACT(line, 'pattern', n) in Flink SQL",
	"SUBSTRING … SIMILAR":               "use SUBSTRING(text FROM 'pattern'), or REGEXP_EXTRACT(text, 'pattern', n) in Flink SQL",
	"an aggregate of conditions":        "use MIN(CASE WHEN x THEN 1 ELSE 0 END) = 1 for EVERY, and MAX(…) for ANY",
	"a period":                          "compare the starts and the ends",
	"WITHIN GROUP":                      "leave it out: rows have no order within a window",
	"FILTER":                            "use CASE in the aggregate, as SUM(CASE WHEN x THEN y END)",
	"IGNORE NULLS":                      "use WHERE x IS NOT NULL",
	"RESPECT NULLS":                     "leave it out",
	"a list of columns behind an alias": "name the columns in the query itself, with AS",
	"CREATE FUNCTION":                   "write the expression itself, or in Flink SQL CREATE FUNCTION name AS 'class' of a Java class in the job",
	"CREATE SCHEMA":                     "leave it out: there is one",
	"SET SCHEMA":                        "leave it out: there is one",
	"DROP STREAM":                       "leave it out: each deploy starts with an empty catalog",
	"DROP PUMP":                         "leave it out: each deploy starts with an empty catalog",
	"DROP SCHEMA":                       "leave it out: each deploy starts with an empty catalog",
	"ALTER STREAM":                      "CREATE the STREAM in its final form",
}

// kindOf maps words to their entry in instead.
var kindOf = map[string]string{
	"RANDOM_CUT_FOREST_WITH_EXPLANATION": "RANDOM_CUT_FOREST", "COUNT_DISTINCT_ITEMS_TUMBLING": "COUNT_DISTINCT_ITEMS",
	"LAG": "a value of another row", "LEAD": "a value of another row", "NTH_VALUE": "a value of another row",
	"W3C_LOG_PARSE": "a log parser", "REGEX_LOG_PARSE": "a log parser", "FAST_REGEX_LOG_PARSER": "a log parser", "FAST_REGEX_LOG_PARSE": "a log parser",
	"SYS_LOG_PARSE": "a log parser", "FIXED_COLUMN_LOG_PARSE": "a log parser", "VARIABLE_COLUMN_LOG_PARSE": "a log parser",
	"EVERY": "an aggregate of conditions", "ANY": "an aggregate of conditions", "SOME": "an aggregate of conditions",
	"OVERLAPS": "a period", "CONTAINS": "a period", "PRECEDES": "a period", "FOLLOWS": "a period", "LEADS": "a period", "LAGS": "a period",
	"STRICTLY": "a period", "IMMEDIATELY": "a period",
}

// named has the names of constructs in errors, if they are more than a word of SQL.
var named = map[string]string{
	"OVER":   "a sliding window (OVER)",
	"WINDOW": "a sliding window (WINDOW)",
	"JOIN":   "a join",
}

func refusal(construct string) string {
	text := cmp.Or(named[construct], construct) + " is not carried over"
	if advice := instead[cmp.Or(kindOf[construct], construct)]; advice != "" {
		text += "; " + advice
	}
	return text
}

func refused(pos Position, construct string) *Error {
	return &Error{Pos: pos, Problem: refusal(construct), refused: true}
}

func (b *binder) refuse(pos Position, construct string) (Expr, sqlType) {
	b.faults = append(b.faults, refused(pos, construct))
	return nullLiteral(), sqlType{}
}

func isRefused(function string) bool {
	_, kind := kindOf[function]
	_, own := instead[function]
	return kind || own
}
