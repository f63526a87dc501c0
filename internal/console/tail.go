package console

import (
	"context"
	"maps"
	"slices"
	"time"

	"streamproof/internal/audit"
	"streamproof/internal/objects"
	"streamproof/internal/record"
	"streamproof/internal/report"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kpl"
)

const (
	// tailEvery is how often a page gets records.
	tailEvery = 250 * time.Millisecond
	// mostShown is how many records a page gets at once. The rest is counted.
	mostShown = 200
	hotKeys   = 10
	// parseWith is how long records are parsed by the same schema.
	parseWith = 15 * time.Second
)

// A Tail is what came of the stream since the last one.
type Tail struct {
	Records []Record `json:"records"` // the newest of each shard, in the order of their arrival
	// Read is how many records came in Seconds, Dropped how many of them are not among Records. Skipped reports whether
	// others were not even read, because they came faster than they may be read.
	Read    int64   `json:"read"`
	Dropped int64   `json:"dropped"`
	Seconds float64 `json:"seconds"`
	Skipped bool    `json:"skipped"`
	// HotKeys are the partition keys with the most bytes since the page began to watch.
	HotKeys []report.HotKey `json:"hotKeys"`
}

// A Record is a record of the stream, as a page shows it.
type Record struct {
	Shard          string    `json:"shard"`
	SequenceNumber string    `json:"sequenceNumber"`
	PartitionKey   string    `json:"partitionKey"`
	Arrival        time.Time `json:"arrival"`
	Bytes          int       `json:"bytes"`
	// Data is the record's text, cut where it is long; bytes that are not UTF-8 are escaped.
	Data string `json:"data"`
	// Rows are its values by the schema's columns, nil for NULL. Problems say why lines of it are no rows. Both are nil if
	// there is no schema.
	Rows     [][]*string `json:"rows"`
	Problems []string    `json:"problems,omitempty"`
	// Aggregate is how many records it packs, 0 if it is not an aggregate.
	Aggregate int `json:"aggregate,omitempty"`
}

// mergeTails joins records that a page has not received with those that came since.
func mergeTails(old, next any) any {
	a, b := old.(*Tail), next.(*Tail)
	all := slices.Concat(a.Records, b.Records)
	shown := all[max(len(all)-mostShown, 0):]
	return &Tail{
		Records: shown, Read: a.Read + b.Read, Dropped: a.Dropped + b.Dropped + int64(len(all)-len(shown)),
		Seconds: a.Seconds + b.Seconds, Skipped: a.Skipped || b.Skipped, HotKeys: b.HotKeys,
	}
}

// readTail publishes what comes of the stream.
func (s *stackSubject) readTail(ctx context.Context, publish func(any)) {
	w := newWatcher()
	s.records.watch(w)
	defer s.records.leave(w)
	var keys audit.Keys
	bytes := map[string]int64{}
	last := time.Now()
	var parse func(string, stream.Record) Record
	var parsedSince time.Time
	ticker := time.NewTicker(tailEvery)
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
		b := m.value.(*burst)
		t := &Tail{Records: []Record{}, Seconds: now.Sub(last).Seconds(), Skipped: b.skipped}
		last = now
		if now.Sub(parsedSince) > parseWith { // the schema changes with a deploy
			parse, parsedSince = s.parser(ctx), now
		}
		for _, id := range slices.Sorted(maps.Keys(b.shards)) {
			shard := b.shards[id]
			t.Read += shard.records
			bytes[id] += shard.bytes
			for key, n := range shard.keys {
				keys.Add(key, id, n.records, n.bytes)
			}
			held := shard.held[max(len(shard.held)-mostShown/len(b.shards), 0):]
			for _, r := range held {
				t.Records = append(t.Records, parse(id, r))
			}
		}
		slices.SortStableFunc(t.Records, func(a, b Record) int { return a.Arrival.Compare(b.Arrival) })
		t.Dropped = t.Read - int64(len(t.Records))
		t.HotKeys = keys.Hottest(hotKeys, func(shard string) int64 { return bytes[shard] })
		publish(t)
	}
}

// parser parses records by the schema of the query that runs, or not at all if it is not known.
func (s *stackSubject) parser(ctx context.Context) func(shard string, r stream.Record) Record {
	var reader *record.Reader
	if p, err := s.runningPipeline(ctx); err == nil {
		reader = record.NewReader(p.Schema)
	}
	return func(shard string, r stream.Record) Record { return shownRecord(reader, shard, r) }
}

func shownRecord(reader *record.Reader, shard string, r stream.Record) Record {
	out := Record{
		Shard: shard, SequenceNumber: r.SequenceNumber, PartitionKey: objects.Visible([]byte(r.PartitionKey)), Arrival: r.Arrival.UTC(), Bytes: len(r.Data), Data: objects.Visible(r.Data),
	}
	inner, aggregated, err := kpl.Deaggregate(r.Data)
	switch {
	case err != nil:
		out.Problems = []string{err.Error()}
		return out
	case aggregated:
		if out.Aggregate, out.Data = len(inner), ""; len(inner) > 0 {
			out.Data = objects.Visible(inner[0].Data)
		}
	default:
		inner = []kpl.Record{{Data: r.Data}}
	}
	if reader == nil {
		return out
	}
	out.Rows = [][]*string{}
	for _, one := range inner {
		for parsed := range reader.Rows(one.Data) {
			if len(out.Rows)+len(out.Problems) >= maxLines {
				return out
			}
			if parsed.Err != nil {
				out.Problems = append(out.Problems, objects.Visible([]byte(parsed.Err.Error())))
				continue
			}
			var values []*string
			for _, f := range parsed.Fields {
				values = append(values, objects.Value(f))
			}
			out.Rows = append(out.Rows, values)
		}
	}
	return out
}

// maxLines is how many rows of one record are shown.
const maxLines = 20
