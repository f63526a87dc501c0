package engine

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	"modernc.org/sqlite/vtab"

	"streamproof/internal/query"
	"streamproof/internal/schema"
)

// SQLite computes a query as an Engine does, but by SQLite's own operators, three-valued logic, CASE and comparisons.
// Only the functions are shared. It reads the records through a virtual table.
type SQLite struct {
	engine *Engine // for its faults, and for making keys
	conn   driver.Conn
	table  *sqliteTable
	parts  []sqlitePart
}

type sqlitePart struct{ unfiltered, filtered driver.Stmt }

// OpenSQLite prepares a query in SQLite. The caller has to Close it.
func OpenSQLite(q *query.Query) (*SQLite, error) {
	e := &Engine{source: q.Source, output: q.Output}
	s := &SQLite{engine: e, table: &sqliteTable{schema: q.Source}}
	d := &sqlite.Driver{} // a separate one, so that nothing is registered for the whole process
	if err := errors.Join(d.RegisterModule("records", sqliteModule{s.table}), s.register(d)); err != nil {
		return nil, err
	}
	conn, err := d.Open(":memory:")
	if err != nil {
		return nil, err
	}
	s.conn = conn
	create, err := conn.Prepare("CREATE VIRTUAL TABLE records_ USING records")
	if err == nil {
		_, err = create.(driver.StmtExecContext).ExecContext(context.Background(), nil)
		err = errors.Join(err, create.Close())
	}
	for _, p := range q.Parts {
		var columns []string
		for _, x := range p.Columns {
			columns = append(columns, sqliteSQL(x))
		}
		text := "SELECT " + strings.Join(columns, ", ") + " FROM records_"
		var prepared sqlitePart
		if err == nil {
			prepared.unfiltered, err = conn.Prepare(text)
		}
		if p.Where != nil {
			text += " WHERE " + sqliteSQL(p.Where)
		}
		if err == nil {
			prepared.filtered, err = conn.Prepare(text)
		}
		s.parts = append(s.parts, prepared)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close frees what SQLite holds.
func (s *SQLite) Close() error {
	var errs []error
	for _, p := range s.parts {
		for _, stmt := range []driver.Stmt{p.unfiltered, p.filtered} {
			if stmt != nil {
				errs = append(errs, stmt.Close())
			}
		}
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// sqliteTemplates are operators of which %s stands for the arguments, one after the other.
var sqliteTemplates = map[string]string{
	"BETWEEN": "(%s BETWEEN %s AND %s)", "BETWEEN SYMMETRIC": "(%[1]s BETWEEN %[2]s AND %[3]s OR %[1]s BETWEEN %[3]s AND %[2]s)",
	"NOT": "(NOT %s)", "IS NULL": "(%s IS NULL)", "IS TRUE": "(%s IS TRUE)", "IS FALSE": "(%s IS FALSE)",
	"NULLIF": "CASE WHEN %s THEN NULL ELSE %s END", "text": "CAST(%s AS TEXT)", "double": "CAST(%s AS REAL)",
	"concat": "(%s || %s)", "truth_text": "CASE %s WHEN 1 THEN 'TRUE' WHEN 0 THEN 'FALSE' END",
}

// sqliteSQL writes an expression.
func sqliteSQL(x *query.Expr) string {
	switch v := x.Value.(type) {
	case int64:
		return fmt.Sprintf("(%d)", v)
	case float64:
		text := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return "(" + text + ")"
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	}
	var args []string
	for _, a := range x.Args {
		args = append(args, sqliteSQL(a))
	}
	list := strings.Join(args, ", ")
	switch template := sqliteTemplates[x.Op]; {
	case x.Op == query.Literal:
		return "NULL"
	case x.Op == query.Column:
		return fmt.Sprintf("c%d", x.Column)
	case template != "":
		anys := make([]any, len(args))
		for i, a := range args {
			anys[i] = a
		}
		return fmt.Sprintf(template, anys...)
	case x.Op == "IN":
		return fmt.Sprintf("(%s IN (%s))", args[0], strings.Join(args[1:], ", "))
	case x.Op == "COALESCE":
		return "coalesce(" + list + ")"
	case x.Op == "CASE":
		text := "CASE"
		for ; len(args) > 1; args = args[2:] {
			text += " WHEN " + args[0] + " THEN " + args[1]
		}
		if len(args) == 1 {
			text += " ELSE " + args[0]
		}
		return text + " END"
	case functions[x.Op].of != nil:
		return "f_" + x.Op + "(" + list + ")"
	}
	return fmt.Sprintf("(%s %s %s)", args[0], x.Op, args[1])
}

// register adds the functions to a driver, as not deterministic: SQLite must not compute them before there is a row, to
// which an error belongs.
func (s *SQLite) register(d *sqlite.Driver) error {
	for name, f := range functions {
		err := d.RegisterScalarFunction("f_"+name, int32(len(f.args)), func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			given := make([]expression, len(args))
			for i, a := range args {
				v := fromSQLite(a)
				given[i] = func() value { return v }
			}
			return toSQLite(s.engine.call(name, f, given)()), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func fromSQLite(v driver.Value) value {
	switch v := v.(type) {
	case int64:
		return integerOf(v)
	case float64:
		return floatOf(v)
	case string:
		return textOf(v)
	}
	return value{}
}

func toSQLite(v value) driver.Value {
	switch v.kind {
	case integer:
		return v.n
	case float:
		return v.f
	case text:
		return v.text
	}
	return nil
}

// Rows is that of an Engine.
func (s *SQLite) Rows(records Records, filtered bool, emit func(key []byte)) error {
	s.table.records = records
	var first error
	for _, p := range s.parts {
		statement := p.unfiltered
		if filtered {
			statement = p.filtered
		}
		if err := s.run(statement, filtered, emit); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (s *SQLite) run(statement driver.Stmt, filtered bool, emit func(key []byte)) (err error) {
	s.engine.fault = nil
	rows, err := statement.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("run the query: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(s.engine.output))
	columns := make([]expression, len(values))
	for i := range columns {
		columns[i] = func() value { return fromSQLite(values[i]) }
	}
	var key []byte
	for {
		err := rows.Next(values)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("run the query: %w", err)
		}
		fault := s.engine.fault
		s.engine.fault = nil
		if fault == nil && err == nil {
			key, fault = s.engine.appendKey(key[:0], columns)
		}
		switch {
		case fault != nil && filtered:
			return fmt.Errorf("SQLite: %w", fault)
		case err != nil:
			return nil
		case fault == nil:
			emit(key)
		}
	}
}

// sqliteModule, sqliteTable and sqliteCursor present the records as a virtual table. One statement at a time reads it.
type sqliteModule struct{ table *sqliteTable }

func (m sqliteModule) Create(ctx vtab.Context, args []string) (vtab.Table, error) {
	return m.Connect(ctx, args)
}

func (m sqliteModule) Connect(ctx vtab.Context, _ []string) (vtab.Table, error) {
	var columns []string
	for i, c := range m.table.schema.Columns {
		columns = append(columns, fmt.Sprintf("c%d %s", i, affinity(c.Type.Kind)))
	}
	return m.table, ctx.Declare("CREATE TABLE t (" + strings.Join(columns, ", ") + ")")
}

func affinity(kind schema.Kind) string {
	switch kind {
	case schema.Integer, schema.BigInt, schema.Boolean:
		return "INTEGER"
	case schema.Real, schema.Double:
		return "REAL"
	default:
		return "TEXT"
	}
}

type sqliteTable struct {
	schema  schema.Schema
	records Records
}

func (t *sqliteTable) BestIndex(*vtab.IndexInfo) error { return nil }
func (t *sqliteTable) Open() (vtab.Cursor, error)      { return &sqliteCursor{table: t}, nil }
func (t *sqliteTable) Disconnect() error               { return nil }
func (t *sqliteTable) Destroy() error                  { return nil }

type sqliteCursor struct {
	table *sqliteTable
	row   int64
	eof   bool
}

func (c *sqliteCursor) Filter(int, string, []vtab.Value) error {
	c.table.records.Rewind()
	return c.Next()
}
func (c *sqliteCursor) Eof() bool             { return c.eof }
func (c *sqliteCursor) Rowid() (int64, error) { return c.row, nil }
func (c *sqliteCursor) Close() error          { return nil }

func (c *sqliteCursor) Next() error {
	c.row++
	c.eof = !c.table.records.Next()
	return nil
}

// Column reads a column by strconv, and not as the engine does.
func (c *sqliteCursor) Column(i int) (vtab.Value, error) {
	text, null := c.table.records.Field(i)
	if null {
		return nil, nil
	}
	switch c.table.schema.Columns[i].Type.Kind {
	case schema.Integer:
		return strconv.ParseInt(string(text), 10, 32)
	case schema.BigInt:
		return strconv.ParseInt(string(text), 10, 64)
	case schema.Real:
		return strconv.ParseFloat(string(text), 32)
	case schema.Double:
		return strconv.ParseFloat(string(text), 64)
	case schema.Boolean:
		return toSQLite(truth(bytes.EqualFold(text, []byte("true")))), nil
	default:
		return string(text), nil
	}
}
