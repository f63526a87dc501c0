package query

import (
	"cmp"
	"strings"

	"streamproof/internal/dialect"
	"streamproof/internal/schema"
)

// A view is what a CREATE VIEW stands for. If it cannot be computed, the error matters only to what reads it.
type view struct {
	parts []*selection
	err   error
}

// A selection is a SELECT over the source: the columns of views are replaced by what they stand for.
type selection struct {
	at      dialect.Position
	columns []column
	where   *Expr // nil without a condition
}

// A column is one that a SELECT gives, or may read.
type column struct {
	operand
	name string // empty if no query can name it
	text string // as it stands in the SELECT
}

const (
	// maxParts is how many SELECTs a query may have once its views are expanded.
	maxParts = 64
	// maxColumn is how many parts the expression of a view's column may have: each mention of it computes all of them.
	maxColumn = 1000
)

func (q *Query) createView(s *dialect.CreateView) {
	name := s.Name.Name
	switch {
	case q.isQuoted(s.Name):
		q.fail(unexpected(s.Name.Pos, name))
	case q.views[name] != nil || name == q.Source.Source:
		q.fail(fault(s.Name.Pos, "there is a view %s already", name))
	}
	before := q.err
	q.err = nil
	v := &view{parts: q.query(s.Query)} // which cannot read the view itself
	if q.err == nil && len(s.Columns) > 0 {
		q.rename(v.parts, s)
	}
	v.err, q.err = q.err, before
	q.views[name] = v
}

// rename gives the columns the view's names.
func (q *Query) rename(parts []*selection, s *dialect.CreateView) {
	for _, part := range parts {
		if len(part.columns) != len(s.Columns) {
			q.fail(fault(s.Columns[0].Pos, "%s has %d columns, and its query %d", s.Name.Name, len(s.Columns), len(part.columns)))
			return
		}
		for i, id := range s.Columns {
			if q.isQuoted(id) {
				q.fail(unexpected(id.Pos, id.Name))
			}
			part.columns[i].name = id.Name
		}
	}
}

// query compiles each SELECT of a query. It returns nothing if one of them fails.
func (q *Query) query(x dialect.Query) []*selection {
	var all []*selection
	for _, s := range dialect.Selects(x) {
		for _, base := range q.read(s) {
			if all = append(all, q.selection(s, base)); q.err != nil {
				return nil
			}
		}
		if len(all) > maxParts {
			q.refuse(s.Pos, "more than %d SELECTs, with those of its views", maxParts)
		}
		if q.err != nil {
			return nil
		}
	}
	q.unite(all)
	return all
}

// unite gives the SELECTs of a UNION ALL columns of the same types. For different types, Flink has rules of its own.
func (q *Query) unite(all []*selection) {
	first := all[0]
	for _, s := range all[1:] {
		if len(s.columns) != len(first.columns) {
			q.fail(fault(s.at, "%d columns are selected, and %d by the SELECT before", len(s.columns), len(first.columns)))
			return
		}
	}
	if len(all) == 1 {
		return
	}
	for i := range first.columns {
		merged := first.columns[i].operand
		for _, s := range all {
			c := s.columns[i]
			switch {
			case c.kind() != merged.kind():
				q.refuse(c.at, "a column of %s in UNION ALL with one of %s", c.kind(), merged.kind())
			case c.kind() == null, c.kind() == schema.Decimal, c.kind() == exact && (c.typ != merged.typ || c.typ.Length == 0):
				q.refuse(c.at, "a column of %s in UNION ALL", c.kind())
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
}

// read returns what a SELECT reads: the SELECTs of a view or of a query; for the source, a single nil.
func (q *Query) read(s *dialect.Select) []*selection {
	const overRows = "%s, which is computed over several rows"
	from := s.From
	switch {
	case from.Tumble != nil:
		q.refuse(from.Pos, overRows, "a window (TUMBLE)")
	case s.Distinct:
		q.refuse(s.DistinctPos, overRows, "DISTINCT")
	case len(s.GroupBy) > 0:
		q.refuse(s.GroupPos, overRows, "GROUP BY")
	case s.Having != nil:
		q.refuse(s.Having.Start(), overRows, "HAVING")
	case from.Alias != nil && q.isQuoted(*from.Alias):
		q.fail(unexpected(from.Alias.Pos, from.Alias.Name))
	case from.Query != nil:
		return q.query(from.Query)
	case q.isQuoted(*from.Table):
		q.fail(unexpected(from.Table.Pos, from.Table.Name))
	case from.Table.Name == q.Source.Source:
		return []*selection{nil}
	case q.views[from.Table.Name] == nil:
		q.fail(fault(s.Pos, "it reads %s, and the schema's source is %s", from.Table.Name, q.Source.Source))
	case q.views[from.Table.Name].err != nil:
		q.fail(q.views[from.Table.Name].err)
	default:
		return q.views[from.Table.Name].parts
	}
	return nil
}

// selection compiles a SELECT over another one, or over the source if that is nil.
func (q *Query) selection(s *dialect.Select, base *selection) *selection {
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
		q.scope = q.viewColumns(s, base)
		out.where = base.known()
	}
	for _, item := range s.Items {
		if item.Alias != nil && q.isQuoted(*item.Alias) {
			q.fail(unexpected(item.Alias.Pos, item.Alias.Name))
		}
		if star, ok := item.X.(*dialect.Star); ok && star.Of == nil {
			for _, c := range q.scope {
				out.columns = append(out.columns, column{q.columnAt(c, star.Pos), c.name, c.name})
			}
			continue
		}
		c := column{operand: q.expression(item.X), text: dialect.Print(item.X)}
		c.at = item.X.Start()
		if n, ok := item.X.(*dialect.Name); ok {
			c.name = n.Parts[len(n.Parts)-1].Name
		}
		if item.Alias != nil {
			c.name = item.Alias.Name
		}
		out.columns = append(out.columns, c)
	}
	if s.Where != nil {
		out.where = both(out.where, q.condition(s.Where).x)
	}
	return out
}

// sourceColumns are the columns of the records.
func (q *Query) sourceColumns() []column {
	var all []column
	for i, c := range q.Source.Columns {
		o := operand{x: &Expr{Op: Column, Column: i, size: 1}, typ: c.Type, isColumn: true}
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

// viewColumns are the columns of a SELECT that another one reads. They are no longer literals, some of which Flink
// treats differently from a column with the same value in each row.
func (q *Query) viewColumns(s *dialect.Select, base *selection) []column {
	var all []column
	for _, c := range base.columns {
		switch {
		case c.kind() == null, c.kind() == schema.Decimal:
			q.refuse(c.at, "a column of %s that is read by another SELECT", c.kind())
		case c.isLiteral && c.kind() == text && strings.HasSuffix(c.literal, " "):
			q.refuse(c.at, "a text that ends with a blank and is read by another SELECT")
		case c.x.size > maxColumn:
			q.refuse(s.Pos, "it reads a column that is too long once its views are expanded")
		}
		c.isLiteral, c.literal = false, ""
		all = append(all, c)
	}
	return all
}

// known is the condition of a SELECT that another one reads. It computes all columns that may be unknown, or may stop
// the job: Flink may compute them even if the other SELECT does not ask for them, or drops the row.
func (s *selection) known() *Expr {
	var all *Expr
	for _, c := range s.columns {
		if c.x.mayErr {
			all = both(all, apply("known", c.x))
		}
	}
	switch {
	case s.where == nil:
		return all
	case all == nil:
		return s.where
	}
	return apply("CASE", s.where, all)
}

// both is TRUE if two conditions are. Each is always computed: if one of them would stop the job, Flink may have
// computed it before the other.
func both(a, b *Expr) *Expr {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return apply("both", a, b)
}
