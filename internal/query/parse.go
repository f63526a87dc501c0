package query

import (
	"fmt"
	"slices"
	"strings"

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
	// Parts are what SQLite is told of it, one after the other: each SELECT of a UNION ALL is one.
	Parts []Part

	text  string           // what Flink runs
	views map[string]*view // what may be read besides the source
	reads string           // what is read,
	from  string           // as a column's name may have it before its own,
	scope []column         // and its columns
	used  map[string]bool  // the forms
}

// A Part is one SELECT over the source.
type Part struct {
	// Filtered is the SELECT, Unfiltered the same without its WHERE, and without those of the views that it reads.
	Filtered, Unfiltered string
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
	q := &Query{Source: p.Schema, text: text, views: map[string]*view{}, used: map[string]bool{}}
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
			if err := q.createView(s); err != nil {
				return nil, err
			}
			continue
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
	if q.Output, err = output(create, p.Schema); err != nil {
		return nil, err
	}
	if len(into.Columns) > 0 {
		return nil, unexpected(into.Columns[0].Pos, into.Columns[0].Name)
	}
	parts, err := q.query(into.Query)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if err := q.insert(part); err != nil {
			return nil, err
		}
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

// insert makes of a SELECT what SQLite runs: the same tree, where each part is one of the forms.
func (q *Query) insert(s *selection) error {
	if len(s.columns) != len(q.Output) {
		return fault(s.at, "%d columns are selected for %d of the destination", len(s.columns), len(q.Output))
	}
	items := make([]string, len(s.columns))
	for i, c := range s.columns {
		to := operand{typ: q.Output[i].Type}.kind()
		converted, err := q.convert(c.operand, to)
		if err != nil || c.kind() == null {
			return fault(c.at, "the judge does not know how Flink turns %s %s into %s %s", c.text, c.kind(), q.Output[i].Alias, to)
		}
		items[i] = converted.sqlite
	}
	part := Part{Unfiltered: fmt.Sprintf("SELECT %s FROM %s", strings.Join(items, ", "), Quote(q.Source.Source))}
	part.Filtered = part.Unfiltered
	if s.where != "" {
		part.Filtered += " WHERE " + s.where
	}
	q.Parts = append(q.Parts, part)
	return nil
}

// isQuoted says whether a name is in other quotes than Flink's.
func (q *Query) isQuoted(id dialect.Ident) bool { return id.Quoted && q.text[id.Pos.Offset] != '`' }

// Quote gives a name as SQLite has it, whatever word it is.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
