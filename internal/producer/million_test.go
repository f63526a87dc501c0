package producer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"streamproof/internal/ledger"
	"streamproof/internal/ledger/s3test"
	"streamproof/internal/producer"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kinesistest"
)

// TestMillion: a million records that are sent without faults have a manifest of 10 KB at most, and one range of
// outcomes.
func TestMillion(t *testing.T) {
	t.Parallel()
	const records, most = 1_000_000, 10_000
	server := kinesistest.New()
	defer server.Close()
	server.Shards = 32
	objects := s3test.New()
	client := stream.NewClient(aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
	})
	config := producer.Config{StreamName: "stream", Bucket: "bucket", StackName: "streamproof", RecordsPerTick: records, PartitionKey: "uniform", Aggregation: producer.NoAggregation, Seed: 1}
	handler, err := producer.New(config, embedded(t), client, ledger.NewStore(objects.Client(), "bucket"), slog.New(slog.DiscardHandler), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.Now().UTC().Truncate(time.Millisecond)
	answer, err := handler.Handle(ctx, json.RawMessage(fmt.Sprintf(`{"tick":%q}`, tick.Format(time.RFC3339Nano))))
	if err != nil {
		t.Fatal(err)
	}
	if answer.State != ledger.Complete || answer.Acknowledged != records || answer.Ranges != 1 || len(answer.Shards) != server.Shards {
		t.Errorf("got %+v", answer)
	}
	manifest, ok := objects.Get("/bucket/" + ledger.TickKey(tick))
	if !ok || len(manifest.Body) > most {
		t.Errorf("the manifest has %d bytes, want %d at most", len(manifest.Body), most)
	}
	t.Logf("%d records in %d shards: a manifest of %d bytes", records, server.Shards, len(manifest.Body))
}
