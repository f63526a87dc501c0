package reshape

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
)

// BenchmarkInvoke answers events with 0.2 MB of data, from bytes to bytes. MB/s count the data.
func BenchmarkInvoke(b *testing.B) {
	for _, bench := range []struct {
		name   string
		rows   int // in a record
		trips  bool
		output string
		stack  string // of the metrics
	}{
		{"rows/100", 100, false, JSON, ""},
		{"rows/100/metrics", 100, false, JSON, "streamproof"},
		{"rows/1", 1, false, JSON, ""},
		{"rows/100/csv", 100, false, CSV, ""},
		{"trips/10", 10, true, JSON, ""},
		{"trips/1", 1, true, JSON, ""},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h, logged := newHandler(b, bench.output, "|")
			h.stack = bench.stack
			event, size, rows := dataEvent(b, h, bench.rows, bench.trips)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Invoke(b.Context(), event); err != nil {
					b.Fatal(err)
				}
			}
			if logged.Len() > 0 {
				b.Fatal(logged)
			}
			b.ReportMetric(float64(b.N)*float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// dataEvent returns an event with 0.2 MB of generated data.
func dataEvent(b *testing.B, h *Handler, perRecord int, trips bool) (event []byte, size, rows int) {
	b.Helper()
	p, err := pipeline.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	g, err := generator.New(p, 1)
	if err != nil {
		b.Fatal(err)
	}
	tick := generator.Tick{Time: time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC), Records: 20_000, Spread: time.Minute}
	var records []events.KinesisFirehoseEventRecord
	for size < 200_000 {
		var data []byte
		for range perRecord {
			if trips {
				data = g.Append(data, tick, rows)
			} else {
				for _, c := range h.output.schema {
					data = append(g.AppendColumn(data, tick, rows, p.Schema.Index(c.Name)), ',')
				}
				data[len(data)-1] = '\n'
			}
			rows++
		}
		size += len(data)
		records = append(records, events.KinesisFirehoseEventRecord{RecordID: fmt.Sprintf("%062d", len(records)), Data: data})
	}
	return encode(b, records), size, rows
}
