// Bench measures what is claimed to be fast or cheap, beside its peers where it has any: `go run ./bench --help` lists
// the measurements. The benchmarks of single parts are `go test -bench`; `make bench` runs all of them.
package main

import (
	"context"
	"os"

	"github.com/alecthomas/kong"
)

// A tempDir is a directory that is removed at the end.
type tempDir string

func main() {
	var commands struct {
		Table     tableCmd     `cmd:"" help:"Measure everything that has a peer, and print one table."`
		Peers     peersCmd     `cmd:"" help:"Compare the verifier's count with DuckDB and sort, on the same two files."`
		Count     countCmd     `cmd:"" hidden:""`
		Transform transformCmd `cmd:"" help:"Compare the transform with a Python function, and measure its memory."`
		Start     startCmd     `cmd:"" help:"Measure the functions' packages and cold starts."`
		Cost      costCmd      `cmd:"" help:"Measure what Firehose bills, on the local stack."`
		History   historyCmd   `cmd:"" help:"Measure a full verification of many rows."`
		Cores     coresCmd     `cmd:"" help:"Measure a full verification on one core and on all."`
		Judge     judgeCmd     `cmd:"" hidden:""`
	}
	parsed := kong.Parse(&commands, kong.Name("bench"), kong.BindTo(context.Background(), (*context.Context)(nil)))
	dir, err := os.MkdirTemp("", "streamproof-bench-")
	if err == nil {
		err = parsed.Run(tempDir(dir))
		_ = os.RemoveAll(dir)
	}
	parsed.FatalIfErrorf(err)
}
