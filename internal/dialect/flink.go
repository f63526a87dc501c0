package dialect

import (
	"slices"
	"strings"

	"streamproof/internal/schema"
)

// A flinkChecker applies the job's own rules to Flink SQL: one table, one INSERT, no CAST, only columns that can be
// delivered. Names, types and numbers of columns are Flink's to check: `streamproof sql check` has it plan every build.
type flinkChecker struct {
	source string
	// tables are the columns of what can stand behind FROM, where they are certain.
	tables           map[string][]relColumn
	faults, warnings Errors
}

func checkFlink(s *Script, source schema.Schema) *flinkChecker {
	c := &flinkChecker{source: source.Source, tables: map[string][]relColumn{
		source.Source: sourceRelation(source).columns,
		errorStream:   errorColumns,
	}}
	c.one(s.Statements, "CREATE TABLE", "and a stack has one delivery stream: insert into that one")
	c.one(s.Statements, "INSERT", "and the job takes one: combine them with UNION ALL")
	for _, statement := range s.Statements {
		c.casts(statement.base().tokens)
		switch statement := statement.(type) {
		case *CreateTable:
			c.createTable(statement)
		case *CreateView:
			columns := slices.Clone(c.query(statement.Query))
			for i, name := range statement.Columns {
				if i < len(columns) {
					columns[i].name = name.Name
				}
			}
			c.tables[statement.Name.Name] = columns
		case *Insert:
			c.query(statement.Query)
		case *Opaque:
			c.opaque(statement)
		}
	}
	return c
}

func (c *flinkChecker) casts(tokens []token) {
	for i, t := range tokens[:len(tokens)-1] {
		if t.is("CAST") && tokens[i+1].is("(") {
			c.faults.add(t.pos, "CAST would stop the job at a value that it cannot convert, again after each restart: "+
				"use TRY_CAST, which gives NULL")
		}
	}
}

// one reports every statement of a kind but the first, or that there is none.
func (c *flinkChecker) one(all []Statement, kind, remedy string) {
	first := 0
	for _, s := range all {
		switch {
		case !s.base().begins(strings.Fields(kind)...):
		case first == 0:
			first = s.Start().Line
		default:
			c.faults.add(s.Start(), "line %d already has the %s, %s", first, kind, remedy)
		}
	}
	if first == 0 {
		c.faults.add(all[0].Start(), "there is no %s: write one CREATE TABLE and one INSERT", kind)
	}
}

func (c *flinkChecker) createTable(s *CreateTable) {
	for _, column := range s.Columns {
		if problem := undeliverable(flinkType(column.Type)); problem != "" {
			c.faults.add(column.Type.Pos, "column %s: %s", column.Name.Name, problem)
		}
	}
}

// opaque refuses CREATE TABLE … WITH.
func (c *flinkChecker) opaque(s *Opaque) {
	c.opaqueDivisions(s.tokens)
	if !s.IsTable() {
		return
	}
	depth := 0
	for _, t := range s.tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is("WITH") && depth == 0:
			c.faults.add(s.Err.Pos, "leave out WITH: the job itself sends the rows of %s to Firehose", s.tokens[2].text)
			return
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

func find(columns []relColumn, name string) (relColumn, bool) {
	for _, c := range columns {
		if c.name == name {
			return c, true
		}
	}
	return relColumn{}, false
}

// query warns of a query's divisions. It returns the columns, or nil if they are not certain.
func (c *flinkChecker) query(q Query) []relColumn {
	if u, ok := q.(*Union); ok {
		left := c.query(u.Left)
		if c.query(u.Right) == nil {
			return nil
		}
		return left
	}
	s := q.(*Select)
	if s.From.Query != nil {
		c.query(s.From.Query)
	}
	var from []relColumn
	if s.From.Table != nil {
		from = c.tables[s.From.Table.Name]
	}
	c.divisions(s, from)
	if from == nil {
		return nil
	}
	columns := []relColumn{}
	for _, item := range s.Items {
		if _, ok := item.X.(*Star); ok {
			columns = append(columns, from...)
			continue
		}
		column := relColumn{}
		if n, ok := item.X.(*Name); ok {
			column, _ = find(from, n.last().Name)
		}
		if item.Alias != nil {
			column.name = item.Alias.Name
		}
		columns = append(columns, column)
	}
	return columns
}
