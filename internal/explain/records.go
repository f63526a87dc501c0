package explain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/record"
	"streamproof/internal/report"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kpl"
)

// A tick is one of the ledger, with all that it takes to make its records again.
type tick struct {
	*ledger.Tick
	problem  string // why they cannot be made
	claimed  time.Time
	judgedBy string // the pipeline that has read its records
	compiled *compiled
	make     *generator.Generator
	key      generator.Key
	of       generator.Tick
	losses   []*loss
	records  map[int]*suspect // those that give a lost row, by index
	expired  bool             // the stream's retention is over for it
}

// compiled is a pipeline of the ledger.
type compiled struct {
	pipeline *pipeline.Pipeline
	query    *query.Query
	records  *record.Reader
	engine   *engine.Engine
	err      error
}

func (e *explanation) close() {
	for _, c := range e.pipelines {
		if c.engine != nil {
			_ = c.engine.Close() // nothing is written with it
		}
	}
}

// readCurrent reads which queries were rolled back.
func (e *explanation) readCurrent(ctx context.Context) error {
	object, data, err := e.readOne(ctx, ledger.CurrentKey)
	if err != nil || object == nil {
		return err
	}
	if e.current, err = ledger.DecodeCurrent(data); err != nil {
		return fmt.Errorf("read %s: %w", ledger.CurrentKey, err)
	}
	return nil
}

// readTick reads a tick. Its error is that of a bucket that cannot be read; what the tick itself lacks is its problem.
func (e *explanation) readTick(ctx context.Context, at time.Time) (*tick, error) {
	key := ledger.TickKey(at)
	object, data, err := e.readOne(ctx, key)
	if err != nil {
		return nil, err
	}
	if until := e.report.Covers.ArchivedUntil; object == nil && at.Before(until) {
		return &tick{problem: fmt.Sprintf("the ledger has no %s any more: history is archived until %s, and the tick has expired, so its records cannot be made again",
			key, until.UTC().Format(time.RFC3339))}, nil
	}
	if object == nil {
		return &tick{problem: fmt.Sprintf("the ledger has no %s: the report is of another bucket, or the tick was deleted", key)}, nil
	}
	t := &tick{}
	if t.Tick, err = ledger.DecodeTick(data); err != nil {
		return &tick{problem: fmt.Sprintf("the ledger cannot be read: %s: %v", key, err)}, nil
	}
	if !generator.Known(t.Generator) {
		t.problem = fmt.Sprintf("its records were made by version %d of the generator, and this program has version %d", t.Generator, generator.Version)
		return t, nil
	}
	if t.claimed = t.ClaimedAt; t.State == ledger.Claimed {
		t.claimed = object.LastModified
	}
	t.judgedBy = t.Pipeline
	if by, ok := e.current.RolledBack(t.Pipeline, t.claimed); ok {
		t.judgedBy = by
	}
	if t.compiled, err = e.compile(ctx, t.judgedBy); err != nil {
		return nil, err
	}
	if err = t.compiled.err; err == nil {
		t.make, err = generator.New(t.compiled.pipeline, t.Seed)
	}
	if err == nil {
		t.key, err = t.make.KeyOf(t.PartitionKey)
	}
	if err != nil {
		t.problem = fmt.Sprintf("its pipeline %s cannot be run: %v", t.judgedBy, err)
		return t, nil
	}
	t.of = generator.Tick{Time: t.Tick.Time, Records: t.Records, Spread: time.Duration(t.SpreadSeconds) * time.Second, Poison: t.Poison, Aggregates: t.PoisonsAggregates()}
	return t, nil
}

func (e *explanation) compile(ctx context.Context, hash string) (*compiled, error) {
	if c := e.pipelines[hash]; c != nil {
		return c, nil
	}
	key := ledger.PipelineKey(hash)
	object, data, err := e.readOne(ctx, key)
	if err != nil {
		return nil, err
	}
	c := &compiled{}
	e.pipelines[hash] = c
	if object == nil {
		c.err = fmt.Errorf("it is not published: there is no %s", key)
		return c, nil
	}
	if c.pipeline, c.err = ledger.DecodePipeline(data, hash); c.err == nil {
		c.query, c.err = query.Compile(c.pipeline)
	}
	if c.err == nil {
		c.records, c.err = record.NewReader(c.pipeline.Schema)
	}
	if c.err == nil {
		c.engine, c.err = engine.Open(c.query)
	}
	return c, nil
}

// readOne reads an object by its key, nil where there is none.
func (e *explanation) readOne(ctx context.Context, key string) (*bucket.Object, []byte, error) {
	listed, _, err := e.bucket.List(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	at := slices.IndexFunc(listed, func(o bucket.Object) bool { return o.Key == key })
	if at < 0 {
		return nil, nil, nil
	}
	data, err := e.bucket.Read(ctx, listed[at])
	return &listed[at], data, err
}

// chunk is how many records the query is run over at once to see whether they give a row at all: it costs a fraction of
// running it over each of them.
const chunk = 256

// findRecords finds the records of a tick that give the rows which it lost, among those that it owes.
func (e *explanation) findRecords(t *tick) error {
	if len(t.losses) == 0 {
		return nil
	}
	lost := map[string][]*loss{} // a row may be both missing and failed
	for _, l := range t.losses {
		lost[l.Row] = append(lost[l.Row], l)
	}
	output := t.compiled.query.Output
	each := func(first, last int, give func(l *loss, key []byte)) error {
		return t.compiled.engine.Rows(t.make.Records(t.of, first, last), true, func(key []byte) {
			for _, l := range lost[output.Format(key)] {
				give(l, key)
			}
		})
	}
	t.records = map[int]*suspect{}
	for _, owed := range t.Outcomes {
		if owed.Lo == 0 {
			continue
		}
		for first := owed.First; first <= owed.Last; first += chunk {
			last := min(first+chunk-1, owed.Last)
			hit := false
			err := each(first, last, func(*loss, []byte) { hit = true })
			for i := first; i <= last && hit && err == nil; i++ {
				err = each(i, i, func(l *loss, key []byte) {
					l.key = bytes.Clone(key)
					t.add(l, i, owed.Outcome)
				})
			}
			if err != nil {
				return fmt.Errorf("make the rows of tick %s again: %w", t.Tick.Time.UTC().Format(time.RFC3339Nano), err)
			}
		}
		for i, line := range t.make.Rejects(t.of, owed.First, owed.Last) {
			for _, l := range lost[quoted(line)] {
				l.line = append([]byte{}, line...)
				t.add(l, i, owed.Outcome)
			}
		}
	}
	return nil
}

// add adds a record to those that may be the lost ones.
func (t *tick) add(l *loss, index int, outcome ledger.Outcome) {
	if n := len(l.records); n > 0 && l.records[n-1].Index == index {
		return // two lines of it give this row
	}
	r := t.records[index]
	if r == nil {
		r = &suspect{data: t.make.Append([]byte{}, t.of, index)}
		r.Index, r.PartitionKey, r.Outcome = index, string(t.make.AppendKey(nil, t.of, index, t.key)), outcome
		t.records[index] = r
	}
	l.records = append(l.records, r)
}

// readBack finds the records in the stream, shard by shard between the tick's own first and last sequence number.
func (e *explanation) readBack(ctx context.Context, t *tick) error {
	// Records of equal bytes give equal rows: the copies that are found go to one after the other.
	wanted := map[string][]*suspect{}
	for _, index := range slices.Sorted(maps.Keys(t.records)) {
		r := t.records[index]
		identity := t.identity(r.PartitionKey, r.data)
		wanted[identity] = append(wanted[identity], r)
	}
	left := len(t.records)
	if left == 0 {
		return nil
	}
	if e.retention == 0 {
		var err error
		if e.retention, err = e.stream.Retention(ctx); err != nil {
			return err
		}
	}
	trim := func() {
		for _, l := range t.losses {
			l.trimmed = slices.ContainsFunc(l.records, func(r *suspect) bool { return len(r.Places) == 0 })
		}
	}
	if t.expired = !t.claimed.Add(e.retention).After(e.opts.Now); t.expired {
		trim()
		return nil
	}
	take := func(identity string, p report.Place) {
		records := wanted[identity]
		if len(records) == 0 {
			return
		}
		next := slices.IndexFunc(records, func(r *suspect) bool { return len(r.Places) == 0 })
		if next < 0 {
			next = 0 // one copy more than there are records
		} else {
			left--
		}
		records[next].Places = append(records[next].Places, p)
	}
	trimmed := false
	for _, id := range slices.Sorted(maps.Keys(t.Shards)) {
		part := t.Shards[id]
		err := e.stream.ReadRange(ctx, id, part.FirstSequenceNumber, part.LastSequenceNumber, func(record stream.Record) bool {
			place := report.Place{Shard: id, SequenceNumber: record.SequenceNumber}
			inner, ok, err := kpl.Deaggregate(record.Data)
			if !ok || err != nil { // a malformed aggregate is rejected as it is
				take(t.identity(record.PartitionKey, record.Data), place)
				return left > 0
			}
			for i, one := range inner {
				place.Aggregate = &report.Aggregate{
					PartitionKey: record.PartitionKey, ExplicitHashKey: one.ExplicitHashKey,
					Position: i + 1, Records: len(inner),
				}
				take(t.identity(one.PartitionKey, one.Data), place)
			}
			return left > 0
		})
		switch {
		case errors.Is(err, stream.ErrTrimmed):
			trimmed = true
		case err != nil:
			return err
		}
		if left == 0 {
			break
		}
	}
	if trimmed {
		trim()
	}
	return nil
}

// identity is what a record is known by in the stream. A packed one may have another record's partition key.
func (t *tick) identity(partitionKey string, data []byte) string {
	if t.Aggregation == ledger.KPL {
		return string(data)
	}
	return partitionKey + "\x00" + string(data)
}
