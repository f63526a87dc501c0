package engine_test

import (
	"syscall"
	"testing"
	"time"

	"streamproof/internal/generator"
	"streamproof/internal/pipeline"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
)

// BenchmarkRows makes the records of a tick and runs the exercise's query over them: the engine, and SQLite as before
// it. CPU time counts, since a machine is rarely idle.
func BenchmarkRows(b *testing.B) {
	p, err := pipeline.Embedded()
	if err != nil {
		b.Fatal(err)
	}
	q, err := query.Compile(p)
	if err != nil {
		b.Fatal(err)
	}
	g, err := generator.New(p, 1)
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.New(q)
	if err != nil {
		b.Fatal(err)
	}
	s, err := engine.OpenSQLite(q)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	tick := generator.Tick{Time: time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC), Records: 1_000_000, Spread: 20 * time.Second}
	for _, c := range []struct {
		name string
		computer
	}{{"engine", e}, {"SQLite", s}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			rows, before := 0, cpu(b)
			for b.Loop() {
				rows = 0
				if err := c.Rows(g.Records(tick, 0, tick.Records-1), true, func([]byte) { rows++ }); err != nil {
					b.Fatal(err)
				}
			}
			if rows < tick.Records/3 {
				b.Errorf("got %d rows of %d records", rows, tick.Records)
			}
			b.ReportMetric(float64(b.N)*float64(tick.Records)/(cpu(b)-before).Seconds(), "records/cpu-s")
		})
	}
}

// cpu is the time that the process has computed.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
