package query

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2"

	"streamproof/internal/row"
	"streamproof/pipeline"
)

// anyScript is a script of any statements, of which only CREATE TABLE is read.
type anyScript struct {
	Statements []*anyStatement `parser:"@@ ( ';' @@ )* ';'?"`
}

type anyStatement struct {
	Create *createTable `parser:"  @@"`
	Other  []string     `parser:"| @~';'+"`
}

var anyParser = participle.MustBuild[anyScript](sqlLexer, sqlElide, sqlKeywords, sqlQuotes, participle.UseLookahead(2))

// Destination gives the columns of the rows that a pipeline's query writes. It reads the CREATE TABLE alone, so the rest
// of the SQL may be anything that Flink takes. The error says where and why a CREATE TABLE cannot be read.
func Destination(p *pipeline.Pipeline) (row.Schema, error) {
	parsed, err := anyParser.ParseString("pipeline.sql", string(p.SQL))
	if err != nil {
		return nil, err
	}
	var create *createTable
	for _, s := range parsed.Statements {
		switch {
		case s.Create == nil:
		case create == nil:
			create = s.Create
		default:
			return nil, errors.New("pipeline.sql: it has more than one CREATE TABLE")
		}
	}
	if create == nil {
		return nil, errors.New("pipeline.sql: it has no CREATE TABLE")
	}
	return create.output(p.Schema)
}

// output gives the columns of the table, with the names that the schema has for them.
func (t *createTable) output(schema pipeline.Schema) (row.Schema, error) {
	var output row.Schema
	taken := map[string]int{}
	for i, c := range t.Columns {
		text := strings.Join(c.Type, " ")
		if c.Length != "" {
			text += "(" + c.Length + ")"
		}
		typ, err := pipeline.ParseType(text)
		if err == nil {
			err = typ.Limit()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Pos, err)
		}
		name := c.Name
		if at := schema.Index(name); at >= 0 {
			name = schema.Columns[at].Name
		}
		for _, n := range []string{c.Name, name} {
			if before, ok := taken[n]; ok && before != i {
				return nil, fmt.Errorf("%s: two columns are called %s", c.Pos, n)
			}
			taken[n] = i
		}
		output = append(output, row.Column{Name: name, Alias: c.Name, Type: typ})
	}
	return output, nil
}
