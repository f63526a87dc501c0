package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"streamproof/internal/producer"
	"streamproof/internal/terminal"
)

type produceCmd struct {
	Records int        `arg:"" optional:"" default:"1000" help:"Number of records."`
	Poison  int        `help:"Number of records that are malformed on purpose, in every way there is." placeholder:"N"`
	Tick    *time.Time `help:"Time of the tick, which names it (default: now). A tick that was sent before sends nothing." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME"`
	Key     string     `help:"Partition key of this tick: uniform, or the name of a column (default: the stack's PartitionKey)." placeholder:"NAME"`
	target  `embed:""`
}

// Validate is called by kong.
func (c *produceCmd) Validate() error {
	if err := producer.CheckRecords(c.Records, c.Poison); err != nil {
		return err
	}
	return c.target.Validate()
}

func (c *produceCmd) Run(ctx context.Context, e *env) error {
	if c.Tick != nil {
		if err := producer.CheckTick(*c.Tick, time.Now()); err != nil {
			return &usageError{fmt.Errorf("--tick is %s, %w", c.Tick.Format(time.RFC3339Nano), err)}
		}
	}
	s, _, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	at := time.Now().Truncate(time.Millisecond)
	if c.Tick != nil {
		at = *c.Tick
	}
	answer, raw, err := s.ProduceBy(ctx, at, c.Records, c.Poison, c.Key)
	if err != nil {
		return err
	}
	return e.show(c.JSON, raw, answerText(answer))
}

func answerText(a *producer.Answer) terminal.Text {
	w := terminal.NewTable()
	w.Header("Shard", "Records", "First sequence number", "Last sequence number")
	for _, id := range slices.Sorted(maps.Keys(a.Shards)) {
		shard := a.Shards[id]
		w.Row(id, shard.Records, shard.FirstSequenceNumber, shard.LastSequenceNumber)
	}
	var b terminal.Builder
	if len(a.Shards) > 0 {
		b.Addf("%s\n", w.Text())
	}
	b.Addf("Tick %s is %s: %d records, %d acknowledged, %d rejected, %d unknown.",
		a.Tick.UTC().Format(timeFormat), a.State, a.Records, a.Acknowledged, a.Rejected, a.Unknown)
	if a.Message != "" {
		b.Addf(" %s", a.Message)
	}
	return b.Text()
}
