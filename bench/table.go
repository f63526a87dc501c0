package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// A tableCmd measures what has a peer, and prints one table. A peer that is published has not been run: its figure is
// from its own page, on its own machine. What one core does is its CPU time, since a machine is rarely idle; what is
// sent, and what several cores do, needs an idle one.
type tableCmd struct {
	peersCmd
	Seconds float64 `help:"How long each transform answers the same event." default:"5"`
}

// The best published writer of Kinesis, in records/s with answers after 0 and 20 ms.
const (
	published0  = 474_000
	published20 = 107_000
)

// A comparison is a line of the table: how much a second, ours and the peer's.
type comparison struct {
	what, peer   string
	ours, theirs float64
}

func (c *tableCmd) Run(ctx context.Context, dir tempDir) error {
	rows, err := goBench(ctx, "./internal/query/engine", "Rows", "records/cpu-s")
	if err != nil {
		return err
	}
	sent, err := goBench(ctx, "./internal/stream", "Delivery/none", "records/s")
	if err != nil {
		return err
	}
	lines := []comparison{
		{"owed: records made and queried, of one core", "SQLite in Go", rows["engine"], rows["SQLite"]},
		{"sent: records, 0 ms an answer", "published writer", sent["none"], published0},
		{"sent: records, 20 ms an answer", "published writer", sent["none-20ms"], published20},
	}
	full := coresCmd{historyCmd{Ticks: 200, Records: 100_000}}
	one, all, err := full.compare(ctx, filepath.Join(string(dir), "history"))
	if err != nil {
		return err
	}
	lines = append(lines, comparison{
		fmt.Sprintf("judged in full: records, on %d cores", runtime.NumCPU()), "itself on one",
		float64(full.records()) / all.Seconds(), float64(full.records()) / one.Seconds(),
	})
	for _, format := range []struct {
		name string
		json bool
	}{{"lines of CSV", false}, {"lines of JSON", true}} {
		c.JSON = format.json
		counted, n, err := c.compare(ctx, string(dir))
		if err != nil {
			return err
		}
		for _, peer := range counted[1:] {
			lines = append(lines, comparison{
				fmt.Sprintf("counted: %d %s against as many, of one core", n, format.name), peer.name,
				float64(n) / counted[0].cpu.Seconds(), float64(n) / peer.cpu.Seconds(),
			})
		}
	}
	transforms, err := newBench(string(dir), c.Python, c.Seconds/turns)
	if err != nil {
		return err
	}
	answers, err := transforms.compare(ctx)
	if err != nil {
		return err
	}
	for _, a := range answers {
		rows := float64(a.rows)
		lines = append(lines, comparison{"transformed: " + a.kind + ", of one core", "Python", rows / a.ours.Seconds(), rows / a.theirs.Seconds()})
	}
	out := table.NewWriter()
	out.SetOutputMirror(os.Stdout)
	out.AppendHeader(table.Row{"a second", "Streamproof", "peer", "peer's", "times as fast"})
	for _, l := range lines {
		out.AppendRow(table.Row{l.what, million(l.ours), l.peer, million(l.theirs), fmt.Sprintf("%.1f", l.ours/l.theirs)})
	}
	out.Render()
	return nil
}

func million(n float64) string { return fmt.Sprintf("%.2f million", n/1e6) }

// goBench runs benchmarks of a package and returns the best of three of one of their metrics, by the benchmarks' names
// without the first part.
func goBench(ctx context.Context, pkg, pattern, metric string) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", "3x", "-count", "3", pkg)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	best := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		for i := 1; i < len(fields); i++ {
			if fields[i] != metric {
				continue
			}
			n, err := strconv.ParseFloat(fields[i-1], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
			_, name, _ := strings.Cut(fields[0], "/")
			name = strings.TrimSuffix(name, fmt.Sprintf("-%d", runtime.GOMAXPROCS(0)))
			best[name] = max(best[name], n)
		}
	}
	if len(best) == 0 {
		return nil, errors.New("no benchmark of " + pkg + " reports " + metric)
	}
	return best, nil
}
