package dialect

import (
	"fmt"
	"slices"
	"strings"
)

// A Dialect is the language of a text.
type Dialect int

// The dialects.
const (
	Flink  Dialect = iota // Flink SQL 1.20
	Legacy                // Amazon Kinesis Data Analytics for SQL
)

// String names the dialect.
func (d Dialect) String() string {
	if d == Legacy {
		return "the legacy dialect"
	}
	return "Flink SQL"
}

// Limits far above any real query, so that no text can exhaust the memory.
const (
	maxTokens = 20_000
	maxDepth  = 100
	maxText   = 1 << 20
)

// Parse parses a text. The error is of type Errors and has each statement's first syntax error.
func Parse(text string) (*Script, error) {
	tokens, faults := lex(text)
	if len(faults) > 0 {
		return nil, faults.sorted()
	}
	if len(tokens) > maxTokens {
		return nil, Errors{{Pos: tokens[maxTokens].pos, Problem: "the text is too long"}}
	}
	parts := split(tokens)
	dialect, err := detect(parts, tokens[len(tokens)-1].pos)
	if err != nil {
		return nil, Errors{err}
	}
	s := &Script{Dialect: dialect, comments: tokens[len(tokens)-1].comments}
	for _, part := range parts {
		p := &parser{dialect: dialect, tokens: part}
		first, last := part[0], part[len(part)-2]
		head := statement{Pos: first.pos, Text: text[first.pos.Offset:last.endOffset()], Comments: first.comments, tokens: part}
		err := p.check()
		if err == nil {
			var parsed Statement
			if parsed, err = p.statement(head); err == nil {
				s.Statements = append(s.Statements, parsed)
			}
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return nil, faults.sorted()
	}
	return s, nil
}

// split returns the tokens of each statement, followed by an end token at the semicolon or at the text's end.
func split(tokens []token) [][]token {
	var parts [][]token
	from := 0
	for i, t := range tokens {
		if !t.is(";") && t.kind != tokenEnd {
			continue
		}
		if i > from {
			end := token{kind: tokenEnd, text: t.text, pos: t.pos}
			parts = append(parts, append(slices.Clip(tokens[from:i]), end))
		}
		from = i + 1
	}
	return parts
}

// beginning returns a statement's first words and the dialect that has them. ok is false if neither dialect does.
func beginning(part []token) (d Dialect, words string, ok bool) {
	word := func(i int) string { return strings.ToUpper(part[min(i, len(part)-1)].text) }
	switch word(0) {
	case "INSERT":
		return Flink, "INSERT", true
	case "ALTER", "DROP", "SET":
		if slices.Contains([]string{"PUMP", "STREAM", "SCHEMA"}, word(1)) {
			return Legacy, word(0) + " " + word(1), true
		}
		return 0, "", false
	case "CREATE":
	default:
		return 0, "", false
	}
	i := 1
	for slices.Contains([]string{"OR", "REPLACE", "TEMPORARY", "SYSTEM"}, word(i)) {
		i++
	}
	words = "CREATE " + word(i)
	switch word(i) {
	case "STREAM", "PUMP", "SCHEMA":
		return Legacy, words, true
	case "FUNCTION":
		// Flink's is CREATE FUNCTION name AS 'class'.
		for _, t := range part[i:] {
			if t.is("(") {
				return Legacy, words, true
			}
		}
	}
	return Flink, words, true
}

// detect returns the dialect of a text. A text in both is refused: some statement would be read by the wrong rules.
func detect(parts [][]token, end Position) (Dialect, *Error) {
	if len(parts) == 0 {
		return 0, &Error{Pos: end, Problem: "there is no statement"}
	}
	var seen [2]string
	var at [2]Position
	for _, part := range parts {
		d, words, ok := beginning(part)
		if !ok {
			continue
		}
		if seen[d] == "" {
			seen[d], at[d] = words, part[0].pos
		}
		if other := 1 - d; seen[other] != "" {
			return 0, &Error{Pos: part[0].pos, Problem: fmt.Sprintf(
				"%s is %s, and the %s of line %d is %s: write all statements in one of them",
				words, d, seen[other], at[other].Line, other)}
		}
	}
	if seen[Legacy] != "" {
		return Legacy, nil
	}
	for _, part := range parts {
		for i, t := range part[1:] {
			if t.is("STREAM") && part[i].is("SELECT") {
				return 0, &Error{Pos: t.pos, Problem: "SELECT STREAM is the legacy dialect, which puts it into CREATE PUMP … AS INSERT INTO …; " +
					"in Flink SQL, write SELECT"}
			}
		}
	}
	return Flink, nil
}

// A parser reads one statement. After its first error it is at the end token, which matches nothing.
type parser struct {
	dialect Dialect
	tokens  []token
	at      int
	depth   int
	err     *Error
}

// enter counts the depth of nesting. The caller defers the result.
func (p *parser) enter() func() {
	p.depth++
	if p.depth > maxDepth {
		p.failed(&Error{Pos: p.peek().pos, Problem: "this is nested too deeply"})
	}
	return func() { p.depth-- }
}

// check finds errors that no grammar needs: parentheses and quotes.
func (p *parser) check() *Error {
	depth := 0
	for _, t := range p.tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
			if depth < 0 {
				return unexpected(t)
			}
		case t.kind == tokenQuoted && p.dialect == Flink:
			return unexpected(t, fmt.Sprintf("Flink SQL quotes a name as %s, and a text as %s", quote(t.value), textLiteral(t.value).Text))
		case t.kind == tokenBacktick && p.dialect == Legacy:
			return unexpected(t, fmt.Sprintf("the legacy dialect quotes a name as %q", t.value))
		case t.kind == tokenEnd && depth > 0:
			return unexpected(t, `expected ")"`)
		}
	}
	return nil
}

func unexpected(t token, more ...string) *Error {
	problem := fmt.Sprintf("unexpected token %q", t.name())
	if len(more) > 0 {
		problem += " (" + strings.Join(more, ", ") + ")"
	}
	return &Error{Pos: t.pos, Problem: problem}
}

func (p *parser) peek() token  { return p.tokens[p.at] }
func (p *parser) after() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// failed keeps the first error and moves to the end.
func (p *parser) failed(err *Error) {
	if p.err == nil {
		p.err = err
	}
	p.at = len(p.tokens) - 1
}

func (p *parser) unexpected(more ...string) { p.failed(unexpected(p.peek(), more...)) }

// refuse reports a legacy construct that is not carried over. Flink SQL may have it.
func (p *parser) refuse(t token, construct string) {
	if p.dialect == Flink {
		p.failed(unexpected(t))
		return
	}
	p.failed(refused(t.pos, construct))
}

// take skips these keywords or operators if they come next, and reports whether they did.
func (p *parser) take(words ...string) bool {
	for i, w := range words {
		if p.at+i >= len(p.tokens) || !p.tokens[p.at+i].is(w) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *parser) expect(words ...string) {
	for _, w := range words {
		if !p.take(w) {
			p.unexpected(fmt.Sprintf("expected %q", w))
		}
	}
}

func (p *parser) end() {
	if p.peek().kind != tokenEnd {
		p.unexpected()
	}
}

func (p *parser) statement(head statement) (Statement, *Error) {
	var s Statement
	if p.dialect == Legacy {
		s = p.legacyStatement(head)
	} else {
		s = p.flinkStatement(head)
	}
	p.end()
	switch _, _, known := beginning(p.tokens); {
	case p.err == nil:
		return s, nil
	case p.dialect == Flink && known:
		return &Opaque{head, p.err}, nil
	case p.dialect == Legacy:
		return nil, p.cause()
	default:
		return nil, p.err
	}
}

// cause returns the first function before the error that is not carried over, if there is one: what follows it may
// belong to it, such as the columns of a log parser, or IGNORE NULLS. Otherwise it returns the error itself.
func (p *parser) cause() *Error {
	for i, t := range p.tokens[:len(p.tokens)-1] {
		if t.pos.Offset >= p.err.Pos.Offset {
			break
		}
		if name := strings.ToUpper(t.text); t.kind == tokenWord && p.tokens[i+1].is("(") && isRefused(name) {
			return refused(t.pos, name)
		}
	}
	return p.err
}

func (p *parser) flinkStatement(head statement) Statement {
	switch {
	case p.take("CREATE", "TABLE"):
		return &CreateTable{statement: head, Name: p.ident(), Columns: p.columns()}
	case p.take("CREATE", "VIEW"), p.take("CREATE", "TEMPORARY", "VIEW"):
		return p.view(head)
	case p.peek().is("INSERT"):
		return p.insert(head)
	case p.peek().is("CREATE"):
		p.next()
		p.unexpected()
	default:
		p.unexpected("only CREATE and INSERT can stand here")
	}
	return nil
}

func (p *parser) view(head statement) Statement {
	v := &CreateView{statement: head, Name: p.ident()}
	if p.peek().is("(") {
		v.Columns = p.identList()
	}
	p.expect("AS")
	v.Query = p.query()
	return v
}

func (p *parser) legacyStatement(head statement) Statement {
	first := p.next()
	switch {
	case first.is("ALTER") && p.take("PUMP"):
		s := p.alterPump(head)
		if s.Stop = p.take("STOP"); !s.Stop {
			p.expect("START")
		}
		return s
	case !first.is("CREATE"):
		p.refuseStatement(first)
		return nil
	}
	if p.take("OR") {
		p.expect("REPLACE")
	}
	switch {
	case p.take("STREAM"):
		s := &CreateStream{statement: head, Name: p.qualified(), Columns: p.columns()}
		if p.take("DESCRIPTION") && p.peek().kind == tokenText {
			p.next()
		}
		return s
	case p.take("PUMP"):
		s := &CreatePump{statement: head, Name: p.qualified()}
		if s.Stopped = p.take("STOPPED"); !s.Stopped {
			p.take("STARTED")
		}
		if p.take("DESCRIPTION") && p.peek().kind == tokenText {
			p.next()
		}
		p.expect("AS")
		s.Insert = p.insert(statement{Pos: p.peek().pos})
		return s
	}
	p.refuseStatement(first)
	return nil
}

// alterPump reads the pumps of an ALTER PUMP: names, or "schema".* for all.
func (p *parser) alterPump(head statement) *AlterPump {
	s := &AlterPump{statement: head}
	for {
		if isName(p.peek()) && p.after().is(".") && p.tokens[min(p.at+2, len(p.tokens)-1)].is("*") {
			p.at += 2
		}
		if p.take("*") {
			s.All = true
		} else {
			s.Names = append(s.Names, p.qualified())
		}
		if !p.take(",") {
			return s
		}
	}
}

// refuseStatement reports a statement that is not carried over, or that neither dialect has.
func (p *parser) refuseStatement(first token) {
	_, words, ok := beginning(p.tokens)
	if !ok {
		p.failed(unexpected(first, "only CREATE STREAM, CREATE PUMP and ALTER PUMP can stand here"))
		return
	}
	p.refuse(first, words)
}

func (p *parser) columns() []*Column {
	p.expect("(")
	var all []*Column
	for {
		c := &Column{Name: p.ident(), Type: p.typeName()}
		if p.peek().is("NOT") {
			c.NotNull, c.NotNullPos = true, p.peek().pos
			p.expect("NOT", "NULL")
		}
		all = append(all, c)
		if !p.take(",") {
			break
		}
	}
	p.expect(")")
	return all
}

func (p *parser) insert(head statement) *Insert {
	p.expect("INSERT", "INTO")
	s := &Insert{statement: head, Into: p.qualified()}
	if p.peek().is("(") && !p.after().is("SELECT") {
		s.Columns = p.identList()
	}
	s.Query = p.query()
	return s
}

func (p *parser) identList() []Ident {
	p.expect("(")
	all := []Ident{p.ident()}
	for p.take(",") {
		all = append(all, p.ident())
	}
	p.expect(")")
	return all
}

// structural are the words that end a construct and so cannot be names without quotes.
var structural = words(`ALL AND AS ASC BETWEEN BY CASE CREATE CROSS CURSOR DESC DISTINCT ELSE END ESCAPE EXCEPT EXISTS FALSE FROM FULL
	GROUP HAVING IN INNER INSERT INTERSECT INTO IS JOIN LEFT LIKE LIMIT NATURAL NOT NULL ON OR ORDER OVER PARTITION RIGHT SELECT
	SIMILAR STREAM THEN TRUE UNION UNKNOWN USING VALUES WHEN WHERE WINDOW WINDOWED WITH WITHIN`)

func words(all string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(all) {
		m[w] = true
	}
	return m
}

func isName(t token) bool {
	return t.kind == tokenQuoted || t.kind == tokenBacktick || t.kind == tokenWord && !structural[strings.ToUpper(t.text)]
}

func (p *parser) ident() Ident {
	if !isName(p.peek()) {
		p.unexpected("expected a name")
		return Ident{}
	}
	t := p.next()
	id := Ident{Name: t.value, Pos: t.pos, Quoted: t.kind != tokenWord}
	if p.dialect == Legacy && !id.Quoted {
		id.Name = strings.ToUpper(id.Name)
	}
	if id.Name == "" {
		p.failed(&Error{Pos: t.pos, Problem: "a name is empty"})
	}
	return id
}

// qualified reads the name of a stream, and skips a schema's name before it: there is one schema.
func (p *parser) qualified() Ident {
	id := p.ident()
	for p.dialect == Legacy && p.take(".") {
		id = p.ident()
	}
	return id
}

func (p *parser) typeName() TypeName {
	t := p.peek()
	if t.kind != tokenWord || structural[strings.ToUpper(t.text)] {
		p.unexpected("expected a type")
		return TypeName{}
	}
	p.next()
	typ := TypeName{Pos: t.pos, Name: strings.ToUpper(t.text)}
	switch {
	case typ.Name == "DOUBLE" && p.take("PRECISION"):
		typ.Name = "DOUBLE PRECISION"
	case (typ.Name == "CHARACTER" || typ.Name == "CHAR") && p.take("VARYING"):
		typ.Name = "CHARACTER VARYING"
	case typ.Name == "BINARY" && p.take("VARYING"):
		typ.Name = "BINARY VARYING"
	}
	if typ.Name == "INTERVAL" && isUnit(p.peek()) {
		p.unit()
	}
	if p.take("(") {
		typ.Args = append(typ.Args, p.size())
		if p.take(",") {
			typ.Args = append(typ.Args, p.size())
		}
		p.expect(")")
	}
	return typ
}

func (p *parser) size() int {
	n := 0
	t := p.peek()
	if _, err := fmt.Sscanf(t.text, "%d", &n); err != nil || t.kind != tokenNumber || t.text != fmt.Sprint(n) || n > 1<<30 {
		p.unexpected("expected a length")
		return 0
	}
	p.next()
	return n
}

func (p *parser) query() Query {
	defer p.enter()()
	q := p.selection()
	for p.peek().is("UNION") {
		t := p.next()
		if !p.take("ALL") {
			p.refuse(t, "UNION")
			return q
		}
		q = &Union{q, p.selection()}
	}
	switch t := p.peek(); {
	case t.is("EXCEPT"), t.is("INTERSECT"), t.is("LIMIT"):
		p.refuse(t, strings.ToUpper(t.text))
	case t.is("ORDER"):
		p.refuse(t, "ORDER BY")
	}
	return q
}

func (p *parser) selection() Query {
	switch t := p.peek(); {
	case t.is("VALUES"), t.is("WITH"):
		p.refuse(t, strings.ToUpper(t.text))
	case t.is("("):
		p.next()
		q := p.query()
		p.expect(")")
		return q
	}
	s := &Select{Pos: p.peek().pos}
	p.expect("SELECT")
	if p.dialect == Legacy {
		p.take("STREAM")
	}
	if s.DistinctPos = p.peek().pos; p.take("DISTINCT") {
		s.Distinct = true
	} else {
		p.take("ALL")
	}
	s.Items = append(s.Items, p.item())
	for p.take(",") {
		s.Items = append(s.Items, p.item())
	}
	p.expect("FROM")
	s.From = p.from()
	if p.take("WHERE") {
		s.Where = p.expr()
	}
	if t := p.peek(); t.is("WINDOWED") {
		p.refuse(t, "WINDOWED BY STAGGER")
	}
	if s.GroupPos = p.peek().pos; p.take("GROUP") {
		p.expect("BY")
		s.GroupBy = p.list()
	}
	if p.take("HAVING") {
		s.Having = p.expr()
	}
	if t := p.peek(); t.is("WINDOW") {
		p.refuse(t, "WINDOW")
	}
	return s
}

func (p *parser) item() *Item {
	i := &Item{}
	switch t := p.peek(); {
	case p.take("*"):
		i.X = &Star{place: place{t.pos}}
		return i
	case isName(t) && p.after().is(".") && p.tokens[min(p.at+2, len(p.tokens)-1)].is("*"):
		of := p.ident()
		p.expect(".", "*")
		i.X = &Star{place{t.pos}, &of}
		return i
	}
	i.X = p.expr()
	i.Alias = p.alias()
	return i
}

func (p *parser) alias() *Ident {
	if p.take("AS") || isName(p.peek()) {
		id := p.ident()
		return &id
	}
	return nil
}

func (p *parser) from() *From {
	f := &From{Pos: p.peek().pos}
	switch t := p.peek(); {
	case t.is("TABLE") && p.after().is("("):
		p.tumble(f)
	case p.take("("):
		f.Query = p.query()
		p.expect(")")
	default:
		table := p.qualified()
		f.Table = &table
	}
	if t := p.peek(); t.is("OVER") {
		p.refuse(t, "OVER")
	}
	f.Alias = p.alias()
	switch t := p.peek(); {
	case t.is("(") && f.Alias != nil:
		p.refuse(t, "a list of columns behind an alias")
	case t.is(","), t.is("JOIN"), t.is("INNER"), t.is("LEFT"), t.is("RIGHT"), t.is("FULL"), t.is("CROSS"), t.is("NATURAL"):
		p.refuse(t, "JOIN")
	}
	return f
}

// tumble reads Flink's TABLE(TUMBLE(TABLE t, DESCRIPTOR(c), size)). The legacy dialect's TABLE functions are refused.
func (p *parser) tumble(f *From) {
	p.expect("TABLE", "(")
	if t := p.peek(); p.dialect == Legacy {
		p.refuse(t, strings.ToUpper(t.text))
		return
	}
	p.expect("TUMBLE", "(", "TABLE")
	table := p.ident()
	p.expect(",", "DESCRIPTOR", "(")
	f.Table, f.Tumble = &table, &Tumble{Time: p.ident()}
	p.expect(")", ",")
	f.Tumble.Size = p.expr()
	p.expect(")", ")")
}
