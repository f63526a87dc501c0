package query

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"streamproof/internal/dialect"
	"streamproof/internal/schema"
)

// An operand is an expression with its type in Flink.
type operand struct {
	x   *Expr
	typ schema.Type // Kind may be one of forms.go; Length is 0 if it is not certain
	at  dialect.Position
	// literal is a number as it is written, with its sign, or the value of a text. It has no meaning unless isLiteral.
	literal   string
	isLiteral bool
	isColumn  bool
}

// kind is the operand's name in forms.
func (o operand) kind() schema.Kind {
	if o.typ.Kind == schema.Char || o.typ.Kind == schema.VarChar {
		return text
	}
	return o.typ.Kind
}

// fail keeps the first error. What is compiled after it is thrown away.
func (q *Query) fail(err error) operand {
	if q.err == nil {
		q.err = err
	}
	return operand{}
}

// refuse reports what the verifier cannot compute, at its place.
func (q *Query) refuse(at dialect.Position, format string, args ...any) operand {
	return q.fail(irreproducible(fault(at, format, args...)))
}

// use makes an operand by one of the forms, and refuses what is not one of them.
func (q *Query) use(at dialect.Position, name string, operands ...operand) operand {
	f, ok := forms[name]
	if !ok {
		return q.refuse(at, "%s", name)
	}
	q.used[name] = true
	o := operand{typ: schema.Type{Kind: f.result}, at: at}
	if f.result == text {
		o.typ.Kind = schema.VarChar
	}
	switch {
	case q.err != nil || len(operands) == 0:
	case f.op == "":
		o.x = operands[0].x
	default:
		var args []*Expr
		for _, a := range operands {
			args = append(args, a.x)
		}
		for _, n := range f.after {
			args = append(args, constant(n))
		}
		o.x = apply(f.op, args...)
	}
	return o
}

// convert gives an operand another type, as Flink does by itself if two operands differ, or an operand and its column.
func (q *Query) convert(o operand, to schema.Kind) operand {
	if o.kind() == to || o.kind() == null {
		return o
	}
	return q.use(o.at, fmt.Sprintf("%s to %s", o.kind(), to), o)
}

func (q *Query) expression(x dialect.Expr) operand {
	switch x := x.(type) {
	case *dialect.Name:
		return q.column(x)
	case *dialect.Literal:
		return q.literal(x)
	case *dialect.Unary:
		return q.unary(x)
	case *dialect.Binary:
		return q.binary(x)
	case *dialect.Predicate:
		return q.predicate(x)
	case *dialect.Case:
		return q.caseOf(x)
	case *dialect.Cast:
		return q.cast(x)
	case *dialect.Call:
		return q.call(x)
	case *dialect.Star:
		return q.refuse(x.Pos, "* in an expression")
	case *dialect.Interval:
		return q.refuse(x.Pos, "INTERVAL, other than after + or - with a TIMESTAMP")
	default:
		return q.refuse(x.Start(), "%s", dialect.Print(x))
	}
}

func (q *Query) all(xs ...dialect.Expr) []operand {
	operands := make([]operand, len(xs))
	for i, x := range xs {
		operands[i] = q.expression(x)
	}
	return operands
}

func (q *Query) condition(x dialect.Expr) operand {
	o := q.expression(x)
	if o.kind() != schema.Boolean {
		return q.refuse(x.Start(), "%s as a condition", o.kind())
	}
	return o
}

// column finds a column by its name, or a column of the source by its alias. As in Flink, the case matters.
func (q *Query) column(n *dialect.Name) operand {
	last := n.Parts[len(n.Parts)-1]
	if len(n.Parts) > 2 || len(n.Parts) == 2 && (n.Parts[0].Name != q.from || q.isQuoted(n.Parts[0])) || q.isQuoted(last) {
		return q.fail(unexpected(n.Start(), dialect.Print(n)))
	}
	named := func(c column) bool { return c.name == last.Name }
	i := slices.IndexFunc(q.scope, named)
	if i < 0 {
		return q.fail(fault(n.Pos, "%s has no column %s", q.reads, last.Name))
	}
	if slices.ContainsFunc(q.scope[i+1:], named) {
		return q.fail(fault(n.Pos, "two columns are called %s", last.Name))
	}
	return q.columnAt(q.scope[i], n.Pos)
}

// columnAt is a column at the place that names it.
func (q *Query) columnAt(c column, at dialect.Position) operand {
	o := c.operand
	o.at = at
	if o.isColumn { // and not a view's expression, which has been compiled
		q.use(at, string(o.kind())+" column")
	}
	return o
}

var (
	plainNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	// plainText is a text without escapes or invisible characters, apart from blanks.
	plainText = regexp.MustCompile(`^'(?:[^'\\\pC\pZ]|''| )*'$`)
)

// exactDigits is how many digits of a decimal number both engines read as the nearest DOUBLE.
const exactDigits = 15

func (q *Query) literal(l *dialect.Literal) operand {
	o := operand{x: constant(l.Value), literal: l.Value, isLiteral: true, at: l.Pos}
	var name string
	switch l.Kind {
	case dialect.NumberLiteral:
		return q.number(l, "")
	case dialect.TextLiteral:
		if !plainText.MatchString(l.Text) {
			return q.refuse(l.Pos, "the text %s", l.Text)
		}
		o.typ = schema.Type{Kind: schema.VarChar, Length: len([]rune(l.Value))}
		name = "TEXT"
	case dialect.BooleanLiteral:
		if l.Value == "UNKNOWN" {
			return q.refuse(l.Pos, "UNKNOWN as a value")
		}
		o.x = constant(map[string]int64{"TRUE": 1}[l.Value])
		o.typ.Kind, name = schema.Boolean, "BOOLEAN"
	case dialect.NullLiteral:
		o.x = constant(nil)
		o.typ.Kind, name = null, "NULL"
	case dialect.DateLiteral, dialect.TimestampLiteral:
		o.typ.Kind = schema.Date
		if l.Kind == dialect.TimestampLiteral {
			o.typ.Kind = schema.Timestamp
		}
		name = string(o.typ.Kind)
		if pattern, recent := isRecent(o.typ.Kind, l.Value); !recent {
			return q.refuse(l.Pos, "%s: only %s '%s' from 1970 on is supported", l.Text, name, pattern)
		}
	default:
		return q.refuse(l.Pos, "%s", l.Text)
	}
	q.use(l.Pos, name+" literal")
	return o
}

// isRecent reports whether all engines read a text as the same time or day. Their calendars differ before 1970.
func isRecent(kind schema.Kind, text string) (pattern *schema.Pattern, recent bool) {
	pattern = schema.DefaultPattern(kind)
	t, ok := pattern.Parse(text)
	return pattern, ok && t.Year() >= 1970
}

// number compiles a literal with its sign.
func (q *Query) number(l *dialect.Literal, sign string) operand {
	o := operand{literal: sign + l.Text, isLiteral: true, at: l.Pos}
	if !plainNumber.MatchString(l.Text) {
		return q.refuse(l.Pos, "the number %s, which is not written with digits and a point alone", l.Text)
	}
	n, err := strconv.ParseInt(l.Text, 10, 64)
	o.x = constant(n)
	if sign == "-" {
		o.x = constant(-n)
	}
	switch {
	case strings.Contains(l.Text, "."):
		o.typ.Kind = schema.Decimal
		digits := strings.Trim(strings.ReplaceAll(l.Text, ".", ""), "0")
		if len(digits) > exactDigits || len(l.Text) > 2*exactDigits {
			return q.refuse(l.Pos, "the number %s, which is longer than %d digits", l.Text, exactDigits)
		}
		f, _ := strconv.ParseFloat(o.literal, 64) // it is plain
		o.x = constant(f)
	case err != nil:
		return q.refuse(l.Pos, "the number %s, which is longer than a BIGINT", l.Text)
	case n == int64(int32(n)):
		o.typ.Kind = schema.Integer
	default:
		o.typ.Kind = schema.BigInt
	}
	q.use(l.Pos, string(o.typ.Kind)+" literal")
	return o
}

func (q *Query) unary(u *dialect.Unary) operand {
	if u.Op == "NOT" {
		return q.use(u.Pos, "NOT", q.condition(u.X))
	}
	if l, ok := u.X.(*dialect.Literal); ok && u.Op == "-" && l.Kind == dialect.NumberLiteral {
		return q.number(l, "-")
	}
	o := q.expression(u.X)
	return q.use(u.Pos, u.Op+string(o.kind()), o)
}

func (q *Query) binary(b *dialect.Binary) operand {
	if b.Op == "AND" || b.Op == "OR" {
		return q.use(b.OpPos, b.Op, q.condition(b.Left), q.condition(b.Right))
	}
	left := q.expression(b.Left)
	if i, ok := b.Right.(*dialect.Interval); ok {
		return q.shift(b, left, i)
	}
	right := q.expression(b.Right)
	switch b.Op {
	case "+", "-", "*", "/", "%":
		return q.arithmetic(b, left, right)
	case "||":
		return q.use(b.OpPos, fmt.Sprintf("%s || %s", left.kind(), right.kind()), left, right)
	}
	return q.compare(b.OpPos, b.Op, left, right)
}

// widest returns the kind in which Flink computes with two numbers. A REAL with a DOUBLE has none here: Flink takes the
// kind of the first one, but not in all of its rules.
func widest(a, b schema.Kind) (schema.Kind, bool) {
	if a == b {
		return a, true
	}
	switch {
	case is(a, b, schema.Integer, schema.BigInt):
		return schema.BigInt, true
	case is(a, b, schema.Integer, schema.Real):
		return schema.Real, true
	case is(a, b, schema.Integer, schema.Double), is(a, b, schema.Decimal, schema.Real), is(a, b, schema.Decimal, schema.Double):
		return schema.Double, true
	}
	return "", false
}

func is(a, b, one, other schema.Kind) bool { return a == one && b == other || a == other && b == one }

func (q *Query) arithmetic(b *dialect.Binary, left, right operand) operand {
	kind, ok := widest(left.kind(), right.kind())
	if !ok || left.kind() == null || right.kind() == null ||
		left.isLiteral && right.isLiteral && kind == schema.Decimal {
		return q.refuse(b.OpPos, "%s %s %s", left.kind(), b.Op, right.kind())
	}
	left, right = q.convert(left, kind), q.convert(right, kind)
	return q.use(b.OpPos, fmt.Sprintf("%s %s %s", kind, b.Op, kind), left, right)
}

// shift adds an interval to a time, or subtracts it.
func (q *Query) shift(b *dialect.Binary, left operand, i *dialect.Interval) operand {
	unit := map[string]int64{"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}[i.Unit.From]
	n, err := strconv.ParseInt(i.Value, 10, 16)
	if err != nil || n < 0 || unit == 0 || i.Unit.To != "" || i.Unit.FromArgs != "" {
		return q.refuse(i.Pos, "%s: only whole SECONDs, MINUTEs, HOURs and DAYs are supported", dialect.Print(i))
	}
	seconds := operand{x: constant(n * unit), typ: schema.Type{Kind: interval}}
	return q.use(b.OpPos, fmt.Sprintf("%s %s INTERVAL", left.kind(), b.Op), left, seconds)
}

func (q *Query) compare(at dialect.Position, op string, left, right operand) operand {
	q.comparable(at, op, left, right)
	both := []operand{left, right}
	if isOrder(op) {
		both = inOrder(both)
	}
	return q.use(at, op, byDigits(both)...)
}

// isOrder reports whether an operator asks which of two values is less.
func isOrder(op string) bool { return strings.ContainsAny(op, "<>") && op != "<>" }

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// inOrder prepares operands for comparing which is less: the engine checks that Flink orders such texts in the same
// way.
func inOrder(all []operand) []operand {
	for i, o := range all {
		if o.x != nil && o.kind() == text && (!o.isLiteral || !isASCII(o.literal)) {
			all[i].x = apply("ordered", o.x)
		}
	}
	return all
}

// byDigits prepares operands for a comparison with a DECIMAL column: as DOUBLEs,
// different ones may be equal.
func byDigits(all []operand) []operand {
	if !slices.ContainsFunc(all, func(o operand) bool { return o.kind() == exact }) {
		return all
	}
	for i, o := range all {
		if o.isLiteral {
			o.x = constant(o.literal)
		}
		if o.x != nil {
			all[i].x = apply("decimal", o.x)
		}
	}
	return all
}

// comparable refuses pairs of operands that the two engines may compare differently.
func (q *Query) comparable(at dialect.Position, op string, a, b operand) {
	switch {
	case a.isLiteral && b.isLiteral:
		q.refuse(at, "a comparison of two literals")
		return
	case a.isLiteral || !b.isLiteral && a.kind() > b.kind():
		a, b = b, a
	}
	kinds := [2]string{string(a.kind()), string(b.kind())}
	literal := func(kind string) { kinds[1] = kind + " literal" }
	temporal := a.kind()
	if temporal == fine {
		temporal = schema.Timestamp
	}
	isFloat := a.kind() == schema.Real || a.kind() == schema.Double
	switch {
	case b.isLiteral && b.kind() == text && (temporal == schema.Timestamp || temporal == schema.Date):
		if pattern, recent := isRecent(temporal, b.literal); !recent {
			q.refuse(b.at, "a %s compared with '%s': only '%s' from 1970 on is supported", temporal, b.literal, pattern)
		}
		literal("a TEXT")
	case b.isLiteral && (b.kind() == schema.Integer || b.kind() == schema.BigInt) && a.kind() == exact:
		literal("an INTEGER")
	case b.isLiteral && b.kind() == schema.Decimal && isFloat && strings.Trim(b.literal, "-0.") == "":
		q.refuse(b.at, "a float compared with %s, to which Flink says that -0 is less: write 0", b.literal)
	case b.isLiteral && b.kind() == schema.Decimal:
		literal("a DECIMAL")
	case b.isLiteral && b.kind() == schema.Integer && isFloat:
		const exactInReal = 1 << 24 // integers that a REAL holds exactly
		if n, _ := strconv.Atoi(b.literal); n > exactInReal || n < -exactInReal {
			q.refuse(at, "a float compared with %s, which no REAL may be", b.literal)
		}
		literal("an INTEGER")
	case a.kind() > b.kind():
		kinds[0], kinds[1] = kinds[1], kinds[0]
	}
	if a.kind() == schema.Boolean && op != "=" && op != "<>" {
		q.refuse(at, "%s of BOOLEANs", op)
	}
	for _, o := range []operand{a, b} {
		if o.isLiteral && o.kind() == text && strings.HasSuffix(o.literal, " ") {
			q.refuse(o.at, "a comparison with text that ends with a blank")
		}
	}
	if strings.HasPrefix(op, "IS ") && isFloat {
		q.refuse(at, "%s of floats", op)
	}
	how := "equal"
	if isOrder(op) {
		how = "order"
	}
	q.use(at, fmt.Sprintf("%s %s with %s", how, kinds[0], kinds[1]))
}

func (q *Query) predicate(x *dialect.Predicate) operand {
	operands := q.all(x.Args...)
	o := operands[0]
	var is operand
	switch x.Op {
	case "BETWEEN", "BETWEEN SYMMETRIC":
		for _, limit := range operands[1:] {
			q.comparable(x.OpPos, "<=", o, limit)
		}
		is = q.use(x.OpPos, x.Op, byDigits(inOrder(operands))...)
	case "IN":
		is = q.in(x, o, operands[1:])
	case "LIKE":
		is = q.like(x, operands)
	case "SIMILAR TO":
		return q.refuse(x.OpPos, "SIMILAR TO")
	default:
		switch {
		case o.isLiteral:
			return q.refuse(x.OpPos, "%s of a literal", x.Op)
		case x.Op != "IS NULL" && o.kind() != schema.Boolean:
			return q.refuse(x.OpPos, "%s %s", o.kind(), x.Op)
		}
		is = q.use(x.OpPos, x.Op, o)
	}
	if x.Not {
		return q.use(x.OpPos, "NOT", is)
	}
	return is
}

func (q *Query) in(x *dialect.Predicate, o operand, list []operand) operand {
	for _, item := range list {
		isInteger := o.kind() == schema.BigInt && item.kind() == schema.Integer
		if !item.isLiteral || item.kind() != o.kind() && !isInteger {
			return q.refuse(item.at, "%s IN a list with anything but %s literals", o.kind(), o.kind())
		}
		q.comparable(x.OpPos, "=", o, item)
	}
	return q.use(x.OpPos, string(o.kind())+" IN", append([]operand{o}, list...)...)
}

func (q *Query) like(x *dialect.Predicate, operands []operand) operand {
	switch pattern := operands[1]; {
	case len(operands) > 2:
		return q.refuse(operands[2].at, "LIKE with ESCAPE")
	case !pattern.isLiteral || pattern.kind() != text:
		return q.refuse(pattern.at, "LIKE with a pattern that is no literal")
	case pattern.literal == "", strings.Contains(pattern.literal, "%%"):
		return q.refuse(pattern.at, "LIKE with the pattern '%s'", pattern.literal) // in Flink, every text is LIKE ''
	}
	return q.use(x.OpPos, string(operands[0].kind())+" LIKE", operands...)
}

// common gives the values of CASE and COALESCE the type that Flink gives them.
func (q *Query) common(values []operand) schema.Type {
	typ := schema.Type{Kind: null}
	kind := null
	for _, v := range values {
		switch {
		case v.kind() == null:
			continue
		case kind == null:
			kind, typ = v.kind(), v.typ
			continue
		}
		widened, ok := widest(kind, v.kind())
		if is(kind, v.kind(), schema.Integer, schema.Decimal) {
			widened, ok = schema.Decimal, true
		}
		if !ok {
			q.refuse(v.at, "values of %s and %s in one column", kind, v.kind())
		}
		if kind = widened; kind != text {
			typ = schema.Type{Kind: kind}
		} else if typ != v.typ {
			typ = schema.Type{Kind: schema.VarChar}
		}
	}
	if kind == null {
		q.refuse(values[0].at, "a value that is always NULL")
	}
	for i, v := range values {
		values[i] = q.convert(v, kind)
	}
	return typ
}

func (q *Query) caseOf(x *dialect.Case) operand {
	name := "CASE WHEN"
	var of operand
	if x.Operand != nil {
		name, of = "CASE x WHEN", q.expression(x.Operand)
	}
	var conditions, values []operand
	for _, w := range x.Whens {
		if x.Operand == nil {
			conditions = append(conditions, q.condition(w.If))
		} else {
			conditions = append(conditions, q.compare(w.If.Start(), "=", of, q.expression(w.If)))
		}
		values = append(values, q.expression(w.Then))
	}
	if x.Else != nil {
		values = append(values, q.expression(x.Else))
	}
	typ := q.common(values)
	o := q.use(x.Pos, name)
	o.typ = typ
	if q.err != nil {
		return o
	}
	var args []*Expr
	for i, c := range conditions {
		args = append(args, c.x, values[i].x)
	}
	if x.Else != nil {
		args = append(args, values[len(conditions)].x)
	}
	o.x = apply("CASE", args...)
	return o
}

// cast compiles TRY_CAST: package dialect refuses CAST.
func (q *Query) cast(x *dialect.Cast) operand {
	o := q.expression(x.X)
	to, err := schema.ParseType(x.Type.String())
	if err != nil {
		return q.refuse(x.Type.Pos, "TRY_CAST AS %s", x.Type)
	}
	target := operand{typ: to}.kind()
	name := fmt.Sprintf("TRY_CAST(%s AS %s)", o.kind(), target)
	switch {
	case o.kind() == schema.Timestamp && !o.isColumn:
		return q.refuse(x.Pos, "%s of anything but a column: it may have digits behind the seconds", name)
	case to.Kind == schema.Char, to.Length > 0 && o.kind() != text:
		return q.refuse(x.Pos, "TRY_CAST(%s AS %s)", o.kind(), to)
	case to.Length > 0:
		return q.use(x.Pos, name[:len(name)-1]+"(n))", o, operand{x: constant(int64(to.Length))})
	case o.kind() == target && target != text:
		return o
	}
	return q.use(x.Pos, name, o)
}
