package dialect

import (
	"strings"

	"streamproof/internal/schema"
)

// checkFlink finds what is certainly wrong with Flink SQL in this pipeline, and what may be. What it does not know is left to Flink.
func checkFlink(s *Script, text string, schema schema.Schema) *flinkChecker {
	c := &flinkChecker{tables: map[string]*flinkTable{}, schema: schema}
	source := sourceRelation(schema)
	c.tables[schema.Source] = &flinkTable{columns: source.columns, whole: true}
	c.tables[schema.Source+MetadataSuffix] = &flinkTable{}
	c.tables[errorStream] = &flinkTable{columns: errorColumns, whole: true}
	c.casts(text)
	c.onlyOne(s.Statements)
	for _, statement := range s.Statements {
		switch statement := statement.(type) {
		case *CreateTable:
			c.createTable(statement)
		case *CreateView:
			columns := c.query(statement.Query)
			view := &flinkTable{columns: columns, whole: columns != nil}
			if names := statement.Columns; len(names) > 0 {
				if columns != nil && len(columns) != len(names) {
					c.faults.add(names[0].Pos, "%s has %d columns, and its query %d", statement.Name.Name, len(names), len(columns))
				}
				view = &flinkTable{whole: true}
				for i, name := range names {
					column := relColumn{name: name.Name}
					if i < len(columns) {
						column.typ = columns[i].typ
					}
					view.columns = append(view.columns, column)
				}
			}
			c.tables[statement.Name.Name] = view
		case *Insert:
			c.insert(statement)
		case *Opaque:
			c.opaque(statement)
		}
	}
	return c
}

// A flinkTable is what can stand behind FROM in Flink SQL.
type flinkTable struct {
	columns []relColumn
	// whole says that it has no other columns than these.
	whole bool
}

type flinkChecker struct {
	schema schema.Schema
	tables map[string]*flinkTable
	// beyond says that statements made what this package does not know of.
	beyond           bool
	faults, warnings Errors
}

// casts reports each CAST, as the job does, which would refuse to start.
func (c *flinkChecker) casts(text string) {
	tokens, _ := lex(text)
	for i, t := range tokens[:len(tokens)-1] {
		if t.is("CAST") && tokens[i+1].is("(") {
			c.faults.add(t.pos, "CAST would stop the job at a value that it cannot convert, again after each restart: use TRY_CAST, which gives NULL")
		}
	}
}

// onlyOne reports a second table and a second INSERT: the job takes one, since a stack has one delivery stream.
func (c *flinkChecker) onlyOne(all []Statement) {
	var table *CreateTable
	var insert *Insert
	for _, s := range all {
		switch s := s.(type) {
		case *CreateTable:
			if table != nil {
				c.faults.add(s.Pos, "there is a CREATE TABLE in line %d already, and a stack has one delivery stream: insert into that one", table.Pos.Line)
				continue
			}
			table = s
		case *Insert:
			if insert != nil {
				c.faults.add(s.Pos, "there is an INSERT in line %d already: make one of the two, with UNION ALL", insert.Pos.Line)
				continue
			}
			insert = s
		}
	}
}

func (c *flinkChecker) createTable(s *CreateTable) {
	table := &flinkTable{whole: true}
	taken := map[string]bool{}
	for _, column := range s.Columns {
		typ := flinkType(column.Type)
		if problem := undeliverable(typ); problem != "" {
			c.faults.add(column.Type.Pos, "column %s: %s", column.Name.Name, problem)
		}
		if taken[column.Name.Name] {
			c.faults.add(column.Name.Pos, "two columns are called %s", column.Name.Name)
		}
		taken[column.Name.Name] = true
		table.columns = append(table.columns, relColumn{column.Name.Name, typ})
	}
	if c.tables[s.Name.Name] != nil {
		c.faults.add(s.Name.Pos, "there is a table %s already", s.Name.Name)
	}
	c.tables[s.Name.Name] = table
}

// opaque reports a CREATE TABLE … WITH: the job itself says where the rows go.
func (c *flinkChecker) opaque(s *Opaque) {
	c.opaqueDivisions(s)
	tokens, _ := lex(s.Text)
	c.beyond = c.beyond || tokens[0].is("CREATE")
	if !s.IsTable() {
		return
	}
	depth := 0
	for _, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is("WITH") && depth == 0:
			c.faults.add(s.Err.Pos, "WITH cannot stand here: the job itself says where the rows of %s go", tokens[2].text)
			return
		}
	}
}

func (c *flinkChecker) insert(s *Insert) {
	selected := c.query(s.Query)
	table := c.tables[s.Into.Name]
	switch {
	case table == nil && !c.beyond:
		c.faults.add(s.Into.Pos, "there is no table %s: CREATE it before", s.Into.Name)
		return
	case table == nil || !table.whole:
		return
	}
	into := table.columns
	if len(s.Columns) > 0 {
		into = nil
		for _, id := range s.Columns {
			column, ok := find(table.columns, id.Name)
			if !ok {
				c.faults.add(id.Pos, "%s", noFlinkColumn(s.Into.Name, id.Name, table.columns))
				return
			}
			into = append(into, column)
		}
	}
	switch {
	case selected == nil:
	case len(selected) != len(into):
		c.faults.add(s.Query.start(), "%d columns are selected for %d of %s", len(selected), len(into), s.Into.Name)
	default:
		for _, q := range Selects(s.Query) {
			c.types(q, into)
		}
	}
}

// Selects are all SELECTs of a query.
func Selects(q Query) []*Select {
	if u, ok := q.(*Union); ok {
		return append(Selects(u.Left), Selects(u.Right)...)
	}
	return []*Select{q.(*Select)}
}

// types reports columns that Flink does not put into those of the table.
func (c *flinkChecker) types(q *Select, into []relColumn) {
	from := c.from(q.From)
	if from == nil || len(q.Items) != len(into) {
		return
	}
	for i, item := range q.Items {
		name, ok := item.X.(*Name)
		if !ok {
			continue
		}
		column, _ := find(from.columns, name.Parts[len(name.Parts)-1].Name)
		if to := into[i]; incompatible(column.typ, to.typ) {
			c.faults.add(name.Pos, "%s is %s and cannot be inserted into %s %s: use TRY_CAST", column.name, column.typ, to.name, to.typ)
		}
	}
}

// incompatible says whether Flink certainly does not put one into the other by itself.
func incompatible(from, to sqlType) bool {
	switch {
	case !from.isCertain() || !to.isCertain() || from.kind == to.kind || from.isText() && to.isText():
		return false
	case from.isNumber() && to.isNumber():
		return from.kind > to.kind && from.kind != decimal && to.kind != decimal
	}
	return true
}

func find(columns []relColumn, name string) (relColumn, bool) {
	r := relation{columns: columns}
	return r.column(name)
}

// noFlinkColumn says that there is no such column, and which may be meant: Flink's names have their own case.
func noFlinkColumn(of, name string, columns []relColumn) string {
	text := of + " has no column " + name
	for _, column := range columns {
		if strings.EqualFold(column.name, name) {
			text += ", but " + column.name
		}
	}
	return text
}

// query checks a query, and gives its columns; nil, where they are not certain.
func (c *flinkChecker) query(q Query) []relColumn {
	if u, ok := q.(*Union); ok {
		left, right := c.query(u.Left), c.query(u.Right)
		if left != nil && right != nil && len(left) != len(right) {
			c.faults.add(u.Right.start(), "%d columns are selected, and %d by the SELECT before", len(right), len(left))
		}
		if right == nil {
			return nil
		}
		return left
	}
	s := q.(*Select)
	if s.From.Query != nil {
		c.query(s.From.Query)
	}
	if s.From.Table != nil && c.tables[s.From.Table.Name] == nil && !c.beyond {
		c.faults.add(s.From.Table.Pos, "there is no table %s (the source is %s)", s.From.Table.Name, c.schema.Source)
	}
	from := c.from(s.From)
	c.divisions(s, from)
	if from == nil {
		return nil
	}
	c.names(s, from)
	columns := []relColumn{}
	for _, item := range s.Items {
		if _, ok := item.X.(*Star); ok {
			columns = append(columns, from.columns...)
			continue
		}
		column := relColumn{}
		if n, ok := item.X.(*Name); ok {
			column, _ = find(from.columns, n.Parts[len(n.Parts)-1].Name)
		}
		if item.Alias != nil {
			column.name = item.Alias.Name
		}
		columns = append(columns, column)
	}
	return columns
}

// from gives what a SELECT reads; nil, where its columns are not certain.
func (c *flinkChecker) from(f *From) *flinkTable {
	if f.Table == nil {
		return nil
	}
	table := c.tables[f.Table.Name]
	if table == nil || !table.whole {
		return nil
	}
	if f.Tumble == nil {
		return table
	}
	tumbled := &flinkTable{whole: true, columns: append([]relColumn(nil), table.columns...)}
	for _, name := range []string{"window_start", "window_end", "window_time"} {
		tumbled.columns = append(tumbled.columns, relColumn{name: name})
	}
	return tumbled
}

// names reports the columns that what is read does not have.
func (c *flinkChecker) names(s *Select, from *flinkTable) {
	check := func(x Expr) {
		n, ok := x.(*Name)
		if !ok || len(n.Parts) > 1 {
			return // with a dot it may be a field of a row
		}
		id := n.Parts[0]
		if !id.Quoted && reserved[strings.ToUpper(id.Name)] {
			return // a function without parentheses
		}
		if _, ok := find(from.columns, id.Name); !ok {
			c.faults.add(id.Pos, "%s", noFlinkColumn(s.From.Table.Name, id.Name, from.columns))
		}
	}
	for _, item := range s.Items {
		walk(item.X, check)
	}
	for _, x := range append([]Expr{s.Where}, s.GroupBy...) {
		walk(x, check)
	}
	walk(s.Having, check)
}
