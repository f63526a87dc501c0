package engine

import (
	"fmt"
	"unicode/utf8"

	"streamproof/internal/query"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// Records are what a query reads, one by one.
type Records interface {
	// Next moves to the next record, initially to the first, and reports whether there is one.
	Next() bool
	// Rewind moves before the first record: each SELECT of a UNION ALL reads all of them.
	Rewind()
	// Field returns column i (from 0) of the record as SQL has it, or that it is NULL. The text is valid until the next
	// call. Only the columns that the query needs for the record are asked for.
	Field(i int) (text []byte, null bool)
}

// An Engine computes one query. It is not safe for concurrent use.
type Engine struct {
	source  schema.Schema
	output  row.Schema
	parts   []part
	records Records
	// fault is why the row cannot be computed as Flink does.
	fault error
}

// A part is one SELECT of the query.
type part struct {
	where   expression // nil without a condition
	columns []expression
}

// New returns an engine for a query.
func New(q *query.Query) (*Engine, error) {
	e := &Engine{source: q.Source, output: q.Output}
	for _, p := range q.Parts {
		var compiled part
		var err error
		if p.Where != nil {
			compiled.where, err = e.compile(p.Where, true)
		}
		for _, x := range p.Columns {
			if err != nil {
				break
			}
			var column expression
			column, err = e.compile(x, false)
			compiled.columns = append(compiled.columns, column)
		}
		if err != nil {
			return nil, fmt.Errorf("compile the query: %w", err)
		}
		e.parts = append(e.parts, compiled)
	}
	return e, nil
}

// Rows runs the query over the records and passes the key (see package row) of each resulting row to emit. The key is
// valid only during the call. If filtered is false, the query runs without its WHERE and skips rows that it cannot
// compute: Flink, which has the WHERE, may never have computed them.
//
// An error means that one of the rows is not certain: Flink's job would stop, or reject the row, or its result is
// unknown. The other SELECTs of a UNION ALL are still run, since Flink computes them independently.
func (e *Engine) Rows(records Records, filtered bool, emit func(key []byte)) error {
	e.records = records
	defer func() { e.records = nil }()
	var first error
	for _, p := range e.parts {
		if err := e.run(p, filtered, emit); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// run is Rows for one SELECT.
func (e *Engine) run(p part, filtered bool, emit func(key []byte)) error {
	var key []byte
	e.records.Rewind()
	for e.records.Next() {
		e.fault = nil
		passes := !filtered || p.where == nil || p.where().isTrue()
		var err error
		if passes && e.fault == nil {
			key, err = e.appendKey(key[:0], p.columns)
		}
		switch {
		case e.fault != nil && filtered:
			return fmt.Errorf("the verifier cannot reproduce Flink's result: %w", e.fault)
		case err != nil && filtered:
			return fmt.Errorf("result of the query: %w", err)
		case passes && e.fault == nil && err == nil:
			emit(key)
		}
	}
	return nil
}

// appendKey appends the row's key. The error is why no delivered line certainly equals the row.
func (e *Engine) appendKey(key []byte, columns []expression) ([]byte, error) {
	var first error
	for i, x := range columns {
		v, err, column := x(), error(nil), &e.output[i]
		switch kind := column.Type.Kind; {
		case v.kind == null && (kind == schema.Char || kind == schema.VarChar || len(columns) == 1):
			// The same query may write JSON, where it reads as NULL.
			err = fmt.Errorf("column %s: a NULL that reads as empty text in CSV", column.Name)
		case v.kind == null:
			key = column.AppendNull(key)
		case v.kind == integer:
			key, err = column.AppendInteger(key, v.n)
		case v.kind == float:
			key, err = column.AppendFloat(key, v.f)
		case kind == schema.Char && utf8.RuneCountInString(v.text) != column.Type.Length:
			err = fmt.Errorf("column %s: the job rejects %q, which is not of %s", column.Name, v.text, column.Type)
		default:
			key, err = column.AppendText(key, v.text)
		}
		if first == nil {
			first = err
		}
	}
	return key, first
}
