package query

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"streamproof/internal/dialect"
	"streamproof/internal/schema"
)

// An operand is an expression as SQLite is told it.
type operand struct {
	sqlite string
	typ    schema.Type // Kind may be one of forms.go; Length is 0 where it is not certain
	at     dialect.Position
	// literal is a number as it is written, with its sign, or what a text says. It means nothing where isLiteral is not.
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

// refuse says that the judge does not compute this, at this place.
func refuse(at dialect.Position, format string, args ...any) error {
	return notKnown(fault(at, format, args...))
}

// use makes an operand by one of the forms. What is not one of them is refused.
func (q *Query) use(at dialect.Position, name string, operands ...operand) (operand, error) {
	f, ok := forms[name]
	if !ok {
		return operand{}, refuse(at, "%s", name)
	}
	q.used[name] = true
	args := make([]any, len(operands))
	for i, o := range operands {
		args[i] = o.sqlite
	}
	o := operand{typ: schema.Type{Kind: f.result}, at: at}
	if f.result == text {
		o.typ.Kind = schema.VarChar
	}
	if len(args) > 0 && f.sqlite != "" {
		o.sqlite = fmt.Sprintf(f.sqlite, args...)
	}
	return o, nil
}

// convert gives an operand another type, as Flink does by itself where operands differ or a column of the destination does.
func (q *Query) convert(o operand, to schema.Kind) (operand, error) {
	if o.kind() == to || o.kind() == null {
		return o, nil
	}
	return q.use(o.at, fmt.Sprintf("%s to %s", o.kind(), to), o)
}

func (q *Query) expression(x dialect.Expr) (operand, error) {
	switch x := x.(type) {
	case *dialect.Name:
		return q.column(x)
	case *dialect.Literal:
		return q.literal(x)
	case *dialect.Unary:
		return q.unary(x)
	case *dialect.Binary:
		return q.binary(x)
	case *dialect.Is:
		return q.is(x)
	case *dialect.Between:
		return q.between(x)
	case *dialect.In:
		return q.in(x)
	case *dialect.Like:
		return q.like(x)
	case *dialect.Case:
		return q.caseOf(x)
	case *dialect.Cast:
		return q.cast(x)
	case *dialect.Call:
		return q.call(x)
	case *dialect.Star:
		return operand{}, refuse(x.Pos, "* in an expression")
	case *dialect.Interval:
		return operand{}, refuse(x.Pos, "INTERVAL, but for + and - with a TIMESTAMP")
	default:
		return operand{}, refuse(x.Start(), "%s", dialect.Print(x))
	}
}

// all compiles several expressions.
func (q *Query) all(xs ...dialect.Expr) ([]operand, error) {
	operands := make([]operand, len(xs))
	for i, x := range xs {
		var err error
		if operands[i], err = q.expression(x); err != nil {
			return nil, err
		}
	}
	return operands, nil
}

// condition compiles what has to be a BOOLEAN.
func (q *Query) condition(x dialect.Expr) (operand, error) {
	o, err := q.expression(x)
	if err == nil && o.kind() != schema.Boolean {
		err = refuse(x.Start(), "%s as a condition", o.kind())
	}
	return o, err
}

// column finds a column by its name (the source's by their aliases), in the name's own case, as Flink does; SQLite would take any case, and an unknown name in
// quotes for text.
func (q *Query) column(n *dialect.Name) (operand, error) {
	last := n.Parts[len(n.Parts)-1]
	switch {
	case len(n.Parts) > 2, len(n.Parts) == 2 && (n.Parts[0].Name != q.from || q.isQuoted(n.Parts[0])), q.isQuoted(last):
		return operand{}, unexpected(n.Start(), dialect.Print(n))
	}
	var found *column
	for i, c := range q.scope {
		switch {
		case c.name != last.Name:
		case found != nil:
			return operand{}, fault(n.Pos, "two columns are called %s", c.name)
		default:
			found = &q.scope[i]
		}
	}
	if found == nil {
		return operand{}, fault(n.Pos, "%s has no column %s", q.reads, last.Name)
	}
	return q.columnAt(*found, n.Pos)
}

// columnAt is a column where a SELECT names it.
func (q *Query) columnAt(c column, at dialect.Position) (operand, error) {
	o := c.operand
	o.at = at
	if !o.isColumn { // a view's, whose expression has been compiled
		return o, nil
	}
	_, err := q.use(at, string(o.kind())+" column")
	return o, err
}

var (
	plainNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	// plainText is text between quotes without escapes and without what is not seen. The blank at the end is what some
	// engines pad a CHAR with.
	plainText = regexp.MustCompile(`^'(?:[^'\\\pC\pZ]|''| )*'$`)
)

// exactDigits is how many digits of a decimal number both engines read as the nearest DOUBLE.
const exactDigits = 15

func (q *Query) literal(l *dialect.Literal) (operand, error) {
	o := operand{sqlite: l.Text, literal: l.Value, isLiteral: true, at: l.Pos}
	var name string
	switch l.Kind {
	case dialect.NumberLiteral:
		return q.number(l, "")
	case dialect.TextLiteral:
		if !plainText.MatchString(l.Text) {
			return o, refuse(l.Pos, "the text %s", l.Text)
		}
		o.typ = schema.Type{Kind: schema.VarChar, Length: len([]rune(l.Value))}
		name = "TEXT"
	case dialect.BooleanLiteral:
		if l.Value == "UNKNOWN" {
			return o, refuse(l.Pos, "UNKNOWN as a value")
		}
		o.sqlite = map[string]string{"TRUE": "1", "FALSE": "0"}[l.Value]
		o.typ.Kind, name = schema.Boolean, "BOOLEAN"
	case dialect.NullLiteral:
		o.typ.Kind, name = null, "NULL"
	case dialect.DateLiteral:
		if !isRecentDay(l.Value) {
			return o, refuse(l.Pos, "%s: the judge knows DATE 'yyyy-MM-dd' from 1970 on", l.Text)
		}
		o.sqlite = "'" + l.Value + "'"
		o.typ.Kind, name = schema.Date, "DATE"
	case dialect.TimestampLiteral:
		if !isRecent(l.Value) {
			return o, refuse(l.Pos, "%s: the judge knows TIMESTAMP 'yyyy-MM-dd HH:mm:ss' from 1970 on", l.Text)
		}
		o.sqlite = "'" + l.Value + "'"
		o.typ.Kind, name = schema.Timestamp, "TIMESTAMP"
	default:
		return o, refuse(l.Pos, "%s", l.Text)
	}
	_, err := q.use(l.Pos, name+" literal")
	return o, err
}

// isRecent says whether text is a time of which all engines make the same. The calendar of earlier years is not the same everywhere.
func isRecent(text string) bool {
	t, err := time.Parse(schema.TimestampLayout, text)
	return err == nil && t.Year() >= 1970 && len(text) == len(schema.TimestampLayout)
}

// isRecentDay is isRecent for a day.
func isRecentDay(text string) bool {
	t, err := time.Parse(time.DateOnly, text)
	return err == nil && t.Year() >= 1970
}

// number is a literal with its sign.
func (q *Query) number(l *dialect.Literal, sign string) (operand, error) {
	o := operand{sqlite: sign + l.Text, literal: sign + l.Text, isLiteral: true, at: l.Pos}
	if !plainNumber.MatchString(l.Text) {
		return o, refuse(l.Pos, "the number %s, which is not written with digits and a point alone", l.Text)
	}
	if sign != "" {
		o.sqlite = "(" + o.sqlite + ")"
	}
	if strings.Contains(l.Text, ".") {
		o.typ.Kind = schema.Decimal
		if digits := strings.Trim(strings.ReplaceAll(l.Text, ".", ""), "0"); len(digits) > exactDigits || len(l.Text) > 2*exactDigits {
			return o, refuse(l.Pos, "the number %s, which is longer than %d digits", l.Text, exactDigits)
		}
	} else if _, err := strconv.ParseInt(l.Text, 10, 32); err == nil {
		o.typ.Kind = schema.Integer
	} else if _, err := strconv.ParseInt(l.Text, 10, 64); err == nil {
		o.typ.Kind = schema.BigInt
	} else {
		return o, refuse(l.Pos, "the number %s, which is longer than a BIGINT", l.Text)
	}
	_, err := q.use(l.Pos, string(o.typ.Kind)+" literal")
	return o, err
}

func (q *Query) unary(u *dialect.Unary) (operand, error) {
	if u.Op == "NOT" {
		o, err := q.condition(u.X)
		if err != nil {
			return o, err
		}
		return q.use(u.Pos, "NOT", o)
	}
	if l, ok := u.X.(*dialect.Literal); ok && u.Op == "-" && l.Kind == dialect.NumberLiteral {
		return q.number(l, "-")
	}
	o, err := q.expression(u.X)
	if err != nil {
		return o, err
	}
	return q.use(u.Pos, u.Op+string(o.kind()), o)
}

func (q *Query) binary(b *dialect.Binary) (operand, error) {
	switch b.Op {
	case "AND", "OR":
		left, err := q.condition(b.Left)
		if err != nil {
			return left, err
		}
		right, err := q.condition(b.Right)
		if err != nil {
			return right, err
		}
		return q.use(b.OpPos, b.Op, left, right)
	}
	left, err := q.expression(b.Left)
	if err != nil {
		return left, err
	}
	if i, ok := b.Right.(*dialect.Interval); ok {
		return q.shift(b, left, i)
	}
	right, err := q.expression(b.Right)
	if err != nil {
		return right, err
	}
	switch b.Op {
	case "+", "-", "*", "/", "%":
		return q.arithmetic(b, left, right)
	case "||":
		return q.use(b.OpPos, fmt.Sprintf("%s || %s", left.kind(), right.kind()), left, right)
	}
	return q.compare(b.OpPos, b.Op, left, right)
}

// widest gives the kind that Flink computes two numbers in. Of a REAL and a DOUBLE it takes the first one's, which is not
// certain to hold for all of its rules.
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

func (q *Query) arithmetic(b *dialect.Binary, left, right operand) (operand, error) {
	name := fmt.Sprintf("%s %s %s", left.kind(), b.Op, right.kind())
	kind, ok := widest(left.kind(), right.kind())
	if !ok || left.kind() == null || right.kind() == null {
		return operand{}, refuse(b.OpPos, "%s", name)
	}
	left, err := q.convert(left, kind)
	if err != nil {
		return left, err
	}
	if right, err = q.convert(right, kind); err != nil {
		return right, err
	}
	if left.isLiteral && right.isLiteral && kind == schema.Decimal {
		return operand{}, refuse(b.OpPos, "%s", name)
	}
	return q.use(b.OpPos, fmt.Sprintf("%s %s %s", kind, b.Op, kind), left, right)
}

// shift is a time with an interval added to it or taken from it.
func (q *Query) shift(b *dialect.Binary, left operand, i *dialect.Interval) (operand, error) {
	unit := map[string]int64{"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}[i.Unit.From]
	n, err := strconv.ParseInt(i.Value, 10, 16)
	if err != nil || n < 0 || unit == 0 || i.Unit.To != "" || i.Unit.FromArgs != "" {
		return operand{}, refuse(i.Pos, "%s: the judge knows whole SECONDs, MINUTEs, HOURs and DAYs", dialect.Print(i))
	}
	by := operand{sqlite: strconv.FormatInt(n*unit, 10), typ: schema.Type{Kind: interval}}
	return q.use(b.OpPos, fmt.Sprintf("%s %s INTERVAL", left.kind(), b.Op), left, by)
}

// compare lets through the pairs of forms.
func (q *Query) compare(at dialect.Position, op string, left, right operand) (operand, error) {
	if err := q.comparable(at, op, left, right); err != nil {
		return operand{}, err
	}
	if isOrder(op) {
		left, right = ordered(left), ordered(right)
	}
	if left.kind() == exact || right.kind() == exact {
		left, right = decimalKey(left), decimalKey(right)
	}
	return q.use(at, op, left, right)
}

// isOrder says whether an operator tells which of two is less.
func isOrder(op string) bool { return strings.ContainsAny(op, "<>") && op != "<>" }

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// ordered is an operand where texts are put in order: the engine sees that Flink has the same order for it.
func ordered(o operand) operand {
	if o.kind() == text && (!o.isLiteral || !isASCII(o.literal)) {
		o.sqlite = "f_ordered(" + o.sqlite + ")"
	}
	return o
}

// decimalKey is an operand that is compared with a DECIMAL column: SQLite would make a DOUBLE of either.
func decimalKey(o operand) operand {
	if o.isLiteral {
		o.sqlite = "'" + o.literal + "'"
	}
	o.sqlite = "f_decimal(" + o.sqlite + ")"
	return o
}

func (q *Query) comparable(at dialect.Position, op string, left, right operand) error {
	a, b := left, right
	switch {
	case a.isLiteral && b.isLiteral:
		return refuse(at, "a comparison of two literals")
	case a.isLiteral || !b.isLiteral && a.kind() > b.kind():
		a, b = b, a
	}
	how := "equal"
	if isOrder(op) {
		how = "order"
	}
	name := fmt.Sprintf("%s %s with %s", how, a.kind(), b.kind())
	isFloat := a.kind() == schema.Real || a.kind() == schema.Double
	switch {
	case b.isLiteral && b.kind() == text && (a.kind() == schema.Timestamp || a.kind() == fine):
		if !isRecent(b.literal) {
			return refuse(b.at, "a TIMESTAMP compared with %s: the judge knows 'yyyy-MM-dd HH:mm:ss' from 1970 on", b.sqlite)
		}
		name = fmt.Sprintf("%s %s with a TEXT literal", how, a.kind())
	case b.isLiteral && b.kind() == text && a.kind() == schema.Date:
		if !isRecentDay(b.literal) {
			return refuse(b.at, "a DATE compared with %s: the judge knows 'yyyy-MM-dd' from 1970 on", b.sqlite)
		}
		name = how + " DATE with a TEXT literal"
	case b.isLiteral && (b.kind() == schema.Integer || b.kind() == schema.BigInt) && a.kind() == exact:
		name = fmt.Sprintf("%s %s with an INTEGER literal", how, a.kind())
	case b.isLiteral && b.kind() == schema.Decimal && isFloat && strings.Trim(b.literal, "-0.") == "":
		return refuse(b.at, "a float compared with %s, of which Flink says that -0 is less: write 0", b.literal)
	case b.isLiteral && b.kind() == schema.Decimal:
		name = fmt.Sprintf("%s %s with a DECIMAL literal", how, a.kind())
	case b.isLiteral && b.kind() == schema.Integer && isFloat:
		const exactInReal = 1 << 24 // integers that a REAL holds exactly
		if n, _ := strconv.Atoi(b.literal); n > exactInReal || n < -exactInReal {
			return refuse(at, "a float compared with %s, which no REAL may be", b.literal)
		}
		name = fmt.Sprintf("%s %s with an INTEGER literal", how, a.kind())
	case a.kind() > b.kind():
		name = fmt.Sprintf("%s %s with %s", how, b.kind(), a.kind())
	}
	if a.kind() == schema.Boolean && op != "=" && op != "<>" {
		return refuse(at, "%s of BOOLEANs", op)
	}
	for _, o := range []operand{a, b} {
		if o.isLiteral && o.kind() == text && strings.HasSuffix(o.literal, " ") {
			return refuse(o.at, "a comparison with text that ends with a blank")
		}
	}
	if strings.HasPrefix(op, "IS ") && isFloat {
		return refuse(at, "%s of floats", op)
	}
	_, err := q.use(at, name)
	return err
}

func (q *Query) not(at dialect.Position, not bool, o operand, err error) (operand, error) {
	if err != nil || !not {
		return o, err
	}
	return q.use(at, "NOT", o)
}

func (q *Query) is(x *dialect.Is) (operand, error) {
	o, err := q.expression(x.X)
	switch {
	case err != nil:
		return o, err
	case o.isLiteral:
		return o, refuse(x.OpPos, "IS %s of a literal", x.What)
	case x.What != "NULL" && o.kind() != schema.Boolean:
		return o, refuse(x.OpPos, "%s IS %s", o.kind(), x.What)
	}
	o, err = q.use(x.OpPos, "IS "+x.What, o)
	return q.not(x.OpPos, x.Not, o, err)
}

func (q *Query) between(x *dialect.Between) (operand, error) {
	operands, err := q.all(x.X, x.Low, x.High)
	if err != nil {
		return operand{}, err
	}
	for _, limit := range operands[1:] {
		if err := q.comparable(x.OpPos, "<=", operands[0], limit); err != nil {
			return operand{}, err
		}
	}
	for i, o := range operands {
		operands[i] = ordered(o)
	}
	if operands[0].kind() == exact {
		for i, o := range operands {
			operands[i] = decimalKey(o)
		}
	}
	name := "BETWEEN"
	if x.Symmetric {
		name = "BETWEEN SYMMETRIC"
	}
	o, err := q.use(x.OpPos, name, operands...)
	return q.not(x.OpPos, x.Not, o, err)
}

func (q *Query) in(x *dialect.In) (operand, error) {
	o, err := q.expression(x.X)
	if err != nil {
		return o, err
	}
	list, err := q.all(x.List...)
	if err != nil {
		return o, err
	}
	var items []string
	for _, item := range list {
		isInteger := o.kind() == schema.BigInt && item.kind() == schema.Integer
		if !item.isLiteral || item.kind() != o.kind() && !isInteger {
			return o, refuse(item.at, "%s IN a list with what is no %s literal", o.kind(), o.kind())
		}
		if err := q.comparable(x.OpPos, "=", o, item); err != nil {
			return o, err
		}
		items = append(items, item.sqlite)
	}
	o, err = q.use(x.OpPos, string(o.kind())+" IN", o, operand{sqlite: strings.Join(items, ", ")})
	return q.not(x.OpPos, x.Not, o, err)
}

func (q *Query) like(x *dialect.Like) (operand, error) {
	operands, err := q.all(x.X, x.Pattern)
	if err != nil {
		return operand{}, err
	}
	switch pattern := operands[1]; {
	case x.Op != "LIKE":
		return operand{}, refuse(x.OpPos, "%s", x.Op)
	case x.Escape != nil:
		return operand{}, refuse(x.Escape.Start(), "LIKE with ESCAPE")
	case !pattern.isLiteral || pattern.kind() != text:
		return operand{}, refuse(pattern.at, "LIKE with a pattern that is no literal")
	case pattern.literal == "", strings.Contains(pattern.literal, "%%"):
		return operand{}, refuse(pattern.at, "LIKE with the pattern %s", pattern.sqlite) // Flink says that all texts are LIKE ''
	}
	o, err := q.use(x.OpPos, string(operands[0].kind())+" LIKE", operands...)
	return q.not(x.OpPos, x.Not, o, err)
}

// common gives values of CASE and COALESCE the type that Flink gives them.
func (q *Query) common(values []operand) (schema.Type, error) {
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
			return typ, refuse(v.at, "values of %s and %s in one column", kind, v.kind())
		}
		if kind = widened; kind != text {
			typ = schema.Type{Kind: kind}
		} else if typ != v.typ {
			typ = schema.Type{Kind: schema.VarChar}
		}
	}
	if kind == null {
		return typ, refuse(values[0].at, "a value that is always NULL")
	}
	for i, v := range values {
		converted, err := q.convert(v, kind)
		if err != nil {
			return typ, err
		}
		values[i] = converted
	}
	return typ, nil
}

func (q *Query) caseOf(x *dialect.Case) (operand, error) {
	name := "CASE WHEN"
	var of operand
	if x.Operand != nil {
		name = "CASE x WHEN"
		var err error
		if of, err = q.expression(x.Operand); err != nil {
			return of, err
		}
	}
	var conditions, values []operand
	for _, w := range x.Whens {
		var condition operand
		var err error
		if x.Operand == nil {
			condition, err = q.condition(w.If)
		} else if condition, err = q.expression(w.If); err == nil {
			condition, err = q.compare(w.If.Start(), "=", of, condition)
		}
		if err != nil {
			return condition, err
		}
		value, err := q.expression(w.Then)
		if err != nil {
			return value, err
		}
		conditions, values = append(conditions, condition), append(values, value)
	}
	if x.Else != nil {
		value, err := q.expression(x.Else)
		if err != nil {
			return value, err
		}
		values = append(values, value)
	}
	typ, err := q.common(values)
	if err != nil {
		return operand{}, err
	}
	o, err := q.use(x.Pos, name)
	if err != nil {
		return o, err
	}
	var b strings.Builder
	b.WriteString("CASE")
	for i, c := range conditions {
		fmt.Fprintf(&b, " WHEN %s THEN %s", c.sqlite, values[i].sqlite)
	}
	if x.Else != nil {
		fmt.Fprintf(&b, " ELSE %s", values[len(conditions)].sqlite)
	}
	b.WriteString(" END")
	o.sqlite, o.typ = b.String(), typ
	return o, nil
}

func (q *Query) cast(x *dialect.Cast) (operand, error) {
	o, err := q.expression(x.X)
	if err != nil {
		return o, err
	}
	to, err := schema.ParseType(x.Type.String())
	if err != nil {
		return o, refuse(x.Type.Pos, "TRY_CAST AS %s", x.Type)
	}
	target := operand{typ: to}.kind()
	name := fmt.Sprintf("TRY_CAST(%s AS %s)", o.kind(), target)
	switch {
	case o.kind() == schema.Timestamp && !o.isColumn:
		return o, refuse(x.Pos, "%s of what is no column: it may have digits behind the seconds", name)
	case !x.Try:
		return o, refuse(x.Pos, "CAST, which the job does not take: use TRY_CAST")
	case to.Kind == schema.Char, to.Length > 0 && o.kind() != text:
		return o, refuse(x.Pos, "TRY_CAST(%s AS %s)", o.kind(), to)
	case to.Length > 0:
		return q.use(x.Pos, name[:len(name)-1]+"(n))", o, operand{sqlite: strconv.Itoa(to.Length)})
	case o.kind() == target && target != text:
		return o, nil
	}
	return q.use(x.Pos, name, o)
}
