package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
)

// A historyCmd makes a copy of a bucket with many rows in a folder, as `aws s3 sync` would, has the command line judge
// it, and prints how long that takes and how much memory it needs at most.
type historyCmd struct {
	Ticks   int    `help:"Ticks." default:"200"`
	Records int    `help:"Records of each, of which about half give a row." default:"100000"`
	Foreign int    `help:"Distinct rows that nobody owes, in one more object."`
	Leak    bool   `help:"Deliver the rows that the query leaves out, too."`
	Gzip    bool   `help:"Compress the objects, as a year of rows does not fit on a disk otherwise."`
	Program string `help:"The command line." default:"bin/streamproof"`
	Fill    string `help:"Only make the copy, in this folder."`
}

func (c *historyCmd) Run(ctx context.Context, dir tempDir) error {
	if c.Fill != "" {
		return c.fill(c.Fill)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Filled by another process: what a process needs at most is said to be no less than what its parent needed before.
	if out, err := exec.CommandContext(ctx, self, append(os.Args[1:], "--fill", string(dir))...).CombinedOutput(); err != nil {
		return fmt.Errorf("fill %s: %w: %s", dir, err, out)
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, c.Program, "verify", "--dir", string(dir))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	fmt.Printf("%s\n", out)
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not tell a process's memory")
	}
	fmt.Printf("%d records in %d ticks, %d foreign rows: %.1f s, %d MB at most\n", c.Ticks*c.Records, c.Ticks, c.Foreign, time.Since(start).Seconds(), usage.Maxrss>>10)
	return nil
}

// fill writes ticks a minute apart, each delivered in one object ten seconds after its claim.
func (c *historyCmd) fill(dir string) error {
	m, err := newMaker()
	if err != nil {
		return err
	}
	published, err := ledger.EncodePipeline(m.pipeline)
	if err != nil {
		return err
	}
	write := func(key string, data []byte, at time.Time) error {
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
		return os.Chtimes(path, at, at)
	}
	zip, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		return err
	}
	first := time.Now().UTC().Truncate(time.Minute).Add(-time.Duration(c.Ticks+60) * time.Minute)
	if err := write(ledger.PipelineKey(m.pipeline.Hash()), published, first); err != nil {
		return err
	}
	for i := range c.Ticks {
		at := first.Add(time.Duration(i) * time.Minute)
		tick := ledger.Tick{
			State: ledger.Complete, Time: at, Owner: "bench", LeaseEnd: at.Add(time.Minute), ClaimedAt: at.Add(time.Second),
			Seed: 1, Generator: generator.Version, Pipeline: m.pipeline.Hash(), Records: c.Records, PartitionKey: generator.Uniform,
			Outcomes: []ledger.Range{{Last: c.Records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
		}
		data, err := tick.Encode()
		if err != nil {
			return err
		}
		if err := write(ledger.TickKey(at), data, at.Add(5*time.Second)); err != nil {
			return err
		}
		var rows []byte
		err = m.rows(generator.Tick{Time: at, Records: c.Records}, !c.Leak, func(key []byte) { rows = append(rows, m.query.Output.Format(key)+"\n"...) })
		if err != nil {
			return err
		}
		key := fmt.Sprintf("ingestion-kinesis/%s/object-%06d", at.Format("2006/01/02/15"), i)
		if c.Gzip {
			var zipped bytes.Buffer
			zip.Reset(&zipped)
			if _, err := zip.Write(rows); err != nil {
				return err
			}
			if err := zip.Close(); err != nil {
				return err
			}
			key, rows = key+".gz", zipped.Bytes()
		}
		if err := write(key, rows, at.Add(11*time.Second)); err != nil {
			return err
		}
	}
	if c.Foreign == 0 {
		return nil
	}
	var flood bytes.Buffer
	zip.Reset(&flood)
	for i := range c.Foreign {
		if _, err := fmt.Fprintf(zip, "%d,9,1.0,1.0\n", i); err != nil {
			return err
		}
	}
	if err := zip.Close(); err != nil {
		return err
	}
	at := first.Add(time.Duration(c.Ticks) * time.Minute)
	return write(fmt.Sprintf("ingestion-kinesis/%s/foreign", at.Format("2006/01/02/15")), flood.Bytes(), at)
}
