package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/cenkalti/backoff/v5"

	"streamproof/internal/generator"
	"streamproof/internal/ledger"
)

// Limits of a PutRecords call. Kinesis has raised that of the bytes to 10 MiB (the API reference of 2025); 5 MB, keys included, is what every
// stream and every emulator takes, and 500 records of this size come to a fiftieth of it.
const (
	maxBatchRecords = 500
	maxBatchBytes   = 5_000_000
)

// How a Delivery goes about it.
const (
	// workers is how many calls run at a time. With 500 records a call and 40 ms an answer, that is 200,000 records/s.
	workers = 16
	// attemptTimeout is how long a call may take: Kinesis answers in tens of milliseconds, so what takes longer has
	// most likely gone astray, and what is cut is unknown.
	attemptTimeout = 10 * time.Second
	// lastAttempt is the least time that an attempt is begun with: one that is cut leaves its records unknown, one
	// that is not made leaves them as they are.
	lastAttempt = time.Second

	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 2 * time.Second
)

// A Delivery sends the records of one tick, once.
type Delivery struct {
	client    putter
	stream    string
	generator *generator.Generator
	tick      generator.Tick
	key       generator.Key

	start time.Time
	stop  chan struct{} // closed when no further attempt makes sense

	mu    sync.Mutex
	tally tally
	next  int   // the first record that no worker has taken
	err   error // why stop was closed
}

// NewDelivery prepares to send a tick's records to a stream, by its name.
func NewDelivery(client putter, stream string, g *generator.Generator, tick generator.Tick, key generator.Key) *Delivery {
	return &Delivery{
		client: client, stream: stream, generator: g, tick: tick, key: key,
		stop:  make(chan struct{}),
		tally: tally{Result{Shards: map[string]ledger.Shard{}}},
	}
}

// Run sends the records and returns when each has its outcome: at the latest when ctx ends, which cuts the calls under
// way. It returns an error only where Kinesis refuses for good (no such stream, no permission), and has then stopped
// early. Whatever it returns, Result is complete.
func (d *Delivery) Run(ctx context.Context) error {
	d.start = time.Now()
	var running sync.WaitGroup
	for range min(workers, (d.tick.Records+maxBatchRecords-1)/maxBatchRecords) {
		running.Go(func() { d.work(ctx) })
	}
	running.Wait()

	d.mu.Lock()
	defer d.mu.Unlock()
	// What nobody took was never sent.
	d.tally.add(ledger.Range{First: d.next, Last: d.tick.Records - 1, Outcome: ledger.Rejected})
	d.next = d.tick.Records
	return d.err
}

// Result is what became of the records so far. It may be called at any time, from any goroutine.
func (d *Delivery) Result() Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tally.snapshot()
}

// work takes batches in the order of their records until none is left or there is no point in going on.
func (d *Delivery) work(ctx context.Context) {
	b := new(batch)
	for d.mayAttempt(ctx) {
		d.mu.Lock()
		first := d.next
		d.next = min(first+maxBatchRecords, d.tick.Records)
		last := d.next
		d.mu.Unlock()
		if first == last {
			return
		}
		for first < last {
			n := b.fill(d.generator, d.tick, d.key, first, last)
			d.wait(ctx, time.Until(d.start.Add(d.tick.Planned(first))))
			d.send(ctx, b)
			first += n
		}
	}
}

// send makes attempts until every record of the batch is acknowledged or there is no point in going on, and settles them all.
func (d *Delivery) send(ctx context.Context, b *batch) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: firstBackoff, MaxInterval: maxBackoff, Multiplier: 2, RandomizationFactor: 0.5,
	}
	for d.mayAttempt(ctx) {
		answer, err := d.attempt(ctx, b)
		d.settle(b, answer, err)
		if len(b.entries) == 0 {
			return
		}
		d.wait(ctx, pause.NextBackOff())
	}
	d.giveUp(b)
}

func (d *Delivery) attempt(ctx context.Context, b *batch) (*kinesis.PutRecordsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	answer, err := d.client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &d.stream, Records: b.entries}, withoutRetries)
	if err == nil && len(answer.Records) != len(b.entries) {
		err = errShortAnswer
	}
	return answer, err
}

// settle takes what one attempt did to a batch into account, and leaves those entries in it that are to be sent again.
func (d *Delivery) settle(b *batch, answer *kinesis.PutRecordsOutput, err error) {
	whole := acknowledged
	if err != nil {
		whole = classify(err, nil)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tally.Attempts++
	if whole == denied && d.err == nil {
		d.err = fmt.Errorf("put records to stream %s: %w", d.stream, err)
		close(d.stop)
	}
	left := 0
	var run ledger.Range
	run.Last = -1
	for i := range b.entries {
		what := whole
		if err == nil {
			what = classify(nil, &answer.Records[i])
		}
		switch what {
		case acknowledged:
			d.tally.acknowledge(aws.ToString(answer.Records[i].ShardId), *answer.Records[i].SequenceNumber)
			if o := outcome(b.records[i], b.maybe[i], true); joins(run, o) {
				run.Last = o.Last
			} else {
				d.tally.add(run)
				run = o
			}
			continue
		case throttled:
			d.tally.Throttled++
		case maybeStored:
			b.maybe[i]++
		}
		b.entries[left], b.records[left], b.maybe[left] = b.entries[i], b.records[i], b.maybe[i]
		left++
	}
	d.tally.add(run)
	b.keep(left)
}

// giveUp settles the records of a batch that no attempt acknowledged.
func (d *Delivery) giveUp(b *batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, record := range b.records {
		d.tally.add(outcome(record, b.maybe[i], false))
	}
	b.keep(0)
}

// mayAttempt reports whether an attempt begun now has a chance.
func (d *Delivery) mayAttempt(ctx context.Context) bool {
	select {
	case <-d.stop:
		return false
	default:
	}
	deadline, limited := ctx.Deadline()
	return ctx.Err() == nil && (!limited || time.Until(deadline) >= lastAttempt)
}

// wait waits, but not beyond the point from which on no attempt is begun.
func (d *Delivery) wait(ctx context.Context, pause time.Duration) {
	if deadline, limited := ctx.Deadline(); limited {
		// One tick of the clock more, or mayAttempt would still say yes.
		pause = min(pause, time.Until(deadline)-lastAttempt+1)
	}
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.stop:
	case <-ctx.Done():
	}
}

// A batch is what a worker has in its hands: the entries of the next call, and for each its record and how many
// attempts may have stored it. Its memory is used again for the next one.
type batch struct {
	entries []types.PutRecordsRequestEntry
	records []int
	maybe   []int

	data, keys       []byte
	dataEnds, keyEnd []int
	keyStrings       []string
}

// fill makes the records from first to last (not included), as many as go into a call, and returns how many these are.
func (b *batch) fill(g *generator.Generator, tick generator.Tick, key generator.Key, first, last int) int {
	b.keep(0)
	b.data, b.keys, b.dataEnds, b.keyEnd = b.data[:0], b.keys[:0], b.dataEnds[:0], b.keyEnd[:0]
	for i := first; i < last; i++ {
		b.data = g.Append(b.data, tick, i)
		b.keys = g.AppendKey(b.keys, tick, i, key)
		if i > first && len(b.data)+len(b.keys) > maxBatchBytes {
			break
		}
		b.dataEnds, b.keyEnd = append(b.dataEnds, len(b.data)), append(b.keyEnd, len(b.keys))
	}
	// The SDK wants each key as a pointer to a string: one string holds them all.
	n := len(b.dataEnds)
	if cap(b.keyStrings) < n {
		b.keyStrings = make([]string, n)
	}
	b.keyStrings = b.keyStrings[:n]
	keys, dataStart, keyStart := string(b.keys), 0, 0
	for i := range n {
		b.keyStrings[i] = keys[keyStart:b.keyEnd[i]]
		b.entries = append(b.entries, types.PutRecordsRequestEntry{Data: b.data[dataStart:b.dataEnds[i]], PartitionKey: &b.keyStrings[i]})
		b.records, b.maybe = append(b.records, first+i), append(b.maybe, 0)
		dataStart, keyStart = b.dataEnds[i], b.keyEnd[i]
	}
	return n
}

// keep shortens the batch to its first n entries.
func (b *batch) keep(n int) {
	b.entries, b.records, b.maybe = b.entries[:n], b.records[:n], b.maybe[:n]
}
