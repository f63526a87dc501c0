package tail

import (
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

// Every is how often a batch is made.
const Every = 250 * time.Millisecond

const (
	// mostShown is how many records a batch shows. The rest is counted.
	mostShown = 200
	hotKeys   = 10
	// maxLines is how many rows of one record are shown.
	maxLines = 20
)

// A Batch is what came of the stream since the last one.
type Batch struct {
	Records []Record `json:"records"` // the newest of each shard, in the order of their arrival
	// Read is how many records came in Seconds, Dropped how many of them are not among Records. Skipped reports whether
	// others were not even read, because they came faster than they may be read.
	Read    int64   `json:"read"`
	Dropped int64   `json:"dropped"`
	Seconds float64 `json:"seconds"`
	Skipped bool    `json:"skipped"`
	// HotKeys are the partition keys with the most bytes since the first batch.
	HotKeys []report.HotKey `json:"hotKeys"`
}

// A Record is a record of the stream, as it is shown.
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

// Join joins records that a page has not received with those that came since.
func (b *Batch) Join(next *Batch) *Batch {
	all := slices.Concat(b.Records, next.Records)
	shown := all[max(len(all)-mostShown, 0):]
	return &Batch{
		Records: shown, Read: b.Read + next.Read, Dropped: b.Dropped + next.Dropped + int64(len(all)-len(shown)),
		Seconds: b.Seconds + next.Seconds, Skipped: b.Skipped || next.Skipped, HotKeys: next.HotKeys,
	}
}

// A Batcher makes batches of bursts, and counts the partition keys of all of them.
type Batcher struct {
	keys  audit.Keys
	bytes map[string]int64 // by shard
	last  time.Time
}

// NewBatcher makes a Batcher that begins at a moment.
func NewBatcher(now time.Time) *Batcher { return &Batcher{bytes: map[string]int64{}, last: now} }

// Batch makes a batch of a burst. Parse shows a record.
func (t *Batcher) Batch(b *Burst, now time.Time, parse func(shard string, r stream.Record) Record) *Batch {
	out := &Batch{Records: []Record{}, Seconds: now.Sub(t.last).Seconds(), Skipped: b.Skipped}
	t.last = now
	for _, id := range slices.Sorted(maps.Keys(b.Shards)) {
		shard := b.Shards[id]
		out.Read += shard.Records
		t.bytes[id] += shard.Bytes
		for key, n := range shard.keys {
			t.keys.Add(key, id, n.records, n.bytes)
		}
		for _, r := range shard.held[max(len(shard.held)-mostShown/len(b.Shards), 0):] {
			out.Records = append(out.Records, parse(id, r))
		}
	}
	slices.SortStableFunc(out.Records, func(a, b Record) int { return a.Arrival.Compare(b.Arrival) })
	out.Dropped = out.Read - int64(len(out.Records))
	out.HotKeys = t.keys.Hottest(hotKeys, func(shard string) int64 { return t.bytes[shard] })
	return out
}

// Show is a record of a shard as it is shown: by the columns of the reader, or as text without one.
func Show(reader *record.Reader, shard string, r stream.Record) Record {
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
