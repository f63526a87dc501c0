package query

import (
	"fmt"
	"regexp"
	"strings"

	"streamproof/internal/dialect"
	"streamproof/internal/schema"
)

// synonyms are functions that Flink has by two names.
var synonyms = map[string]string{"CHARACTER_LENGTH": "CHAR_LENGTH", "CEILING": "CEIL"}

// parts are functions that Flink has for EXTRACT.
var parts = map[string]string{"YEAR": "YEAR", "MONTH": "MONTH", "DAYOFMONTH": "DAY", "HOUR": "HOUR", "MINUTE": "MINUTE", "SECOND": "SECOND"}

// reasons say of functions why the judge cannot compute them at all.
var reasons = func() map[string]string {
	const (
		chance    = "gives another value each time"
		now       = "depends on when Flink computes it"
		aggregate = "is computed over several rows"
	)
	return map[string]string{
		"RAND": chance, "RAND_INTEGER": chance, "UUID": chance,
		"CURRENT_DATE": now, "CURRENT_TIME": now, "CURRENT_TIMESTAMP": now, "CURRENT_ROW_TIMESTAMP": now, "LOCALTIME": now,
		"LOCALTIMESTAMP": now, "NOW": now, "PROCTIME": now, "CURRENT_WATERMARK": now,
		"COUNT": aggregate, "SUM": aggregate, "AVG": aggregate, "MIN": aggregate, "MAX": aggregate, "FIRST_VALUE": aggregate,
		"LAST_VALUE": aggregate, "STDDEV_POP": aggregate, "STDDEV_SAMP": aggregate, "VAR_POP": aggregate, "VAR_SAMP": aggregate,
		"LISTAGG": aggregate, "COLLECT": aggregate,
	}
}()

func (q *Query) call(c *dialect.Call) (operand, error) {
	name := c.Name
	if other := synonyms[name]; other != "" {
		name = other
	}
	if reason := reasons[name]; reason != "" {
		return operand{}, refuse(c.Pos, "%s, which %s", name, reason)
	}
	if c.Qualified || c.Star || c.Distinct || c.Bare || c.By {
		return operand{}, refuse(c.Pos, "%s", dialect.Print(c))
	}
	if name == "DATE_FORMAT" {
		return q.dateFormat(c)
	}
	args, err := q.all(c.Args...)
	if err != nil {
		return operand{}, err
	}
	kinds := make([]string, len(args))
	for i, a := range args {
		kinds[i] = string(a.kind())
	}
	signature := fmt.Sprintf("%s(%s)", name, strings.Join(kinds, ", "))
	switch {
	case name == "COALESCE" || name == "IFNULL":
		return q.coalesce(c, args)
	case name == "NULLIF" && len(args) == 2:
		return q.nullIf(c, args)
	case name == "IF" && len(args) == 3:
		return operand{}, refuse(c.Pos, "IF: use CASE")
	case name == "CONCAT" && len(args) > 0:
		return q.concat(c, args)
	case name == "TRIM":
		return q.trim(c, args)
	case name == "SUBSTRING" && len(args) > 1 && args[1].isLiteral && args[1].kind() == schema.Integer && args[1].literal <= "0":
		return operand{}, refuse(args[1].at, "SUBSTRING from %s: the first character is 1", args[1].literal)
	case name == "POSITION" && len(args) == 2 && args[0].isLiteral && args[0].literal == "":
		return operand{}, refuse(args[0].at, "POSITION of an empty text")
	case name == "MOD" && len(args) == 2 && kinds[0] != kinds[1]:
		return operand{}, refuse(c.Pos, "%s", signature)
	case name == "EXTRACT" && signature == "EXTRACT(TIMESTAMP)":
		return q.use(c.Pos, fmt.Sprintf("EXTRACT(%s)", c.Unit), args...)
	case parts[name] != "" && len(args) == 1 && args[0].kind() == schema.Timestamp:
		return q.use(c.Pos, fmt.Sprintf("EXTRACT(%s)", parts[name]), args...)
	case name == "EXTRACT" && len(args) == 1:
		return q.use(c.Pos, fmt.Sprintf("EXTRACT(%s FROM %s)", c.Unit, kinds[0]), args...)
	case parts[name] != "" && len(args) == 1:
		return q.use(c.Pos, fmt.Sprintf("EXTRACT(%s FROM %s)", parts[name], kinds[0]), args...)
	case name == "FLOOR" && c.Unit != "", name == "CEIL" && c.Unit != "":
		return q.use(c.Pos, fmt.Sprintf("%s(%s TO %s)", name, strings.Join(kinds, ", "), c.Unit), args...)
	case signature == "TIMESTAMPDIFF(TIMESTAMP, TIMESTAMP)", signature == "TIMESTAMPADD(INTEGER, TIMESTAMP)":
		return q.use(c.Pos, fmt.Sprintf("%s(%s)", name, c.Unit), args...)
	case c.Unit != "":
		return operand{}, refuse(c.Pos, "%s", dialect.Print(c))
	}
	o, err := q.use(c.Pos, signature, args...)
	if err == nil && (name == "UPPER" || name == "LOWER") {
		o.typ = args[0].typ
	}
	return o, err
}

func (q *Query) coalesce(c *dialect.Call, args []operand) (operand, error) {
	if len(args) < 2 {
		return operand{}, refuse(c.Pos, "%s of one value", c.Name)
	}
	// Flink finds the common type by other rules than that of CASE.
	for i, kind := 1, args[0].kind(); i < len(args); i++ {
		next := args[i].kind()
		if kind == next && kind != null {
			continue
		}
		if _, err := q.use(args[i].at, fmt.Sprintf("%s(%s, %s)", c.Name, kind, next)); err != nil {
			return operand{}, err
		}
		kind, _ = widest(kind, next)
	}
	typ, err := q.common(args)
	if err != nil {
		return operand{}, err
	}
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = a.sqlite
	}
	o, err := q.use(c.Pos, "COALESCE", operand{sqlite: strings.Join(list, ", ")})
	o.typ = typ
	return o, err
}

func (q *Query) nullIf(c *dialect.Call, args []operand) (operand, error) {
	equal, err := q.compare(c.Pos, "=", args[0], args[1])
	if err != nil {
		return equal, err
	}
	o, err := q.use(c.Pos, "NULLIF", equal, args[0])
	o.typ = args[0].typ
	return o, err
}

func (q *Query) concat(c *dialect.Call, args []operand) (operand, error) {
	all := args[0]
	for _, a := range args[1:] {
		var err error
		if all, err = q.use(c.Pos, fmt.Sprintf("%s || %s", all.kind(), a.kind()), all, a); err != nil {
			return all, err
		}
	}
	return all, nil
}

// trim knows blanks only.
func (q *Query) trim(c *dialect.Call, args []operand) (operand, error) {
	name := map[string]string{"": "TRIM", "BOTH": "TRIM", "LEADING": "LTRIM", "TRAILING": "RTRIM"}[c.Unit]
	if c.Unit != "" {
		if !args[0].isLiteral || args[0].literal != " " {
			return operand{}, refuse(c.Pos, "TRIM of other than blanks")
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

func (q *Query) dateFormat(c *dialect.Call) (operand, error) {
	if len(c.Args) != 2 {
		return operand{}, refuse(c.Pos, "%s", dialect.Print(c))
	}
	args, err := q.all(c.Args...)
	if err != nil {
		return operand{}, err
	}
	if !args[1].isLiteral || !plainPattern.MatchString(args[1].literal) || longPart.MatchString(args[1].literal) {
		return operand{}, refuse(args[1].at, "DATE_FORMAT with a pattern of other than yyyy, MM, dd, HH, mm, ss, blanks and -/:")
	}
	return q.use(c.Pos, fmt.Sprintf("DATE_FORMAT(%s, pattern)", args[0].kind()), args...)
}
