package stream_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kinesistest"
)

// clientOf is a client of the stand-in, made as the function makes its own.
func clientOf(s *kinesistest.Server) *kinesis.Client {
	return stream.NewClient(aws.Config{
		Region:       "eu-west-1",
		Credentials:  credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		BaseEndpoint: aws.String(s.URL),
	})
}

// BenchmarkDelivery sends a tick of 1,000,000 records, without a spread, through the SDK to a stand-in in this process:
// as they are, as they are with 20 ms an answer (about what Kinesis takes), and packed. records/s are the acknowledged
// ones; units are Kinesis' PUT payload units; the memory is the stand-in's too: peak-heap-MB is the most that the heap
// was in use, sampled every 10 ms, and peak-rss-MB the most that the process ever had, other benchmarks before it
// included.
func BenchmarkDelivery(b *testing.B) {
	b.Run("none", func(b *testing.B) { benchmarkDelivery(b, "", 0) })
	b.Run("none-20ms", func(b *testing.B) { benchmarkDelivery(b, "", 20*time.Millisecond) })
	b.Run("kpl", func(b *testing.B) { benchmarkDelivery(b, ledger.KPL, 0) })
}

func benchmarkDelivery(b *testing.B, aggregation string, latency time.Duration) {
	server := kinesistest.New()
	server.Latency = latency
	defer server.Close()
	client := clientOf(server)
	g, tick, key := embedded(b, 1_000_000)

	peak := make(chan uint64)
	done := make(chan struct{})
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var most uint64
		for {
			select {
			case <-time.After(10 * time.Millisecond):
				metrics.Read(sample)
				most = max(most, sample[0].Value.Uint64())
			case <-done:
				peak <- most
				return
			}
		}
	}()
	runtime.GC()
	for b.Loop() {
		d := stream.NewDelivery(client, "s", g, tick, key, aggregation)
		if err := d.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		want := ledger.Range{Last: tick.Records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}
		if got := d.Result().Outcomes; len(got) != 1 || got[0] != want {
			b.Fatalf("outcomes are %v, want %v", got, want)
		}
	}
	close(done)
	b.ReportMetric(float64(<-peak)/1e6, "peak-heap-MB")
	b.ReportMetric(peakRSS(b), "peak-rss-MB")
	records := float64(b.N) * float64(tick.Records)
	b.ReportMetric(records/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(server.Units())/records*1000, "units/1000-records")
}

// peakRSS is the process' peak resident set in MB, as Linux counts it; elsewhere 0.
func peakRSS(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, found := bytes.Cut(status, []byte("VmHWM:"))
	if !found {
		return 0
	}
	kilobytes, err := strconv.ParseFloat(string(bytes.Fields(line)[0]), 64)
	if err != nil {
		b.Fatal(fmt.Errorf("read VmHWM: %w", err))
	}
	return kilobytes * 1024 / 1e6
}

func embedded(tb testing.TB, records int) (*generator.Generator, generator.Tick, generator.Key) {
	tb.Helper()
	return newTick(tb, records, generator.Uniform)
}
