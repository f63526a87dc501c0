package dialect

import "fmt"

// cast gives CAST(x AS to), or what problem there is with it.
func cast(x Expr, from, to sqlType) (Expr, sqlType, string) {
	if x, typ, ok := convert(x, from, to); ok {
		return x, typ, ""
	}
	if from.kind == interval && from.scale == 0 {
		return x, to, "an interval of one unit only can be CAST, as (a - b) SECOND"
	}
	return x, to, fmt.Sprintf("%s cannot be CAST to %s", from.legacyName(), to.legacyName())
}

// assign gives a value as INSERT puts it into a column, or what problem there is with it. What the legacy service converted
// by itself is converted; for the rest it wanted a CAST.
func assign(x Expr, from, to sqlType) (Expr, string) {
	switch {
	case from.kind == unknown:
		return tryCast(x, to.String()), ""
	case from.kind == null:
		return tryCast(x, to.String()), ""
	case from.isNumber() && to.isNumber():
		if from == to && from.kind != decimal || isImplicit(from, to) {
			return x, ""
		}
		out, _, _ := convert(x, from, to)
		return out, ""
	case from.isText() && to.kind == varChar:
		return x, "" // the job rejects a row whose text is too long
	case from.isText() && to.kind == char:
		return pad(x, from, to), ""
	case from.kind == to.kind && to.kind != interval:
		return x, ""
	}
	return x, fmt.Sprintf("%s cannot be inserted into %s: CAST it", from.legacyName(), to.legacyName())
}

// isImplicit says whether Flink itself makes one number of the other, without loss.
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

// pad gives a text as long as its column, as CHAR has it. A longer one stays as it is, so that the job rejects the row.
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

// convert makes one type of another, as CAST did: a number is rounded, and what does not fit is NULL. (It was an error row.)
func convert(x Expr, from, to sqlType) (Expr, sqlType, bool) {
	switch {
	case !from.isCertain():
		return tryCast(x, to.String()), to, true
	case to.isInteger() && from.isNumber():
		return toInteger(x, from, to), to, true
	case to.isNumber() && (from.isNumber() || from.isText()):
		return tryCast(x, to.String()), to, true
	case to.isNumber() && from.kind == interval && from.scale > 0:
		// Flink counts milliseconds, where the legacy dialect counted units.
		units := infix(tryCast(x, "BIGINT"), "/", number(from.scale))
		if to.kind == bigInt {
			return units, to, true
		}
		return tryCast(units, to.String()), to, true
	case to.isText() && from.isText():
		return tryCast(x, to.String()), to, true
	case to.kind == varChar && from.kind != interval && from.kind != varBinary:
		// Flink would cut what is longer, which was an error: so it stays as long as it is, and the job rejects the row.
		if n := from.textLength(); to.length > 0 && (n == 0 || n > to.length) {
			to.length = 0
		}
		return tryCast(x, to.String()), to, true
	case to.kind == char && from.kind != interval && from.kind != varBinary:
		return tryCast(x, to.String()), to, true
	case to.kind == boolean && (from.kind == boolean || from.isText()):
		return tryCast(x, to.String()), to, true
	case to.isDatetime() && (from.isText() || from.kind == to.kind):
		return tryCast(x, to.String()), to, true
	case to.kind == timestamp && from.isDatetime(), from.kind == timestamp && to.isDatetime():
		return tryCast(x, to.String()), to, true
	case to.kind == varBinary && from.kind == varBinary:
		return x, to, true
	}
	return x, to, false
}

// toInteger makes an integer of a number. Flink would take the lowest bits of one that is too large, and no text does that.
func toInteger(x Expr, from, to sqlType) Expr {
	switch {
	case !from.isInteger():
		x = tryCast(tryCast(x, sqlType{decimal, maxDecimal, 0}.String()), "STRING")
	case from.kind > to.kind && !isSmall(x):
		x = tryCast(x, "STRING")
	}
	return tryCast(x, to.String())
}

// isSmall says whether an integer fits where one is put: a count of rows in a window, a part of a time, or a short literal.
func isSmall(x Expr) bool {
	switch x := x.(type) {
	case *Call:
		return x.Name == "COUNT" || x.Name == "EXTRACT"
	case *Literal:
		return len(x.Value) <= 2
	}
	return false
}
