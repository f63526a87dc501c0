package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
	"streamproof/internal/verifier"
)

// A coresCmd has a history judged in full on one core and on all, in turns, and prints how long that takes.
type coresCmd struct {
	History historyCmd `embed:""`
}

func (c *coresCmd) Run(ctx context.Context, dir tempDir) error {
	one, all, err := c.compare(ctx, string(dir))
	if err != nil {
		return err
	}
	fmt.Printf("%d records in full: %.2f s on one core, %.2f s on %d, %.2f times as fast\n", c.records(),
		one.Seconds(), all.Seconds(), runtime.NumCPU(), one.Seconds()/all.Seconds())
	return nil
}

func (c *coresCmd) records() int { return c.History.Ticks * c.History.Records }

// compare returns the shortest times of turns. They are of no use on a busy machine.
func (c *coresCmd) compare(ctx context.Context, dir string) (one, all time.Duration, err error) {
	if err := c.History.fill(dir); err != nil {
		return 0, 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, 0, err
	}
	judge := func(cores int) (time.Duration, error) {
		cmd := exec.CommandContext(ctx, self, "judge", dir)
		cmd.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", cores))
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("judge on %d cores: %w: %s", cores, err, out)
		}
		return time.Since(start), nil
	}
	one, all = math.MaxInt64, math.MaxInt64
	for range turns {
		onOne, err := judge(1)
		if err != nil {
			return 0, 0, err
		}
		onAll, err := judge(runtime.NumCPU())
		if err != nil {
			return 0, 0, err
		}
		one, all = min(one, onOne), min(all, onAll)
	}
	return one, all, nil
}

// A judgeCmd judges a copy of a bucket that historyCmd has made.
type judgeCmd struct {
	Dir string `arg:""`
}

func (c *judgeCmd) Run(ctx context.Context) error {
	r := verifier.Judge(ctx, bucket.Dir(c.Dir), verifier.Options{
		DataPrefix: "ingestion-kinesis/", ErrorsPrefix: "ingestion-kinesis-errors/", DeliveryDeadline: time.Minute,
	})
	if r.Verdict != proof.Proven {
		return errors.New(r.LastLine())
	}
	return nil
}
