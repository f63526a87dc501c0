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
	// chunkRecords is how many records a worker takes where they are packed: some 17 aggregates, of which only the last
	// is not full, or 0.4 MB. Where fewer are planned for a chunkSpan, it takes these: a call is made at the planned time
	// of its first record.
	chunkRecords = 2500
	chunkSpan    = time.Second
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
	packed    bool

	start time.Time
	stop  chan struct{} // closed when no further attempt makes sense

	mu    sync.Mutex
	tally tally
	next  int   // the first record that no worker has taken
	err   error // why stop was closed
}

// NewDelivery prepares to send a tick's records to a stream, by its name. The aggregation is ledger.KPL, to pack them, or
// empty.
func NewDelivery(client putter, stream string, g *generator.Generator, tick generator.Tick, key generator.Key, aggregation string) *Delivery {
	return &Delivery{
		client: client, stream: stream, generator: g, tick: tick, key: key, packed: aggregation == ledger.KPL,
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
	chunk := d.chunk()
	for range min(workers, (d.tick.Records+chunk-1)/chunk) {
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

// chunk is how many records a worker takes at a time: those of a call where each is an entry of its own.
func (d *Delivery) chunk() int {
	if !d.packed {
		return maxBatchRecords
	}
	if d.tick.Spread <= chunkSpan {
		return chunkRecords
	}
	perSpan := float64(d.tick.Records) * float64(chunkSpan) / float64(d.tick.Spread)
	return max(1, min(chunkRecords, int(perSpan)))
}

// work takes batches in the order of their records until none is left or there is no point in going on.
func (d *Delivery) work(ctx context.Context) {
	// Not nil: a batch may have no bytes, for a record may be empty, and the SDK wants bytes all the same.
	b := &batch{data: []byte{}}
	fill := b.fill
	if d.packed {
		fill = b.fillPacked
	}
	chunk := d.chunk()
	for d.mayAttempt(ctx) {
		d.mu.Lock()
		first := d.next
		d.next = min(first+chunk, d.tick.Records)
		last := d.next
		d.mu.Unlock()
		if first == last {
			return
		}
		for first < last {
			n := fill(d.generator, d.tick, d.key, first, last)
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
			o := b.sent[i].outcome(true)
			d.tally.acknowledge(aws.ToString(answer.Records[i].ShardId), *answer.Records[i].SequenceNumber, o.Last-o.First+1)
			if joins(run, o) {
				run.Last = o.Last
			} else {
				d.tally.add(run)
				run = o
			}
			continue
		case throttled:
			d.tally.Throttled++
		case maybeStored:
			b.sent[i].maybe++
		}
		b.entries[left], b.sent[left] = b.entries[i], b.sent[i]
		left++
	}
	d.tally.add(run)
	b.keep(left)
}

// giveUp settles the records of a batch that no attempt acknowledged.
func (d *Delivery) giveUp(b *batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range b.sent {
		d.tally.add(s.outcome(false))
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

// A batch is what a worker has in its hands: the entries of the next call, and what has been sent in each. Its memory is
// used again for the next one.
type batch struct {
	entries []types.PutRecordsRequestEntry
	sent    []sent

	data, keys       []byte
	dataEnds, keyEnd []int
	keyStrings       []string

	packer   packer   // where records are packed,
	hashKeys []string // and the explicit hash keys, empty where an entry has none
}

// sent is the records of one entry, first to last (both included), and how many attempts may have stored it.
type sent struct{ first, last, maybe int }

func (s sent) outcome(acknowledged bool) ledger.Range {
	return outcome(s.first, s.last, s.maybe, acknowledged)
}

// fill makes the records from first to last (not included), as many as go into a call, and returns how many these are.
func (b *batch) fill(g *generator.Generator, tick generator.Tick, key generator.Key, first, last int) int {
	b.clear()
	for i := first; i < last; i++ {
		b.data = g.Append(b.data, tick, i)
		b.keys = g.AppendKey(b.keys, tick, i, key)
		if i > first && len(b.data)+len(b.keys) > maxBatchBytes {
			break
		}
		b.dataEnds, b.keyEnd = append(b.dataEnds, len(b.data)), append(b.keyEnd, len(b.keys))
		b.sent = append(b.sent, sent{first: i, last: i})
	}
	b.makeEntries()
	return len(b.entries)
}

// fillPacked does as fill does, with records packed into aggregates. A record that is alone, for it or the next one is too
// large for an aggregate, is an entry as it is, and so is one that is a malformed aggregate itself.
func (b *batch) fillPacked(g *generator.Generator, tick generator.Tick, key generator.Key, first, last int) int {
	b.clear()
	b.hashKeys = b.hashKeys[:0]
	next := first
	for next < last && len(b.sent) < maxBatchRecords {
		n := b.packer.pack(g, tick, key, next, last)
		aggregate, hashKey := &b.packer.aggregate, ""
		if n > 1 {
			hashKey = aggregate.HashKey
			b.data = aggregate.Append(b.data)
			b.keys = append(b.keys, aggregate.Key...)
		} else {
			n = 1
			b.data = g.Append(b.data, tick, next)
			b.keys = g.AppendKey(b.keys, tick, next, key)
		}
		if next > first && len(b.data)+len(b.keys) > maxBatchBytes {
			break
		}
		b.dataEnds, b.keyEnd, b.hashKeys = append(b.dataEnds, len(b.data)), append(b.keyEnd, len(b.keys)), append(b.hashKeys, hashKey)
		b.sent = append(b.sent, sent{first: next, last: next + n - 1})
		next += n
	}
	b.makeEntries()
	for i := range b.entries {
		if b.hashKeys[i] != "" {
			b.entries[i].ExplicitHashKey = &b.hashKeys[i]
		}
	}
	return next - first
}

func (b *batch) clear() {
	b.keep(0)
	b.data, b.keys, b.dataEnds, b.keyEnd = b.data[:0], b.keys[:0], b.dataEnds[:0], b.keyEnd[:0]
}

// makeEntries makes an entry of each piece of the data and the keys.
func (b *batch) makeEntries() {
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
		dataStart, keyStart = b.dataEnds[i], b.keyEnd[i]
	}
}

// keep shortens the batch to its first n entries.
func (b *batch) keep(n int) {
	b.entries, b.sent = b.entries[:n], b.sent[:n]
}
