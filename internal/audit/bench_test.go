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
// records, and a pipeline has written a minute's records of each shard to an object. One operation is a whole audit.
func BenchmarkAudit(b *testing.B) {
	const shards, each, window = 8, 50_000, time.Hour
	begin := time.Now().Add(-2 * window).Truncate(time.Hour)
	var all []*kinesistest.Shard
	lake := &fakeBucket{now: begin.Add(window + time.Hour)}
	size := 0
	for i := range shards {
		shard := &kinesistest.Shard{ID: fmt.Sprintf("shardId-%012d", i)}
		var object bytes.Buffer
		for n := range each {
			arrival := begin.Add(time.Duration(n) * window / each)
			row := fmt.Appendf(nil, `{"order":%d,"shard":%d,"amount":%d,"customer":"customer-%d"}`+"\n", n, i, n%97, n%1000)
			size += len(row)
			object.Write(row)
			shard.Records = append(shard.Records, types.Record{
				SequenceNumber: aws.String(fmt.Sprint(1_000_000 + n)), PartitionKey: aws.String(fmt.Sprint(n % 1000)), Data: row,
				ApproximateArrivalTimestamp: &arrival,
			})
			if n+1 == each || (n+1)*60/each > n*60/each {
				written := arrival.Add(time.Second).Truncate(time.Second)
				lake.objects = append(lake.objects, fakeObject{
					Object: bucket.Object{Key: fmt.Sprintf("orders/%d/%d", i, n), Size: int64(object.Len()), LastModified: written}, data: object.String(),
				})
				object.Reset()
			}
		}
		all = append(all, shard)
	}
	for _, latency := range []time.Duration{0, 20 * time.Millisecond} {
		b.Run(fmt.Sprint(latency), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				source := &distantStream{kinesistest.NewStream(all...), latency}
				reader := stream.NewReader(source, "orders")
				reader.Interval, reader.PageBytes = 0, 0
				r := audit.Run(b.Context(), audit.NewKinesis("orders", reader), lake, audit.Options{
					From: begin, To: begin.Add(window), Skew: audit.DefaultSkew, Form: audit.Verbatim{},
					Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: 5 * time.Minute},
				})
				if r.Verdict != proof.Proven || r.Counts.Owed != shards*each {
					b.Fatalf("%s: %+v %s", r.Verdict, r.Counts, r.Reasons)
				}
			}
			b.ReportMetric(float64(shards*each)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
