package dialect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An argument of a call, as written and as rewritten.
type argument struct {
	legacy, flink Expr
	typ           sqlType
}

// A functionRule translates a legacy function that takes least to most arguments.
type functionRule struct {
	least, most int
	rewrite     func(b *binder, c *Call, args []argument) (Expr, sqlType)
}

// same is the rule of a function that is the same in Flink. Its result has the type typ; want tests each argument.
func same(least, most int, typ func(args []argument) sqlType, want func(sqlType) bool, what string) functionRule {
	return functionRule{least, most, func(b *binder, c *Call, args []argument) (Expr, sqlType) {
		for _, a := range args {
			b.argument(c, a, want, what)
		}
		out := &Call{Name: c.Name, Unit: c.Unit, By: c.By}
		for _, a := range args {
			out.Args = append(out.Args, a.flink)
		}
		return out, typ(args)
	}}
}

// argument reports an argument that is certainly of the wrong type.
func (b *binder) argument(c *Call, a argument, want func(sqlType) bool, what string) {
	if a.typ.isCertain() && !want(a.typ) {
		b.fault(a.legacy.Start(), "%s takes %s, not %s", c.Name, what, a.typ.legacyName())
	}
}

func always(k kind) func([]argument) sqlType {
	return func([]argument) sqlType { return sqlType{kind: k} }
}

func first(args []argument) sqlType { return args[0].typ }

// functions are the legacy functions that can be translated.
var functions = map[string]functionRule{
	"CHAR_LENGTH":       same(1, 1, always(integer), sqlType.isText, "a text"),
	"CHARACTER_LENGTH":  same(1, 1, always(integer), sqlType.isText, "a text"),
	"UPPER":             same(1, 1, first, sqlType.isText, "a text"),
	"LOWER":             same(1, 1, first, sqlType.isText, "a text"),
	"INITCAP":           same(1, 1, first, sqlType.isText, "a text"),
	"TRIM":              same(1, 2, always(varChar), sqlType.isText, "a text"),
	"POSITION":          same(2, 2, always(integer), sqlType.isText, "texts"),
	"OVERLAY":           {3, 4, overlay},
	"SUBSTRING":         {2, 3, substring},
	"REGEX_REPLACE":     {5, 5, regexReplace},
	"ABS":               same(1, 1, first, sqlType.isNumber, "a number"),
	"CEIL":              {1, 1, floor},
	"CEILING":           {1, 1, floor},
	"FLOOR":             {1, 1, floor},
	"STEP":              {2, 2, step},
	"EXP":               same(1, 1, always(double), sqlType.isNumber, "a number"),
	"LN":                same(1, 1, always(double), sqlType.isNumber, "a number"),
	"LOG10":             same(1, 1, always(double), sqlType.isNumber, "a number"),
	"SQRT":              same(1, 1, always(double), sqlType.isNumber, "a number"),
	"POWER":             same(2, 2, always(double), sqlType.isNumber, "numbers"),
	"MOD":               {2, 2, mod},
	"COALESCE":          {1, 99, coalesce},
	"NULLIF":            {2, 2, nullIf},
	"EXTRACT":           {1, 1, extract},
	"UNIX_TIMESTAMP":    {1, 1, unixTimestamp},
	"TO_TIMESTAMP":      {1, 1, toTimestamp},
	"TSDIFF":            {2, 2, tsdiff},
	"CHAR_TO_TIMESTAMP": {2, 2, charTo("TIMESTAMP(3)", timestampMillis)},
	"CHAR_TO_DATE":      {2, 2, charTo("DATE", sqlType{kind: date})},
	"CHAR_TO_TIME":      {2, 2, charTo("TIME", sqlType{kind: timeOfDay})},
	"TIMESTAMP_TO_CHAR": {2, 2, toChar},
	"DATE_TO_CHAR":      {2, 2, toChar},
	"TIME_TO_CHAR":      {2, 2, toChar},
}

// bareFunctions have no parentheses. All times of the legacy service were in UTC.
var bareFunctions = map[string]sqlType{
	"CURRENT_TIMESTAMP": timestampMillis, "CURRENT_ROW_TIMESTAMP": timestampMillis, "LOCALTIMESTAMP": timestampMillis,
	"CURRENT_DATE": {kind: date}, "CURRENT_TIME": {kind: timeOfDay}, "LOCALTIME": {kind: timeOfDay},
}

// aggregates are the functions over a window's rows.
var aggregates = map[string]func(b *binder, c *Call, a argument) (Expr, sqlType){
	"SUM": sameAggregate, "AVG": sameAggregate, "MIN": sameAggregate, "MAX": sameAggregate,
	"FIRST_VALUE": sameAggregate, "LAST_VALUE": sameAggregate, "COUNT": sameAggregate,
	"STDDEV_POP": deviation, "STDDEV_SAMP": deviation, "VAR_POP": deviation, "VAR_SAMP": deviation,
}

func sameAggregate(b *binder, c *Call, a argument) (Expr, sqlType) {
	out := &Call{Name: c.Name, Distinct: c.Distinct, Args: []Expr{a.flink}}
	switch c.Name {
	case "COUNT":
		return out, sqlType{kind: bigInt}
	case "SUM", "AVG":
		b.argument(c, a, sqlType.isNumber, "a number")
		switch {
		case a.typ.kind == decimal:
			return out, sqlType{kind: decimal}
		case c.Name == "SUM" && a.typ.isInteger() && a.typ.kind != bigInt:
			// Flink adds in the type of the values, where a large sum would overflow.
			out.Args[0] = tryCast(a.flink, "BIGINT")
			return out, sqlType{kind: bigInt}
		}
	}
	return out, a.typ
}

// deviation is computed on a DOUBLE: for integers, Flink would return an integer.
func deviation(b *binder, c *Call, a argument) (Expr, sqlType) {
	b.argument(c, a, sqlType.isNumber, "a number")
	x := a.flink
	if a.typ.kind != double {
		x = tryCast(x, "DOUBLE")
	}
	return &Call{Name: c.Name, Distinct: c.Distinct, Args: []Expr{x}}, sqlType{kind: double}
}

func aggregateIn(x Expr) *Call {
	var found *Call
	walk(x, func(x Expr) {
		if c, ok := x.(*Call); ok && aggregates[c.Name] != nil && found == nil {
			found = c
		}
	})
	return found
}

func walk(x Expr, visit func(Expr)) {
	if x == nil {
		return
	}
	visit(x)
	for _, part := range parts(x) {
		walk(part, visit)
	}
}

// parts returns an expression's operands. Some may be nil.
func parts(x Expr) []Expr {
	switch x := x.(type) {
	case *Unary:
		return []Expr{x.X}
	case *Binary:
		return []Expr{x.Left, x.Right}
	case *Predicate:
		return x.Args
	case *Case:
		all := []Expr{x.Operand, x.Else}
		for _, w := range x.Whens {
			all = append(all, w.If, w.Then)
		}
		return all
	case *Cast:
		return []Expr{x.X}
	case *Difference:
		return []Expr{x.Left, x.Right}
	case *Call:
		return x.Args
	}
	return nil
}

func (b *binder) call(c *Call) (Expr, sqlType) {
	rule, known := functions[c.Name]
	switch {
	case c.Bare:
		typ := bareFunctions[c.Name]
		if typ.kind == timestamp {
			return now(), typ
		}
		return &Call{Name: c.Name, Bare: true}, typ
	case isRefused(c.Name):
		return b.refuse(c.Pos, c.Name)
	case aggregates[c.Name] != nil && !c.Qualified:
		return b.aggregate(c)
	case !known || c.Qualified:
		return b.fault(c.Pos, "the legacy dialect has no function %s", c.Name)
	case c.Star || c.Distinct || len(c.Args) < rule.least || len(c.Args) > rule.most:
		return b.fault(c.Pos, "%s takes %s", c.Name, count(rule.least, rule.most))
	}
	args := make([]argument, len(c.Args))
	for i, x := range c.Args {
		args[i].legacy = x
		args[i].flink, args[i].typ = b.bind(x)
	}
	return rule.rewrite(b, c, args)
}

func count(least, most int) string {
	switch {
	case least == most && least == 1:
		return "1 argument"
	case least == most:
		return fmt.Sprintf("%d arguments", least)
	default:
		return fmt.Sprintf("%d to %d arguments", least, most)
	}
}

func (b *binder) aggregate(c *Call) (Expr, sqlType) {
	switch {
	case b.inAggregate:
		return b.fault(c.Pos, "%s stands inside another aggregate: CREATE a STREAM for the inner one", c.Name)
	case !b.grouped:
		return b.fault(c.Pos, "%s can only stand in SELECT and HAVING, with GROUP BY", c.Name)
	case c.Star && c.Name == "COUNT":
		return &Call{Name: "COUNT", Star: true}, sqlType{kind: bigInt}
	case len(c.Args) != 1:
		return b.fault(c.Pos, "%s takes 1 argument", c.Name)
	}
	b.inAggregate = true
	defer func() { b.inAggregate = false }()
	a := argument{legacy: c.Args[0]}
	a.flink, a.typ = b.bind(c.Args[0])
	return aggregates[c.Name](b, c, a)
}

func overlay(b *binder, c *Call, args []argument) (Expr, sqlType) {
	out := &Call{Name: c.Name}
	for i, a := range args {
		if i < 2 {
			b.argument(c, a, sqlType.isText, "a text here")
		} else {
			b.argument(c, a, sqlType.isInteger, "an INTEGER here")
		}
		out.Args = append(out.Args, a.flink)
	}
	return out, sqlType{kind: varChar}
}

// literalNumber returns the value of an integer literal with its sign.
func literalNumber(x Expr) (int, bool) {
	sign := 1
	if u, ok := x.(*Unary); ok && u.Op == "-" {
		sign, x = -1, u.X
	}
	l, ok := x.(*Literal)
	if !ok || l.Kind != NumberLiteral || numberType(l.Value).kind != integer {
		return 0, false
	}
	n := 0
	_, err := fmt.Sscanf(l.Value, "%d", &n)
	return sign * n, err == nil
}

// substring cuts off what lies before the first character, as the legacy dialect did. Flink would count from the end.
func substring(b *binder, c *Call, args []argument) (Expr, sqlType) {
	b.argument(c, args[0], sqlType.isText, "a text")
	if args[1].typ.isText() {
		if len(args) > 2 {
			return b.refuse(c.Pos, "SUBSTRING … SIMILAR")
		}
		return function("REGEXP_EXTRACT", args[0].flink, args[1].flink, number(0)), sqlType{kind: varChar}
	}
	for _, a := range args[1:] {
		b.argument(c, a, sqlType.isInteger, "an INTEGER here")
	}
	typ := sqlType{kind: varChar, length: args[0].typ.length}
	start := args[1].flink
	out := function("SUBSTRING", args[0].flink)
	n, isLiteral := literalNumber(args[1].legacy)
	switch {
	case isLiteral && n >= 1:
		out.Args = append(out.Args, start)
		if len(args) > 2 {
			out.Args = append(out.Args, args[2].flink)
		}
		return out, typ
	case isLiteral:
		out.Args = append(out.Args, number(1))
		if len(args) > 2 {
			if length, ok := literalNumber(args[2].legacy); ok {
				out.Args = append(out.Args, number(max(0, length-(1-n))))
			} else {
				out.Args = append(out.Args, infix(args[2].flink, "-", number(1-n)))
			}
		}
		return out, typ
	}
	before := infix(start, "<", number(1))
	out.Args = append(out.Args, &Case{Whens: []When{{before, number(1)}}, Else: start})
	if len(args) > 2 {
		length := args[2].flink
		out.Args = append(out.Args, &Case{Whens: []When{{before, infix(infix(length, "+", start), "-", number(1))}}, Else: length})
	}
	return out, typ
}

// regexReplace translates what Flink's function can do: replace all occurrences, from the first character on. Flink
// takes the replacement literally; in the legacy dialect, $1 was a group.
func regexReplace(b *binder, c *Call, args []argument) (Expr, sqlType) {
	for _, a := range args[:3] {
		b.argument(c, a, sqlType.isText, "texts, and then two INTEGERs")
	}
	start, startOK := literalNumber(args[3].legacy)
	occurrence, occurrenceOK := literalNumber(args[4].legacy)
	replacement, isText := args[2].legacy.(*Literal)
	switch {
	case !startOK || !occurrenceOK || start != 1 || occurrence != 0:
		return b.fault(c.Pos, "REGEX_REPLACE is only carried over with startPosition 1 and occurrence 0: "+
			"write (text, pattern, replacement, 1, 0)")
	case !isText || strings.ContainsAny(replacement.Value, `$\`):
		return b.fault(args[2].legacy.Start(), "REGEX_REPLACE is only carried over with a constant replacement without $ and \\: "+
			"Flink has no groups there")
	}
	return function("REGEXP_REPLACE", args[0].flink, args[1].flink, args[2].flink), sqlType{kind: varChar}
}

var floorUnits = []string{"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}

func floor(b *binder, c *Call, args []argument) (Expr, sqlType) {
	a := args[0]
	if c.Unit == "" {
		b.argument(c, a, sqlType.isNumber, "a number, or a time TO a unit")
		typ := a.typ
		if typ.kind == decimal {
			typ = sqlType{kind: decimal}
		}
		return function(c.Name, a.flink), typ
	}
	if a.typ.kind == interval {
		return b.fault(c.Pos, "%s of an INTERVAL is only carried over for a window over ROWTIME: "+
			"for another time, write STEP(time BY INTERVAL '10' SECOND)", c.Name)
	}
	b.argument(c, a, sqlType.isDatetime, "a time TO a unit")
	if !slices.Contains(floorUnits, c.Unit) {
		return b.fault(c.Pos, "%s TO %s: the unit has to be one of %s", c.Name, c.Unit, strings.Join(floorUnits, ", "))
	}
	name := c.Name
	if name == "CEILING" {
		name = "CEIL"
	}
	return withUnit(name, c.Unit, a.flink), a.typ
}

// step rounds a time down to a multiple of an interval since 1970.
func step(b *binder, c *Call, args []argument) (Expr, sqlType) {
	x := args[0].flink
	if !c.By {
		return b.fault(c.Pos, "write STEP as STEP(time BY INTERVAL '10' SECOND)")
	}
	b.argument(c, args[0], func(t sqlType) bool { return t.kind == timestamp }, "a TIMESTAMP; for numbers write FLOOR(x / n) * n")
	i, ok := args[1].legacy.(*Interval)
	n := 0
	if ok {
		n = seconds(i)
	}
	if n <= 0 || unitSeconds["DAY"]%n != 0 {
		return b.fault(args[1].legacy.Start(), "STEP takes an INTERVAL of seconds, minutes or hours that divides a day")
	}
	for unit, length := range unitSeconds {
		if length == n {
			return withUnit("FLOOR", unit, x), args[0].typ
		}
	}
	since := withUnit("TIMESTAMPDIFF", "SECOND", withUnit("FLOOR", "DAY", x), x)
	return withUnit("TIMESTAMPADD", "SECOND", &Unary{Op: "-", X: function("MOD", since, number(n))}, withUnit("FLOOR", "SECOND", x)), args[0].typ
}

func mod(b *binder, c *Call, args []argument) (Expr, sqlType) {
	for _, a := range args {
		b.argument(c, a, sqlType.isNumber, "numbers")
	}
	typ := args[1].typ
	if args[0].typ.isNumber() && args[1].typ.isNumber() {
		typ = commonNumber(args[0].typ, args[1].typ)
	}
	divisor, ok := b.divisor(args[1].legacy, args[1].flink, typ)
	if !ok {
		return nullLiteral(), sqlType{}
	}
	if typ.kind == decimal {
		typ = sqlType{kind: decimal}
	}
	return function("MOD", args[0].flink, divisor), typ
}

func coalesce(b *binder, c *Call, args []argument) (Expr, sqlType) {
	typ := sqlType{kind: null}
	var all []Expr
	var types []sqlType
	for _, a := range args {
		both, ok := common(typ, a.typ)
		if !ok {
			return b.fault(a.legacy.Start(), "the values of COALESCE are %s and %s: CAST one of them", typ.legacyName(), a.typ.legacyName())
		}
		typ = both
		all, types = append(all, a.flink), append(types, a.typ)
	}
	return function("COALESCE", widen(all, types)...), typ
}

func nullIf(b *binder, c *Call, args []argument) (Expr, sqlType) {
	if _, ok := common(args[0].typ, args[1].typ); !ok {
		return b.fault(c.Pos, "the arguments of NULLIF are %s and %s: CAST one of them", args[0].typ.legacyName(), args[1].typ.legacyName())
	}
	return function("NULLIF", args[0].flink, args[1].flink), args[0].typ
}

// extract returns seconds with any fraction, as the legacy dialect did.
func extract(b *binder, c *Call, args []argument) (Expr, sqlType) {
	a := args[0]
	b.argument(c, a, func(t sqlType) bool { return t.isDatetime() || t.kind == interval }, "a time or an interval")
	if !slices.Contains(floorUnits, c.Unit) {
		return b.fault(c.Pos, "EXTRACT takes one of %s, not %s", strings.Join(floorUnits, ", "), c.Unit)
	}
	part := withUnit("EXTRACT", c.Unit, a.flink)
	if c.Unit != "SECOND" || a.typ.kind == date || a.typ.kind == timestamp && a.typ.length == 0 {
		return part, sqlType{kind: bigInt}
	}
	thousand := &Literal{Kind: NumberLiteral, Text: "1000.0", Value: "1000.0"}
	return infix(part, "+", infix(withUnit("EXTRACT", "MILLISECOND", a.flink), "/", thousand)), sqlType{kind: decimal}
}

func millis(x Expr) Expr {
	return infix(infix(withUnit("EXTRACT", "EPOCH", x), "*", number(1000)), "+", withUnit("EXTRACT", "MILLISECOND", x))
}

func isTimestamp(t sqlType) bool { return t.kind == timestamp }

func unixTimestamp(b *binder, c *Call, args []argument) (Expr, sqlType) {
	b.argument(c, args[0], isTimestamp, "a TIMESTAMP")
	return millis(args[0].flink), sqlType{kind: bigInt}
}

func toTimestamp(b *binder, c *Call, args []argument) (Expr, sqlType) {
	if args[0].typ.isText() {
		return b.fault(c.Pos, "TO_TIMESTAMP takes milliseconds since 1970: for a text, use CHAR_TO_TIMESTAMP('yyyy-MM-dd HH:mm:ss', text)")
	}
	b.argument(c, args[0], sqlType.isInteger, "a BIGINT")
	return tryCast(function("TO_TIMESTAMP_LTZ", args[0].flink, number(3)), timestampMillis.String()), timestampMillis
}

func tsdiff(b *binder, c *Call, args []argument) (Expr, sqlType) {
	ends := make([]Expr, 2)
	for i, a := range args {
		b.argument(c, a, func(t sqlType) bool { return t.isInteger() || isTimestamp(t) }, "BIGINTs of milliseconds, or TIMESTAMPs")
		if ends[i] = a.flink; isTimestamp(a.typ) {
			ends[i] = millis(a.flink)
		}
	}
	return infix(ends[1], "-", ends[0]), sqlType{kind: bigInt}
}

func charTo(flinkType string, typ sqlType) func(*binder, *Call, []argument) (Expr, sqlType) {
	return func(b *binder, c *Call, args []argument) (Expr, sqlType) {
		pattern, ok := b.pattern(c, args[0], true)
		b.argument(c, args[1], sqlType.isText, "a pattern and a text")
		if !ok {
			return nullLiteral(), typ
		}
		out := Expr(function("TO_TIMESTAMP", args[1].flink, textLiteral(pattern)))
		if typ.kind != timestamp {
			out = tryCast(out, flinkType)
		}
		return out, typ
	}
}

func toChar(b *binder, c *Call, args []argument) (Expr, sqlType) {
	pattern, ok := b.pattern(c, args[0], false)
	b.argument(c, args[1], sqlType.isDatetime, "a pattern and a time")
	if !ok {
		return nullLiteral(), sqlType{kind: varChar}
	}
	x := args[1].flink
	if args[1].typ.kind != timestamp {
		x = tryCast(x, timestampMillis.String())
	}
	return function("DATE_FORMAT", x, textLiteral(pattern)), sqlType{kind: varChar}
}

// patternLetters mean the same to Java's SimpleDateFormat, which the legacy service used, and to DateTimeFormatter,
// which Flink uses; pattern takes care of the exceptions.
const patternLetters = "yMdHhmsSaED"

// pattern translates a constant pattern of times.
func (b *binder) pattern(c *Call, a argument, reads bool) (string, bool) {
	l, ok := a.legacy.(*Literal)
	if !ok || l.Kind != TextLiteral {
		b.fault(a.legacy.Start(), "%s is only carried over with a constant pattern", c.Name)
		return "", false
	}
	var out strings.Builder
	quoted, fraction := false, 0
	for _, r := range l.Value {
		switch {
		case r == '\'':
			quoted = !quoted
		case quoted:
		case r == 'h' && reads && !strings.Contains(l.Value, "a"):
			r = 'H' // SimpleDateFormat accepted any hour here; DateTimeFormatter would drop it
		case r == 'S':
			fraction++
		case strings.ContainsRune("[]{}#", r):
			fmt.Fprintf(&out, "'%c'", r)
			continue
		case (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') && !strings.ContainsRune(patternLetters, r):
			b.fault(l.Pos, "%s: the pattern's letter %c is not carried over", c.Name, r)
			return "", false
		}
		out.WriteRune(r)
	}
	if !reads && fraction != 0 && fraction != 3 {
		b.fault(l.Pos, "%s: write milliseconds as SSS", c.Name)
		return "", false
	}
	return out.String(), true
}

// Functions returns the names of the legacy functions that can be translated, sorted.
func Functions() []string {
	return slices.Sorted(maps.Keys(functions))
}
