package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"streamproof/internal/local"
	"streamproof/internal/proof"
)

// A costCmd runs the local stack at a steady rate and prints what Firehose would bill for what the Flink job put: each
// record rounded up to 5 KB. docs/packing.md has its numbers.
type costCmd struct {
	Records int               `help:"Records of the tick, of which about half give a row." default:"100000"`
	Seconds int               `help:"Seconds over which they are spread, at most 50." default:"50"`
	Set     map[string]string `help:"Set a parameter of the template." mapsep:"none" placeholder:"NAME=VALUE"`
}

func (c *costCmd) Run(ctx context.Context, dir tempDir) (err error) {
	// As on AWS, but for the interval of the checkpoints: they let packs go early.
	parameters := map[string]string{
		"ScheduleState": "DISABLED", "SpreadSeconds": fmt.Sprint(c.Seconds), "PackDelaySeconds": "5", "CheckpointIntervalSeconds": "60",
		"BufferIntervalSeconds": "10", "DeliveryDeadlineSeconds": "180", // the verifier refuses one that is shorter than all of these
	}
	maps.Copy(parameters, c.Set)
	s, err := local.Start(ctx, local.Options{Root: ".", StateDir: string(dir), Port: local.AnyPort, Parameters: parameters})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop(ctx)) }()
	if _, _, err := s.Produce(ctx, time.Now().Truncate(time.Millisecond), c.Records, 0); err != nil {
		return err
	}
	for {
		r, _, err := s.Verify(ctx)
		if err != nil {
			return err
		}
		if r.Verdict == proof.NotProven || r.Counts.AllFound() && r.Counts.Owed > 0 {
			fmt.Println(r.LastLine())
			show(r.Counts.Delivered, c.Seconds, s)
			return nil
		}
		time.Sleep(time.Second)
	}
}

func show(rows int64, seconds int, s *local.Stack) {
	stats := s.Deliveries().Stats()[s.Outputs.DeliveryStreamName]
	w := table.NewWriter()
	w.SetOutputMirror(os.Stdout)
	w.AppendHeader(table.Row{"", "Firehose records", "Payload bytes", "Billed bytes", "Billed / payload"})
	row := func(name string, records, billed int64) {
		w.AppendRow(table.Row{name, records, stats.Bytes, billed, fmt.Sprintf("%.3f", float64(billed)/float64(stats.Bytes))})
	}
	const unit = 5 << 10
	row("a record for each row (computed)", rows, rows*unit)
	row("packed", stats.Records, stats.BilledBytes)
	w.Render()
	fmt.Printf("%d rows in %d seconds: %d rows/s\n", rows, seconds, rows/int64(seconds))
}
