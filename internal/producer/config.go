package producer

import (
	"fmt"

	"streamproof/internal/environment"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
)

// Bounds of what a tick may be.
const (
	// MaxRecords is the most records of a tick: about what ten shards take in the 15 minutes that a function may run.
	// Records that cannot be sent in time are rejected in the manifest.
	MaxRecords = 10_000_000
	// MaxSpreadSeconds is the longest time to spread a tick's records over.
	MaxSpreadSeconds = 600
)

// NoAggregation sends each record by itself.
const NoAggregation = "none"

// Config is the function's environment.
type Config struct {
	// StreamName is the Kinesis stream, Bucket the bucket of the ledger.
	StreamName string `env:"STREAM_NAME,required,notEmpty"`
	Bucket     string `env:"BUCKET,required,notEmpty"`
	// StackName is the dimension of the metrics.
	StackName string `env:"STACK_NAME,required,notEmpty"`
	// RecordsPerTick is how many records a tick has, 1 to MaxRecords, unless its event says otherwise.
	RecordsPerTick int `env:"RECORDS_PER_TICK,required"`
	// SpreadSeconds is the time to spread a tick's records over, 0 to MaxSpreadSeconds.
	SpreadSeconds int `env:"SPREAD_SECONDS" envDefault:"20"`
	// PartitionKey is generator.Uniform or a column of the schema.
	PartitionKey string `env:"PARTITION_KEY" envDefault:"uniform"`
	// Aggregation is NoAggregation or ledger.KPL, to pack the records as the Kinesis Producer Library does.
	Aggregation string `env:"AGGREGATION" envDefault:"none"`
	// Seed, the tick and the index determine a record.
	Seed uint64 `env:"SEED" envDefault:"1"`
}

// ReadConfig reads the environment, given as a map. The error names every fault in it.
func ReadConfig(variables map[string]string, p *pipeline.Pipeline) (Config, error) {
	c, faults := environment.Parse[Config](variables)
	if faults.Read("RECORDS_PER_TICK") && (c.RecordsPerTick < 1 || c.RecordsPerTick > MaxRecords) {
		faults.Add(fmt.Errorf("RECORDS_PER_TICK is %d, want 1 to %d", c.RecordsPerTick, MaxRecords))
	}
	if faults.Read("SPREAD_SECONDS") && (c.SpreadSeconds < 0 || c.SpreadSeconds > MaxSpreadSeconds) {
		faults.Add(fmt.Errorf("SPREAD_SECONDS is %d, want 0 to %d", c.SpreadSeconds, MaxSpreadSeconds))
	}
	if c.Aggregation != NoAggregation && c.Aggregation != ledger.KPL {
		faults.Add(fmt.Errorf("AGGREGATION is %q, want %s or %s", c.Aggregation, NoAggregation, ledger.KPL))
	}
	g, err := generator.New(p, c.Seed)
	if err != nil {
		faults.Add(err)
	} else if _, err := g.KeyOf(c.PartitionKey); err != nil {
		faults.Add(fmt.Errorf("PARTITION_KEY: %w", err))
	}
	if err := faults.Err("producer"); err != nil {
		return Config{}, err
	}
	return c, nil
}
