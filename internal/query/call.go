package query

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"streamproof/internal/dialect"
	"streamproof/internal/schema"
)

// synonyms are functions that Flink has by two names.
var synonyms = map[string]string{"CHARACTER_LENGTH": "CHAR_LENGTH", "CEILING": "CEIL"}

// parts are functions that Flink has for EXTRACT.
var parts = map[string]string{
	"YEAR": "YEAR", "MONTH": "MONTH", "DAYOFMONTH": "DAY", "HOUR": "HOUR", "MINUTE": "MINUTE", "SECOND": "SECOND",
}

// reason explains why a function can never be computed here. It is empty for all other functions.
func reason(function string) string {
	switch function {
	case "RAND", "RAND_INTEGER", "UUID":
		return "gives another value each time"
	case "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_ROW_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "NOW",
		"PROCTIME", "CURRENT_WATERMARK":
		return "depends on when Flink computes it"
	case "COUNT", "SUM", "AVG", "MIN", "MAX", "FIRST_VALUE", "LAST_VALUE", "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP",
		"LISTAGG", "COLLECT":
		return "is computed over several rows"
	}
	return ""
}

func (q *Query) call(c *dialect.Call) operand {
	name := cmp.Or(synonyms[c.Name], c.Name)
	if reason := reason(name); reason != "" {
		return q.refuse(c.Pos, "%s, which %s", name, reason)
	}
	if c.Qualified || c.Star || c.Distinct || c.Bare || c.By {
		return q.refuse(c.Pos, "%s", dialect.Print(c))
	}
	args := q.all(c.Args...)
	kinds := make([]string, len(args))
	for i, a := range args {
		kinds[i] = string(a.kind())
	}
	signature := fmt.Sprintf("%s(%s)", name, strings.Join(kinds, ", "))
	unit := c.Unit
	if part := parts[name]; part != "" && len(args) == 1 {
		name, unit = "EXTRACT", part
	}
	switch {
	case name == "DATE_FORMAT":
		return q.dateFormat(c, args)
	case name == "COALESCE" || name == "IFNULL":
		return q.coalesce(c, args)
	case name == "NULLIF" && len(args) == 2:
		o := q.use(c.Pos, "NULLIF", q.compare(c.Pos, "=", args[0], args[1]), args[0])
		o.typ = args[0].typ
		return o
	case name == "IF" && len(args) == 3:
		return q.refuse(c.Pos, "IF: use CASE")
	case name == "CONCAT" && len(args) > 0:
		all := args[0]
		for _, a := range args[1:] {
			all = q.use(c.Pos, fmt.Sprintf("%s || %s", all.kind(), a.kind()), all, a)
		}
		return all
	case name == "TRIM":
		return q.trim(c, args)
	case name == "SUBSTRING" && len(args) > 1 && args[1].isLiteral && kinds[1] == string(schema.Integer) && args[1].literal <= "0":
		return q.refuse(args[1].at, "SUBSTRING from %s: the first character is 1", args[1].literal)
	case name == "POSITION" && len(args) == 2 && args[0].isLiteral && args[0].literal == "":
		return q.refuse(args[0].at, "POSITION of an empty text")
	case name == "MOD" && len(args) == 2 && kinds[0] != kinds[1]:
		return q.refuse(c.Pos, "%s", signature)
	case name == "EXTRACT" && len(args) == 1 && args[0].kind() == schema.Timestamp:
		return q.use(c.Pos, fmt.Sprintf("EXTRACT(%s)", unit), args...)
	case name == "EXTRACT" && len(args) == 1:
		return q.use(c.Pos, fmt.Sprintf("EXTRACT(%s FROM %s)", unit, kinds[0]), args...)
	case name == "FLOOR" && unit != "", name == "CEIL" && unit != "":
		return q.use(c.Pos, fmt.Sprintf("%s(%s TO %s)", name, strings.Join(kinds, ", "), unit), args...)
	case signature == "TIMESTAMPDIFF(TIMESTAMP, TIMESTAMP)":
		return q.use(c.Pos, fmt.Sprintf("%s(%s)", name, unit), args...)
	case signature == "TIMESTAMPADD(INTEGER, TIMESTAMP)":
		return q.use(c.Pos, fmt.Sprintf("%s(%s)", name, unit), args[1], args[0])
	case unit != "":
		return q.refuse(c.Pos, "%s", dialect.Print(c))
	}
	o := q.use(c.Pos, signature, args...)
	if (name == "UPPER" || name == "LOWER") && len(args) > 0 {
		o.typ = args[0].typ
	}
	return o
}

func (q *Query) coalesce(c *dialect.Call, args []operand) operand {
	if len(args) < 2 {
		return q.refuse(c.Pos, "%s of one value", c.Name)
	}
	// Flink finds the common type by other rules than that of CASE.
	for i, kind := 1, args[0].kind(); i < len(args); i++ {
		next := args[i].kind()
		if kind == next && kind != null {
			continue
		}
		q.use(args[i].at, fmt.Sprintf("%s(%s, %s)", c.Name, kind, next))
		kind, _ = widest(kind, next)
	}
	typ := q.common(args)
	o := q.use(c.Pos, "COALESCE", args...)
	o.typ = typ
	return o
}

// trim compiles the TRIM of blanks.
func (q *Query) trim(c *dialect.Call, args []operand) operand {
	name := map[string]string{"": "TRIM", "BOTH": "TRIM", "LEADING": "LTRIM", "TRAILING": "RTRIM"}[c.Unit]
	if c.Unit != "" {
		if !args[0].isLiteral || args[0].literal != " " {
			return q.refuse(c.Pos, "TRIM of anything but blanks")
		}
		args = args[1:]
	}
	return q.use(c.Pos, fmt.Sprintf("%s(%s)", name, args[0].kind()), args[0])
}

var (
	plainPattern = regexp.MustCompile(`^(?:yyyy|MM|dd|HH|mm|ss|[-/: ])+$`)
	// longPart is one that Flink writes in another way: MMMM is the name of a month.
	longPart = regexp.MustCompile(`yyyyy|MMM|ddd|HHH|mmm|sss`)
)

func (q *Query) dateFormat(c *dialect.Call, args []operand) operand {
	if len(args) != 2 {
		return q.refuse(c.Pos, "%s", dialect.Print(c))
	}
	pattern := args[1]
	if !pattern.isLiteral || !plainPattern.MatchString(pattern.literal) || longPart.MatchString(pattern.literal) {
		return q.refuse(pattern.at, "DATE_FORMAT with a pattern of more than yyyy, MM, dd, HH, mm, ss, blanks and -/:")
	}
	return q.use(c.Pos, fmt.Sprintf("DATE_FORMAT(%s, pattern)", args[0].kind()), args...)
}
