//go:build e2e

package e2e_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"streamproof/internal/local"
)

// malformedAggregates puts every malformed aggregate of the table into the stream by hand. Each becomes a reject with
// its bytes and its reason, and the job keeps running.
func malformedAggregates(t *testing.T, s *local.Stack) {
	data, err := os.ReadFile("../internal/stream/kpl/testdata/aggregates.json")
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]struct {
		Data   []byte
		Reason string
	}
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	before := job(t, s)
	client := kinesis.NewFromConfig(s.AWS)
	missing := map[string]string{}
	for name, aggregate := range table {
		if aggregate.Reason == "" {
			continue
		}
		_, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{
			StreamName: &s.Outputs.StreamName, PartitionKey: aws.String(name), Data: aggregate.Data,
		})
		if err != nil {
			t.Fatal(err)
		}
		missing[aggregate.Reason+": "+string(aggregate.Data)] = name
	}
	if len(missing) < 25 {
		t.Fatalf("the table has %d malformed aggregates", len(missing))
	}
	await(t, "each malformed aggregate is a reject", func() bool {
		for _, one := range rejects(t, s) {
			delete(missing, one.Reason+": "+string(one.Data))
		}
		return len(missing) == 0
	})
	if after := job(t, s); after.Starts != before.Starts || after.LastError != before.LastError {
		t.Errorf("the job was %+v and is %+v", before, after)
	}
}
