package dialect

import (
	"slices"
	"strings"
)

// Levels of operators, from the loosest to the tightest. The printer sets parentheses by the same numbers.
const (
	levelOr = iota + 1
	levelAnd
	levelNot
	levelIs
	levelComparison
	levelPredicate // BETWEEN, IN, LIKE
	levelSum
	levelProduct
	levelSign
	levelPrimary
)

// binaries are each level's left-associative operators.
var binaries = map[int][]string{
	levelOr:         {"OR"},
	levelAnd:        {"AND"},
	levelComparison: {"=", "<>", "!=", "<=", ">=", "<", ">"},
	levelSum:        {"+", "-"},
	levelProduct:    {"*", "/", "%", "||"},
}

// temporal are the legacy dialect's predicates on periods. They stand in place of a comparison.
var temporal = []string{"OVERLAPS", "CONTAINS", "PRECEDES", "FOLLOWS", "LEADS", "LAGS", "STRICTLY", "IMMEDIATELY"}

func (p *parser) expr() Expr {
	defer p.enter()()
	return p.binary(levelOr)
}

func (p *parser) binary(level int) Expr {
	switch level {
	case levelNot:
		if t := p.peek(); p.take("NOT") {
			defer p.enter()()
			return &Unary{place{t.pos}, "NOT", p.binary(levelNot)}
		}
	case levelSign:
		return p.sign()
	}
	left := p.binary(level + 1)
	for {
		t := p.peek()
		switch {
		case level == levelIs && p.take("IS"):
			left = p.is(left, t)
			continue
		case level == levelPredicate:
			if next := p.predicate(left); next != nil {
				left = next
				continue
			}
		case level == levelComparison && p.dialect == Legacy && t.kind == tokenWord && slices.Contains(temporal, strings.ToUpper(t.text)):
			p.refuse(t, strings.ToUpper(t.text))
		}
		at := slices.IndexFunc(binaries[level], t.is)
		if at < 0 {
			return left
		}
		p.next()
		op := binaries[level][at]
		if op == "!=" {
			if p.dialect == Flink {
				p.failed(unexpected(t, `expected "<>"`))
			}
			op = "<>" // the only spelling in Flink
		}
		left = &Binary{place{left.Start()}, op, t.pos, left, p.binary(level + 1)}
	}
}

func (p *parser) is(x Expr, t token) Expr {
	not := p.take("NOT")
	if p.take("DISTINCT", "FROM") {
		op := "IS DISTINCT FROM"
		if not {
			op = "IS NOT DISTINCT FROM"
		}
		return &Binary{place{x.Start()}, op, t.pos, x, p.binary(levelComparison)}
	}
	for _, what := range []string{"NULL", "TRUE", "FALSE", "UNKNOWN"} {
		if p.take(what) {
			return &Predicate{place{x.Start()}, "IS " + what, t.pos, not, []Expr{x}}
		}
	}
	p.unexpected("expected NULL, TRUE, FALSE or UNKNOWN")
	return x
}

// predicate reads [NOT] BETWEEN, IN, LIKE or SIMILAR TO behind x. It returns nil if none of them follows.
func (p *parser) predicate(x Expr) Expr {
	t := p.peek()
	not := t.is("NOT") && (p.after().is("BETWEEN") || p.after().is("IN") || p.after().is("LIKE") || p.after().is("SIMILAR"))
	if not {
		p.next()
	}
	is := &Predicate{place{x.Start()}, strings.ToUpper(p.peek().text), t.pos, not, []Expr{x}}
	operand := func() { is.Args = append(is.Args, p.binary(levelSum)) }
	switch {
	case p.take("BETWEEN"):
		if p.take("SYMMETRIC") {
			is.Op = "BETWEEN SYMMETRIC"
		} else {
			p.take("ASYMMETRIC")
		}
		operand()
		p.expect("AND")
		operand()
	case p.take("IN"):
		p.expect("(")
		if s := p.peek(); s.is("SELECT") {
			p.refuse(s, "a query in an expression")
		}
		is.Args = append(is.Args, p.list()...)
		p.expect(")")
	case p.take("SIMILAR", "TO"):
		is.Op = "SIMILAR TO"
		fallthrough
	case p.take("LIKE"):
		operand()
		if p.take("ESCAPE") {
			operand()
		}
	default:
		return nil
	}
	return is
}

func (p *parser) list() []Expr {
	all := []Expr{p.expr()}
	for p.take(",") {
		all = append(all, p.expr())
	}
	return all
}

func (p *parser) sign() Expr {
	t := p.peek()
	if p.take("-") || p.take("+") {
		defer p.enter()()
		return &Unary{place{t.pos}, t.text, p.sign()}
	}
	return p.primary()
}

func (p *parser) primary() Expr {
	t := p.peek()
	at := place{t.pos}
	switch {
	case t.kind == tokenNumber:
		p.next()
		return &Literal{at, NumberLiteral, t.text, t.text}
	case t.kind == tokenText:
		p.next()
		return p.text(t)
	case t.kind == tokenBinary:
		p.next()
		return &Literal{at, BinaryLiteral, t.text, t.value}
	case p.take("("):
		return p.parenthesis(t)
	case p.take("TRUE"), p.take("FALSE"), p.take("UNKNOWN"):
		return &Literal{at, BooleanLiteral, strings.ToUpper(t.text), strings.ToUpper(t.text)}
	case p.take("NULL"):
		return &Literal{at, NullLiteral, "NULL", ""}
	case p.take("CASE"):
		return p.caseOf(t)
	case p.take("EXISTS"):
		p.refuse(t, "a query in an expression")
		return &Star{place: at}
	case p.take("CURSOR"):
		p.refuse(t, "CURSOR")
		return &Star{place: at}
	case t.is("INTERVAL") && (p.after().kind == tokenText || p.after().is("-") || p.after().is("+")):
		p.next()
		return p.interval(t)
	case p.after().kind == tokenText && (t.is("DATE") || t.is("TIME") || t.is("TIMESTAMP")):
		p.next()
		kind := map[string]LiteralKind{"DATE": DateLiteral, "TIME": TimeLiteral, "TIMESTAMP": TimestampLiteral}[strings.ToUpper(t.text)]
		value := p.next()
		return &Literal{at, kind, strings.ToUpper(t.text) + " " + value.text, value.value}
	case t.kind == tokenWord && p.after().is("("):
		return p.call()
	case t.kind == tokenWord && bareFunctions[strings.ToUpper(t.text)].kind != unknown:
		p.next()
		return &Call{place: at, Name: strings.ToUpper(t.text), Bare: true}
	case isName(t):
		n := &Name{at, []Ident{p.ident()}}
		for p.take(".") {
			n.Parts = append(n.Parts, p.ident())
		}
		if p.peek().is("(") {
			return p.arguments(&Call{place: at, Name: n.Parts[len(n.Parts)-1].Name, Qualified: true})
		}
		return n
	}
	p.unexpected()
	return &Star{place: at} // a placeholder: there is an error
}

// text reads a text; U&'…' may be followed by UESCAPE '!'.
func (p *parser) text(t token) Expr {
	l := &Literal{place{t.pos}, TextLiteral, t.text, t.value}
	if t.text[0] != '\'' && p.peek().is("UESCAPE") && p.after().kind == tokenText {
		p.next()
		l.Text += " UESCAPE " + p.next().text
	}
	return l
}

// parenthesis reads (x), or (x - y) MINUTE.
func (p *parser) parenthesis(t token) Expr {
	if s := p.peek(); s.is("SELECT") {
		p.refuse(s, "a query in an expression")
		return &Star{place: place{s.pos}}
	}
	x := p.expr()
	p.expect(")")
	if b, ok := x.(*Binary); ok && b.Op == "-" && isUnit(p.peek()) {
		return &Difference{place{t.pos}, b.Left, b.Right, p.unit()}
	}
	return x
}

func isUnit(t token) bool { return unitIndex(t) >= 0 }

// unitIndex returns a unit's index in floorUnits, which begins with the coarsest, or -1.
func unitIndex(t token) int {
	if t.kind != tokenWord {
		return -1
	}
	return slices.Index(floorUnits, strings.ToUpper(t.text))
}

// unit reads DAY, DAY(3), SECOND(3, 2), or DAY TO SECOND(3).
func (p *parser) unit() IntervalUnit {
	if !isUnit(p.peek()) {
		p.unexpected("expected YEAR, MONTH, DAY, HOUR, MINUTE or SECOND")
		return IntervalUnit{}
	}
	coarse := unitIndex(p.peek())
	u := IntervalUnit{From: strings.ToUpper(p.next().text), FromArgs: p.precision()}
	// In FLOOR((a - b) SECOND TO SECOND), TO belongs to FLOOR.
	if p.peek().is("TO") && unitIndex(p.after()) > coarse {
		p.next()
		u.To, u.ToDigits = strings.ToUpper(p.next().text), p.precision()
	}
	return u
}

// precision reads the parentheses behind a unit, if any, and returns them as they will be printed.
func (p *parser) precision() string {
	if !p.take("(") {
		return ""
	}
	all := p.next().text
	if p.take(",") {
		all += ", " + p.next().text
	}
	p.expect(")")
	return "(" + all + ")"
}

func (p *parser) interval(t token) Expr {
	sign := ""
	if p.take("-") {
		sign = "-"
	} else {
		p.take("+")
	}
	value := p.next()
	if value.kind != tokenText {
		p.at--
		p.unexpected()
		return &Star{place: place{t.pos}}
	}
	text := strings.TrimSpace(value.value)
	if rest, ok := strings.CutPrefix(text, "-"); ok && sign == "-" {
		sign, text = "", rest
	}
	return &Interval{place{t.pos}, sign + text, p.unit()}
}

func (p *parser) caseOf(t token) Expr {
	c := &Case{place: place{t.pos}}
	if !p.peek().is("WHEN") {
		c.Operand = p.expr()
	}
	for p.take("WHEN") {
		w := When{If: p.expr()}
		p.expect("THEN")
		w.Then = p.expr()
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == 0 {
		p.unexpected(`expected "WHEN"`)
	}
	if p.take("ELSE") {
		c.Else = p.expr()
	}
	p.expect("END")
	return c
}

// call reads name(…) with an unquoted name.
func (p *parser) call() Expr {
	t := p.next()
	c := &Call{place: place{t.pos}, Name: strings.ToUpper(t.text)}
	if t := p.tokens[p.at-1]; structural[c.Name] && c.Name != "LEFT" && c.Name != "RIGHT" {
		p.failed(unexpected(t))
		return c
	}
	// then reads arguments, each behind one of these words.
	then := func(words ...string) {
		for _, w := range words {
			p.expect(w)
			c.Args = append(c.Args, p.expr())
		}
	}
	switch c.Name {
	case "CAST", "TRY_CAST":
		p.expect("(")
		x := &Cast{place: c.place, Try: c.Name == "TRY_CAST", X: p.expr()}
		p.expect("AS")
		x.Type = p.typeName()
		p.expect(")")
		return x
	case "EXTRACT":
		p.expect("(")
		c.Unit = strings.ToUpper(p.next().text)
		then("FROM")
	case "POSITION":
		p.expect("(")
		c.Args = []Expr{p.binary(levelSum)}
		then("IN")
	case "OVERLAY":
		then("(", "PLACING", "FROM")
		if p.peek().is("FOR") {
			then("FOR")
		}
	case "TRIM":
		return p.trim(c)
	default:
		if p.dialect == Legacy || c.Name != "TIMESTAMPADD" && c.Name != "TIMESTAMPDIFF" {
			return p.arguments(c)
		}
		p.expect("(")
		c.Unit = strings.ToUpper(p.next().text)
		then(",", ",")
	}
	p.expect(")")
	return c
}

// trim reads TRIM(x), TRIM(x FROM y) or TRIM(BOTH x FROM y).
func (p *parser) trim(c *Call) Expr {
	p.expect("(")
	for _, mode := range []string{"BOTH", "LEADING", "TRAILING"} {
		if p.take(mode) {
			c.Unit = mode
		}
	}
	if c.Unit != "" && p.take("FROM") {
		c.Args = []Expr{&Literal{c.place, TextLiteral, "' '", " "}, p.expr()}
		p.expect(")")
		return c
	}
	c.Args = []Expr{p.expr()}
	if p.take("FROM") {
		c.Args = append(c.Args, p.expr())
		if c.Unit == "" {
			c.Unit = "BOTH"
		}
	} else if c.Unit != "" {
		p.unexpected(`expected "FROM"`)
	}
	p.expect(")")
	return c
}

// arguments reads (…) behind a name, with FLOOR's TO, STEP's BY and SUBSTRING's FROM and FOR.
func (p *parser) arguments(c *Call) Expr {
	p.expect("(")
	switch {
	case p.take("*"):
		c.Star = true
	case p.peek().is(")"):
	default:
		if c.Distinct = p.take("DISTINCT"); !c.Distinct {
			p.take("ALL")
		}
		c.Args = append(c.Args, p.expr())
		switch {
		case (c.Name == "FLOOR" || c.Name == "CEIL" || c.Name == "CEILING") && p.take("TO"):
			c.Unit = strings.ToUpper(p.next().text)
		case c.Name == "STEP" && p.dialect == Legacy && p.take("BY"):
			c.By = true
			c.Args = append(c.Args, p.expr())
		case c.Name == "SUBSTRING" && p.peek().is("SIMILAR"):
			p.refuse(p.peek(), "SUBSTRING … SIMILAR")
		case c.Name == "SUBSTRING" && p.take("FROM"):
			c.Args = append(c.Args, p.expr())
			if p.take("FOR") {
				c.Args = append(c.Args, p.expr())
			}
		}
		if p.take(",") {
			c.Args = append(c.Args, p.list()...)
		}
	}
	p.expect(")")
	switch t := p.peek(); {
	case t.is("OVER"):
		p.refuse(t, "OVER")
	case t.is("WITHIN"):
		p.refuse(t, "WITHIN GROUP")
	case t.is("FILTER"):
		p.refuse(t, "FILTER")
	case t.is("IGNORE"), t.is("RESPECT"):
		p.refuse(t, strings.ToUpper(t.text)+" NULLS")
	}
	return c
}
