package query

import (
	"fmt"
	"regexp"
	"strconv"
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
	// Filtered is the SELECT as it stands in what Flink runs, Unfiltered the same without its WHERE.
	Filtered, Unfiltered string
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
	q := &Query{Output: output, Source: p.Schema}
	if err := q.check(s); err != nil {
		return nil, err
	}
	from, to := s.Pos.Offset, s.EndPos.Offset
	q.Filtered, q.Unfiltered = text[from:to], text[from:to]
	if s.Where != nil {
		q.Unfiltered = text[from:s.WherePos.Offset]
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

func (q *Query) check(s *dialect.Select) error {
	from := s.From
	switch {
	case s.Distinct:
		return unexpected(s.DistinctPos, "DISTINCT")
	case len(s.GroupBy) > 0:
		return unexpected(s.GroupPos, "GROUP")
	case s.Having != nil:
		return unexpected(s.Having.Start(), "HAVING")
	case from.Query != nil:
		return unexpected(from.Pos, "(")
	case from.Tumble != nil:
		return unexpected(from.Pos, "TABLE")
	case from.Alias != nil:
		return unexpected(from.Alias.Pos, from.Alias.Name)
	case from.Table.Quoted:
		return unexpected(from.Table.Pos, from.Table.Name)
	case from.Table.Name != q.Source.Source:
		return fault(s.Pos, "it reads %s, and the schema's source is %s", from.Table.Name, q.Source.Source)
	case len(s.Items) != len(q.Output):
		return fault(s.Pos, "%d columns are selected for %d of the destination", len(s.Items), len(q.Output))
	}
	for i, item := range s.Items {
		name, from, err := q.column(item.X)
		if err != nil {
			return err
		}
		if item.Alias != nil && item.Alias.Quoted {
			return unexpected(item.Alias.Pos, item.Alias.Name)
		}
		if to := q.Output[i].Type; !assignable(from, to) {
			return fault(item.X.Start(), "the judge does not know how Flink turns %s %s into %s %s", name, from, q.Output[i].Alias, to)
		}
	}
	if s.Where == nil {
		return nil
	}
	return q.checkCondition(s.Where)
}

func (q *Query) checkCondition(x dialect.Expr) error {
	switch x := x.(type) {
	case *dialect.Unary:
		if x.Op == "NOT" {
			return q.checkCondition(x.X)
		}
	case *dialect.Binary:
		switch x.Op {
		case "AND", "OR":
			if err := q.checkCondition(x.Left); err != nil {
				return err
			}
			return q.checkCondition(x.Right)
		case "=", "<>", "<", ">", "<=", ">=":
			return q.checkComparison(x)
		}
	case *dialect.Is:
		if x.What != "NULL" {
			return unexpected(x.OpPos, "IS")
		}
		if number(x.X) != "" {
			return fault(x.Pos, "IS NULL asks for a column")
		}
		_, _, err := q.column(x.X)
		return err
	}
	return unknown(x)
}

// unknown refuses an expression at the token that makes it one that the judge does not know.
func unknown(x dialect.Expr) error {
	switch x := x.(type) {
	case *dialect.Binary:
		return unexpected(x.OpPos, x.Op)
	case *dialect.Is:
		return unexpected(x.OpPos, "IS")
	case *dialect.Like:
		return unexpected(x.OpPos, x.Op)
	case *dialect.In:
		return unexpected(x.OpPos, "IN")
	case *dialect.Between:
		return unexpected(x.OpPos, "BETWEEN")
	case *dialect.Call:
		return unexpected(x.ParenPos, "(")
	default:
		return unexpected(x.Start(), dialect.Print(x))
	}
}

// checkComparison lets through what Flink and SQLite were seen to agree on: numbers of one family with each other, and
// numbers with literals that both read as the same value. Text and timestamps are compared by other rules in each.
func (q *Query) checkComparison(c *dialect.Binary) error {
	var families [2]pipeline.Kind
	var numbers [2]string
	for i, x := range []dialect.Expr{c.Left, c.Right} {
		if numbers[i] = number(x); numbers[i] != "" {
			continue
		}
		name, t, err := q.column(x)
		if err != nil {
			return err
		}
		switch t.Kind {
		case pipeline.Integer, pipeline.BigInt:
			families[i] = pipeline.BigInt
		case pipeline.Real, pipeline.Double:
			families[i] = pipeline.Double
		default:
			return fault(c.Pos, "the judge does not know to compare %s %s as Flink does", name, t)
		}
	}
	switch {
	case families[0] == "" && families[1] == "":
		return fault(c.Pos, "a comparison of two literals")
	case families[0] == "":
		return checkLiteral(numbers[0], families[1], c.Pos)
	case families[1] == "":
		return checkLiteral(numbers[1], families[0], c.Pos)
	case families[0] != families[1]:
		return fault(c.Pos, "the judge does not know to compare an integer with a float as Flink does")
	}
	return nil
}

var plainNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// number is a literal with its sign, in the one form that the judge knows; empty for anything else.
func number(x dialect.Expr) string {
	sign := ""
	if u, ok := x.(*dialect.Unary); ok && u.Op == "-" {
		sign, x = "-", u.X
	}
	l, ok := x.(*dialect.Literal)
	if !ok || l.Kind != dialect.NumberLiteral || !plainNumber.MatchString(l.Text) {
		return ""
	}
	return sign + l.Text
}

// checkLiteral keeps literals to those that a 32-bit integer, or a double, holds exactly as written.
func checkLiteral(number string, against pipeline.Kind, at dialect.Position) error {
	const exactInFloat = 1 << 24 // integers that a REAL holds exactly
	if n, err := strconv.ParseInt(number, 10, 32); err == nil {
		if against == pipeline.Double && (n > exactInFloat || n < -exactInFloat) {
			return fault(at, "the judge does not know to compare a float with %s as Flink does", number)
		}
		return nil
	}
	if digits := strings.Trim(strings.ReplaceAll(number, ".", ""), "-0"); !strings.Contains(number, ".") || len(digits) > 15 {
		return fault(at, "the number %s is longer than the judge knows to compare as Flink does", number)
	}
	return nil
}

// column finds a column by its alias, in the alias's own case, as Flink does; SQLite would take any case, and an unknown name in quotes for text.
func (q *Query) column(x dialect.Expr) (string, pipeline.Type, error) {
	n, ok := x.(*dialect.Name)
	if !ok || len(n.Parts) > 1 || n.Parts[0].Quoted {
		return "", pipeline.Type{}, unknown(x)
	}
	name := n.Parts[0].Name
	for _, c := range q.Source.Columns {
		if c.Alias == name {
			return name, c.Type, nil
		}
	}
	return "", pipeline.Type{}, fault(n.Pos, "%s has no column %s", q.Source.Source, name)
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
