package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kinesistest"
	"streamproof/internal/stream/kpl"
)

// A distantStream answers each GetRecords a moment later, side by side.
type distantStream struct {
	*kinesistest.Stream
	latency time.Duration
}

func (d *distantStream) GetRecords(ctx context.Context, in *kinesis.GetRecordsInput, options ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	time.Sleep(d.latency)
	return d.Stream.GetRecords(ctx, in, options...)
}

// BenchmarkAudit audits an hour of a stream with eight shards: a stand-in for Kinesis in the same process gives the
// records, and a pipeline has written a minute's rows of each shard to an object. One operation is a whole audit, of
// JSON lines, of the same in aggregates, or of a query over CSV.
func BenchmarkAudit(b *testing.B) {
	lines := func(n, shard int) (record, row []byte) {
		record = fmt.Appendf(nil, `{"order":%d,"shard":%d,"amount":%d,"customer":"customer-%d"}`+"\n", n, shard, n%97, n%1000)
		return record, record
	}
	for name, test := range map[string]struct {
		make   func(n, shard int) (record, row []byte)
		packed int // records in an aggregate
		form   func() audit.Form
	}{
		"lines":      {lines, 1, func() audit.Form { return audit.Verbatim{} }},
		"aggregates": {lines, 100, func() audit.Form { return audit.Verbatim{} }},
		"query": {func(n, shard int) (record, row []byte) {
			return fmt.Appendf(nil, "%d,%d.25\n", n+1, shard), fmt.Appendf(nil, "%d,%d.5\n", n+1, 2*shard)
		}, 1, func() audit.Form { return queried(b) }},
	} {
		for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
			b.Run(fmt.Sprintf("%s/%s", name, latency), func(b *testing.B) { benchmark(b, test.make, test.packed, test.form(), latency) })
		}
	}
}

func benchmark(b *testing.B, makeRecord func(n, shard int) (record, row []byte), packed int, form audit.Form, latency time.Duration) {
	const shards, each, window = 8, 50_000, time.Hour
	begin := time.Now().Add(-2 * window).Truncate(time.Hour)
	var all []*kinesistest.Shard
	lake := &fakeBucket{now: begin.Add(window + time.Hour)}
	size := 0
	for i := range shards {
		shard := &kinesistest.Shard{ID: fmt.Sprintf("shardId-%012d", i)}
		var object bytes.Buffer
		var aggregate kpl.Aggregate
		aggregate.Reset("1")
		for n := range each {
			arrival := begin.Add(time.Duration(n) * window / each)
			data, row := makeRecord(n, i)
			size += len(data)
			object.Write(row)
			key := fmt.Sprint(n % 1000)
			if packed > 1 {
				if !aggregate.Add(data, []byte(key)) {
					b.Fatal("a record is in no aggregate")
				}
				if (n+1)%packed == 0 {
					data = aggregate.Append(nil)
					aggregate.Reset("1")
				}
			}
			if packed == 1 || (n+1)%packed == 0 {
				shard.Records = append(shard.Records, types.Record{
					SequenceNumber: aws.String(fmt.Sprint(1_000_000 + n)), PartitionKey: &key, Data: data, ApproximateArrivalTimestamp: &arrival,
				})
			}
			if n+1 == each || (n+1)*60/each > n*60/each {
				written := arrival.Add(10 * time.Second).Truncate(time.Second)
				lake.objects = append(lake.objects, fakeObject{
					Object: bucket.Object{Key: fmt.Sprintf("orders/%d/%d", i, n), Size: int64(object.Len()), LastModified: written}, data: object.String(),
				})
				object.Reset()
			}
		}
		all = append(all, shard)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		source := &distantStream{kinesistest.NewStream(all...), latency}
		reader := stream.NewReader(source, "orders")
		reader.Interval, reader.PageBytes = 0, 0
		r := audit.Run(b.Context(), audit.NewKinesis("orders", reader), lake, audit.Options{
			From: begin, To: begin.Add(window), Skew: audit.DefaultSkew, Form: form,
			Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: 5 * time.Minute},
		})
		if r.Verdict != proof.Proven || r.Counts.Owed != shards*each {
			b.Fatalf("%s: %+v %s", r.Verdict, r.Counts, r.Reasons)
		}
	}
	b.ReportMetric(float64(shards*each)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
