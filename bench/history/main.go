// History makes a copy of a bucket with many rows in a folder, as `aws s3 sync` would, has the command line judge it,
// and says how long that takes and how much memory it needs at most.
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

	"github.com/alecthomas/kong"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
)

type flags struct {
	Ticks   int    `help:"Ticks." default:"200"`
	Records int    `help:"Records of each, of which about half give a row." default:"100000"`
	Foreign int    `help:"Distinct rows that nobody owes, in one more object."`
	Leak    bool   `help:"Deliver the rows that the query leaves out, too."`
	Program string `help:"The command line." default:"bin/streamproof"`
	Fill    string `help:"Only make the copy, in this folder."`
}

func main() {
	var f flags
	kong.Parse(&f, kong.Description("Measures a full verification of many rows."))
	if err := run(context.Background(), f); err != nil {
		fmt.Fprintln(os.Stderr, "history:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, f flags) error {
	if f.Fill != "" {
		return fill(f.Fill, f)
	}
	dir, err := os.MkdirTemp("", "streamproof-history-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Filled by another process: what a process needs at most is said to be no less than what its parent needed before.
	if out, err := exec.CommandContext(ctx, self, append(os.Args[1:], "--fill", dir)...).CombinedOutput(); err != nil {
		return fmt.Errorf("fill %s: %w: %s", dir, err, out)
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, f.Program, "verify", "--dir", dir)
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
	fmt.Printf("%d records in %d ticks, %d foreign rows: %.1f s, %d MB at most\n", f.Ticks*f.Records, f.Ticks, f.Foreign, time.Since(start).Seconds(), usage.Maxrss>>10)
	return nil
}

// fill writes ticks a minute apart, each delivered in one object ten seconds after its claim.
func fill(dir string, f flags) error {
	p, err := pipeline.Embedded()
	if err != nil {
		return err
	}
	q, err := query.Compile(p)
	if err != nil {
		return err
	}
	sql, err := engine.Open(q)
	if err != nil {
		return err
	}
	defer func() { _ = sql.Close() }()
	g, err := generator.New(p, 1)
	if err != nil {
		return err
	}
	published, err := ledger.EncodePipeline(p)
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
	first := time.Now().UTC().Truncate(time.Minute).Add(-time.Duration(f.Ticks+60) * time.Minute)
	if err := write(ledger.PipelineKey(p.Hash()), published, first); err != nil {
		return err
	}
	for i := range f.Ticks {
		at := first.Add(time.Duration(i) * time.Minute)
		tick := ledger.Tick{
			State: ledger.Complete, Time: at, Owner: "bench", LeaseEnd: at.Add(time.Minute), ClaimedAt: at.Add(time.Second),
			Seed: 1, Generator: generator.Version, Pipeline: p.Hash(), Records: f.Records, PartitionKey: generator.Uniform,
			Outcomes: []ledger.Range{{Last: f.Records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
		}
		data, err := tick.Encode()
		if err != nil {
			return err
		}
		if err := write(ledger.TickKey(at), data, at.Add(5*time.Second)); err != nil {
			return err
		}
		var rows []byte
		records := g.Records(generator.Tick{Time: at, Records: f.Records}, 0, f.Records-1)
		err = sql.Rows(records, !f.Leak, func(key []byte) { rows = append(append(rows, q.Output.Format(key)...), '\n') })
		if err != nil {
			return err
		}
		key := fmt.Sprintf("ingestion-kinesis/%s/object-%06d", at.Format("2006/01/02/15"), i)
		if err := write(key, rows, at.Add(11*time.Second)); err != nil {
			return err
		}
	}
	if f.Foreign == 0 {
		return nil
	}
	var flood bytes.Buffer
	zip := gzip.NewWriter(&flood)
	for i := range f.Foreign {
		if _, err := fmt.Fprintf(zip, "%d,9,1.0,1.0\n", i); err != nil {
			return err
		}
	}
	if err := zip.Close(); err != nil {
		return err
	}
	at := first.Add(time.Duration(f.Ticks) * time.Minute)
	return write(fmt.Sprintf("ingestion-kinesis/%s/foreign", at.Format("2006/01/02/15")), flood.Bytes(), at)
}
