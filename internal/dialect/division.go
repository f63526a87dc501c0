package dialect

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// divisionWarning: Flink throws if it divides integers or DECIMALs by zero. Floats become infinite.
const divisionWarning = "%s of integers stops the job at a divisor of 0, again after each restart: " +
	"write NULLIF(divisor, 0), which gives NULL"

// exprSet is a set of expressions, each as it is printed.
type exprSet map[string]bool

func (s exprSet) with(other exprSet) exprSet {
	all := maps.Clone(s)
	maps.Copy(all, other)
	return all
}

// divisions warns of each division in a SELECT that may divide integers by zero. from is nil if the columns are not
// certain.
func (c *flinkChecker) divisions(s *Select, from []relColumn) {
	for _, x := range append([]Expr{s.Where}, s.GroupBy...) {
		c.divisionsIn(x, from, exprSet{})
	}
	filtered := nonZero(s.Where, true)
	for _, item := range s.Items {
		c.divisionsIn(item.X, from, filtered)
	}
	c.divisionsIn(s.Having, from, filtered)
}

// divisionsIn warns of the divisions in an expression. The expressions in safe are not zero.
func (c *flinkChecker) divisionsIn(x Expr, from []relColumn, safe exprSet) {
	switch x := x.(type) {
	case nil:
		return
	case *Case:
		c.divisionsIn(x.Operand, from, safe)
		for _, w := range x.Whens {
			c.divisionsIn(w.If, from, safe)
			c.divisionsIn(w.Then, from, safe.with(nonZero(w.If, true)))
			safe = safe.with(nonZero(w.If, false))
		}
		c.divisionsIn(x.Else, from, safe)
		return
	case *Binary:
		if x.Op == "/" || x.Op == "%" {
			c.division(x.OpPos, x.Op, x.Left, x.Right, from, safe)
		}
	case *Call:
		if x.Name == "MOD" && len(x.Args) == 2 {
			c.division(x.Pos, x.Name, x.Args[0], x.Args[1], from, safe)
		}
	}
	for _, part := range parts(x) {
		c.divisionsIn(part, from, safe)
	}
}

func (c *flinkChecker) division(pos Position, op string, dividend, divisor Expr, from []relColumn, safe exprSet) {
	if !isNeverZero(divisor) && !safe[Print(divisor)] && !isFloat(dividend, from) && !isFloat(divisor, from) {
		c.warnings.add(pos, divisionWarning, op)
	}
}

// opaqueDivisions warns of the divisions in a statement beyond the grammar, where only the source's columns are
// certain.
func (c *flinkChecker) opaqueDivisions(tokens []token) {
	source := c.tables[c.source]
	for i, t := range tokens[:len(tokens)-1] {
		if !t.is("/") && !t.is("%") {
			continue
		}
		next := tokens[i+1]
		float := isFloat(nameOf(next), source) || i > 0 && isFloat(nameOf(tokens[i-1]), source)
		if float || next.is("NULLIF") || next.kind == tokenNumber && !isZero(next.text) {
			continue
		}
		c.warnings.add(t.pos, divisionWarning, t.text)
	}
}

func nameOf(t token) Expr { return column(t.value) }

func isZero(number string) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(number), "e")
	return strings.Trim(mantissa, "0.") == ""
}

func isZeroLiteral(x Expr) bool {
	l, ok := x.(*Literal)
	return ok && l.Kind == NumberLiteral && isZero(l.Value)
}

// isNeverZero reports whether a divisor is certainly not zero. It may be NULL.
func isNeverZero(x Expr) bool {
	switch x := x.(type) {
	case *Literal:
		return !isZeroLiteral(x)
	case *Unary:
		return isNeverZero(x.X)
	case *Call:
		return x.Name == "NULLIF" && len(x.Args) == 2 && isZeroLiteral(x.Args[1]) || x.Name == "COUNT" && x.Star // a group has rows
	}
	return false
}

// comparison reads a comparison with a number, which may stand on either side, as one with the number on the right.
func comparison(b *Binary) (x Expr, op string, number Expr) {
	if l, ok := b.Left.(*Literal); ok && l.Kind == NumberLiteral {
		mirrored := map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<="}
		return b.Right, cmp.Or(mirrored[b.Op], b.Op), l
	}
	return b.Left, b.Op, b.Right
}

// nonZero are the expressions that cannot be zero if a condition is true, or, with truth unset, if it is not.
func nonZero(condition Expr, truth bool) exprSet {
	b, ok := condition.(*Binary)
	switch {
	case !ok:
		return exprSet{}
	case b.Op == map[bool]string{true: "AND", false: "OR"}[truth]:
		return nonZero(b.Left, truth).with(nonZero(b.Right, truth))
	}
	x, op, number := comparison(b)
	excludesZero := map[bool][]string{true: {"<>", "<", ">"}, false: {"=", "<=", ">="}}[truth]
	if isZeroLiteral(number) && slices.Contains(excludesZero, op) ||
		truth && isPositive(number) && slices.Contains([]string{"=", ">", ">="}, op) {
		return exprSet{Print(x): true}
	}
	return exprSet{}
}

func isPositive(x Expr) bool {
	l, ok := x.(*Literal)
	return ok && l.Kind == NumberLiteral && !isZero(l.Value)
}

// isFloat reports whether an expression is certainly a FLOAT or DOUBLE.
func isFloat(x Expr, from []relColumn) bool {
	float32or64 := func(t sqlType) bool { return t.kind == float || t.kind == double }
	anyOf := func(all ...Expr) bool {
		return slices.ContainsFunc(all, func(x Expr) bool { return isFloat(x, from) })
	}
	switch x := x.(type) {
	case *Name:
		column, _ := find(from, x.last().Name)
		return float32or64(column.typ)
	case *Literal:
		return x.Kind == NumberLiteral && float32or64(numberType(x.Value))
	case *Cast:
		return float32or64(flinkType(x.Type)) || x.Type.Name == "REAL"
	case *Unary:
		return isFloat(x.X, from)
	case *Binary:
		return slices.Contains([]string{"+", "-", "*", "/", "%"}, x.Op) && anyOf(x.Left, x.Right)
	case *Case:
		results := []Expr{x.Else}
		for _, w := range x.Whens {
			results = append(results, w.Then)
		}
		return anyOf(results...)
	case *Call:
		switch x.Name {
		case "SQRT", "LN", "LOG10", "LOG2", "LOG", "EXP", "POWER", "SIN", "COS", "TAN", "RAND", "PI":
			return true
		case "ABS", "CEIL", "CEILING", "FLOOR", "ROUND", "SUM", "AVG", "MIN", "MAX", "COALESCE", "IFNULL":
			return anyOf(x.Args...)
		case "NULLIF", "MOD":
			return len(x.Args) > 0 && isFloat(x.Args[0], from)
		}
	}
	return false
}
