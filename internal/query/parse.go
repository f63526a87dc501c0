package query

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"streamproof/internal/row"
	"streamproof/pipeline"
)

// The grammar is what the judge knows to compute as Flink does; everything else is a syntax error with its place.

type script struct {
	Statements []*statement `parser:"@@ ( ';' @@ )* ';'?"`
}

type statement struct {
	Pos    lexer.Position
	Create *createTable `parser:"  @@"`
	Insert *insert      `parser:"| @@"`
}

type createTable struct {
	Name    string       `parser:"'CREATE' 'TABLE' @( Ident | Quoted )"`
	Columns []*columnDef `parser:"'(' @@ ( ',' @@ )* ')'"`
}

type columnDef struct {
	Pos    lexer.Position
	Name   string   `parser:"@( Ident | Quoted )"`
	Type   []string `parser:"@Ident+"`
	Length string   `parser:"( '(' @Number ')' )?"`
}

type insert struct {
	Into   string  `parser:"'INSERT' 'INTO' @( Ident | Quoted )"`
	Select *choose `parser:"@@"`
}

type choose struct {
	Pos     lexer.Position
	Columns []*column `parser:"'SELECT' @@ ( ',' @@ )*"`
	From    string    `parser:"'FROM' @Ident"`
	Where   *where    `parser:"@@?"`
	EndPos  lexer.Position
}

type column struct {
	Pos   lexer.Position
	Name  string `parser:"@Ident"`
	Alias string `parser:"( 'AS' @Ident )?"`
}

type where struct {
	Pos       lexer.Position
	Condition *or `parser:"'WHERE' @@"`
}

type or struct {
	Terms []*and `parser:"@@ ( 'OR' @@ )*"`
}

type and struct {
	Terms []*not `parser:"@@ ( 'AND' @@ )*"`
}

type not struct {
	Not  bool       `parser:"@'NOT'?"`
	Term *predicate `parser:"@@"`
}

type predicate struct {
	Nested  *or         `parser:"  '(' @@ ')'"`
	Compare *comparison `parser:"| @@"`
}

type comparison struct {
	Pos   lexer.Position
	Left  *operand `parser:"@@"`
	Op    string   `parser:"( @( '<=' | '>=' | '<>' | '<' | '>' | '=' )"`
	Right *operand `parser:"  @@"`
	Is    bool     `parser:"| @'IS' 'NOT'? 'NULL' )"`
}

type operand struct {
	Column string `parser:"  @Ident"`
	Number string `parser:"| @( '-'? Number )"`
}

var (
	sqlLexer = participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
		{Name: "Space", Pattern: `\s+`},
		{Name: "Comment", Pattern: `--[^\n]*|/\*([^*]|\*+[^*/])*\*+/`},
		{Name: "Keyword", Pattern: `(?i:CREATE|TABLE|INSERT|INTO|SELECT|AS|FROM|WHERE|OR|AND|NOT|IS|NULL)\b`},
		{Name: "Ident", Pattern: `[A-Za-z_][A-Za-z0-9_]*`},
		{Name: "Quoted", Pattern: "`[^`]+`"},
		{Name: "Text", Pattern: `'[^']*'`},
		{Name: "Number", Pattern: `[0-9]+(\.[0-9]+)?`},
		{Name: "Operator", Pattern: `<=|>=|<>|[<>=(),;-]`},
		{Name: "Other", Pattern: `.`}, // so that the parser, which knows what it expected, says what is wrong
	}))
	sqlElide    = participle.Elide("Space", "Comment")
	sqlKeywords = participle.CaseInsensitive("Keyword")
	sqlQuotes   = participle.Map(func(t lexer.Token) (lexer.Token, error) {
		t.Value = t.Value[1 : len(t.Value)-1]
		return t, nil
	}, "Quoted")
	sqlParser = participle.MustBuild[script](sqlLexer, sqlElide, sqlKeywords, sqlQuotes, participle.UseLookahead(2))
)

// A Query is a pipeline's query, checked.
type Query struct {
	// Output are the columns of the rows.
	Output row.Schema
	// Source are the records that it reads.
	Source pipeline.Schema
	// Filtered is the SELECT as it stands in pipeline.sql, Unfiltered the same without its WHERE.
	Filtered, Unfiltered string
}

// Compile checks a pipeline's query against its schema and against what the judge knows to compute as Flink does.
// The error names what it cannot judge, with line and column.
func Compile(p *pipeline.Pipeline) (*Query, error) {
	text := string(p.SQL)
	parsed, err := sqlParser.ParseString("pipeline.sql", text)
	if err != nil {
		return nil, fmt.Errorf("the judge does not know to compute this as Flink does: %w", err)
	}
	var create *createTable
	var into *insert
	for _, s := range parsed.Statements {
		switch {
		case s.Create != nil && create == nil:
			create = s.Create
		case s.Insert != nil && into == nil:
			into = s.Insert
		default:
			return nil, fmt.Errorf("%s: the judge knows one CREATE TABLE and one INSERT only", s.Pos)
		}
	}
	if create == nil || into == nil {
		return nil, fmt.Errorf("pipeline.sql: it has to have a CREATE TABLE and an INSERT INTO it")
	}
	if into.Into != create.Name {
		return nil, fmt.Errorf("pipeline.sql: it creates %s and inserts into %s", create.Name, into.Into)
	}

	output, err := create.output(p.Schema)
	if err != nil {
		return nil, err
	}
	q := &Query{Output: output, Source: p.Schema}
	if err := q.check(into.Select); err != nil {
		return nil, err
	}
	from, to := into.Select.Pos.Offset, into.Select.EndPos.Offset
	q.Filtered, q.Unfiltered = text[from:to], text[from:to]
	if w := into.Select.Where; w != nil {
		q.Unfiltered = text[from:w.Pos.Offset]
	}
	return q, nil
}

func (q *Query) check(s *choose) error {
	if s.From != q.Source.Source {
		return fmt.Errorf("%s: it reads %s, and the schema's source is %s", s.Pos, s.From, q.Source.Source)
	}
	if len(s.Columns) != len(q.Output) {
		return fmt.Errorf("%s: %d columns are selected for %d of the destination", s.Pos, len(s.Columns), len(q.Output))
	}
	for i, c := range s.Columns {
		from, err := q.column(c.Name, c.Pos)
		if err != nil {
			return err
		}
		if to := q.Output[i].Type; !assignable(from, to) {
			return fmt.Errorf("%s: the judge does not know how Flink turns %s %s into %s %s", c.Pos, c.Name, from, q.Output[i].Alias, to)
		}
	}
	if s.Where == nil {
		return nil
	}
	return q.checkCondition(s.Where.Condition)
}

func (q *Query) checkCondition(condition *or) error {
	for _, and := range condition.Terms {
		for _, not := range and.Terms {
			var err error
			if not.Term.Nested != nil {
				err = q.checkCondition(not.Term.Nested)
			} else {
				err = q.checkComparison(not.Term.Compare)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checkComparison lets through what Flink and SQLite were seen to agree on: numbers of one family with each other, and
// numbers with literals that both read as the same value. Text and timestamps are compared by other rules in each.
func (q *Query) checkComparison(c *comparison) error {
	var families [2]pipeline.Kind
	for i, o := range []*operand{c.Left, c.Right} {
		if o == nil || o.Column == "" { // IS NULL has no right side
			continue
		}
		t, err := q.column(o.Column, c.Pos)
		if err != nil {
			return err
		}
		switch t.Kind {
		case pipeline.Integer, pipeline.BigInt:
			families[i] = pipeline.BigInt
		case pipeline.Real, pipeline.Double:
			families[i] = pipeline.Double
		default:
			if !c.Is {
				return fmt.Errorf("%s: the judge does not know to compare %s %s as Flink does", c.Pos, o.Column, t)
			}
		}
	}
	if c.Is {
		if c.Left.Column == "" {
			return fmt.Errorf("%s: IS NULL asks for a column", c.Pos)
		}
		return nil
	}
	switch {
	case families[0] == "" && families[1] == "":
		return fmt.Errorf("%s: a comparison of two literals", c.Pos)
	case families[0] == "":
		return checkLiteral(c.Left.Number, families[1], c.Pos)
	case families[1] == "":
		return checkLiteral(c.Right.Number, families[0], c.Pos)
	case families[0] != families[1]:
		return fmt.Errorf("%s: the judge does not know to compare an integer with a float as Flink does", c.Pos)
	}
	return nil
}

// checkLiteral keeps literals to those that a 32-bit integer, or a double, holds exactly as written.
func checkLiteral(number string, against pipeline.Kind, at lexer.Position) error {
	const exactInFloat = 1 << 24 // integers that a REAL holds exactly
	if n, err := strconv.ParseInt(number, 10, 32); err == nil {
		if against == pipeline.Double && (n > exactInFloat || n < -exactInFloat) {
			return fmt.Errorf("%s: the judge does not know to compare a float with %s as Flink does", at, number)
		}
		return nil
	}
	if digits := strings.Trim(strings.ReplaceAll(number, ".", ""), "-0"); !strings.Contains(number, ".") || len(digits) > 15 {
		return fmt.Errorf("%s: the number %s is longer than the judge knows to compare as Flink does", at, number)
	}
	return nil
}

// column finds a column by its alias, in the alias's own case, as Flink does; SQLite would take any case, and an unknown name in quotes for text.
func (q *Query) column(name string, at lexer.Position) (pipeline.Type, error) {
	for _, c := range q.Source.Columns {
		if c.Alias == name {
			return c.Type, nil
		}
	}
	return pipeline.Type{}, fmt.Errorf("%s: %s has no column %s", at, q.Source.Source, name)
}

// assignable says whether a value of one type is the same value in the other, in both engines.
func assignable(from, to pipeline.Type) bool {
	switch to.Kind {
	case pipeline.BigInt:
		return from.Kind == pipeline.Integer || from.Kind == pipeline.BigInt
	case pipeline.Double:
		return from.Kind == pipeline.Real || from.Kind == pipeline.Double
	case pipeline.VarChar:
		return from.Kind == pipeline.VarChar && (to.Length == 0 || from.Length != 0 && from.Length <= to.Length)
	case pipeline.Boolean:
		return false // SQLite has no such type
	default:
		return from == to
	}
}
