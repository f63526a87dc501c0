package audit

import (
	"bytes"
	"fmt"

	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/record"
	"streamproof/internal/row"
)

// Queried is the Form of a pipeline that runs a query: a record owes the rows that the query gives, compared by value.
// It is not safe for concurrent use.
type Queried struct {
	query   *query.Query
	records *record.Reader
	engine  *engine.Engine
	// Refused counts the lines that the schema refuses. They owe nothing.
	Refused int64
	// Why is the first line's reason.
	Why string
}

// NewQueried makes the Form of a compiled query. Close frees it.
func NewQueried(q *query.Query) (*Queried, error) {
	e, err := engine.Open(q)
	if err != nil {
		return nil, fmt.Errorf("open the query engine: %w", err)
	}
	return &Queried{query: q, records: record.NewReader(q.Source), engine: e}, nil
}

// Close frees the engine.
func (q *Queried) Close() error { return q.engine.Close() }

// Owed runs the query over the rows of the records.
func (q *Queried) Owed(records [][]byte, filtered bool, emit func(key []byte)) error {
	batch := batch{at: -1}
	for _, data := range records {
		for r := range q.records.Rows(data) {
			if r.Err == nil {
				batch.add(r.Fields)
				continue
			}
			if filtered {
				q.Refused++
			}
			if q.Why == "" {
				q.Why = r.Err.Error()
			}
		}
	}
	return q.engine.Rows(&batch, filtered, emit)
}

// Append appends the key of a line that is a row of the query's output.
func (q *Queried) Append(dst, line []byte) ([]byte, error) { return q.query.Output.Append(dst, line) }

// Format writes a row as CSV.
func (q *Queried) Format(key []byte) string { return q.query.Output.Format(key) }

// A batch is rows that the engine reads. It holds copies of their fields.
type batch struct {
	rows [][]row.Field
	at   int
}

func (b *batch) add(fields []row.Field) {
	copies := make([]row.Field, len(fields))
	for i, f := range fields {
		copies[i] = row.Field{Text: bytes.Clone(f.Text), Null: f.Null}
	}
	b.rows = append(b.rows, copies)
}

func (b *batch) Next() bool {
	b.at++
	return b.at < len(b.rows)
}

func (b *batch) Rewind() { b.at = -1 }

func (b *batch) Field(i int) (text []byte, null bool) {
	f := b.rows[b.at][i]
	return f.Text, f.Null
}
