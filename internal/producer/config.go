package producer

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"

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
func ReadConfig(environment map[string]string, p *pipeline.Pipeline) (Config, error) {
	c, err := env.ParseAsWithOptions[Config](env.Options{Environment: environment})
	var faults []error
	unread := map[string]bool{}
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, fault := range all.Errors {
			var unparsed env.ParseError
			if errors.As(fault, &unparsed) {
				// The library names the field; the reader of the error needs the variable.
				field, _ := reflect.TypeFor[Config]().FieldByName(unparsed.Name)
				unread[unparsed.Name] = true
				fault = fmt.Errorf("%s: %w", variable(field), unparsed.Err)
			}
			faults = append(faults, fault)
		}
	} else if err != nil {
		faults = append(faults, err)
	}
	if _, set := environment["RECORDS_PER_TICK"]; set && !unread["RecordsPerTick"] && (c.RecordsPerTick < 1 || c.RecordsPerTick > MaxRecords) {
		faults = append(faults, fmt.Errorf("RECORDS_PER_TICK is %d, want 1 to %d", c.RecordsPerTick, MaxRecords))
	}
	if !unread["SpreadSeconds"] && (c.SpreadSeconds < 0 || c.SpreadSeconds > MaxSpreadSeconds) {
		faults = append(faults, fmt.Errorf("SPREAD_SECONDS is %d, want 0 to %d", c.SpreadSeconds, MaxSpreadSeconds))
	}
	if c.Aggregation != NoAggregation && c.Aggregation != ledger.KPL {
		faults = append(faults, fmt.Errorf("AGGREGATION is %q, want %s or %s", c.Aggregation, NoAggregation, ledger.KPL))
	}
	g, err := generator.New(p, c.Seed)
	if err != nil {
		faults = append(faults, err)
	} else if _, err := g.KeyOf(c.PartitionKey); err != nil {
		faults = append(faults, fmt.Errorf("PARTITION_KEY: %w", err))
	}
	if err := errors.Join(faults...); err != nil {
		return Config{}, fmt.Errorf("environment of the producer: %w", err)
	}
	return c, nil
}

func variable(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
	return name
}
