package dialect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A binder rewrites the expressions of one SELECT.
type binder struct {
	*translator
	relation *relation
	// alias is the name that may stand before a column's.
	alias string
	// readsHidden reports whether the SELECT reads a hidden column of the relation.
	readsHidden bool

	grouped bool
	// keys are the expressions of GROUP BY, as written, without the window.
	keys   map[string]bool
	window *window
	// inAggregate reports whether the binder is inside an aggregate's parentheses.
	inAggregate bool
}

// Constructors of Flink SQL.

func column(name string) *Name { return &Name{Parts: []Ident{{Name: name}}} }

func nullLiteral() *Literal { return &Literal{Kind: NullLiteral, Text: "NULL"} }

func number(n int) *Literal {
	return &Literal{Kind: NumberLiteral, Text: strconv.Itoa(n), Value: strconv.Itoa(n)}
}

func textLiteral(value string) *Literal {
	return &Literal{Kind: TextLiteral, Text: "'" + strings.ReplaceAll(value, "'", "''") + "'", Value: value}
}

func function(name string, args ...Expr) *Call { return &Call{Name: name, Args: args} }

func withUnit(name, unit string, args ...Expr) *Call {
	return &Call{Name: name, Unit: unit, Args: args}
}

func infix(left Expr, op string, right Expr) *Binary {
	return &Binary{Op: op, Left: left, Right: right}
}

// tryCast converts as CAST does, but to NULL if CAST would stop the job, again after each restart.
func tryCast(x Expr, typ string) Expr { return &Cast{Try: true, X: x, Type: TypeName{Name: typ}} }

// now is the time at which a row is computed. Flink reads the clock once for each row, in the session's zone, UTC.
func now() Expr { return &Call{Name: "LOCALTIMESTAMP", Bare: true} }

var timestampMillis = sqlType{kind: timestamp, length: 3}

func (b *binder) fault(pos Position, format string, args ...any) (Expr, sqlType) {
	b.faults.add(pos, format, args...)
	return nullLiteral(), sqlType{}
}

// from binds what a SELECT reads.
func (b *binder) from(q, sel *Select) {
	f := q.From
	sel.From = &From{}
	switch {
	case f.Query != nil:
		inner, columns := b.subquery(f.Query)
		sel.From.Query = inner
		b.relation = &relation{columns: columns}
		b.alias = "T"
	case f.Table.Name == b.schema.Source:
		b.relation = b.source
	case strings.EqualFold(f.Table.Name, errorStream):
		b.relation = errorRelation()
	case b.streams[f.Table.Name] != nil:
		b.relation = b.view(b.streams[f.Table.Name])
	default:
		b.fault(f.Table.Pos, "%s", b.noStream(*f.Table))
		return
	}
	if f.Table != nil {
		b.alias = f.Table.Name
		sel.From.Table = &Ident{Name: b.relation.name}
	}
	if f.Alias != nil {
		b.alias = f.Alias.Name
	}
	if f.Query != nil {
		sel.From.Alias = &Ident{Name: b.alias}
	}
}

func (b *binder) star(s *Star, sel *Select) []outColumn {
	if s.Of != nil && s.Of.Name != b.alias {
		b.fault(s.Of.Pos, "this query reads nothing called %q", s.Of.Name)
		return nil
	}
	if b.grouped {
		b.fault(s.Pos, "* is not in GROUP BY: name the columns")
		return nil
	}
	var all []outColumn
	for _, c := range b.relation.columns {
		x, _ := b.bind(&Name{s.place, []Ident{{Name: c.name, Pos: s.Pos}}})
		sel.Items = append(sel.Items, &Item{X: x})
		all = append(all, outColumn{c, s.Pos})
	}
	return all
}

// group binds GROUP BY. One of its expressions has to be a window over ROWTIME.
func (b *binder) group(q, sel *Select) {
	if len(q.GroupBy) == 0 {
		for _, item := range q.Items {
			if c := aggregateIn(item.X); c != nil {
				b.fault(c.Pos, "%s needs a window: GROUP BY FLOOR(ROWTIME TO MINUTE), or STEP(ROWTIME BY INTERVAL '10' SECOND)", c.Name)
				b.grouped, b.keys = true, map[string]bool{}
			}
		}
		return
	}
	keys := map[string]bool{}
	for _, x := range q.GroupBy {
		w, isWindow := b.windowOf(x)
		switch {
		case !isWindow:
			bound, _ := b.bind(x)
			keys[b.key(x)] = true
			sel.GroupBy = append(sel.GroupBy, bound)
		case b.window == nil:
			b.window = w
		case b.window.seconds != w.seconds && b.window.seconds > 0 && w.seconds > 0:
			b.fault(x.Start(), "there are two windows over ROWTIME: keep one")
		}
	}
	b.grouped, b.keys = true, keys
	if b.window == nil {
		b.fault(q.GroupPos, "GROUP BY needs a window: add FLOOR(ROWTIME TO MINUTE), or STEP(ROWTIME BY INTERVAL '10' SECOND)")
		return
	}
	for _, c := range b.relation.columns {
		if c.name == "window_start" || c.name == "window_end" || c.name == "window_time" {
			b.fault(q.From.Pos, "column %s has the name of a column that Flink adds to windows: rename it", c.name)
		}
	}
	sel.GroupBy = append(sel.GroupBy, column("window_start"), column("window_end"))
}

// key returns an expression as printed, with unqualified column names.
func (b *binder) key(x Expr) string {
	p := printer{unqualified: true}
	p.expr(x, levelOr)
	return p.b.String()
}

func (b *binder) isRowTime(x Expr) bool {
	n, ok := x.(*Name)
	if !ok || n.last().Name != rowTime || len(n.Parts) > 1 && n.Parts[len(n.Parts)-2].Name != b.alias {
		return false
	}
	_, own := b.relation.column(rowTime)
	return !own
}

// tumble replaces what the SELECT reads by the view with hidden columns, or by a window, if the SELECT needs them.
func (b *binder) tumble(sel *Select) {
	if b.readsHidden {
		sel.From.Table = &Ident{Name: b.relation.withHidden}
	}
	if b.window == nil || b.window.size == nil {
		return
	}
	// A window needs a column of processing time, and only a view can add one.
	over := sel.From
	name := b.alias
	if over.Table != nil {
		name = over.Table.Name
	}
	timeColumn := rowTime
	for b.has(timeColumn) {
		timeColumn += "_"
	}
	view, ok := b.timed[name]
	if !ok || over.Table == nil {
		view = Ident{Name: b.unused(name + "_TIMED")}
		if over.Table != nil {
			if b.timed == nil {
				b.timed = map[string]Ident{}
			}
			b.timed[name] = view
		}
		b.out = append(b.out, &CreateView{Name: view, Query: &Select{
			Items: []*Item{{X: &Star{}}, {X: function("PROCTIME"), Alias: &Ident{Name: timeColumn}}},
			From:  over,
		}})
	}
	sel.From = &From{Table: &view, Tumble: &Tumble{Time: Ident{Name: timeColumn}, Size: b.window.size}}
}

func (b *binder) has(name string) bool {
	_, ok := b.relation.column(name)
	return ok
}

func (b *binder) condition(x Expr) Expr {
	bound, typ := b.bind(x)
	if typ.isCertain() && typ.kind != boolean {
		b.fault(x.Start(), "a condition has to be BOOLEAN, not %s", typ.legacyName())
	}
	return bound
}

// bind rewrites an expression and returns its type.
func (b *binder) bind(x Expr) (Expr, sqlType) {
	if b.grouped && !b.inAggregate {
		if b.window != nil {
			if w := b.windowStart(x); w != nil && w.seconds == b.window.seconds {
				return column("window_start"), timestampMillis
			}
			if b.windowNumber(x) != nil {
				return b.fault(x.Start(),
					"the number of a window is an INTERVAL, which no column can hold: select ROWTIME, the time at which the window ends")
			}
		}
		if b.keys[b.key(x)] {
			b.grouped = false
			defer func() { b.grouped = true }()
		}
	}
	if s := stepOf(x); s != nil {
		by := &Interval{Value: strconv.Itoa(s.n), Unit: IntervalUnit{From: s.unit}, place: place{x.Start()}}
		return b.bind(&Call{place: place{x.Start()}, Name: "STEP", By: true, Args: []Expr{s.of, by}})
	}
	switch x := x.(type) {
	case *Name:
		return b.name(x)
	case *Literal:
		return b.literal(x)
	case *Interval:
		out := precise(x)
		if out == nil {
			return b.fault(x.Pos, "an INTERVAL has to be shorter than 1000 days in Flink")
		}
		return out, sqlType{kind: interval, scale: 1000 * unitSeconds[x.Unit.single()]}
	case *Unary:
		return b.unary(x)
	case *Binary:
		return b.binary(x)
	case *Predicate:
		return b.predicate(x), sqlType{kind: boolean}
	case *Case:
		return b.caseOf(x)
	case *Cast:
		operand, from := b.bind(x.X)
		to, err := legacyType(x.Type)
		if err != nil {
			return b.fault(err.Pos, "%s", err.Problem)
		}
		out, typ, problem := cast(operand, from, to)
		if problem != "" {
			return b.fault(x.Pos, "%s", problem)
		}
		return out, typ
	case *Difference:
		left, l := b.bind(x.Left)
		right, r := b.bind(x.Right)
		if l.isCertain() && !l.isDatetime() || r.isCertain() && !r.isDatetime() {
			return b.fault(x.Pos, "%s - %s is not a number of %sS", l.legacyName(), r.legacyName(), x.Unit.From)
		}
		if l.kind == unknown || r.kind == unknown {
			return nullLiteral(), sqlType{} // reported already
		}
		return &Difference{Left: left, Right: right, Unit: x.Unit}, sqlType{kind: interval, scale: 1000 * unitSeconds[x.Unit.single()]}
	case *Call:
		return b.call(x)
	case *Star:
		return b.fault(x.Pos, "* cannot stand here")
	}
	return x, sqlType{}
}

func (b *binder) predicate(x *Predicate) Expr {
	out := &Predicate{Op: x.Op, Not: x.Not}
	switch op, _, _ := strings.Cut(x.Op, " "); op {
	case "BETWEEN", "IN":
		out.Args, _ = b.unify(x.OpPos, "cannot apply "+op+" to", x.Args...)
	case "LIKE", "SIMILAR":
		for _, text := range x.Args {
			out.Args = append(out.Args, b.text(text))
		}
	default:
		operand, typ := b.bind(x.Args[0])
		if x.Op != "IS NULL" {
			b.want(boolean, x.Args[0], typ)
		}
		out.Args = []Expr{operand}
	}
	return out
}

func (b *binder) name(n *Name) (Expr, sqlType) {
	id := n.last()
	if len(n.Parts) > 1 {
		if of := n.Parts[len(n.Parts)-2]; of.Name != b.alias {
			if c, ok := b.relation.column(of.Name); ok && c.typ.kind == unknown {
				return nullLiteral(), sqlType{} // part of a refused construct, reported already
			}
			return b.fault(of.Pos, "this query reads nothing called %q", of.Name)
		}
	}
	c, ok := b.relation.column(id.Name)
	hidden, isHidden := b.relation.hidden[id.Name]
	switch {
	case b.grouped && !b.inAggregate && !ok && id.Name == rowTime && b.window != nil:
		return column("window_end"), timestampMillis
	case b.grouped && !b.inAggregate && (ok || isHidden || id.Name == rowTime):
		return b.fault(id.Pos, "%s has to stand in GROUP BY or in an aggregate", id.Name)
	case ok:
		if x := b.relation.expand[id.Name]; x != nil {
			return x, c.typ
		}
		return column(c.name), c.typ
	case id.Name == rowTime:
		return now(), timestampMillis
	case isHidden:
		b.readsHidden = true
		return column(id.Name), hidden
	}
	if b.relation == b.source {
		for _, c := range b.schema.Columns {
			if strings.EqualFold(c.Name, id.Name) {
				return b.fault(id.Pos, "%s has no column %s: queries call it %s", b.alias, id.Name, c.Alias)
			}
		}
	}
	problem := noColumn(b.alias, id, b.relation.columns)
	otherCase := func(c relColumn) bool { return strings.EqualFold(c.name, id.Name) }
	if id.Quoted && len(n.Parts) == 1 && !slices.ContainsFunc(b.relation.columns, otherCase) {
		problem += "; " + singleQuotes(id.Name)
	}
	return b.fault(id.Pos, "%s", problem)
}

// literals are the types of those literals that are all of one.
var literals = map[LiteralKind]sqlType{
	BooleanLiteral: {kind: boolean}, NullLiteral: {kind: null}, DateLiteral: {kind: date}, TimeLiteral: {kind: timeOfDay},
	TimestampLiteral: timestampMillis, BinaryLiteral: {kind: varBinary},
}

func (b *binder) literal(l *Literal) (Expr, sqlType) {
	switch l.Kind {
	case NumberLiteral:
		return l, numberType(l.Value)
	case TextLiteral:
		if n := len([]rune(l.Value)); n > 0 && l.Text[0] == '\'' {
			return l, sqlType{kind: char, length: n}
		}
		return l, sqlType{kind: varChar}
	}
	return l, literals[l.Kind]
}

// want reports a value that is certainly not of this kind.
func (b *binder) want(k kind, x Expr, typ sqlType) {
	if typ.isCertain() && typ.kind != k {
		b.fault(x.Start(), "%s has to be %s, not %s", b.key(x), sqlType{kind: k}.legacyName(), typ.legacyName())
	}
}

func (b *binder) text(x Expr) Expr {
	bound, typ := b.bind(x)
	if typ.isCertain() && !typ.isText() {
		b.fault(x.Start(), "%s has to be a text, not %s: CAST it to VARCHAR", b.key(x), typ.legacyName())
	}
	return bound
}

func (b *binder) unary(x *Unary) (Expr, sqlType) {
	operand, typ := b.bind(x.X)
	if x.Op == "NOT" {
		b.want(boolean, x.X, typ)
		return &Unary{Op: "NOT", X: operand}, sqlType{kind: boolean}
	}
	if typ.isCertain() && !typ.isNumber() && typ.kind != interval {
		return b.fault(x.Pos, "cannot apply %s to %s", x.Op, typ.legacyName())
	}
	return &Unary{Op: x.Op, X: operand}, typ
}

// unify binds values that need a common type: operands of a comparison, or results of a CASE. If there is none, it
// reports the two types after the problem, as in "cannot apply = to INTEGER and BOOLEAN".
func (b *binder) unify(pos Position, problem string, all ...Expr) ([]Expr, sqlType) {
	bound := make([]Expr, len(all))
	types := make([]sqlType, len(all))
	typ := sqlType{kind: null}
	for i, x := range all {
		bound[i], types[i] = b.bind(x)
		both, ok := common(typ, types[i])
		if !ok {
			b.fault(pos, "%s %s and %s: CAST one of them", problem, typ.legacyName(), types[i].legacyName())
			return bound, sqlType{}
		}
		typ = both
	}
	return widen(bound, types), typ
}

// widen casts each REAL that stands with a DOUBLE: Flink would compute with 32 bits if the REAL stands on the left.
func widen(all []Expr, types []sqlType) []Expr {
	if !slices.ContainsFunc(types, func(t sqlType) bool { return t.kind == double }) {
		return all
	}
	for i, t := range types {
		if t.kind == float {
			all[i] = tryCast(all[i], "DOUBLE")
		}
	}
	return all
}

func (b *binder) binary(x *Binary) (Expr, sqlType) {
	switch x.Op {
	case "AND", "OR":
		left, l := b.bind(x.Left)
		right, r := b.bind(x.Right)
		b.want(boolean, x.Left, l)
		b.want(boolean, x.Right, r)
		return infix(left, x.Op, right), sqlType{kind: boolean}
	case "||":
		left, l := b.bind(x.Left)
		right, r := b.bind(x.Right)
		for _, t := range []sqlType{l, r} {
			if t.isCertain() && !t.isText() {
				return b.fault(x.OpPos, "cannot apply || to %s and %s: CAST to VARCHAR", l.legacyName(), r.legacyName())
			}
		}
		typ := sqlType{kind: varChar}
		if l.length > 0 && r.length > 0 {
			typ.length = l.length + r.length
		}
		return infix(left, "||", right), typ
	case "+", "-", "*", "/", "%":
		return b.arithmetic(x)
	}
	all, _ := b.unify(x.OpPos, "cannot apply "+x.Op+" to", x.Left, x.Right)
	return infix(all[0], x.Op, all[1]), sqlType{kind: boolean}
}

func (b *binder) arithmetic(x *Binary) (Expr, sqlType) {
	left, l := b.bind(x.Left)
	right, r := b.bind(x.Right)
	plain := infix(left, x.Op, right)
	sum := x.Op == "+" || x.Op == "-"
	switch {
	case l.kind == unknown || r.kind == unknown:
		return plain, sqlType{}
	case l.isNumber() && r.isNumber():
		typ := commonNumber(l, r)
		if typ.kind == decimal {
			typ = sqlType{kind: decimal} // the number of digits is Flink's
		}
		all := widen([]Expr{left, right}, []sqlType{l, r})
		if x.Op == "/" || x.Op == "%" {
			divisor, ok := b.divisor(x.Right, all[1], typ)
			if !ok {
				return nullLiteral(), sqlType{}
			}
			all[1] = divisor
		}
		return infix(all[0], x.Op, all[1]), typ
	case sum && l.isDatetime() && r.kind == interval:
		return plain, l
	case x.Op == "+" && l.kind == interval && r.isDatetime():
		return plain, r
	case sum && l.kind == interval && r.kind == interval:
		return plain, sqlType{kind: interval}
	case (x.Op == "*" || x.Op == "/") && l.kind == interval && r.isNumber(), x.Op == "*" && l.isNumber() && r.kind == interval:
		return plain, sqlType{kind: interval, scale: max(l.scale, r.scale)}
	case x.Op == "-" && l.isDatetime() && r.isDatetime():
		return b.fault(x.OpPos, "a difference of times needs a unit, as (a - b) SECOND")
	}
	return b.fault(x.OpPos, "cannot apply %s to %s and %s: CAST them to numbers", x.Op, l.legacyName(), r.legacyName())
}

// divisor turns zero into NULL: a division by zero would stop the job at that record, again after each restart.
func (b *binder) divisor(x, bound Expr, typ sqlType) (Expr, bool) {
	if u, ok := x.(*Unary); ok && u.Op != "NOT" {
		x = u.X
	}
	if l, ok := x.(*Literal); ok && l.Kind == NumberLiteral {
		if strings.Trim(l.Value, "0.") == "" {
			b.fault(l.Pos, "division by zero")
			return bound, false
		}
		return bound, true
	}
	if typ.kind == float || typ.kind == double {
		return bound, true // infinite: the job rejects the row
	}
	return function("NULLIF", bound, number(0)), true
}

func (b *binder) caseOf(x *Case) (Expr, sqlType) {
	c := &Case{}
	var conditions []Expr
	if x.Operand != nil {
		conditions = append(conditions, x.Operand)
	}
	var results []Expr
	for _, w := range x.Whens {
		conditions = append(conditions, w.If)
		results = append(results, w.Then)
	}
	if x.Else != nil {
		results = append(results, x.Else)
	}
	if x.Operand != nil {
		all, _ := b.unify(x.Pos, "cannot apply CASE to", conditions...)
		c.Operand, conditions = all[0], all[1:]
	} else {
		for i, condition := range conditions {
			conditions[i] = b.condition(condition)
		}
	}
	results, typ := b.unify(x.Pos, "the values of CASE are", results...)
	for i := range x.Whens {
		c.Whens = append(c.Whens, When{conditions[i], results[i]})
	}
	if x.Else != nil {
		c.Else = results[len(results)-1]
	}
	return c, typ
}

// unitSeconds are the units of a fixed length.
var unitSeconds = map[string]int{"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}

// maxInterval is the shortest number of seconds that is too long for an INTERVAL in Flink.
const maxInterval = 1000 * 86400

// single returns the unit, or nothing if there is a range of units.
func (u IntervalUnit) single() string {
	if u.To != "" {
		return ""
	}
	return u.From
}

// seconds returns the length of an interval, or 0 if it is not a whole number of seconds.
func seconds(i *Interval) int {
	n, err := strconv.Atoi(i.Value)
	if err != nil || n < 0 || n > 100_000_000 {
		return 0
	}
	return n * unitSeconds[i.Unit.single()]
}

// precise returns an interval as Flink accepts it: its first number has at most three digits, and a precision if it has
// three. It returns nil if the interval is too long.
func precise(i *Interval) *Interval {
	out := &Interval{Value: i.Value, Unit: i.Unit}
	unsigned := strings.TrimLeft(i.Value, "-+")
	digits := strings.IndexFunc(unsigned, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(unsigned)
	}
	switch length := seconds(&Interval{Value: unsigned, Unit: i.Unit}); {
	case digits <= 2:
	case digits == 3:
		out.Unit.FromArgs = "(3)"
	case length > 0 && length < maxInterval:
		sign := strings.TrimSuffix(i.Value, unsigned)
		out.Value = fmt.Sprintf("%s%d %02d:%02d:%02d", sign, length/86400, length/3600%24, length/60%60, length%60)
		out.Unit = IntervalUnit{From: "DAY", FromArgs: "(3)", To: "SECOND"}
	default:
		return nil
	}
	return out
}
