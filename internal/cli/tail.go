package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"streamproof/internal/record"
	"streamproof/internal/stream"
	"streamproof/internal/tail"
	"streamproof/internal/terminal"
)

// tailPermissions are what tail needs on AWS.
const tailPermissions = "kinesis:ListShards, GetShardIterator and GetRecords on the stream, s3:GetObject on the bucket, and cloudformation:DescribeStacks"

type tailCmd struct {
	For    time.Duration `help:"End after this time (default: with Ctrl-C)." placeholder:"DURATION"`
	target `embed:""`
}

// Validate is called by kong.
func (c *tailCmd) Validate() error {
	if c.For < 0 {
		return fmt.Errorf("--for is %s, want 0s or more", c.For)
	}
	return c.target.Validate()
}

func (c *tailCmd) Run(ctx context.Context, e *env) error {
	s, here, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	var parser *record.Reader // nil for a stack that does not name its query: records are text then
	if q, err := s.Query(ctx); err == nil {
		parser = record.NewReader(q.Pipeline.Schema)
	}
	_ = e.stderr.Printf("The records of stream %s that arrive from now on. Ctrl-C ends this.\n", s.Outputs.StreamName)
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	reader := s.Reader()
	if here != nil {
		reader.Interval, reader.PageBytes = tail.LocalInterval, 0
	}
	var mu sync.Mutex
	var waiting *tail.Burst
	ended := make(chan error, 1)
	go func() {
		ended <- tail.Follow(ctx, reader, func(b *tail.Burst) {
			mu.Lock()
			defer mu.Unlock()
			if waiting != nil {
				b = waiting.Join(b)
			}
			waiting = b
		})
	}()
	batches := tail.NewBatcher(time.Now())
	show := func(shard string, r stream.Record) tail.Record { return tail.Show(parser, shard, r) }
	for over := false; !over; {
		select {
		case err = <-ended:
			over = true // what has come is printed first
		case <-time.After(tail.Every):
		}
		mu.Lock()
		b := waiting
		waiting = nil
		mu.Unlock()
		if b == nil {
			continue
		}
		if err := c.print(e, batches.Batch(b, time.Now(), show)); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil // it ends with Ctrl-C, or when its time is over
	}
	return needs(err, tailPermissions)
}

// print prints a batch: for a person a record a line, or as one JSON object.
func (c *tailCmd) print(e *env, b *tail.Batch) error {
	if c.JSON {
		return json.NewEncoder(e.programs).Encode(b)
	}
	if err := e.stdout.Print(batchText(b)); err != nil {
		return err
	}
	if b.Dropped > 0 || b.Skipped {
		return e.stderr.Printf("%d of %d records are not shown, because they come too fast%s.\n", b.Dropped, b.Read, map[bool]string{true: "; others were not even read"}[b.Skipped])
	}
	return nil
}

func batchText(b *tail.Batch) terminal.Text {
	var out terminal.Builder
	for _, r := range b.Records {
		out.Addf("%s %s %s", r.Arrival.Format(timeFormat), r.Shard, r.PartitionKey)
		if r.Aggregate > 0 {
			out.Addf(" packs %d", r.Aggregate)
		}
		out.Addf(" %s\n", strings.TrimRight(r.Data, "\n"))
		for _, problem := range r.Problems {
			out.Addf("  not a row: %s\n", problem)
		}
	}
	return out.Text()
}
