package dialect

import (
	"strings"

	"streamproof/internal/schema"
)

// Part translates an expression or a SELECT of the legacy dialect that reads the source.
func Part(text string, schema schema.Schema) (string, error) {
	tokens, faults := lex(text)
	if len(faults) > 0 {
		return "", faults
	}
	p := &parser{dialect: Legacy, tokens: tokens}
	if err := p.check(); err != nil {
		return "", err
	}
	t := &translator{schema: schema, source: sourceRelation(schema), streams: map[string]*stream{}, names: map[string]bool{}}
	var out printer
	if p.peek().is("SELECT") {
		q := p.query()
		p.end()
		if p.err != nil {
			return "", p.err
		}
		q, _ = t.subquery(q)
		if err := t.faults.sorted(); err != nil {
			return "", err
		}
		out.query(q)
		return strings.TrimSuffix(printStatements(t.out)+"\n"+out.b.String(), "\n"), nil
	}
	x := p.expr()
	p.end()
	if p.err != nil {
		return "", p.err
	}
	b := &binder{translator: t, relation: t.source, alias: schema.Source}
	if aggregateIn(x) != nil {
		b.grouped, b.keys = true, map[string]bool{}
	}
	bound, _ := b.bind(x)
	if err := t.faults.sorted(); err != nil {
		return "", err
	}
	return Print(bound), nil
}

// ParseExpression reads an expression of Flink SQL.
func ParseExpression(text string) (Expr, error) {
	tokens, faults := lex(text)
	if len(faults) > 0 {
		return nil, faults
	}
	p := &parser{dialect: Flink, tokens: tokens}
	x := p.expr()
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	return x, nil
}
