package firehose

import (
	"sync"
	"time"
)

// A record is a record that was accepted, or what it became.
type record struct {
	data    []byte
	arrived time.Time // at the delivery stream
	added   time.Time // to its buffer
}

// A buffer collects records until they have a size or the oldest has waited for an interval, whichever comes first.
// https://docs.aws.amazon.com/firehose/latest/dev/buffering-hints.html
type buffer struct {
	// limits are the size in bytes and the interval. With an interval of zero, records are emitted as soon as possible.
	limits func() (int, time.Duration)
	// emit is called with one batch at a time, in the order of the records. Meanwhile records queue up without limit, as
	// Firehose keeps accepting them too.
	emit func([]record)

	mu      sync.Mutex
	records []record
	size    int
	emitted []record // that emit is not done with
	ended   bool

	wake chan struct{} // something has changed
	done chan struct{} // everything has been emitted
}

func newBuffer(limits func() (int, time.Duration), emit func([]record)) *buffer {
	b := &buffer{limits: limits, emit: emit, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go b.run()
	return b
}

// add does not block. Records that are added together stay together, as far as the size allows.
func (b *buffer) add(records ...record) {
	if len(records) == 0 {
		return
	}
	now := time.Now()
	b.mu.Lock()
	for _, r := range records {
		r.added = now
		b.records = append(b.records, r)
		b.size += len(r.data)
	}
	b.mu.Unlock()
	b.changed()
}

// end emits what is left and returns when that is done. Nothing may be added afterwards.
func (b *buffer) end() {
	b.mu.Lock()
	b.ended = true
	b.mu.Unlock()
	b.changed()
	<-b.done
}

func (b *buffer) changed() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *buffer) run() {
	defer close(b.done)
	for {
		batch, wait, ended := b.due()
		switch {
		case len(batch) > 0:
			b.emit(batch)
			b.mu.Lock()
			b.emitted = nil
			b.mu.Unlock()
		case ended:
			return
		default:
			timer := time.NewTimer(wait)
			select {
			case <-b.wake:
			case <-timer.C:
			}
			timer.Stop()
		}
	}
}

// due takes the records that must be emitted now, or returns how long to wait.
func (b *buffer) due() (batch []record, wait time.Duration, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.records) == 0 {
		return nil, time.Hour, b.ended
	}
	size, interval := b.limits()
	if wait = interval - time.Since(b.records[0].added); b.size < size && wait > 0 && !b.ended {
		return nil, wait, false
	}
	// The last record is the one that reaches the size, so a batch exceeds it by less than a record.
	n, taken := 0, 0
	for n < len(b.records) && (n == 0 || taken < size) {
		taken += len(b.records[n].data)
		n++
	}
	batch = b.records[:n:n]
	b.records = b.records[n:]
	b.size -= taken
	b.emitted = batch
	return batch, 0, false
}

// waiting is what is held, with what emit is not done with: S3 or a function may refuse it for hours.
func (b *buffer) waiting() (w Waiting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, records := range [][]record{b.emitted, b.records} {
		for _, r := range records {
			w = w.with(Waiting{1, int64(len(r.data)), r.arrived})
		}
	}
	return w
}
