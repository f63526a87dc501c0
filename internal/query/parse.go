package query

import (
	"fmt"
	"maps"
	"slices"

	"streamproof/internal/dialect"
	"streamproof/internal/pipeline"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// A Query is a pipeline's query, checked.
type Query struct {
	// Output are the columns of the rows.
	Output row.Schema
	// Source are the records that it reads.
	Source schema.Schema
	// Parts are computed one after the other: each SELECT of a UNION ALL is one.
	Parts []Part

	text  string           // what Flink runs
	views map[string]*view // what may be read besides the source
	reads string           // what the current SELECT reads,
	from  string           // the name that may stand before its columns,
	scope []column         // and those columns
	used  map[string]bool  // the forms
	err   error            // the first one
}

// A Part is one SELECT over the source.
type Part struct {
	Columns []*Expr
	// Where is the condition, with those of the views that the SELECT reads; nil without one.
	Where *Expr
}

// Forms are the names of all forms that the query is made of.
func (q *Query) Forms() []string { return slices.Sorted(maps.Keys(q.used)) }

// Compile checks a pipeline's query against its schema and against what the verifier can compute exactly as Flink does.
// It refuses everything else, with line and column. In the legacy dialect, what is checked and run is the translation.
func Compile(p *pipeline.Pipeline) (*Query, error) {
	text, script, err := flinkSQL(p)
	if err != nil {
		return nil, irreproducible(err)
	}
	q := &Query{Source: p.Schema, text: text, views: map[string]*view{}, used: map[string]bool{}}
	var create *dialect.CreateTable
	var into *dialect.Insert
	for _, s := range script.Statements {
		switch s := s.(type) {
		case *dialect.CreateTable:
			create = s
		case *dialect.Insert:
			into = s
		case *dialect.CreateView:
			q.createView(s)
		case *dialect.Opaque:
			q.fail(irreproducible(s.Err))
		}
	}
	if q.err != nil {
		return nil, q.err
	}
	if into.Into.Name != create.Name.Name {
		return nil, fault(into.Into.Pos, "it creates %s and inserts into %s", create.Name.Name, into.Into.Name)
	}
	for _, c := range create.Columns {
		if c.NotNull {
			return nil, unexpected(c.NotNullPos, "NOT")
		}
	}
	if q.Output, err = output(create, p.Schema); err != nil {
		return nil, err
	}
	if len(into.Columns) > 0 {
		return nil, unexpected(into.Columns[0].Pos, into.Columns[0].Name)
	}
	for _, part := range q.query(into.Query) {
		q.insert(part)
	}
	if q.err != nil {
		return nil, q.err
	}
	return q, nil
}

func irreproducible(err error) error {
	return fmt.Errorf("the verifier cannot reproduce Flink's result: %w", err)
}

// unexpected refuses what a token begins.
func unexpected(at dialect.Position, token string) error {
	return irreproducible(fault(at, "unexpected token %q", token))
}

// insert makes a part of a SELECT, each of whose expressions is one of the forms.
func (q *Query) insert(s *selection) {
	if len(s.columns) != len(q.Output) {
		q.fail(fault(s.at, "%d columns are selected for %d of the destination", len(s.columns), len(q.Output)))
		return
	}
	part := Part{Columns: make([]*Expr, len(s.columns)), Where: s.where}
	for i, c := range s.columns {
		to := operand{typ: q.Output[i].Type}.kind()
		if from := c.kind(); from != to && !isForm(fmt.Sprintf("%s to %s", from, to)) {
			q.fail(fault(c.at, "the verifier cannot reproduce how Flink turns %s %s into %s %s", c.text, from, q.Output[i].Alias, to))
			return
		}
		part.Columns[i] = q.convert(c.operand, to).x
	}
	q.Parts = append(q.Parts, part)
}

// isQuoted reports whether a name is in other quotes than Flink's.
func (q *Query) isQuoted(id dialect.Ident) bool { return id.Quoted && q.text[id.Pos.Offset] != '`' }
