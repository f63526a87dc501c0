package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"streamproof/internal/query"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// A kind is what a value is.
type kind uint8

const (
	null     kind = iota
	integer       // INTEGER and BIGINT; BOOLEAN as 1 and 0
	float         // DOUBLE; REAL as the double of its 32-bit float, as Flink compares it with a literal
	text          // all others
	anything      // for a function's argument: any of these
)

// A value is what an expression is for a record.
type value struct {
	kind kind
	n    int64
	f    float64
	text string
}

func integerOf(n int64) value { return value{kind: integer, n: n} }
func floatOf(f float64) value { return value{kind: float, f: f} }
func textOf(s string) value   { return value{kind: text, text: s} }

// truth is a BOOLEAN.
func truth(is bool) value {
	if is {
		return integerOf(1)
	}
	return integerOf(0)
}

func (v value) isTrue() bool  { return v.kind == integer && v.n != 0 }
func (v value) isFalse() bool { return v.kind == integer && v.n == 0 }

// An expression computes its value for the engine's current record, and sets the engine's fault if it is not certain.
type expression func() value

// compile compiles an expression. AND, OR and BETWEEN compute all of their operands, whatever the first one is, because
// Flink may compute them, too; a condition computes them from left to right, as far as they matter.
func (e *Engine) compile(x *query.Expr, condition bool) (expression, error) {
	switch x.Op {
	case query.Column:
		return e.column(x.Column), nil
	case query.Literal:
		return literal(x.Value)
	}
	args := make([]expression, len(x.Args))
	for i, a := range x.Args {
		var err error
		if args[i], err = e.compile(a, isCondition(x, i, condition)); err != nil {
			return nil, err
		}
	}
	if f, ok := functions[x.Op]; ok {
		return e.call(x.Op, f, args), nil
	}
	a, b := args[0], args[len(args)-1]
	switch x.Op {
	case "=", "<>", "<", ">", "<=", ">=":
		is := comparisons[x.Op]
		return func() value { return e.compare(a(), b(), is) }, nil
	case "BETWEEN":
		low := args[1]
		return func() value { return e.between(a(), low, b, condition) }, nil
	case "BETWEEN SYMMETRIC":
		low := args[1]
		return func() value {
			v := a()
			return or(e.between(v, low, b, condition), func() value { return e.between(v, b, low, condition) }, condition)
		}, nil
	case "AND":
		return func() value { return and(a(), b, condition) }, nil
	case "OR":
		return func() value { return or(a(), b, condition) }, nil
	case "NOT":
		return func() value { return not(a()) }, nil
	case "IS", "IS NOT":
		want := x.Op == "IS"
		return func() value { return truth(e.same(a(), b()) == want) }, nil
	case "IS NULL":
		return func() value { return truth(a().kind == null) }, nil
	case "IS TRUE":
		return func() value { return truth(a().isTrue()) }, nil
	case "IS FALSE":
		return func() value { return truth(a().isFalse()) }, nil
	case "IN":
		return func() value { return e.in(a(), args[1:]) }, nil
	case "CASE":
		return func() value { return choose(args) }, nil
	case "NULLIF":
		return func() value {
			if a().isTrue() {
				return value{}
			}
			return b()
		}, nil
	case "COALESCE":
		return func() value { return coalesce(args) }, nil
	}
	return nil, fmt.Errorf("there is no operator or function %q", x.Op)
}

// isCondition reports whether an argument only decides what becomes of the others, or of the row.
func isCondition(x *query.Expr, i int, condition bool) bool {
	switch x.Op {
	case "CASE":
		return i%2 == 0 && i+1 < len(x.Args)
	case "NULLIF":
		return i == 0
	case "AND", "OR", "NOT", "IS TRUE", "IS FALSE":
		return condition
	}
	return false
}

func literal(v any) (expression, error) {
	var constant value
	switch v := v.(type) {
	case nil:
	case int64:
		constant = integerOf(v)
	case float64:
		constant = floatOf(v)
	case string:
		constant = textOf(v)
	default:
		return nil, fmt.Errorf("a literal of type %T", v)
	}
	return func() value { return constant }, nil
}

// column reads a column of the source.
func (e *Engine) column(i int) expression {
	switch e.source.Columns[i].Type.Kind {
	case schema.Integer, schema.BigInt:
		return func() value {
			field, isNull := e.records.Field(i)
			if isNull {
				return value{}
			}
			n, ok := row.ParseInteger(field)
			if !ok {
				e.unreadable(i, field)
			}
			return integerOf(n)
		}
	case schema.Real:
		return e.floatColumn(i, 32)
	case schema.Double:
		return e.floatColumn(i, 64)
	case schema.Boolean:
		return func() value {
			field, isNull := e.records.Field(i)
			if isNull {
				return value{}
			}
			return truth(bytes.EqualFold(field, []byte("true")))
		}
	}
	return func() value {
		field, isNull := e.records.Field(i)
		if isNull {
			return value{}
		}
		return textOf(string(field))
	}
}

func (e *Engine) floatColumn(i, bits int) expression {
	return func() value {
		field, isNull := e.records.Field(i)
		if isNull {
			return value{}
		}
		f, ok := row.ParseFloat(field, bits)
		if !ok {
			e.unreadable(i, field)
		}
		return floatOf(f)
	}
}

func (e *Engine) unreadable(i int, field []byte) {
	e.fail(fmt.Errorf("column %s: %q is not of type %s", e.source.Columns[i].Name, field, e.source.Columns[i].Type))
}

// fail keeps the record's first fault.
func (e *Engine) fail(err error) {
	if e.fault == nil {
		e.fault = err
	}
}

// call computes the arguments, and of them a function, which is NULL if one of them is, unless it takes anything.
func (e *Engine) call(name string, f function, args []expression) expression {
	values := make([]value, len(args))
	return func() value {
		for i, a := range args {
			values[i] = a()
		}
		for i, v := range values {
			switch {
			case f.args[i] == anything || v.kind == f.args[i]:
			case v.kind == null:
				return value{}
			default:
				e.fail(fmt.Errorf("%s of %+v", name, values))
				return value{}
			}
		}
		v, err := f.of(values)
		if err != nil {
			e.fail(err)
		}
		return v
	}
}

// comparisons say what the order of two values means.
var comparisons = map[string]func(order int) bool{
	"=":  func(order int) bool { return order == 0 },
	"<>": func(order int) bool { return order != 0 },
	"<":  func(order int) bool { return order < 0 },
	">":  func(order int) bool { return order > 0 },
	"<=": func(order int) bool { return order <= 0 },
	">=": func(order int) bool { return order >= 0 },
}

func (e *Engine) compare(a, b value, is func(order int) bool) value {
	if a.kind == null || b.kind == null {
		return value{}
	}
	return truth(is(e.order(a, b)))
}

// order compares two values that are not NULL. An integer that is compared with a float is an INTEGER, which a DOUBLE
// holds exactly.
func (e *Engine) order(a, b value) int {
	switch {
	case a.kind == integer && b.kind == integer:
		return cmp.Compare(a.n, b.n)
	case a.kind == text && b.kind == text:
		return strings.Compare(a.text, b.text)
	case a.kind == text || b.kind == text:
		e.fail(fmt.Errorf("a comparison of %+v with %+v", a, b))
	case a.kind == integer:
		return cmp.Compare(float64(a.n), b.f)
	case b.kind == integer:
		return cmp.Compare(a.f, float64(b.n))
	}
	return cmp.Compare(a.f, b.f)
}

// same reports whether two values are equal, or both NULL.
func (e *Engine) same(a, b value) bool {
	if a.kind == null || b.kind == null {
		return a.kind == b.kind
	}
	return e.order(a, b) == 0
}

func (e *Engine) between(v value, low, high expression, condition bool) value {
	return and(e.compare(v, low(), comparisons[">="]), func() value { return e.compare(v, high(), comparisons["<="]) }, condition)
}

func (e *Engine) in(v value, list []expression) value {
	if v.kind == null {
		return value{}
	}
	return truth(slices.ContainsFunc(list, func(item expression) bool { return e.order(v, item()) == 0 }))
}

// and computes b, unless it does not matter for a condition.
func and(a value, b expression, condition bool) value {
	if condition && a.isFalse() {
		return a
	}
	switch other := b(); {
	case a.isFalse() || other.isFalse():
		return truth(false)
	case a.kind == null || other.kind == null:
		return value{}
	}
	return truth(true)
}

// or computes b, unless it does not matter for a condition.
func or(a value, b expression, condition bool) value {
	if condition && a.isTrue() {
		return a
	}
	switch other := b(); {
	case a.isTrue() || other.isTrue():
		return truth(true)
	case a.kind == null || other.kind == null:
		return value{}
	}
	return truth(false)
}

func not(a value) value {
	if a.kind == null {
		return a
	}
	return truth(a.isFalse())
}

// choose is CASE: a condition, its value, and so on; at the end there may be the value of ELSE.
func choose(args []expression) value {
	for ; len(args) > 1; args = args[2:] {
		if args[0]().isTrue() {
			return args[1]()
		}
	}
	if len(args) == 1 {
		return args[0]()
	}
	return value{}
}

func coalesce(args []expression) value {
	for _, a := range args {
		if v := a(); v.kind != null {
			return v
		}
	}
	return value{}
}
