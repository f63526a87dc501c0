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
	"streamproof/internal/ledger"
	"streamproof/internal/replay"
	"streamproof/internal/report"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kpl"
)

// A tick is one of the ledger's that owes lost rows, with the records that may be the lost ones.
type tick struct {
	*replay.Claim
	problem string                 // why its records cannot be regenerated
	key     func(index int) string // a record's partition key
	losses  []*loss
	records map[int]*suspect // those that give a lost row, by index
	expired bool             // whether the stream's retention is over for it
}

// readTick reads a tick. Its error is that of a bucket that cannot be read; what the tick itself lacks is its problem.
func (e *explanation) readTick(ctx context.Context, at time.Time) (*tick, error) {
	key := ledger.TickKey(at)
	object, data, err := bucket.Get(ctx, e.bucket, key)
	if err != nil {
		return nil, err
	}
	if until := e.report.Covers.ArchivedUntil; object == nil && at.Before(until) {
		return &tick{problem: fmt.Sprintf("%s has expired: history is archived until %s, so its records cannot be regenerated",
			key, until.UTC().Format(time.RFC3339))}, nil
	}
	if object == nil {
		return &tick{problem: fmt.Sprintf("the ledger has no %s: the report is of another bucket, or the tick was deleted", key)}, nil
	}
	claim, err := e.ledger.Claim(ctx, *object, data)
	if faulty := (*replay.TickError)(nil); errors.As(err, &faulty) {
		return &tick{problem: faulty.Error()}, nil
	}
	if err != nil {
		return nil, err
	}
	if refused := claim.Refused(); refused != nil {
		return &tick{problem: fmt.Sprintf("the tick is not judged: %v", refused)}, nil
	}
	t := &tick{Claim: claim}
	if t.key, err = claim.Keys(); err != nil {
		t.problem = err.Error()
	}
	return t, nil
}

// chunk is how many records the query is run over at once to see whether they give a row at all: it costs a fraction of
// running it over each of them.
const chunk = 256

// findRecords finds the records of a tick that give the rows which it lost, among those that it owes.
func (e *explanation) findRecords(ctx context.Context, t *tick) error {
	if len(t.losses) == 0 {
		return nil
	}
	lost := map[string][]*loss{} // a row may be both missing and failed
	for _, l := range t.losses {
		lost[l.Row] = append(lost[l.Row], l)
	}
	each := func(first, last int, give func(l *loss, key []byte)) error {
		return t.RowsBetween(ctx, first, last, func(key []byte) {
			for _, l := range lost[t.Output().Format(key)] {
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
				return fmt.Errorf("regenerate the rows of tick %s: %w", t.Time.UTC().Format(time.RFC3339Nano), err)
			}
		}
		for i, line := range t.Rejects(owed.First, owed.Last) {
			for _, l := range lost[quoted(line)] {
				l.line = append([]byte{}, line...)
				t.add(l, i, owed.Outcome)
			}
		}
	}
	return nil
}

func (t *tick) add(l *loss, index int, outcome ledger.Outcome) {
	if n := len(l.records); n > 0 && l.records[n-1].Index == index {
		return // two lines of it give this row
	}
	r := t.records[index]
	if r == nil {
		r = &suspect{data: t.Record(index)}
		r.Index, r.PartitionKey, r.Outcome = index, t.key(index), outcome
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
	if t.expired = !t.Claimed.Add(e.retention).After(e.opts.Now); t.expired {
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
