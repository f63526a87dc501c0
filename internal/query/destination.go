package query

import (
	"fmt"

	"streamproof/internal/dialect"
	"streamproof/internal/pipeline"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// Destination returns the columns of the rows that a pipeline's query writes, as its CREATE TABLE declares them. The
// query may be anything that Flink takes.
func Destination(p *pipeline.Pipeline) (row.Schema, error) {
	_, script, err := flinkSQL(p)
	if err != nil {
		return nil, err
	}
	for _, s := range script.Statements {
		switch s := s.(type) {
		case *dialect.CreateTable:
			return output(s, p.Schema)
		case *dialect.Opaque:
			if s.IsTable() {
				return nil, s.Err
			}
		}
	}
	return nil, fmt.Errorf("%s: it has no CREATE TABLE", dialect.FileName)
}

// flinkSQL returns what Flink runs, and its syntax tree. It has one CREATE TABLE and one INSERT.
func flinkSQL(p *pipeline.Pipeline) (string, *dialect.Script, error) {
	script, err := dialect.Parse(string(p.SQL))
	if err != nil {
		return "", nil, err
	}
	text, err := script.Translate(string(p.SQL), p.Schema)
	if err != nil || script.Dialect == dialect.Flink {
		return string(p.SQL), script, err
	}
	if script, err = dialect.Parse(text); err != nil {
		return "", nil, fmt.Errorf("its translation to Flink SQL: %w", err)
	}
	return text, script, nil
}

// output returns the columns of the table, with the names that the schema has for them.
func output(t *dialect.CreateTable, s schema.Schema) (row.Schema, error) {
	var output row.Schema
	taken := map[string]int{}
	for i, c := range t.Columns {
		typ, err := schema.ParseType(c.Type.String())
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
