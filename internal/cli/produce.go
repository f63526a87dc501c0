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
	Records int       `arg:"" optional:"" default:"1000" help:"How many records."`
	Poison  int       `help:"How many of them are malformed on purpose, in every way there is." placeholder:"N"`
	Tick    time.Time `help:"The tick's time, which names it: the same tick again sends nothing (now)." format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME"`
	target  `embed:""`
}

// Validate is called by kong.
func (c *produceCmd) Validate() error {
	if c.Records < 1 {
		return fmt.Errorf("cannot produce %d records: give a number above 0", c.Records)
	}
	if c.Poison < 0 || c.Poison > c.Records {
		return fmt.Errorf("--poison is %d: of %d records, 0 to %d can be malformed", c.Poison, c.Records, c.Records)
	}
	return c.target.Validate()
}

func (c *produceCmd) Run(ctx context.Context, e *env) error {
	s, _, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	if c.Tick.IsZero() {
		c.Tick = time.Now()
	}
	answer, raw, err := s.Produce(ctx, c.Tick.Truncate(time.Millisecond), c.Records, c.Poison)
	if err != nil {
		return err
	}
	if c.JSON {
		return e.printJSON(raw)
	}
	return e.stdout.Println(answerText(answer))
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
