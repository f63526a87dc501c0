package replay

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/proof"
	"streamproof/internal/query/engine"
	"streamproof/internal/record"
	"streamproof/internal/row"
)

// A Claim is one tick of the ledger, with the records and rows behind it.
type Claim struct {
	*ledger.Tick
	Entry bucket.Object // the tick's object
	// Claimed is when the tick was claimed, by the bucket's clock: no copy written before can pay for its rows.
	Claimed time.Time
	// JudgedBy is the hash of the pipeline that has read the records: the tick's own, unless that was rolled back.
	JudgedBy string

	pipeline  *compiled
	failed    *compiled // the pipeline that was rolled back, which may have delivered rows, too; else nil
	generator *generator.Generator
	records   generator.Tick
}

// Settled is when the delivery deadline of the claim's rows is over.
func (c *Claim) Settled(deadline time.Duration) time.Time {
	// The lease is by the producer's clock, which may be wrong: what the tick owes was acknowledged by its last write.
	closed := c.Entry.LastModified
	if c.State != ledger.Complete && c.LeaseEnd.After(closed) {
		closed = c.LeaseEnd
	}
	return closed.Add(deadline)
}

// Output is the schema of the claim's rows, nil if it cannot be told.
func (c *Claim) Output() row.Schema { return c.pipeline.output }

// Refused is why the verifier does not compute the claim's rows, nil if it does.
func (c *Claim) Refused() error { return c.pipeline.refused }

// Owe passes what the claim owes to row and reject: the key of each row, and each line that was malformed on purpose,
// with the bounds of its copies (see proof.Judge.Owe). The error says that a row cannot be determined, or that ctx has
// ended.
func (c *Claim) Owe(ctx context.Context, row, reject func(data []byte, lo, hi int64)) error {
	return c.OweBetween(ctx, 0, c.Records-1, row, reject)
}

// OweBetween is Owe for the records first to last, both included.
func (c *Claim) OweBetween(ctx context.Context, first, last int, row, reject func(data []byte, lo, hi int64)) error {
	for s := range c.spans {
		if s.first, s.last = max(s.first, first), min(s.last, last); s.first > s.last {
			continue
		}
		err := c.pipeline.run(ctx, c.between(s.first, s.last), true, func(key []byte) { row(key, s.lo, s.hi) })
		if err != nil {
			return err
		}
		hi := s.hi
		if c.JudgedBy != c.Pipeline {
			hi = proof.Infinite // the failed job may have rejected the line each time that it was started
		}
		for _, line := range c.Rejects(s.first, s.last) {
			reject(line, s.lo, hi)
		}
		if c.failed != nil && c.failed.refused == nil && slices.Equal(c.failed.output, c.pipeline.output) {
			c.rowsBy(ctx, c.failed, s, func(key []byte) { row(key, 0, proof.Infinite) })
		}
	}
	return ctx.Err()
}

// failedChunk is how many records are given at once to a query that fails at some of them.
const failedChunk = 1000

// ReadBy emits the rows that the records give if another pipeline of the ledger has read them: none if it is refused,
// reads records of another schema, or fails at them.
func (c *Claim) ReadBy(ctx context.Context, l *Ledger, hash string, emit func(key []byte)) error {
	other, err := l.pipeline(ctx, hash)
	if err != nil || other.err != nil || other.refused != nil || other.schema != c.pipeline.schema {
		return err
	}
	for s := range c.spans {
		c.rowsBy(ctx, other, s, emit)
	}
	return ctx.Err()
}

// rowsBy emits the rows of another query. One that was rolled back ran until it failed, and was restarted again and
// again, so any row may have been delivered any number of times, or never. A record that it fails at gives nothing.
func (c *Claim) rowsBy(ctx context.Context, query *compiled, s span, emit func(key []byte)) {
	for first := s.first; first <= s.last; first += failedChunk {
		last := min(first+failedChunk-1, s.last)
		var rows [][]byte
		keep := func(key []byte) { rows = append(rows, bytes.Clone(key)) }
		if query.run(ctx, c.between(first, last), true, keep) != nil {
			rows = nil
			for i := first; i <= last; i++ {
				_ = query.run(ctx, c.between(i, i), true, keep)
			}
		}
		for _, key := range rows {
			emit(key)
		}
	}
}

// Rows emits the keys of the rows of all records that the stream may hold; unless filtered, of those that the query
// gives without its WHERE.
func (c *Claim) Rows(ctx context.Context, filtered bool, emit func(key []byte)) error {
	for s := range c.spans {
		if err := c.pipeline.run(ctx, c.between(s.first, s.last), filtered, emit); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// RowsBetween emits the keys of the rows of the records first to last, both included.
func (c *Claim) RowsBetween(ctx context.Context, first, last int, emit func(key []byte)) error {
	return c.pipeline.run(ctx, c.between(first, last), true, emit)
}

// Rejects yields the malformed lines of the records first to last, each with its record's index.
func (c *Claim) Rejects(first, last int) iter.Seq2[int, []byte] {
	return c.generator.Rejects(c.records, first, last)
}

// Lines yields the well-formed lines of all records that the stream may hold. A line is valid until the next one.
func (c *Claim) Lines(yield func(record.Row) bool) {
	var data []byte
	for s := range c.spans {
		for i := s.first; i <= s.last; i++ {
			data = c.generator.Append(data[:0], c.records, i)
			for line := range c.LinesOf(data) {
				if !yield(line) {
					return
				}
			}
		}
	}
}

// LinesOf yields the well-formed lines of a record's bytes.
func (c *Claim) LinesOf(data []byte) iter.Seq[record.Row] {
	return func(yield func(record.Row) bool) {
		for line := range c.pipeline.records.Rows(data) {
			if line.Err == nil && !yield(line) {
				return
			}
		}
	}
}

// RowsOf emits the keys of the rows of one well-formed line.
func (c *Claim) RowsOf(line record.Row, emit func(key []byte)) error {
	e := c.pipeline.engines.Get().(*engine.Engine)
	defer c.pipeline.engines.Put(e)
	return e.Rows(&oneRow{fields: line.Fields}, true, emit)
}

// Record returns the bytes of a record.
func (c *Claim) Record(index int) []byte { return c.generator.Append([]byte{}, c.records, index) }

// Keys returns a function for the partition key that a record was sent with, by the record's index.
func (c *Claim) Keys() (func(index int) string, error) {
	key, err := c.generator.KeyOf(c.PartitionKey)
	if err != nil {
		return nil, fmt.Errorf("partition key of tick %s: %w", c.Time.Format(time.RFC3339), err)
	}
	return func(index int) string { return string(c.generator.AppendKey(nil, c.records, index, key)) }, nil
}

// A span is the records first to last (both included), which share their bounds.
type span struct {
	first, last int
	lo, hi      int64 // how many copies of each the stream may hold
}

// spans yields the claim's records in order, without those that the stream cannot hold. A record without an outcome may
// have been sent any number of times.
func (c *Claim) spans(yield func(span) bool) {
	next := 0
	for _, r := range c.Outcomes {
		if r.First > next && !yield(span{next, r.First - 1, 0, proof.Infinite}) {
			return
		}
		if r.Hi > 0 && !yield(span{r.First, r.Last, int64(r.Lo), int64(r.Hi)}) {
			return
		}
		next = r.Last + 1
	}
	if next < c.Records {
		yield(span{next, c.Records - 1, 0, proof.Infinite})
	}
}

func (c *Claim) between(first, last int) *generator.Records {
	return c.generator.Records(c.records, first, last)
}

// run runs the query until the records or ctx end.
func (p *compiled) run(ctx context.Context, records *generator.Records, filtered bool, emit func(key []byte)) error {
	e := p.engines.Get().(*engine.Engine)
	defer p.engines.Put(e)
	return e.Rows(&interruptible{Records: records, ctx: ctx}, filtered, emit)
}

// interruptible ends records early once ctx has ended: a single tick may have millions of them.
type interruptible struct {
	*generator.Records
	ctx context.Context
	n   int
}

func (r *interruptible) Next() bool {
	if r.n++; r.n%1024 == 0 && r.ctx.Err() != nil {
		return false
	}
	return r.Records.Next()
}

// oneRow is one line of a record as the engine reads it.
type oneRow struct {
	fields []row.Field
	read   bool
}

func (l *oneRow) Next() bool {
	first := !l.read
	l.read = true
	return first
}

func (l *oneRow) Rewind() { l.read = false }

func (l *oneRow) Field(i int) (text []byte, null bool) { return l.fields[i].Text, l.fields[i].Null }
