package firehose

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	streams "streamproof/internal/stream"
	"streamproof/internal/stream/kpl"
)

// A source is the Kinesis stream that a delivery stream reads.
type source struct {
	stream, role string
	since        time.Time // it reads what arrives from then on
}

// readAgain is the pause after a delivery stream could not read its source.
const readAgain = time.Second

// followSources reads for every delivery stream that has a source, from when the emulator lists it until the server
// closes.
func (s *Server) followSources() {
	following := map[string]bool{}
	for {
		for _, name := range s.withSource() {
			if !following[name] {
				following[name] = true
				s.readers.Go(func() { s.stream(name).readSource() })
			}
		}
		if !s.sleep(lookInterval) {
			return
		}
	}
}

// withSource asks the emulator for the delivery streams that have a source. One that does not answer is asked again
// later.
func (s *Server) withSource() []string {
	var out struct{ DeliveryStreamNames []string }
	request, err := s.signed(s.closing, "ListDeliveryStreams", []byte(`{"DeliveryStreamType":"KinesisStreamAsSource","Limit":10000}`))
	if err != nil {
		return nil
	}
	if answer, err := s.call(request); err != nil || answer.status != http.StatusOK || json.Unmarshal(answer.body, &out) != nil {
		return nil
	}
	return out.DeliveryStreamNames
}

// sleep returns false if the server closes meanwhile.
func (s *Server) sleep(d time.Duration) bool {
	select {
	case <-s.closing.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// readSource reads the source until the delivery stream is deleted or the server closes. Like Firehose it takes
// aggregates of the Kinesis Producer Library apart, and tries again whatever fails.
// https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html
func (s *stream) readSource() {
	var read position
	for {
		d, err := s.look(s.server.closing)
		if err == nil {
			err = s.read(s.server.closing, d, &read)
		}
		if s.server.closing.Err() != nil || s.deleted() {
			return
		}
		s.server.log.Warn("a delivery stream cannot read its source yet", "stream", s.name, "error", err)
		if !s.server.sleep(readAgain) {
			return
		}
	}
}

// A position is the sequence number up to which each shard was read.
type position struct {
	mu    sync.Mutex
	shard map[string]string
}

// after gives the records that come after the position, and moves it behind them.
func (p *position) after(shard string, records []streams.Record) []streams.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shard == nil {
		p.shard = map[string]string{}
	}
	records = slices.DeleteFunc(records, func(r streams.Record) bool {
		return streams.CompareSequenceNumbers(r.SequenceNumber, p.shard[shard]) <= 0
	})
	if len(records) > 0 {
		p.shard[shard] = records[len(records)-1].SequenceNumber
	}
	return records
}

// read reads all shards as the source's role. What arrived before the server started was read by the one before it,
// which has written what it held.
func (s *stream) read(ctx context.Context, d *definition, read *position) error {
	since := d.source.since
	if s.server.began.After(since) {
		since = s.server.began
	}
	reader := streams.NewReader(s.server.role(d.source.role, d.account).kinesis, d.source.stream)
	start := types.StartingPosition{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: &since}
	return reader.EachShard(ctx, start, func(ctx context.Context, shard *streams.ShardReader) error {
		for {
			page, err := shard.Next(ctx, maxRecords)
			if err != nil {
				return err
			}
			var records []record
			for _, r := range read.after(shard.ID, page.Records) {
				records = append(records, recordsOf(r)...)
			}
			if s.take(records); page.End {
				return nil
			}
		}
	})
}

func recordsOf(r streams.Record) []record {
	inner, ok, err := kpl.Deaggregate(r.Data)
	if !ok || err != nil {
		return []record{{data: r.Data, arrived: r.Arrival}}
	}
	records := make([]record, len(inner))
	for i, one := range inner {
		records[i] = record{data: one.Data, arrived: r.Arrival}
	}
	return records
}
