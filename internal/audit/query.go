package audit

import (
	"fmt"
	"iter"
	"slices"
	"strconv"

	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/record"
	"streamproof/internal/reject"
	"streamproof/internal/row"
	"streamproof/internal/stream/kpl"
)

// Queried is the Form of a pipeline that runs a query: a record owes the rows that the query gives, compared by value.
// It is not safe for concurrent use.
type Queried struct {
	query   *query.Query
	records *record.Reader
	engine  *engine.Engine
	batch   batch // what Owed reads, kept for its memory
	// Rejects is whether a line that the schema refuses is owed as a reject, with its bytes. If not, it owes nothing.
	Rejects bool
	// Refused counts the lines that the schema refuses, each time that they are read.
	Refused int64
	// Why is the first line's reason.
	Why string
}

// NewQueried makes the Form of a compiled query.
func NewQueried(q *query.Query) (*Queried, error) {
	e, err := engine.New(q)
	if err != nil {
		return nil, fmt.Errorf("make the query's engine: %w", err)
	}
	return &Queried{query: q, records: record.NewReader(q.Source), engine: e}, nil
}

// Output describes the query's rows.
func (q *Queried) Output() row.Schema { return q.query.Output }

// Owed runs the query over the rows of the records.
func (q *Queried) Owed(records [][]byte, filtered bool, emit func(key []byte)) error {
	q.batch.reset()
	var key []byte
	refuse := func(line []byte, why string) {
		if q.Why == "" {
			q.Why = why
		}
		if !filtered {
			return
		}
		q.Refused++
		for part := range slices.Chunk(line, rejectPart) {
			if key = appendReject(key[:0], part); q.Rejects {
				emit(key)
			}
		}
		if len(line) == 0 && q.Rejects {
			emit(appendReject(key[:0], nil))
		}
	}
	for _, data := range records {
		if _, packed, err := kpl.Deaggregate(data); packed && err != nil {
			refuse(data, err.Error()) // a malformed aggregate is one reject
			continue
		}
		for r := range q.records.Rows(data) {
			if r.Err == nil {
				q.batch.add(r.Fields)
			} else {
				refuse(r.Raw, r.Err.Error())
			}
		}
	}
	return q.engine.Rows(&q.batch, filtered, emit)
}

// rejectPart is how many bytes of a refused line one reject has at most. A longer line is owed as several rejects:
// RejectLines of the application.
const rejectPart = 700_000

// parts yields everything of a record that may be owed as a reject, if the schema refuses it.
func (q *Queried) parts(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for part := range slices.Chunk(data, rejectPart) { // of a malformed aggregate
			if !yield(part) {
				return
			}
		}
		for r := range q.records.Rows(data) {
			for part := range slices.Chunk(r.Raw, rejectPart) {
				if !yield(part) {
					return
				}
			}
		}
	}
}

// Rejected emits the key of a reject; if it is a row of the output, or a line that the schema does not refuse, the keys
// of the rows that are owed.
func (q *Queried) Rejected(r *reject.Reject, emit func(key []byte)) error {
	if r.Shard == "" {
		if key, err := q.Append(nil, r.Data); err == nil {
			emit(key)
			return nil
		}
	}
	if r.Parts == 0 && q.records.IsRow(r.Data) {
		return q.Owed([][]byte{r.Data}, true, emit)
	}
	emit(appendReject(nil, r.Data))
	return nil
}

// Append appends the key of a line that is a row of the query's output.
func (q *Queried) Append(dst, line []byte) ([]byte, error) { return q.query.Output.Append(dst, line) }

// Format writes a row as CSV, and a line that is refused quoted.
func (q *Queried) Format(key []byte) string {
	if isReject(key) {
		return formatReject(key)
	}
	return q.query.Output.Format(key)
}

// refusedMark precedes a line that is owed as a reject, so that its key is not that of any row (see package row).
const refusedMark = 2

// appendReject appends the key of a reject with these bytes.
func appendReject(dst, data []byte) []byte { return appendKey(append(dst, refusedMark), data) }

// formatReject quotes a short line, which may be anything.
func formatReject(key []byte) string {
	if key[1] == shortMark {
		return strconv.Quote(string(key[2:]))
	}
	return formatKey(key[1:])
}

// isReject reports whether a key is that of a line that is owed as a reject.
func isReject(key []byte) bool { return len(key) > 0 && key[0] == refusedMark }

// A batch is rows that the engine reads. It holds copies of their fields.
type batch struct {
	width  int // columns
	rows   int
	fields []batchField // of all rows, one after the other
	text   []byte
	at     int
}

type batchField struct {
	start, end int // in text
	null       bool
}

// reset empties the batch, and keeps its memory.
func (b *batch) reset() { b.rows, b.fields, b.text, b.at = 0, b.fields[:0], b.text[:0], -1 }

func (b *batch) add(fields []row.Field) {
	b.rows, b.width = b.rows+1, len(fields)
	for _, f := range fields {
		start := len(b.text)
		b.text = append(b.text, f.Text...)
		b.fields = append(b.fields, batchField{start, len(b.text), f.Null})
	}
}

func (b *batch) Next() bool {
	b.at++
	return b.at < b.rows
}

func (b *batch) Rewind() { b.at = -1 }

func (b *batch) Field(i int) (text []byte, null bool) {
	f := b.fields[b.at*b.width+i]
	return b.text[f.start:f.end], f.null
}
