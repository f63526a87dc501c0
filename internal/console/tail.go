package console

import (
	"context"
	"time"

	"streamproof/internal/record"
	"streamproof/internal/stream"
	"streamproof/internal/tail"
)

// parseWith is how long records are parsed by the same schema.
const parseWith = 15 * time.Second

func mergeBursts(old, next any) any { return old.(*tail.Burst).Join(next.(*tail.Burst)) }
func mergeTails(old, next any) any  { return old.(*tail.Batch).Join(next.(*tail.Batch)) }

// readTail publishes what comes of the stream.
func (s *stackSubject) readTail(ctx context.Context, publish func(any)) {
	w := newWatcher()
	s.records.watch(w)
	defer s.records.leave(w)
	batches := tail.NewBatcher(time.Now())
	var parse func(string, stream.Record) tail.Record
	var parsedSince time.Time
	ticker := time.NewTicker(tail.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		m := w.take()[s.records]
		if m == nil {
			continue
		}
		now := time.Now()
		if now.Sub(parsedSince) > parseWith { // the schema changes with a deploy
			parse, parsedSince = s.parser(ctx), now
		}
		publish(batches.Batch(m.value.(*tail.Burst), now, parse))
	}
}

// parser parses records by the schema of the query that runs, or not at all if it is not known.
func (s *stackSubject) parser(ctx context.Context) func(shard string, r stream.Record) tail.Record {
	var reader *record.Reader
	if p, err := s.runningPipeline(ctx); err == nil {
		reader = record.NewReader(p.Schema)
	}
	return func(shard string, r stream.Record) tail.Record { return tail.Show(reader, shard, r) }
}
