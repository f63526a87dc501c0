package query

import (
	"fmt"
	"strings"

	"streamproof/internal/dialect"
	"streamproof/internal/schema"
)

// A view is what a CREATE VIEW stands for, or why the judge cannot compute it, which matters only where it is read.
type view struct {
	parts []*selection
	err   error
}

// A selection is a SELECT over the source: what it reads of views is put in the place of their columns.
type selection struct {
	at      dialect.Position
	columns []column
	where   string // empty without a condition
}

// A column is one that a SELECT gives, or may read.
type column struct {
	operand
	name string // empty where it has none that can be written
	text string // as it stands in the SELECT
}

const (
	// maxParts is how many SELECTs a query may be made of, once views are in the place of their names.
	maxParts = 64
	// maxColumn is how long a view's column may be in SQLite's SQL: each name of it stands for the whole.
	maxColumn = 4096
)

// createView takes a view for what reads it.
func (q *Query) createView(s *dialect.CreateView) error {
	name := s.Name.Name
	if q.isQuoted(s.Name) {
		return unexpected(s.Name.Pos, name)
	}
	if q.views[name] != nil || name == q.Source.Source {
		return fault(s.Name.Pos, "there is a view %s already", name)
	}
	v := &view{}
	v.parts, v.err = q.query(s.Query) // which cannot read it
	if v.err == nil && len(s.Columns) > 0 {
		v.err = q.rename(v.parts, s)
	}
	q.views[name] = v
	return nil
}

// rename gives the columns the names that the view has for them.
func (q *Query) rename(parts []*selection, s *dialect.CreateView) error {
	for _, part := range parts {
		if len(part.columns) != len(s.Columns) {
			return fault(s.Columns[0].Pos, "%s has %d columns, and its query %d", s.Name.Name, len(s.Columns), len(part.columns))
		}
		for i, id := range s.Columns {
			if q.isQuoted(id) {
				return unexpected(id.Pos, id.Name)
			}
			part.columns[i].name = id.Name
		}
	}
	return nil
}

// query compiles each SELECT of a query.
func (q *Query) query(x dialect.Query) ([]*selection, error) {
	var all []*selection
	for _, s := range dialect.Selects(x) {
		from, err := q.read(s)
		if err != nil {
			return nil, err
		}
		for _, base := range from {
			part, err := q.selection(s, base)
			if err != nil {
				return nil, err
			}
			all = append(all, part)
		}
		if len(all) > maxParts {
			return nil, refuse(s.Pos, "more than %d SELECTs, with those of its views", maxParts)
		}
	}
	return all, q.unite(all)
}

// unite gives the SELECTs of a UNION ALL columns of the same types. Flink finds a common type of others by rules of its own.
func (q *Query) unite(all []*selection) error {
	first := all[0]
	for _, s := range all[1:] {
		if len(s.columns) != len(first.columns) {
			return fault(s.at, "%d columns are selected, and %d by the SELECT before", len(s.columns), len(first.columns))
		}
	}
	if len(all) == 1 {
		return nil
	}
	for i := range first.columns {
		merged := first.columns[i].operand
		for _, s := range all {
			c := s.columns[i]
			switch {
			case c.kind() != merged.kind():
				return refuse(c.at, "a column of %s in UNION ALL with one of %s", c.kind(), merged.kind())
			case c.kind() == null, c.kind() == schema.Decimal, c.kind() == exact && (c.typ != merged.typ || c.typ.Length == 0):
				return refuse(c.at, "a column of %s in UNION ALL", c.kind())
			}
			if c.typ != merged.typ && c.kind() == text {
				merged.typ = schema.Type{Kind: schema.VarChar}
			}
			merged.isColumn = merged.isColumn && c.isColumn
		}
		for _, s := range all {
			c := &s.columns[i]
			c.typ, c.isColumn, c.name = merged.typ, merged.isColumn, first.columns[i].name
		}
	}
	return nil
}

// read gives what a SELECT reads: the source as one that gives all of its columns, or the SELECTs of a view or of a query.
func (q *Query) read(s *dialect.Select) ([]*selection, error) {
	from := s.From
	switch {
	case from.Tumble != nil:
		return nil, refuse(from.Pos, "a window (TUMBLE), which is computed over several rows")
	case s.Distinct:
		return nil, refuse(s.DistinctPos, "DISTINCT, which is computed over several rows")
	case len(s.GroupBy) > 0:
		return nil, refuse(s.GroupPos, "GROUP BY, which is computed over several rows")
	case s.Having != nil:
		return nil, refuse(s.Having.Start(), "HAVING, which is computed over several rows")
	case from.Alias != nil && q.isQuoted(*from.Alias):
		return nil, unexpected(from.Alias.Pos, from.Alias.Name)
	case from.Query != nil:
		return q.query(from.Query)
	case q.isQuoted(*from.Table):
		return nil, unexpected(from.Table.Pos, from.Table.Name)
	case from.Table.Name == q.Source.Source:
		return []*selection{nil}, nil
	}
	v := q.views[from.Table.Name]
	if v == nil {
		return nil, fault(s.Pos, "it reads %s, and the schema's source is %s", from.Table.Name, q.Source.Source)
	}
	return v.parts, v.err
}

// selection compiles a SELECT over another one, or over the source, where that is nil.
func (q *Query) selection(s *dialect.Select, base *selection) (*selection, error) {
	q.reads, q.from = "the query in FROM", ""
	if s.From.Table != nil {
		q.reads = s.From.Table.Name
		q.from = q.reads
	}
	if s.From.Alias != nil {
		q.from = s.From.Alias.Name
	}
	out := &selection{at: s.Pos}
	if base == nil {
		q.scope = q.sourceColumns()
	} else {
		var err error
		if q.scope, err = viewColumns(s, base); err != nil {
			return nil, err
		}
		out.where = base.known()
	}
	for _, item := range s.Items {
		if item.Alias != nil && q.isQuoted(*item.Alias) {
			return nil, unexpected(item.Alias.Pos, item.Alias.Name)
		}
		if star, ok := item.X.(*dialect.Star); ok && star.Of == nil {
			for _, c := range q.scope {
				o, err := q.columnAt(c, star.Pos)
				if err != nil {
					return nil, err
				}
				out.columns = append(out.columns, column{o, c.name, c.name})
			}
			continue
		}
		o, err := q.expression(item.X)
		if err != nil {
			return nil, err
		}
		o.at = item.X.Start()
		c := column{operand: o, text: dialect.Print(item.X)}
		if n, ok := item.X.(*dialect.Name); ok {
			c.name = n.Parts[len(n.Parts)-1].Name
		}
		if item.Alias != nil {
			c.name = item.Alias.Name
		}
		out.columns = append(out.columns, c)
	}
	if s.Where == nil {
		return out, nil
	}
	where, err := q.condition(s.Where)
	if err != nil {
		return nil, err
	}
	out.where = both(out.where, where.sqlite)
	return out, nil
}

// sourceColumns are the columns of the records.
func (q *Query) sourceColumns() []column {
	var all []column
	for _, c := range q.Source.Columns {
		o := operand{sqlite: Quote(c.Alias), typ: c.Type, isColumn: true}
		switch {
		case c.Type.Kind == schema.Decimal:
			o.typ.Kind = exact
		case c.Type.Kind == schema.Timestamp && c.TimePattern().Digits() > 0:
			o.typ.Kind = fine
		}
		all = append(all, column{o, c.Alias, c.Alias})
	}
	return all
}

// viewColumns are the columns of a SELECT that another one reads. They are no literals any more: Flink treats some of those in
// other ways than a column that has the same value in each row.
func viewColumns(s *dialect.Select, base *selection) ([]column, error) {
	var all []column
	for _, c := range base.columns {
		switch {
		case c.kind() == null, c.kind() == schema.Decimal:
			return nil, refuse(c.at, "a column of %s that is read by another SELECT", c.kind())
		case c.isLiteral && c.kind() == text && strings.HasSuffix(c.literal, " "):
			return nil, refuse(c.at, "a text that ends with a blank and is read by another SELECT")
		case len(c.sqlite) > maxColumn:
			return nil, refuse(s.Pos, "it reads a column that is too long with what it is made of")
		}
		c.isLiteral, c.literal = false, ""
		all = append(all, c)
	}
	return all, nil
}

// known is the condition of a SELECT that another one reads. It computes all columns that may be unknown, or stop the job:
// Flink may have done so though the other SELECT does not ask for them, or leaves the row out.
func (s *selection) known() string {
	var all string
	for _, c := range s.columns {
		if strings.Contains(c.sqlite, "f_") { // one of the engine's functions, if not a name with it
			all = both(all, "f_known("+c.sqlite+")")
		}
	}
	if s.where == "" || all == "" {
		return s.where + all
	}
	return fmt.Sprintf("CASE WHEN %s THEN %s END", s.where, all)
}

// both is TRUE where two conditions are. Each is computed in any case: where one of them would stop the job, Flink may have
// computed it before the other one.
func both(a, b string) string {
	if a == "" {
		return b
	}
	return fmt.Sprintf("f_both(%s, %s)", a, b)
}
