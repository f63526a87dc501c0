package query

import (
	"errors"
	"fmt"

	"streamproof/internal/dialect"
	"streamproof/internal/pipeline"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// Destination gives the columns of the rows that a pipeline's query writes. It reads the CREATE TABLE alone, so the rest
// of the SQL may be anything that Flink takes. The error says where and why a CREATE TABLE cannot be read.
func Destination(p *pipeline.Pipeline) (row.Schema, error) {
	_, script, err := flinkSQL(p)
	if err != nil {
		return nil, err
	}
	var create *dialect.CreateTable
	for _, s := range script.Statements {
		switch s := s.(type) {
		case *dialect.CreateTable:
			if create != nil {
				return nil, errors.New("pipeline.sql: it has more than one CREATE TABLE")
			}
			create = s
		case *dialect.Opaque:
			if s.IsTable() {
				return nil, s.Err
			}
		}
	}
	if create == nil {
		return nil, errors.New("pipeline.sql: it has no CREATE TABLE")
	}
	return output(create, p.Schema)
}

// flinkSQL gives what Flink runs, and its syntax tree.
func flinkSQL(p *pipeline.Pipeline) (string, *dialect.Script, error) {
	text := string(p.SQL)
	script, err := dialect.Parse(text)
	if err != nil || script.Dialect == dialect.Flink {
		return text, script, err
	}
	if text, err = script.Translate(text, p.Schema); err != nil {
		return "", nil, err
	}
	if script, err = dialect.Parse(text); err != nil {
		return "", nil, fmt.Errorf("its translation to Flink SQL: %w", err)
	}
	return text, script, nil
}

// deliverable says why a column of the table cannot be of a type.
func deliverable(t schema.Type) error {
	if t.Kind == schema.Decimal {
		return errors.New("DECIMAL cannot be delivered, since Flink makes NULL of what it cannot hold: use DOUBLE, or VARCHAR and TRY_CAST")
	}
	return nil
}

// output gives the columns of the table, with the names that the schema has for them.
func output(t *dialect.CreateTable, s schema.Schema) (row.Schema, error) {
	var output row.Schema
	taken := map[string]int{}
	for i, c := range t.Columns {
		typ, err := schema.ParseType(c.Type.String())
		if err == nil {
			err = deliverable(typ)
		}
		if err != nil {
			return nil, fault(c.Name.Pos, "%w", err)
		}
		alias := c.Name.Name
		name := alias
		if at := s.Index(name); at >= 0 {
			name = s.Columns[at].Name
		}
		for _, n := range []string{alias, name} {
			if before, ok := taken[n]; ok && before != i {
				return nil, fault(c.Name.Pos, "two columns are called %s", n)
			}
			taken[n] = i
		}
		output = append(output, row.Column{Name: name, Alias: alias, Type: typ})
	}
	return output, nil
}

// fault is an error at a place of pipeline.sql.
func fault(at dialect.Position, format string, args ...any) error {
	return fmt.Errorf("%s:%s: "+format, append([]any{dialect.FileName, at}, args...)...)
}
