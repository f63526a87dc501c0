package console

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"streamproof/internal/pipeline"
	"streamproof/internal/record"
	"streamproof/internal/stream"
)

// TestFlood: a page that reads slowly gets the newest records, knows how many it has not got, and costs no more memory.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := &stackSubject{}
	const bursts, each = 200, 500
	s.records = &topic{name: "records", merge: mergeBursts, read: func(_ context.Context, publish func(any)) {
		for range bursts {
			one := &shardBurst{records: each, bytes: 10 * each, keys: map[string]keyCount{"hot": {each, 10 * each}}}
			one.held = newest(make([]stream.Record, each))
			publish(&burst{shards: map[string]*shardBurst{"a": one}})
		}
	}}
	s.planning = make(chan struct{}, 1)
	s.pipeline = embedded(t)
	tail := &topic{name: "tail", read: s.readTail, merge: mergeTails}
	page := newWatcher()
	tail.watch(page)
	defer tail.leave(page)
	defer tail.close()
	var got Tail
	for deadline := time.Now().Add(10 * time.Second); got.Read < bursts*each && time.Now().Before(deadline); {
		<-page.changed
		if m := page.take()[tail]; m != nil {
			next := m.value.(*Tail)
			if len(next.Records) > mostShown || next.Dropped != next.Read-int64(len(next.Records)) {
				t.Fatalf("got %d records, %d of %d dropped", len(next.Records), next.Dropped, next.Read)
			}
			got.Read += next.Read
			got.HotKeys = next.HotKeys
		}
	}
	if got.Read != bursts*each || len(got.HotKeys) != 1 || got.HotKeys[0].Share != 1 {
		t.Errorf("got %d records and the keys %v, want %d, all of one key", got.Read, got.HotKeys, bursts*each)
	}
	merged := mergeTails(&Tail{Records: make([]Record, mostShown), Read: mostShown}, &Tail{Records: make([]Record, 7), Read: 10, Dropped: 3}).(*Tail)
	if len(merged.Records) != mostShown || merged.Read != mostShown+10 || merged.Dropped != 10 {
		t.Errorf("got %d records, %d of %d dropped, want %d, and 10 of %d", len(merged.Records), merged.Dropped, merged.Read, mostShown, mostShown+10)
	}
}

func embedded(t *testing.T) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// longText is more than is shown of a record.
const longText = 5000

// TestHostileRecords: whatever a record holds reaches the page as text in JSON.
func TestHostileRecords(t *testing.T) {
	t.Parallel()
	reader := record.NewReader(embedded(t).Schema)
	for _, text := range []string{
		"<script>alert(1)</script>", "\x00\x1b[2J", "\xff\xfe", "data: x\n\nevent: flow\ndata: {}\n\n", "\u2028\u202e", strings.Repeat("ñ", longText), "\xf3\x89\x9a\xc2" + strings.Repeat("x", 20), "",
	} {
		shown := shownRecord(reader, "shardId-000000000000", stream.Record{SequenceNumber: "1", PartitionKey: text, Data: []byte(text)})
		data, err := json.Marshal(&Tail{Records: []Record{shown}})
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
