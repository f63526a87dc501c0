package query

import (
	"maps"
	"math"
	"slices"

	"streamproof/internal/schema"
)

// Kinds besides those of a schema's columns.
const (
	text     schema.Kind = "TEXT" // CHAR and VARCHAR
	null     schema.Kind = "NULL"
	interval schema.Kind = "INTERVAL"
	fine     schema.Kind = "TIMESTAMP(n)" // a column whose pattern has a fraction of a second
	exact    schema.Kind = "DECIMAL(p,s)" // a column; plain DECIMAL is a literal, computed as a DOUBLE
)

// A form is an operation on which the two engines are known to agree: the kind of its result, and how package engine
// computes it.
type form struct {
	result schema.Kind
	op     string  // empty if the result is the operand itself, or has no operands
	after  []int64 // arguments after the operands
}

// by is a form that an operator or function computes.
func by(result schema.Kind, op string, after ...int64) form { return form{result, op, after} }

// as is a form whose result is the operand, with another kind.
func as(result schema.Kind) form { return form{result: result} }

// forms is everything that the verifier can compute. Each form has to be in testdata/expressions.json, whose
// expressions a test of the Flink job and a test of package engine compute and compare.
var forms = withComparisons(map[string]form{
	"INTEGER column":   as(schema.Integer),
	"BIGINT column":    as(schema.BigInt),
	"REAL column":      as(schema.Real),
	"DOUBLE column":    as(schema.Double),
	"TEXT column":      as(text),
	"TIMESTAMP column": as(schema.Timestamp),
	"BOOLEAN column":   as(schema.Boolean),
	"DATE column":      as(schema.Date),
	// Compared by a key, see byDigits, since one value may be written with different digits.
	"DECIMAL(p,s) column": as(exact),
	"TIMESTAMP(n) column": as(fine),

	"INTEGER literal":   as(schema.Integer),
	"BIGINT literal":    as(schema.BigInt),
	"DECIMAL literal":   as(schema.Decimal),
	"TEXT literal":      as(text),
	"TIMESTAMP literal": as(schema.Timestamp),
	"DATE literal":      as(schema.Date),
	"BOOLEAN literal":   as(schema.Boolean),
	"NULL literal":      as(null),

	// One of two operands is first converted to the type of the other, and a value to the type of its column.
	"INTEGER to BIGINT":  as(schema.BigInt),
	"INTEGER to REAL":    by(schema.Real, "real"),
	"INTEGER to DOUBLE":  by(schema.Double, "double"),
	"REAL to DOUBLE":     as(schema.Double),
	"INTEGER to DECIMAL": by(schema.Decimal, "double"),
	"DECIMAL to DOUBLE":  as(schema.Double),
	// The destination's TIMESTAMP has six digits. The job rejects values with more.
	"TIMESTAMP(n) to TIMESTAMP": by(schema.Timestamp, "micro"),

	"INTEGER + INTEGER":     by(schema.Integer, "int_add"),
	"INTEGER - INTEGER":     by(schema.Integer, "int_subtract"),
	"INTEGER * INTEGER":     by(schema.Integer, "int_multiply"),
	"INTEGER / INTEGER":     by(schema.Integer, "int_divide"),
	"INTEGER % INTEGER":     by(schema.Integer, "mod"),
	"MOD(INTEGER, INTEGER)": by(schema.Integer, "mod"),
	"-INTEGER":              by(schema.Integer, "int_negate"),
	"+INTEGER":              as(schema.Integer),
	"BIGINT + BIGINT":       by(schema.BigInt, "add"),
	"BIGINT - BIGINT":       by(schema.BigInt, "subtract"),
	"BIGINT * BIGINT":       by(schema.BigInt, "multiply"),
	"BIGINT / BIGINT":       by(schema.BigInt, "divide"),
	"MOD(BIGINT, BIGINT)":   by(schema.BigInt, "mod"),
	"-BIGINT":               by(schema.BigInt, "negate"),
	"REAL + REAL":           by(schema.Real, "real_add"),
	"REAL - REAL":           by(schema.Real, "real_subtract"),
	"REAL * REAL":           by(schema.Real, "real_multiply"),
	"REAL / REAL":           by(schema.Real, "real_divide"),
	"-REAL":                 by(schema.Real, "double_negate"),
	"DOUBLE + DOUBLE":       by(schema.Double, "double_add"),
	"DOUBLE - DOUBLE":       by(schema.Double, "double_subtract"),
	"DOUBLE * DOUBLE":       by(schema.Double, "double_multiply"),
	"DOUBLE / DOUBLE":       by(schema.Double, "double_divide"),
	"-DOUBLE":               by(schema.Double, "double_negate"),
	"ABS(INTEGER)":          by(schema.Integer, "int_abs"),
	"ABS(BIGINT)":           by(schema.BigInt, "abs"),
	"ABS(REAL)":             by(schema.Real, "double_abs"),
	"ABS(DOUBLE)":           by(schema.Double, "double_abs"),
	"FLOOR(INTEGER)":        as(schema.Integer),
	"FLOOR(REAL)":           by(schema.Real, "floor"),
	"FLOOR(DOUBLE)":         by(schema.Double, "floor"),
	"CEIL(REAL)":            by(schema.Real, "ceil"),
	"CEIL(DOUBLE)":          by(schema.Double, "ceil"),

	// A comparison needs one of the operators and one of the pairs. Flink tests for equality and for order in different
	// ways.
	"=":                    by(schema.Boolean, "="),
	"<>":                   by(schema.Boolean, "<>"),
	"<":                    by(schema.Boolean, "<"),
	">":                    by(schema.Boolean, ">"),
	"<=":                   by(schema.Boolean, "<="),
	">=":                   by(schema.Boolean, ">="),
	"IS DISTINCT FROM":     by(schema.Boolean, "IS NOT"),
	"IS NOT DISTINCT FROM": by(schema.Boolean, "IS"),
	"BETWEEN":              by(schema.Boolean, "BETWEEN"),
	"BETWEEN SYMMETRIC":    by(schema.Boolean, "BETWEEN SYMMETRIC"),
	"INTEGER IN":           by(schema.Boolean, "IN"),
	"BIGINT IN":            by(schema.Boolean, "IN"),
	"TEXT IN":              by(schema.Boolean, "IN"),
	"TEXT LIKE":            by(schema.Boolean, "like"),

	"AND":                       by(schema.Boolean, "AND"),
	"OR":                        by(schema.Boolean, "OR"),
	"NOT":                       by(schema.Boolean, "NOT"),
	"IS NULL":                   by(schema.Boolean, "IS NULL"),
	"IS TRUE":                   by(schema.Boolean, "IS TRUE"),
	"IS FALSE":                  by(schema.Boolean, "IS FALSE"),
	"IS UNKNOWN":                by(schema.Boolean, "IS NULL"),
	"CASE WHEN":                 {},
	"CASE x WHEN":               {},
	"COALESCE":                  by("", "COALESCE"),
	"COALESCE(INTEGER, BIGINT)": {},
	"COALESCE(BIGINT, INTEGER)": {},
	"COALESCE(REAL, INTEGER)":   {},
	"COALESCE(DOUBLE, INTEGER)": {},
	"COALESCE(DOUBLE, DECIMAL)": {},
	"NULLIF":                    by("", "NULLIF"),

	"UPPER(TEXT)":                       by(text, "upper"),
	"LOWER(TEXT)":                       by(text, "lower"),
	"TRIM(TEXT)":                        by(text, "trim"),
	"LTRIM(TEXT)":                       by(text, "ltrim"),
	"RTRIM(TEXT)":                       by(text, "rtrim"),
	"CHAR_LENGTH(TEXT)":                 by(schema.Integer, "length"),
	"SUBSTRING(TEXT, INTEGER)":          by(text, "substring", math.MaxInt32),
	"SUBSTRING(TEXT, INTEGER, INTEGER)": by(text, "substring"),
	"POSITION(TEXT, TEXT)":              by(schema.Integer, "position"),
	"REPLACE(TEXT, TEXT, TEXT)":         by(text, "replace"),
	"TEXT || TEXT":                      by(text, "concat"),

	"TRY_CAST(INTEGER AS BIGINT)":      as(schema.BigInt),
	"TRY_CAST(INTEGER AS REAL)":        by(schema.Real, "real"),
	"TRY_CAST(INTEGER AS DOUBLE)":      by(schema.Double, "double"),
	"TRY_CAST(INTEGER AS TEXT)":        by(text, "text"),
	"TRY_CAST(INTEGER AS BOOLEAN)":     by(schema.Boolean, "<>", 0),
	"TRY_CAST(BIGINT AS INTEGER)":      by(schema.Integer, "wrap"),
	"TRY_CAST(REAL AS BIGINT)":         by(schema.BigInt, "bigint"),
	"TRY_CAST(DOUBLE AS BIGINT)":       by(schema.BigInt, "bigint"),
	"TRY_CAST(TEXT AS BIGINT)":         by(schema.BigInt, "text_bigint"),
	"TRY_CAST(BIGINT AS DOUBLE)":       by(schema.Double, "double"),
	"TRY_CAST(BIGINT AS REAL)":         by(schema.Real, "real"),
	"TRY_CAST(BIGINT AS TEXT)":         by(text, "text"),
	"TRY_CAST(REAL AS DOUBLE)":         as(schema.Double),
	"TRY_CAST(DOUBLE AS REAL)":         by(schema.Real, "real"),
	"TRY_CAST(REAL AS INTEGER)":        by(schema.Integer, "int"),
	"TRY_CAST(DOUBLE AS INTEGER)":      by(schema.Integer, "int"),
	"TRY_CAST(TEXT AS TEXT)":           as(text),
	"TRY_CAST(TEXT AS TEXT(n))":        by(text, "left"),
	"TRY_CAST(TEXT AS INTEGER)":        by(schema.Integer, "text_int"),
	"TRY_CAST(TEXT AS DOUBLE)":         by(schema.Double, "text_double"),
	"TRY_CAST(TIMESTAMP AS TEXT)":      as(text),
	"TRY_CAST(BOOLEAN AS TEXT)":        by(text, "truth_text"),
	"TRY_CAST(BOOLEAN AS INTEGER)":     as(schema.Integer),
	"TRY_CAST(DATE AS TEXT)":           as(text),
	"TRY_CAST(TIMESTAMP AS DATE)":      by(schema.Date, "date"),
	"TRY_CAST(TIMESTAMP(n) AS DATE)":   by(schema.Date, "date"),
	"TRY_CAST(DECIMAL(p,s) AS DOUBLE)": by(schema.Double, "decimal_double"),

	"EXTRACT(YEAR)":                      by(schema.BigInt, "extract", 0, 4),
	"EXTRACT(MONTH)":                     by(schema.BigInt, "extract", 5, 7),
	"EXTRACT(DAY)":                       by(schema.BigInt, "extract", 8, 10),
	"EXTRACT(HOUR)":                      by(schema.BigInt, "extract", 11, 13),
	"EXTRACT(MINUTE)":                    by(schema.BigInt, "extract", 14, 16),
	"EXTRACT(SECOND)":                    by(schema.BigInt, "extract", 17, 19),
	"EXTRACT(YEAR FROM DATE)":            by(schema.BigInt, "extract", 0, 4),
	"EXTRACT(MONTH FROM DATE)":           by(schema.BigInt, "extract", 5, 7),
	"EXTRACT(DAY FROM DATE)":             by(schema.BigInt, "extract", 8, 10),
	"EXTRACT(HOUR FROM TIMESTAMP(n))":    by(schema.BigInt, "extract", 11, 13),
	"EXTRACT(MINUTE FROM TIMESTAMP(n))":  by(schema.BigInt, "extract", 14, 16),
	"EXTRACT(SECOND FROM TIMESTAMP(n))":  by(schema.BigInt, "extract", 17, 19),
	"FLOOR(TIMESTAMP(n) TO DAY)":         by(schema.Timestamp, "begin", 10),
	"FLOOR(TIMESTAMP(n) TO HOUR)":        by(schema.Timestamp, "begin", 13),
	"FLOOR(TIMESTAMP(n) TO MINUTE)":      by(schema.Timestamp, "begin", 16),
	"FLOOR(TIMESTAMP(n) TO SECOND)":      by(schema.Timestamp, "begin", 19),
	"DATE_FORMAT(TIMESTAMP(n), pattern)": by(text, "format"),
	"FLOOR(TIMESTAMP TO YEAR)":           by(schema.Timestamp, "begin", 4),
	"FLOOR(TIMESTAMP TO MONTH)":          by(schema.Timestamp, "begin", 7),
	"FLOOR(TIMESTAMP TO DAY)":            by(schema.Timestamp, "begin", 10),
	"FLOOR(TIMESTAMP TO HOUR)":           by(schema.Timestamp, "begin", 13),
	"FLOOR(TIMESTAMP TO MINUTE)":         by(schema.Timestamp, "begin", 16),
	"FLOOR(TIMESTAMP TO SECOND)":         by(schema.Timestamp, "begin", 19),
	"TIMESTAMPDIFF(SECOND)":              by(schema.Integer, "difference", 1),
	"TIMESTAMPDIFF(MINUTE)":              by(schema.Integer, "difference", 60),
	"TIMESTAMPDIFF(HOUR)":                by(schema.Integer, "difference", 3600),
	"TIMESTAMPDIFF(DAY)":                 by(schema.Integer, "difference", 86400),
	"TIMESTAMPADD(SECOND)":               by(schema.Timestamp, "later", 1),
	"TIMESTAMPADD(MINUTE)":               by(schema.Timestamp, "later", 60),
	"TIMESTAMPADD(HOUR)":                 by(schema.Timestamp, "later", 3600),
	"TIMESTAMPADD(DAY)":                  by(schema.Timestamp, "later", 86400),
	"TIMESTAMP + INTERVAL":               by(schema.Timestamp, "later", 1),
	"TIMESTAMP - INTERVAL":               by(schema.Timestamp, "later", -1),
	"DATE_FORMAT(TIMESTAMP, pattern)":    by(text, "format"),
})

// Forms returns the names of all forms.
func Forms() []string {
	return slices.Sorted(maps.Keys(forms))
}

func isForm(name string) bool {
	_, ok := forms[name]
	return ok
}

// withComparisons adds a form for each pair of operands that both engines compare alike, for equality and for order.
func withComparisons(all map[string]form) map[string]form {
	for _, pair := range []string{
		"INTEGER with INTEGER",
		"BIGINT with INTEGER",
		"BIGINT with BIGINT",
		"REAL with REAL",
		"DOUBLE with DOUBLE",
		"INTEGER with a DECIMAL literal",
		"REAL with an INTEGER literal",
		"REAL with a DECIMAL literal",
		"DOUBLE with an INTEGER literal",
		"DOUBLE with a DECIMAL literal",
		"TEXT with TEXT",
		"TIMESTAMP with a TEXT literal",
		"TIMESTAMP with TIMESTAMP",
		"DATE with DATE",
		"DATE with a TEXT literal",
		"TIMESTAMP(n) with TIMESTAMP(n)",
		"TIMESTAMP with TIMESTAMP(n)",
		"TIMESTAMP(n) with a TEXT literal",
		"DECIMAL(p,s) with DECIMAL(p,s)",
		"DECIMAL(p,s) with an INTEGER literal",
		"DECIMAL(p,s) with a DECIMAL literal",
	} {
		all["equal "+pair], all["order "+pair] = form{}, form{}
	}
	all["equal BOOLEAN with BOOLEAN"] = form{}
	return all
}
