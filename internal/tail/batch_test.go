package tail_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"streamproof/internal/pipeline"
	"streamproof/internal/record"
	"streamproof/internal/stream"
	"streamproof/internal/tail"
)

// TestJoin: what a slow page has not received is counted, and no more of it is kept than is shown.
func TestJoin(t *testing.T) {
	t.Parallel()
	const most = 200
	got := (&tail.Batch{Records: make([]tail.Record, most), Read: most, Skipped: true}).Join(&tail.Batch{Records: make([]tail.Record, 7), Read: 10, Dropped: 3})
	if len(got.Records) != most || got.Read != most+10 || got.Dropped != 10 || !got.Skipped {
		t.Errorf("got %d records, %d of %d dropped, want %d, and 10 of %d", len(got.Records), got.Dropped, got.Read, most, most+10)
	}
}

// TestBatch: the records of all shards in the order of their arrival, each parsed, with the hottest keys of all
// batches.
func TestBatch(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds int, key string) stream.Record {
		return stream.Record{PartitionKey: key, Data: []byte("x"), Arrival: start.Add(time.Duration(seconds) * time.Second)}
	}
	batches := tail.NewBatcher(start)
	show := func(shard string, r stream.Record) tail.Record { return tail.Show(nil, shard, r) }
	first := (&tail.Burst{Shards: map[string]*tail.Shard{"a": tail.NewShard([]stream.Record{at(1, "k"), at(3, "k")})}}).
		Join(&tail.Burst{Shards: map[string]*tail.Shard{"b": tail.NewShard([]stream.Record{at(2, "l")})}})
	got := batches.Batch(first, start.Add(4*time.Second), show)
	if got.Read != 3 || got.Dropped != 0 || got.Seconds != 4 || got.Records[1].Shard != "b" || got.Records[2].Shard != "a" {
		t.Errorf("got %+v, want three records in the order of their arrival", got)
	}
	got = batches.Batch(&tail.Burst{Shards: map[string]*tail.Shard{"a": tail.NewShard([]stream.Record{at(5, "k")})}}, start.Add(5*time.Second), show)
	if got.Read != 1 || len(got.HotKeys) != 2 || got.HotKeys[0].Key != "k" || got.HotKeys[0].Records != 3 || got.HotKeys[0].Share != 1 {
		t.Errorf("got %+v, want the key k with three records of its shard, which are all there are", got.HotKeys)
	}
}

// longText is more than is shown of a record.
const longText = 5000

// TestHostileRecords: whatever a record holds reaches the page as text in JSON.
func TestHostileRecords(t *testing.T) {
	t.Parallel()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	reader := record.NewReader(p.Schema)
	for _, text := range []string{
		"<script>alert(1)</script>", "\x00\x1b[2J", "\xff\xfe", "data: x\n\nevent: flow\ndata: {}\n\n", "\u2028\u202e", strings.Repeat("ñ", longText), "\xf3\x89\x9a\xc2" + strings.Repeat("x", 20), "",
	} {
		shown := tail.Show(reader, "shardId-000000000000", stream.Record{SequenceNumber: "1", PartitionKey: text, Data: []byte(text)})
		data, err := json.Marshal(&tail.Batch{Records: []tail.Record{shown}})
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(string(data), "<>\n\r\x00\x1b\u2028") || strings.ContainsRune(string(data), utf8.RuneError) {
			t.Errorf("%q: got %s, want neither markup nor control characters nor lost bytes", text, data)
		}
		if len(shown.Data) > longText {
			t.Errorf("%q: got %d bytes, want at most %d", text, len(shown.Data), longText)
		}
	}
}
