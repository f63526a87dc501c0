package dialect

import "fmt"

// cast returns CAST(x AS to), or why it is impossible.
func cast(x Expr, from, to sqlType) (Expr, sqlType, string) {
	if x, typ, ok := convert(x, from, to); ok {
		return x, typ, ""
	}
	if from.kind == interval && from.scale == 0 {
		return x, to, "only an interval of one unit can be CAST, as (a - b) SECOND"
	}
	return x, to, fmt.Sprintf("%s cannot be CAST to %s", from.legacyName(), to.legacyName())
}

// assign returns a value as INSERT puts it into a column, or why it cannot. The legacy service
// converted the same values; everything else needed a CAST there, too.
func assign(x Expr, from, to sqlType) (Expr, string) {
	switch {
	case !from.isCertain():
		return tryCast(x, to.String()), ""
	case from.isNumber() && to.isNumber():
		if from == to && from.kind != decimal || isImplicit(from, to) {
			return x, ""
		}
		out, _, _ := convert(x, from, to)
		return out, ""
	case from.isText() && to.kind == varChar:
		return x, "" // the job rejects rows whose text is too long
	case from.isText() && to.kind == char:
		return pad(x, from, to), ""
	case from.kind == to.kind && to.kind != interval:
		return x, ""
	}
	return x, fmt.Sprintf("%s cannot be inserted into %s: CAST it", from.legacyName(), to.legacyName())
}

// isImplicit reports whether Flink converts one number to the other by itself, without loss.
func isImplicit(from, to sqlType) bool {
	switch to.kind {
	case smallInt, integer, bigInt:
		return from.isInteger() && from.kind < to.kind
	case float:
		return from.isInteger() && from.kind <= integer
	case double:
		return from.kind == float || from.isInteger()
	}
	return false
}

// pad pads a text to the length of a CHAR column. A longer text stays as it is, so that the job rejects the row.
func pad(x Expr, from, to sqlType) Expr {
	switch {
	case from.kind == char && from.length == to.length:
		return x
	case from.length > 0 && from.length <= to.length:
		return tryCast(x, to.String())
	}
	return &Case{
		Whens: []When{{infix(function("CHAR_LENGTH", x), "<", number(to.length)), function("RPAD", x, number(to.length), textLiteral(" "))}},
		Else:  x,
	}
}

// convert converts as CAST did: numbers are rounded, and what does not fit is NULL. (The row used to be an error.)
func convert(x Expr, from, to sqlType) (Expr, sqlType, bool) {
	switch {
	case !from.isCertain():
	case to.isInteger() && from.isNumber():
		return toInteger(x, from, to), to, true
	case to.isNumber() && from.kind == interval && from.scale > 0:
		// Flink counts milliseconds; the legacy dialect counted units.
		x = infix(tryCast(x, "BIGINT"), "/", number(from.scale))
		if to.kind == bigInt {
			return x, to, true
		}
	case to.kind == varChar && !from.isText() && from.kind != interval && from.kind != varBinary:
		// Flink would cut what is too long, which was an error. So it keeps its length, and the job rejects the row.
		if n := from.textLength(); to.length > 0 && (n == 0 || n > to.length) {
			to.length = 0
		}
	case to.isNumber() && (from.isNumber() || from.isText()),
		to.isText() && from.isText(),
		to.kind == char && from.kind != interval && from.kind != varBinary,
		to.kind == boolean && (from.kind == boolean || from.isText()),
		to.isDatetime() && (from.isText() || from.kind == to.kind),
		to.kind == timestamp && from.isDatetime(), from.kind == timestamp && to.isDatetime():
	case to.kind == varBinary && from.kind == varBinary:
		return x, to, true
	default:
		return x, to, false
	}
	return tryCast(x, to.String()), to, true
}

// toInteger converts a number by way of a text: of a number that is too large, Flink would keep the lowest bits.
func toInteger(x Expr, from, to sqlType) Expr {
	switch {
	case !from.isInteger():
		x = tryCast(tryCast(x, sqlType{decimal, maxDecimal, 0}.String()), "STRING")
	case from.kind > to.kind && !isSmall(x):
		x = tryCast(x, "STRING")
	}
	return tryCast(x, to.String())
}

// isSmall reports whether an integer is small for certain: a count of rows in a window, a part of a time, a short
// literal.
func isSmall(x Expr) bool {
	switch x := x.(type) {
	case *Call:
		return x.Name == "COUNT" || x.Name == "EXTRACT"
	case *Literal:
		return len(x.Value) <= 2
	}
	return false
}
