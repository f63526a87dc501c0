// Cost runs the local stack at a steady rate and says what Firehose would bill for what the Flink job put: each record
// rounded up to 5 KB. The numbers in docs/packing.md are its.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"github.com/jedib0t/go-pretty/v6/table"

	"streamproof/internal/local"
	"streamproof/internal/proof"
)

type flags struct {
	Records int               `help:"Records of the tick, of which about half give a row." default:"100000"`
	Seconds int               `help:"Seconds over which they are spread, at most 50." default:"50"`
	Set     map[string]string `help:"Set a parameter of the template." mapsep:"none" placeholder:"NAME=VALUE"`
}

func main() {
	var f flags
	kong.Parse(&f, kong.Description("Measures what Firehose bills, on the local stack."))
	if err := run(context.Background(), f); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) (err error) {
	dir, err := os.MkdirTemp("", "streamproof-cost-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// As on AWS, but for the interval of the checkpoints: they let packs go early.
	parameters := map[string]string{
		"ScheduleState": "DISABLED", "SpreadSeconds": fmt.Sprint(f.Seconds), "PackDelaySeconds": "5", "CheckpointIntervalSeconds": "60",
		"BufferIntervalSeconds": "10", "DeliveryDeadlineSeconds": "180", // the verifier refuses one that is shorter than all of these
	}
	for name, value := range f.Set {
		parameters[name] = value
	}
	s, err := local.Start(ctx, local.Options{Root: ".", StateDir: dir, Port: local.AnyPort, Parameters: parameters})
	if err != nil {
		return err
	}
	defer func() {
		if stopped := s.Stop(ctx); err == nil {
			err = stopped
		}
	}()
	if _, _, err := s.Produce(ctx, time.Now().Truncate(time.Millisecond), f.Records, 0); err != nil {
		return err
	}
	for {
		r, _, err := s.Verify(ctx)
		if err != nil {
			return err
		}
		if r.Verdict == proof.NotProven || r.Counts.AllFound() && r.Counts.Owed > 0 {
			fmt.Println(r.LastLine())
			show(r.Counts.Delivered, f.Seconds, s)
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
