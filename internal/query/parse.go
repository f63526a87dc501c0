package query

import (
	"fmt"
	"slices"
	"strings"

	"streamproof/internal/dialect"
	"streamproof/internal/row"
	"streamproof/pipeline"
)

// A Query is a pipeline's query, checked.
type Query struct {
	// Output are the columns of the rows.
	Output row.Schema
	// Source are the records that it reads.
	Source pipeline.Schema
	// Filtered is what SQLite is told of the SELECT, Unfiltered the same without its WHERE.
	Filtered, Unfiltered string

	text string          // what Flink runs
	from string          // what the source is called before a column's name
	used map[string]bool // the forms
}

// Forms are the names of all forms that the query is made of.
func (q *Query) Forms() []string {
	var names []string
	for name := range q.used {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Compile checks a pipeline's query against its schema and against what the judge knows to compute as Flink does: all that
// is not let through below is refused, with line and column. Of the legacy dialect, the translation is checked and run.
func Compile(p *pipeline.Pipeline) (*Query, error) {
	text, script, err := flinkSQL(p)
	if err != nil {
		return nil, notKnown(err)
	}
	var create *dialect.CreateTable
	var into *dialect.Insert
	for _, s := range script.Statements {
		switch s := s.(type) {
		case *dialect.CreateTable:
			if create == nil {
				create = s
				continue
			}
		case *dialect.Insert:
			if into == nil {
				into = s
				continue
			}
		case *dialect.CreateView:
			return nil, fault(s.Start(), "the judge knows one CREATE TABLE and one INSERT only, and no view, which windows and streams in between need")
		case *dialect.Opaque:
			return nil, notKnown(s.Err)
		}
		return nil, fault(s.Start(), "the judge knows one CREATE TABLE and one INSERT only")
	}
	if create == nil || into == nil {
		return nil, fmt.Errorf("pipeline.sql: it has to have a CREATE TABLE and an INSERT INTO it")
	}
	if into.Into.Name != create.Name.Name {
		return nil, fmt.Errorf("pipeline.sql: it creates %s and inserts into %s", create.Name.Name, into.Into.Name)
	}
	for _, c := range create.Columns {
		if c.NotNull {
			return nil, unexpected(c.NotNullPos, "NOT")
		}
	}
	output, err := output(create, p.Schema)
	if err != nil {
		return nil, err
	}
	s, ok := into.Query.(*dialect.Select)
	switch {
	case !ok:
		return nil, unexpected(into.Query.(*dialect.Union).Pos, "UNION")
	case len(into.Columns) > 0:
		return nil, unexpected(into.Columns[0].Pos, into.Columns[0].Name)
	}
	q := &Query{Output: output, Source: p.Schema, text: text, used: map[string]bool{}}
	if err := q.compile(s); err != nil {
		return nil, err
	}
	return q, nil
}

func notKnown(err error) error {
	return fmt.Errorf("the judge does not know to compute this as Flink does: %w", err)
}

// unexpected is what the judge says to a token that begins what it does not know.
func unexpected(at dialect.Position, token string) error {
	return notKnown(fault(at, "unexpected token %q", token))
}

// compile makes of the SELECT what SQLite runs: the same tree, where each part is one of the forms.
func (q *Query) compile(s *dialect.Select) error {
	from := s.From
	switch {
	case s.Distinct:
		return refuse(s.DistinctPos, "DISTINCT, which is computed over several rows")
	case len(s.GroupBy) > 0:
		return refuse(s.GroupPos, "GROUP BY, which is computed over several rows")
	case s.Having != nil:
		return refuse(s.Having.Start(), "HAVING, which is computed over several rows")
	case from.Query != nil:
		return unexpected(from.Pos, "(")
	case from.Tumble != nil:
		return refuse(from.Pos, "a window, which is computed over several rows")
	case q.isQuoted(*from.Table):
		return unexpected(from.Table.Pos, from.Table.Name)
	case from.Table.Name != q.Source.Source:
		return fault(s.Pos, "it reads %s, and the schema's source is %s", from.Table.Name, q.Source.Source)
	}
	q.from = from.Table.Name
	if from.Alias != nil {
		if q.isQuoted(*from.Alias) {
			return unexpected(from.Alias.Pos, from.Alias.Name)
		}
		q.from = from.Alias.Name
	}
	var xs []dialect.Expr
	for _, item := range s.Items {
		if item.Alias != nil && q.isQuoted(*item.Alias) {
			return unexpected(item.Alias.Pos, item.Alias.Name)
		}
		if star, ok := item.X.(*dialect.Star); ok && star.Of == nil {
			for _, c := range q.Source.Columns {
				column := &dialect.Name{Parts: []dialect.Ident{{Name: c.Alias, Pos: star.Pos}}}
				column.Pos = star.Pos
				xs = append(xs, column)
			}
			continue
		}
		xs = append(xs, item.X)
	}
	if len(xs) != len(q.Output) {
		return fault(s.Pos, "%d columns are selected for %d of the destination", len(xs), len(q.Output))
	}
	items := make([]string, len(xs))
	for i, x := range xs {
		o, err := q.expression(x)
		if err != nil {
			return err
		}
		to := operand{typ: q.Output[i].Type}.kind()
		converted, err := q.convert(o, to)
		if err != nil || o.kind() == null {
			return fault(x.Start(), "the judge does not know how Flink turns %s %s into %s %s", dialect.Print(x), o.kind(), q.Output[i].Alias, to)
		}
		items[i] = converted.sqlite
	}
	q.Unfiltered = fmt.Sprintf("SELECT %s FROM %s", strings.Join(items, ", "), Quote(q.Source.Source))
	q.Filtered = q.Unfiltered
	if s.Where != nil {
		where, err := q.condition(s.Where)
		if err != nil {
			return err
		}
		q.Filtered += " WHERE " + where.sqlite
	}
	return nil
}

// isQuoted says whether a name is in other quotes than Flink's.
func (q *Query) isQuoted(id dialect.Ident) bool { return id.Quoted && q.text[id.Pos.Offset] != '`' }

// Quote gives a name as SQLite has it, whatever word it is.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
