package producer_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"streamproof/internal/producer"
)

func environment(changes map[string]string) map[string]string {
	e := map[string]string{"STREAM_NAME": "trips", "BUCKET": "bucket", "STACK_NAME": "streamproof", "RECORDS_PER_TICK": "1000"}
	maps.Copy(e, changes)
	return e
}

func TestReadConfig(t *testing.T) {
	t.Parallel()
	p := embedded(t)
	got, err := producer.ReadConfig(environment(nil), p)
	want := producer.Config{StreamName: "trips", Bucket: "bucket", StackName: "streamproof", RecordsPerTick: 1000, SpreadSeconds: 20, PartitionKey: "uniform", Aggregation: "none", Seed: 1}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("defaults (-want +got):\n%s%v", diff, err)
	}
	got, err = producer.ReadConfig(environment(map[string]string{"SPREAD_SECONDS": "0", "PARTITION_KEY": p.Schema.Columns[0].Name, "SEED": "18446744073709551615", "AGGREGATION": "kpl"}), p)
	want.SpreadSeconds, want.PartitionKey, want.Seed, want.Aggregation = 0, p.Schema.Columns[0].Name, 1<<64-1, "kpl"
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("all set (-want +got):\n%s%v", diff, err)
	}

	for _, tc := range []struct {
		name        string
		environment map[string]string
		want        []string // one a line
	}{
		{"nothing", nil, []string{`"STREAM_NAME" is not set`, `"BUCKET" is not set`, `"STACK_NAME" is not set`, `"RECORDS_PER_TICK" is not set`}},
		{"empty", environment(map[string]string{"STREAM_NAME": "", "BUCKET": "", "STACK_NAME": ""}), []string{`"STREAM_NAME"`, `"BUCKET"`, `"STACK_NAME"`}},
		{
			"everything wrong", map[string]string{"RECORDS_PER_TICK": "many", "SPREAD_SECONDS": "601", "PARTITION_KEY": "vendor", "SEED": "-1", "AGGREGATION": "KPL"},
			[]string{`"STREAM_NAME" is not set`, `"BUCKET" is not set`, `"STACK_NAME" is not set`, "RECORDS_PER_TICK: ", "SPREAD_SECONDS is 601, want 0 to 600", `PARTITION_KEY: partition key "vendor"`, "SEED: ", `AGGREGATION is "KPL", want none or kpl`},
		},
		{"too few", environment(map[string]string{"RECORDS_PER_TICK": "0", "SPREAD_SECONDS": "-1"}), []string{"RECORDS_PER_TICK is 0, want 1 to 10000000", "SPREAD_SECONDS is -1"}},
		{"too many", environment(map[string]string{"RECORDS_PER_TICK": "10000001"}), []string{"RECORDS_PER_TICK is 10000001"}},
	} {
		_, err := producer.ReadConfig(tc.environment, p)
		if err == nil {
			t.Errorf("%s: no error", tc.name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error does not say %q:\n%v", tc.name, want, err)
			}
		}
		if got, want := strings.Count(err.Error(), "\n")+1, len(tc.want); got != want {
			t.Errorf("%s: error names %d faults, want %d:\n%v", tc.name, got, want, err)
		}
	}
}
