package dialect

import "fmt"

// instead says, of what the legacy dialect has and the translation does not, what to use in Flink SQL.
var instead = map[string]string{
	"OVER": "an aggregate OVER (PARTITION BY … ORDER BY t RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW), " +
		"where a view has PROCTIME() AS t, or the window functions HOP and CUMULATE",
	"WINDOW":              "OVER with the window in its parentheses, ordered by a column that a view has as PROCTIME()",
	"WINDOWED BY STAGGER": "the window function TUMBLE or SESSION over a column that a view has as PROCTIME()",
	"JOIN": "a window join of two TUMBLE functions, or a lookup join for reference data; " +
		"or join where the rows are read, with Athena or Redshift",
	"ORDER BY":                   "nothing: the rows of an object in S3 have no order that is kept",
	"LIMIT":                      "ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY …) over a TUMBLE function, and WHERE it is at most n",
	"SELECT DISTINCT":            "GROUP BY the columns and FLOOR(ROWTIME TO MINUTE)",
	"UNION":                      "UNION ALL",
	"EXCEPT":                     "WHERE, if both read the same stream",
	"INTERSECT":                  "WHERE, if both read the same stream",
	"VALUES":                     "SELECT … FROM a stream",
	"WITH":                       "a CREATE STREAM with a CREATE PUMP for each query",
	"a query in an expression":   "a CREATE STREAM with a CREATE PUMP, and a WHERE over it",
	"CURSOR":                     "a view of the query, and a window function over it",
	"RANDOM_CUT_FOREST":          "a user-defined function that scores rows, or Amazon Managed Service for Apache Flink's own example of it in Java",
	"HOTSPOTS":                   "GROUP BY a grid of the coordinates in a TUMBLE window, HAVING COUNT(*) above what is hot",
	"TOP_K_ITEMS_TUMBLING":       "ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY n DESC) over COUNT(*) in a TUMBLE window, and WHERE it is at most k",
	"GROUP_RANK":                 "ROW_NUMBER() or RANK() OVER (PARTITION BY window_start, window_end ORDER BY …)",
	"COUNT_DISTINCT_ITEMS":       "COUNT(DISTINCT x) with GROUP BY FLOOR(ROWTIME TO MINUTE)",
	"EXP_AVG":                    "AVG(x) over shorter windows",
	"a value of another row":     "LAG(x) OVER (PARTITION BY … ORDER BY t), where a view has PROCTIME() AS t",
	"MONOTONIC":                  "nothing: a window of Flink needs no monotonic expression",
	"W3C_LOG_PARSE":              "REGEXP_EXTRACT(line, 'pattern', n) for each column",
	"a log parser":               "REGEXP_EXTRACT(line, 'pattern', n) for each column, or SPLIT_INDEX(line, ' ', n)",
	"SUBSTRING … SIMILAR":        "REGEXP_EXTRACT(text, 'pattern', n)",
	"an aggregate of conditions": "MIN(CASE WHEN x THEN 1 ELSE 0 END) = 1 for EVERY, and MAX(…) for ANY",
	"a period":                   "comparisons of the beginnings and the ends",
	"CREATE FUNCTION":            "the expression itself, or CREATE FUNCTION name AS 'class' of a Java class in the job",
	"CREATE SCHEMA":              "nothing: there is one",
	"SET SCHEMA":                 "nothing: there is one",
	"DROP STREAM":                "nothing: each deploy begins with an empty catalog",
	"DROP PUMP":                  "nothing: each deploy begins with an empty catalog",
	"DROP SCHEMA":                "nothing: each deploy begins with an empty catalog",
	"ALTER STREAM":               "CREATE STREAM as it is to be",
}

// kindOf says which entry of instead speaks of a word.
var kindOf = map[string]string{
	"RANDOM_CUT_FOREST_WITH_EXPLANATION": "RANDOM_CUT_FOREST", "COUNT_DISTINCT_ITEMS_TUMBLING": "COUNT_DISTINCT_ITEMS",
	"LAG": "a value of another row", "LEAD": "a value of another row", "NTH_VALUE": "a value of another row",
	"REGEX_LOG_PARSE": "a log parser", "FAST_REGEX_LOG_PARSER": "a log parser", "FAST_REGEX_LOG_PARSE": "a log parser",
	"SYS_LOG_PARSE": "a log parser", "FIXED_COLUMN_LOG_PARSE": "a log parser", "VARIABLE_COLUMN_LOG_PARSE": "a log parser",
	"EVERY": "an aggregate of conditions", "ANY": "an aggregate of conditions", "SOME": "an aggregate of conditions",
	"OVERLAPS": "a period", "CONTAINS": "a period", "PRECEDES": "a period", "FOLLOWS": "a period", "LEADS": "a period", "LAGS": "a period",
	"STRICTLY": "a period", "IMMEDIATELY": "a period",
}

// named says how an error calls a construct that is no word of SQL.
var named = map[string]string{
	"OVER":   "a sliding window (OVER)",
	"WINDOW": "a sliding window (WINDOW)",
	"JOIN":   "a join",
}

// refusal says that a construct is not carried over, and what to use for it.
func refusal(construct string) string {
	name := construct
	if n, ok := named[construct]; ok {
		name = n
	}
	kind := construct
	if k, ok := kindOf[construct]; ok {
		kind = k
	}
	if use, ok := instead[kind]; ok {
		return fmt.Sprintf("%s is not carried over from the legacy dialect; in Flink SQL, use %s", name, use)
	}
	return fmt.Sprintf("%s is not carried over from the legacy dialect", name)
}

// isRefused says whether a function is known, and not carried over.
func isRefused(function string) bool {
	_, kind := kindOf[function]
	_, own := instead[function]
	return kind || own
}
