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
	"unicode/utf8"

	"modernc.org/sqlite"
	"modernc.org/sqlite/vtab"

	"streamproof/internal/query"
	"streamproof/internal/schema"
)

// Records are what a query reads, one by one.
type Records interface {
	// Next moves to the next record, initially to the first, and reports whether there is one.
	Next() bool
	// Rewind moves before the first record: each SELECT of a UNION ALL reads all of them.
	Rewind()
	// Field returns column i (from 0) of the record as SQL has it, or that it is NULL. The text is valid until the next
	// call.
	Field(i int) (text []byte, null bool)
}

// An Engine runs one query. It is not safe for concurrent use.
type Engine struct {
	query *query.Query
	conn  driver.Conn
	table *table
	parts []part
	// fault is why the row cannot be computed as Flink does.
	fault error
}

// part is one SELECT of the query, prepared once.
type part struct{ unfiltered, filtered driver.Stmt }

// Open returns an engine for the query. The caller has to Close it.
func Open(q *query.Query) (*Engine, error) {
	e := &Engine{query: q, table: &table{schema: q.Source}}
	// A separate driver, so that nothing is registered for the whole process.
	d := &sqlite.Driver{}
	if err := errors.Join(d.RegisterModule("records", module{e.table}), e.register(d)); err != nil {
		return nil, fmt.Errorf("register the records and the functions in SQLite: %w", err)
	}
	conn, err := d.Open(":memory:")
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	e.conn = conn
	create, err := conn.Prepare(fmt.Sprintf("CREATE VIRTUAL TABLE %s USING records", query.Quote(q.Source.Source)))
	if err == nil {
		_, err = create.(driver.StmtExecContext).ExecContext(context.Background(), nil)
		err = errors.Join(err, create.Close())
	}
	for _, p := range q.Parts {
		var prepared part
		if err == nil {
			prepared.unfiltered, err = conn.Prepare(p.Unfiltered)
		}
		if err == nil {
			prepared.filtered, err = conn.Prepare(p.Filtered)
		}
		e.parts = append(e.parts, prepared)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the query in SQLite: %w", err), e.Close())
	}
	return e, nil
}

// Close frees the engine.
func (e *Engine) Close() error {
	var errs []error
	for _, p := range e.parts {
		for _, s := range []driver.Stmt{p.unfiltered, p.filtered} {
			if s != nil {
				errs = append(errs, s.Close())
			}
		}
	}
	return errors.Join(append(errs, e.conn.Close())...)
}

// Rows runs the query over the records and passes the key (see package row) of each resulting row to emit. The key is
// valid only during the call. If filtered is false, the query runs without its WHERE and skips rows that it cannot
// compute: Flink, which has the WHERE, may never have computed them.
//
// An error means that one of the rows is not certain: Flink's job would stop, or reject the row, or its result is
// unknown. The other SELECTs of a UNION ALL are still run, since Flink computes them independently.
func (e *Engine) Rows(records Records, filtered bool, emit func(key []byte)) error {
	e.table.records = records
	defer func() { e.table.records = nil }()
	var first error
	for _, p := range e.parts {
		statement := p.unfiltered
		if filtered {
			statement = p.filtered
		}
		if err := e.run(statement, filtered, emit); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// run is Rows for one SELECT.
func (e *Engine) run(statement driver.Stmt, filtered bool, emit func(key []byte)) (err error) {
	e.fault = nil
	rows, err := statement.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
	if err != nil {
		return fmt.Errorf("run the query: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]driver.Value, len(e.query.Output))
	anys := make([]any, len(values))
	var key []byte
	for {
		err := rows.Next(values)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("run the query: %w", err)
		}
		fault := e.fault
		e.fault = nil
		if fault != nil && filtered {
			return fmt.Errorf("the verifier cannot reproduce Flink's result: %w", fault)
		}
		if err != nil {
			return nil
		}
		if fault == nil {
			key, fault = e.appendKey(key[:0], values, anys)
		}
		switch {
		case fault == nil:
			emit(key)
		case filtered:
			return fmt.Errorf("result of the query: %w", fault)
		}
	}
}

// appendKey appends the row's key. The error is why no delivered line certainly equals the row.
func (e *Engine) appendKey(key []byte, values []driver.Value, anys []any) ([]byte, error) {
	for i, v := range values {
		anys[i] = v
		switch kind := e.query.Output[i].Type.Kind; {
		case v == nil && (kind == schema.Char || kind == schema.VarChar || len(values) == 1):
			// The same query may write JSON, where it reads as NULL.
			return key, fmt.Errorf("column %s: a NULL that reads as empty text in CSV", e.query.Output[i].Name)
		case v == nil:
		case kind == schema.Boolean:
			anys[i] = strconv.FormatBool(v == int64(1))
		case kind == schema.Char:
			if text, ok := v.(string); ok && utf8.RuneCountInString(text) != e.query.Output[i].Type.Length {
				return key, fmt.Errorf("column %s: the job rejects %q, which is not of %s", e.query.Output[i].Name, text, e.query.Output[i].Type)
			}
		}
	}
	return e.query.Output.AppendValues(key, anys)
}

// module, table and cursor present the records to SQLite as a virtual table. One statement at a time reads it.
type module struct{ table *table }

func (m module) Create(ctx vtab.Context, args []string) (vtab.Table, error) {
	return m.Connect(ctx, args)
}

func (m module) Connect(ctx vtab.Context, _ []string) (vtab.Table, error) {
	var columns []string
	for _, c := range m.table.schema.Columns {
		columns = append(columns, query.Quote(c.Alias)+" "+affinity(c.Type.Kind))
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

type table struct {
	schema  schema.Schema
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

func (c *cursor) Filter(int, string, []vtab.Value) error {
	if c.table.records != nil {
		c.table.records.Rewind()
	}
	return c.Next()
}
func (c *cursor) Eof() bool             { return c.eof }
func (c *cursor) Rowid() (int64, error) { return c.row, nil }
func (c *cursor) Close() error          { return nil }

func (c *cursor) Next() error {
	c.row++
	c.eof = c.table.records == nil || !c.table.records.Next()
	return nil
}

// Column returns a value for SQLite. A REAL is the double of its 32-bit float, as Flink compares it with a literal.
func (c *cursor) Column(i int) (vtab.Value, error) {
	text, null := c.table.records.Field(i)
	if null {
		return nil, nil
	}
	switch kind := c.table.schema.Columns[i].Type.Kind; kind {
	case schema.Integer:
		return strconv.ParseInt(string(text), 10, 32)
	case schema.BigInt:
		return strconv.ParseInt(string(text), 10, 64)
	case schema.Real:
		return strconv.ParseFloat(string(text), 32)
	case schema.Double:
		return strconv.ParseFloat(string(text), 64)
	case schema.Boolean:
		return truth(bytes.EqualFold(text, []byte("true"))), nil
	default:
		return string(text), nil
	}
}
