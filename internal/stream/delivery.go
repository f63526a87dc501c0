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

// Limits of a PutRecords call. Kinesis now takes 10 MiB (API reference of 2025). Every stream and every emulator takes
// 5 MB, keys included, and 500 records of this size are a fiftieth of that.
const (
	maxBatchRecords = 500
	maxBatchBytes   = 5_000_000
)

// The pace of a Delivery.
const (
	// chunkRecords is how many records a worker takes if they are packed: some 17 aggregates, all full but the last, or
	// 0.4 MB. If fewer are planned for a chunkSpan, it takes those: a call is made at the planned time of its first
	// record.
	chunkRecords = 2500
	chunkSpan    = time.Second
	// workers is how many calls run at a time at first, and maxWorkers at most: see widen. With 500 records a call and
	// 20 ms an answer, they are 400,000 and 800,000 records/s at the very most.
	workers    = 16
	maxWorkers = 32
	// attemptTimeout limits a call. Kinesis answers in tens of milliseconds, so a slower call is most likely lost. The
	// records of a call that is cut off are unknown.
	attemptTimeout = 10 * time.Second
	// lastAttempt is the least time left for starting an attempt. Cut off, it would leave its records unknown; not made,
	// it leaves them as they are.
	lastAttempt = time.Second

	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 2 * time.Second
)

// A Delivery sends the records of one tick, once.
type Delivery struct {
	client    Putter
	stream    string
	generator *generator.Generator
	tick      generator.Tick
	key       generator.Key
	packed    bool

	start   time.Time
	stop    chan struct{} // closed when no further attempt makes sense
	running sync.WaitGroup

	mu      sync.Mutex
	workers int // that have been started
	tally   tally
	next    int   // the first record that no worker has taken
	err     error // why stop was closed
}

// NewDelivery prepares to send a tick's records to the stream with this name. The aggregation is ledger.KPL, to pack
// them, or empty.
func NewDelivery(client Putter, stream string, g *generator.Generator, tick generator.Tick, key generator.Key, aggregation string) *Delivery {
	return &Delivery{
		client: client, stream: stream, generator: g, tick: tick, key: key, packed: aggregation == ledger.KPL,
		stop:  make(chan struct{}),
		tally: tally{Result{Shards: map[string]ledger.Shard{}}},
	}
}

// Run sends the records and returns when each has its outcome, at the latest when ctx ends, which cuts off the calls
// under way. It returns an error only if Kinesis refuses for good (no such stream, no permission); it has then stopped
// early. In either case Result is complete.
func (d *Delivery) Run(ctx context.Context) error {
	d.start = time.Now()
	chunk := d.chunk()
	d.workers = min(workers, (d.tick.Records+chunk-1)/chunk)
	for range d.workers {
		d.running.Go(func() { d.work(ctx) })
	}
	d.running.Wait()

	d.mu.Lock()
	defer d.mu.Unlock()
	// Records that no worker took were never sent.
	d.tally.add(ledger.Range{First: d.next, Last: d.tick.Records - 1, Outcome: ledger.Rejected})
	d.next = d.tick.Records
	return d.err
}

// Result returns the outcomes so far. It may be called at any time, from any goroutine.
func (d *Delivery) Result() Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tally.snapshot()
}

// chunk is how many records a worker takes at a time: one call's, unless they are packed.
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

// work takes batches in the order of their records until none is left or no further attempt makes sense.
func (d *Delivery) work(ctx context.Context) {
	// Not nil: the SDK requires data, even of a batch whose only record is empty.
	b := &batch{data: []byte{}}
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
			n := b.fill(d.generator, d.tick, d.key, first, last, d.packed)
			d.wait(ctx, time.Until(d.start.Add(d.tick.Planned(first))))
			if d.send(ctx, b) {
				d.widen(ctx)
			}
			first += n
		}
	}
}

// widen starts another worker after a call that went well, if records are due that no worker has taken, and the stream
// has refused none so far: then only the time of an answer limits the pace. A stream whose shards are full would refuse
// more for more calls at a time.
func (d *Delivery) widen(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	isDue := d.next < d.tick.Records && time.Since(d.start) >= d.tick.Planned(d.next)
	if isDue && d.workers < maxWorkers && d.tally.Throttled == 0 {
		d.workers++
		d.running.Go(func() { d.work(ctx) })
	}
}

// send makes attempts until every record of the batch is acknowledged or no further attempt makes sense, and settles
// all. It reports whether one attempt was enough.
func (d *Delivery) send(ctx context.Context, b *batch) (atOnce bool) {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: firstBackoff, MaxInterval: maxBackoff, Multiplier: 2, RandomizationFactor: 0.5,
	}
	for attempt := 1; d.mayAttempt(ctx); attempt++ {
		answer, err := d.attempt(ctx, b)
		d.settle(b, answer, err)
		if len(b.entries) == 0 {
			return attempt == 1
		}
		d.wait(ctx, pause.NextBackOff())
	}
	d.giveUp(b)
	return false
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

// settle records what one attempt did to a batch, and keeps the entries that must be sent again.
func (d *Delivery) settle(b *batch, answer *kinesis.PutRecordsOutput, err error) {
	ofCall := acknowledged
	if err != nil {
		ofCall = classify(err, nil)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tally.Attempts++
	if ofCall == denied && d.err == nil {
		d.err = fmt.Errorf("put records to stream %s: %w", d.stream, err)
		close(d.stop)
	}
	left := 0
	var run ledger.Range
	run.Last = -1
	for i := range b.entries {
		fate := ofCall
		if err == nil {
			fate = classify(nil, &answer.Records[i])
		}
		switch fate {
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

// giveUp settles the records of a batch that were never acknowledged.
func (d *Delivery) giveUp(b *batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range b.sent {
		d.tally.add(s.outcome(false))
	}
	b.keep(0)
}

// mayAttempt reports whether an attempt started now can succeed.
func (d *Delivery) mayAttempt(ctx context.Context) bool {
	select {
	case <-d.stop:
		return false
	default:
	}
	deadline, limited := ctx.Deadline()
	return ctx.Err() == nil && (!limited || time.Until(deadline) >= lastAttempt)
}

// wait waits, but not beyond the moment after which no attempt is started.
func (d *Delivery) wait(ctx context.Context, pause time.Duration) {
	if deadline, limited := ctx.Deadline(); limited {
		// One nanosecond more, or mayAttempt would still allow an attempt.
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

// A batch holds the entries of a worker's next call, and which records are in each. Its memory is reused.
type batch struct {
	entries []types.PutRecordsRequestEntry
	sent    []sent

	data, keys       []byte
	dataEnds, keyEnd []int
	keyStrings       []string

	packer   packer
	hashKeys []string // explicit hash keys; empty for an entry without one
}

// sent is the records of one entry, first to last inclusive, and how many attempts may have stored it.
type sent struct{ first, last, maybe int }

// fill makes as many of the records [first, last) as fit into a call, and returns their number. If packed is set, they
// go in aggregates; a record goes as it is if it would be alone in one, because it or the next one is too large, and if
// it is itself a malformed aggregate.
func (b *batch) fill(g *generator.Generator, tick generator.Tick, key generator.Key, first, last int, packed bool) int {
	b.clear()
	next := first
	for next < last && len(b.sent) < maxBatchRecords {
		n, hashKey := 1, ""
		if packed {
			n = max(1, b.packer.pack(g, tick, key, next, last))
		}
		if aggregate := &b.packer.aggregate; n > 1 {
			hashKey = aggregate.HashKey
			b.data = aggregate.Append(b.data)
			b.keys = append(b.keys, aggregate.Key...)
		} else {
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
	return next - first
}

func (b *batch) clear() {
	b.keep(0)
	b.data, b.keys, b.dataEnds, b.keyEnd, b.hashKeys = b.data[:0], b.keys[:0], b.dataEnds[:0], b.keyEnd[:0], b.hashKeys[:0]
}

// makeEntries makes an entry of each piece of the data and the keys.
func (b *batch) makeEntries() {
	// The SDK takes each key as a pointer to a string. One string holds them all.
	n := len(b.dataEnds)
	if cap(b.keyStrings) < n {
		b.keyStrings = make([]string, n)
	}
	b.keyStrings = b.keyStrings[:n]
	keys, dataStart, keyStart := string(b.keys), 0, 0
	for i := range n {
		b.keyStrings[i] = keys[keyStart:b.keyEnd[i]]
		b.entries = append(b.entries, types.PutRecordsRequestEntry{Data: b.data[dataStart:b.dataEnds[i]], PartitionKey: &b.keyStrings[i]})
		if b.hashKeys[i] != "" {
			b.entries[i].ExplicitHashKey = &b.hashKeys[i]
		}
		dataStart, keyStart = b.dataEnds[i], b.keyEnd[i]
	}
}

// keep truncates the batch to its first n entries.
func (b *batch) keep(n int) {
	b.entries, b.sent = b.entries[:n], b.sent[:n]
}
