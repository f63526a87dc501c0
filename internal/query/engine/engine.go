package engine

import (
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
	"streamproof/pipeline"
)

// Records are what a query reads, one after the other.
type Records interface {
	// Next moves to the next record, at first to the first one, and says whether there is one.
	Next() bool
	// Field gives column i (from 0) of the record as it stands in it; valid until the next call.
	Field(i int) []byte
}

// An Engine runs one query. It is not safe for concurrent use.
type Engine struct {
	query *query.Query
	conn  driver.Conn
	table *table
	// The statements, prepared once: [0] unfiltered, [1] filtered.
	statements [2]driver.Stmt
}

// Open makes an engine for the query. Close frees it.
func Open(q *query.Query) (*Engine, error) {
	e := &Engine{query: q, table: &table{schema: q.Source}}
	// A driver of its own, so that no module is registered for the whole process.
	d := &sqlite.Driver{}
	if err := d.RegisterModule("records", module{e.table}); err != nil {
		return nil, fmt.Errorf("register the records in SQLite: %w", err)
	}
	conn, err := d.Open(":memory:")
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	e.conn = conn
	create, err := conn.Prepare(fmt.Sprintf("CREATE VIRTUAL TABLE %s USING records", q.Source.Source))
	if err == nil {
		_, err = create.(driver.StmtExecContext).ExecContext(context.Background(), nil)
		err = errors.Join(err, create.Close())
	}
	for i, text := range []string{q.Unfiltered, q.Filtered} {
		if err == nil {
			e.statements[i], err = conn.Prepare(text)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the query in SQLite: %w", err), e.Close())
	}
	return e, nil
}

// Close frees the engine.
func (e *Engine) Close() error {
	var errs []error
	for _, s := range e.statements {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(append(errs, e.conn.Close())...)
}

// Rows runs the query over the records and hands the key (see package row) of every resulting row to emit; the key is
// valid only during the call. Where filtered is false, the query runs without its WHERE.
func (e *Engine) Rows(records Records, filtered bool, emit func(key []byte)) (err error) {
	statement := e.statements[0]
	if filtered {
		statement = e.statements[1]
	}
	e.table.records = records
	defer func() { e.table.records = nil }()
	rows, err := statement.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("run the query: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(e.query.Output))
	anys := make([]any, len(values))
	var key []byte
	for {
		if err := rows.Next(values); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("run the query: %w", err)
		}
		for i, v := range values {
			anys[i] = v
		}
		if key, err = e.query.Output.AppendValues(key[:0], anys); err != nil {
			return fmt.Errorf("result of the query: %w", err)
		}
		emit(key)
	}
}

// module, table and cursor show the records to SQLite as a virtual table. A table is read by one statement at a time.
type module struct{ table *table }

func (m module) Create(ctx vtab.Context, args []string) (vtab.Table, error) {
	return m.Connect(ctx, args)
}

func (m module) Connect(ctx vtab.Context, _ []string) (vtab.Table, error) {
	var columns []string
	for _, c := range m.table.schema.Columns {
		columns = append(columns, c.Alias+" "+affinity(c.Type.Kind))
	}
	return m.table, ctx.Declare("CREATE TABLE t (" + strings.Join(columns, ", ") + ")")
}

func affinity(kind pipeline.Kind) string {
	switch kind {
	case pipeline.Integer, pipeline.BigInt:
		return "INTEGER"
	case pipeline.Real, pipeline.Double:
		return "REAL"
	default:
		return "TEXT"
	}
}

type table struct {
	schema  pipeline.Schema
	records Records
}

func (t *table) BestIndex(*vtab.IndexInfo) error { return nil }
func (t *table) Open() (vtab.Cursor, error)      { return &cursor{table: t}, nil }
func (t *table) Disconnect() error               { return nil }
func (t *table) Destroy() error                  { return nil }

type cursor struct {
	table *table
	row   int64
	eof   bool
}

func (c *cursor) Filter(int, string, []vtab.Value) error { return c.Next() }
func (c *cursor) Eof() bool                              { return c.eof }
func (c *cursor) Rowid() (int64, error)                  { return c.row, nil }
func (c *cursor) Close() error                           { return nil }

func (c *cursor) Next() error {
	c.row++
	c.eof = c.table.records == nil || !c.table.records.Next()
	return nil
}

// Column gives a value as SQLite sees it: a REAL is the double of its 32-bit float, as it is in Flink when it meets a literal.
func (c *cursor) Column(i int) (vtab.Value, error) {
	text := c.table.records.Field(i)
	switch kind := c.table.schema.Columns[i].Type.Kind; kind {
	case pipeline.Integer:
		return strconv.ParseInt(string(text), 10, 32)
	case pipeline.BigInt:
		return strconv.ParseInt(string(text), 10, 64)
	case pipeline.Real:
		return strconv.ParseFloat(string(text), 32)
	case pipeline.Double:
		return strconv.ParseFloat(string(text), 64)
	default:
		return string(text), nil
	}
}
