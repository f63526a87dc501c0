//go:build e2e

package e2e_test

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/pipeline"
	"streamproof/internal/proof"
	"streamproof/internal/repair"
	"streamproof/internal/replay"
	"streamproof/internal/verifier"
)

// TestAMillionMissingRows: two ticks of which nothing was ever delivered are PROVEN once what is made of their rows is
// under its keys. No object has more than 64 MB, and the memory does not hold what is written.
func TestAMillionMissingRows(t *testing.T) { // not parallel: it measures the memory of the process
	const records, most, mostMemory = 1_010_000, 64 << 20, 400 << 20
	dir := t.TempDir()
	write := func(key string, data []byte, at time.Time) {
		t.Helper()
		name := filepath.Join(dir, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	p, err := pipeline.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	published, err := ledger.EncodePipeline(p)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	write(ledger.PipelineKey(p.Hash()), published, now.Add(-5*time.Hour))
	for _, ago := range []time.Duration{4 * time.Hour, 3 * time.Hour} {
		at := now.Add(-ago)
		tick := ledger.Tick{
			State: ledger.Complete, Time: at, Owner: "test", LeaseEnd: at.Add(time.Minute), ClaimedAt: at, Seed: 1,
			Generator: generator.Version, Pipeline: p.Hash(), Records: records, PartitionKey: generator.Uniform,
			Outcomes: []ledger.Range{{Last: records - 1, Outcome: ledger.Acknowledged, Lo: 1, Hi: 1}},
		}
		data, err := tick.Encode()
		if err != nil {
			t.Fatal(err)
		}
		write(ledger.TickKey(at), data, at)
	}
	opts := verifier.Options{DataPrefix: "data/", ErrorsPrefix: "data-errors/", DeliveryDeadline: 10 * time.Minute}

	rows := &repair.Rows{
		Read: bucket.Dir(dir), DataPrefix: opts.DataPrefix, ErrorsPrefix: opts.ErrorsPrefix, Name: "stack", Serial: 1, Margin: time.Minute,
		Stage: func(_ context.Context, w *ledger.Write, body []byte) error {
			if w.Bytes > most {
				t.Errorf("%s has %d bytes", w.Key, w.Bytes)
			}
			write(w.Key, body, now)
			return nil
		},
	}
	var made *repair.Made
	opts.Losses = func(now time.Time, losses iter.Seq[replay.Loss]) { made, err = rows.Make(t.Context(), now, losses) }
	peak := watchMemory(t)
	judged := verifier.Judge(t.Context(), bucket.Dir(dir), opts)
	memory := peak()
	if err != nil {
		t.Fatal(err)
	}
	opts.Losses = nil
	if got := made.Rows[proof.Missing]; got < 1_000_000 || got != judged.Counts.Missing || len(made.Left) > 0 {
		t.Fatalf("got %d rows in %d objects, want the %d that are missing; left %v", got, len(made.Writes), judged.Counts.Missing, made.Left)
	}
	t.Logf("%d rows in %d objects, in %d MB at most", made.Rows[proof.Missing], len(made.Writes), memory>>20)
	if memory > mostMemory {
		t.Errorf("%d MB were needed", memory>>20)
	}

	claim := ledger.Repair{Serial: 1, Owner: "test", Claimed: now, Closed: true, Writes: made.Writes}
	data, err := claim.Encode()
	if err != nil {
		t.Fatal(err)
	}
	write(ledger.RepairKey, data, now)
	after := verifier.Judge(t.Context(), bucket.Dir(dir), opts)
	if after.Verdict != proof.Proven || after.Counts.Repaired != judged.Counts.Missing {
		t.Errorf("got %s %v, %d repaired", after.LastLine(), after.Reasons, after.Counts.Repaired)
	}
}

// watchMemory samples how much the heap holds, and returns what ends that and says how much it was at most.
func watchMemory(t *testing.T) (most func() uint64) {
	t.Helper()
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			select {
			case <-stop:
				tick.Stop()
				done <- most
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-done }
}
