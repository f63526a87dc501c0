package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/verifier"
)

// A peersCmd compares the verifier's count with two peers on the same work, in one run and on one core: which of the
// owed rows of one file are missing from the delivered rows of another.
//
//	sort     sort | uniq -c over both files, and diff over the results
//	DuckDB   SELECT * FROM owed EXCEPT ALL SELECT * FROM delivered
//
// One row is left out of the second file. A peer that does not report it fails the run.
type peersCmd struct {
	Records int    `help:"Records, of which about half give a row." default:"20000000"`
	JSON    bool   `help:"Count JSON lines, and not CSV; without sort."`
	Python  string `help:"A Python with duckdb." default:".venv/bin/python"`
}

func (c *peersCmd) Run(ctx context.Context, dir tempDir) error {
	peers, rows, err := c.compare(ctx, string(dir))
	if err != nil {
		return err
	}
	out := table.NewWriter()
	out.SetOutputMirror(os.Stdout)
	out.SetTitle("%d rows against %d, one core", rows, rows-1)
	out.AppendHeader(table.Row{"", "seconds", "CPU seconds", "times streamproof"})
	for _, p := range peers {
		out.AppendRow(table.Row{
			p.name, fmt.Sprintf("%.1f", p.took.Seconds()), fmt.Sprintf("%.1f", p.cpu.Seconds()),
			fmt.Sprintf("%.1f", p.took.Seconds()/peers[0].took.Seconds()),
		})
	}
	out.Render()
	return nil
}

// A counter is a program that has counted, and how long it took.
type counter struct {
	name      string
	took, cpu time.Duration
}

// compare has each program count the same two files, ours first, and returns how many rows there are.
func (c *peersCmd) compare(ctx context.Context, dir string) (counted []counter, rows int, err error) {
	m, err := newMaker()
	if err != nil {
		return nil, 0, err
	}
	owed, delivered := filepath.Join(dir, "owed.csv"), filepath.Join(dir, "delivered.csv")
	fmt.Printf("making two files of the rows of %d records\n", c.Records)
	if rows, err = m.files(c.Records, c.JSON, owed, delivered); err != nil {
		return nil, 0, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, 0, err
	}
	sorted := `for f in "$0" "$1"; do sort -S 2G --parallel=1 -T "$2" "$f" | uniq -c > "$f.counts"; done; diff "$0.counts" "$1.counts" | grep -c '^<'`
	duck := `import sys, duckdb
duckdb.execute("SET threads = 1")
columns = "{'a': 'INTEGER', 'b': 'INTEGER', 'c': 'FLOAT', 'd': 'FLOAT'}"
read = lambda path: f"SELECT * FROM read_csv('{path}', header = false, columns = {columns})"
if sys.argv[3] == "true":
    columns = "{'VendorID': 'INTEGER', 'passenger_count': 'INTEGER', 'trip_distance': 'FLOAT', 'total_amount': 'FLOAT'}"
    read = lambda path: f"SELECT * FROM read_json('{path}', format = 'newline_delimited', columns = {columns})"
print(duckdb.execute(f"SELECT count(*) FROM ({read(sys.argv[1])} EXCEPT ALL {read(sys.argv[2])})").fetchone()[0])`
	peers := []struct {
		name    string
		command *exec.Cmd
	}{
		{"streamproof", exec.CommandContext(ctx, self, "count", owed, delivered)},
		{"DuckDB", exec.CommandContext(ctx, c.Python, "-c", duck, owed, delivered, strconv.FormatBool(c.JSON))},
		{"sort | uniq -c", exec.CommandContext(ctx, "sh", "-c", sorted, owed, delivered, dir)},
	}
	if c.JSON {
		peers = peers[:2]
	}
	for _, peer := range peers {
		peer.command.Env = append(os.Environ(), "GOMAXPROCS=1", "LC_ALL=C")
		peer.command.Stderr = os.Stderr
		start := time.Now()
		said, err := peer.command.Output()
		took := time.Since(start)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", peer.name, err)
		}
		answer := strings.Fields(string(said))
		if len(answer) == 0 || answer[len(answer)-1] != "1" {
			return nil, 0, fmt.Errorf("%s: found %q and not the 1 row that is missing", peer.name, said)
		}
		if counted == nil {
			fmt.Print(strings.TrimSuffix(string(said), "1\n"))
		}
		state := peer.command.ProcessState
		counted = append(counted, counter{peer.name, took, state.UserTime() + state.SystemTime()})
	}
	return counted, rows, nil
}

// A maker makes records and their rows.
type maker struct {
	pipeline  *pipeline.Pipeline
	query     *query.Query
	generator *generator.Generator
	sql       *engine.Engine
}

func newMaker() (m maker, err error) {
	if m.pipeline, err = pipeline.Embedded(); err != nil {
		return m, err
	}
	if m.query, err = query.Compile(m.pipeline); err != nil {
		return m, err
	}
	if m.generator, err = generator.New(m.pipeline, 1); err != nil {
		return m, err
	}
	m.sql, err = engine.New(m.query)
	return m, err
}

// rows passes the keys of a tick's rows: those that the query delivers, or those of all its records.
func (m maker) rows(tick generator.Tick, delivered bool, row func(key []byte)) error {
	return m.sql.Rows(m.generator.Records(tick, 0, tick.Records-1), delivered, row)
}

// line writes a row as CSV, or as JSON with the schema's names.
func (m maker) line(key []byte, json bool) (string, error) {
	if !json {
		return m.query.Output.Format(key) + "\n", nil
	}
	line, err := m.query.Output.JSON()(nil, m.query.Output.Fields(nil, key))
	return string(line), err
}

// files writes the rows of a tick of so many records, and the same in another order less one. It returns their number.
func (m maker) files(records int, json bool, owed, delivered string) (rows int, err error) {
	var out [2]*bufio.Writer
	for i, path := range []string{owed, delivered} {
		file, err := os.Create(path)
		if err != nil {
			return 0, err
		}
		defer func() { _ = file.Close() }()
		out[i] = bufio.NewWriterSize(file, 1<<20)
	}
	const turned = 1000 // rows that are written in reverse, so that the second file has another order
	var waiting []string
	flush := func() {
		for i := len(waiting) - 1; i >= 0; i-- {
			_, _ = out[1].WriteString(waiting[i])
		}
		waiting = waiting[:0]
	}
	tick := generator.Tick{Time: time.Unix(0, 0), Records: records, Spread: time.Minute}
	var fault error
	err = m.rows(tick, true, func(key []byte) {
		line, err := m.line(key, json)
		fault = cmp.Or(fault, err)
		_, _ = out[0].WriteString(line)
		if rows++; rows > 1 {
			waiting = append(waiting, line)
		}
		if len(waiting) == turned {
			flush()
		}
	})
	if err = cmp.Or(err, fault); err != nil {
		return 0, err
	}
	flush()
	for _, w := range out {
		if err := w.Flush(); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

// A countCmd counts as the verifier does, with the first file's rows for the ledger's, and prints how many are missing.
type countCmd struct {
	Owed, Delivered string `arg:""`
}

func (c *countCmd) Run() error {
	p, err := pipeline.Embedded()
	if err != nil {
		return err
	}
	q, err := query.Compile(p)
	if err != nil {
		return err
	}
	judge := proof.NewJudge(q.Output.Format, 1)
	judge.Claim(proof.Tick{})
	start := time.Now()
	file, err := os.Open(c.Owed)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lines := bucket.NewLines(file, 1<<20)
	judge.OweLines(lines.Runs(), 1, 1, proof.LineReader{
		Read:   q.Output.Append,
		Refuse: func(l proof.Line, refused error) { err = fmt.Errorf("line %d of %s: %w", l.Number, c.Owed, refused) },
	})
	if err := cmp.Or(err, lines.Err()); err != nil {
		return err
	}
	opened := time.Now()

	found, err := os.Open(c.Delivered)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	judge.Object(c.Delivered, "", time.Unix(1, 0))
	n, err := verifier.Count(judge, q.Output, found)
	if err != nil {
		return err
	}
	judge.HasUnmatched() // settles the last of them
	fmt.Printf("delivered: %.1f million rows/s parsed and counted, after %.1f s for the owed file\n",
		float64(n)/1e6/time.Since(opened).Seconds(), opened.Sub(start).Seconds())
	counts := judge.Close(time.Unix(2, 0)).Counts
	if bad := counts.Duplicated + counts.Corrupt + counts.Unexpected; bad > 0 {
		return fmt.Errorf("%d rows are neither owed nor delivered: %+v", bad, counts)
	}
	fmt.Println(counts.Missing)
	return nil
}
