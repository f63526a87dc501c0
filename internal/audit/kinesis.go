package audit

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"iter"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"streamproof/internal/report"
	"streamproof/internal/stream"
	"streamproof/internal/stream/kpl"
)

// Kinesis is a Stream on Kinesis. It reads all shards at once, and a shard that a reshard has made after those it was
// made of.
type Kinesis struct {
	// Progress, if it is set, is called with each page that was read, by one goroutine at a time.
	Progress func(Progress)

	// FanOut, if it is set, is the *FanOut that reads; if not, the stream is polled. It is an interface so that a program
	// that only polls cannot call what a consumer calls.
	FanOut consumer

	name   string
	reader *stream.Reader
}

// pages is what reads a shard page by page, each record once.
type pages interface {
	Next(ctx context.Context, limit int) (stream.Page, error)
}

type consumer interface {
	shard(id string, start types.StartingPosition) pages
}

var _ consumer = (*FanOut)(nil)

func (k *Kinesis) shard(id string, start types.StartingPosition) pages {
	if k.FanOut != nil {
		return k.FanOut.shard(id, start)
	}
	return k.reader.Shard(id, start)
}

// NewKinesis makes a Stream of the Kinesis stream of this name.
func NewKinesis(name string, reader *stream.Reader) *Kinesis {
	return &Kinesis{name: name, reader: reader}
}

// A Progress is how far reading has come, all shards together.
type Progress struct {
	Shards  int   // that are being read
	Records int64 // aggregates counted once
	Bytes   int64
	// Behind is how far the shard that is read last is behind its tip.
	Behind time.Duration
	// Left is about how long it takes to read the rest, 0 where that is not known yet.
	Left time.Duration
}

var _ Resumable = (*Kinesis)(nil)

// Name is the stream's name.
func (k *Kinesis) Name() string { return k.name }

// tail is for how long a shard is read whose end was reached: a record that arrives later is of after the window.
const tail = DefaultSkew + time.Second

// Records reads the stream from a time on. A shard is read until a record that arrived at the end of the span, or
// until its tip.
func (k *Kinesis) Records(ctx context.Context, from, until time.Time) iter.Seq2[Record, error] {
	return k.RecordsAfter(ctx, nil, from, until)
}

// RecordsAfter is Records, but of the shards that have a position it gives all records behind that.
func (k *Kinesis) RecordsAfter(ctx context.Context, positions map[string]Position, from, until time.Time) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		m := &merge{kinesis: k, positions: positions, from: from, until: until, began: time.Now(), shards: map[string]*shard{}}
		defer m.wait.Wait()
		defer cancel()
		if err := m.open(ctx); err != nil {
			yield(Record{}, err)
			return
		}
		for len(m.heads) > 0 {
			next, others := m.first()
			for len(next.page) > 0 && (len(m.heads) == 1 || !next.page[0].Arrival.After(others)) {
				record := &next.page[0]
				next.page = next.page[1:]
				if next.after(record, from) && record.Arrival.Before(until) && !next.unpack(record, yield) {
					return
				}
			}
			if len(next.page) > 0 {
				continue
			}
			if err := m.advance(ctx, next); err != nil {
				yield(Record{}, err)
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Record{}, err)
		}
	}
}

// A merge reads shards side by side.
type merge struct {
	kinesis     *Kinesis
	positions   map[string]Position
	from, until time.Time
	began       time.Time
	shards      map[string]*shard // that were ever listed
	heads       []*shard          // that are being read, each with a page
	wait        sync.WaitGroup

	mu       sync.Mutex
	progress Progress
	behind   map[string]time.Duration
	// When the first page was read, and up to which arrival time.
	firstPage, firstRead time.Time
}

// A shard is read by a goroutine of its own, ahead of the merge by a page or two.
type shard struct {
	types.Shard
	position  Position // behind which it is read; empty where it is read by time
	low, high hashKey  // those that it takes; the higher is zero where that is not known
	pages     chan []stream.Record
	page      []stream.Record // what is left of the page that is being merged; not empty among the heads
	err       error           // set before pages is closed
	begun     bool
	ended     bool
}

// first gives the head whose record arrived first, and when the first record of the others did, if there are any.
func (m *merge) first() (first *shard, others time.Time) {
	first = m.heads[0]
	for i, s := range m.heads[1:] {
		arrival := s.page[0].Arrival
		if arrival.Before(first.page[0].Arrival) {
			first, arrival = s, first.page[0].Arrival
		}
		if i == 0 || arrival.Before(others) {
			others = arrival
		}
	}
	return first, others
}

// open begins to read every shard whose parents have ended or are trimmed, and has each give its first page.
func (m *merge) open(ctx context.Context) error {
	listed, err := m.kinesis.reader.Shards(ctx)
	if err != nil {
		return err
	}
	for _, s := range listed {
		if m.shards[*s.ShardId] == nil {
			m.shards[*s.ShardId] = &shard{Shard: s, position: m.positions[*s.ShardId], pages: make(chan []stream.Record, 1)}
		}
	}
	ended := func(parent *string) bool {
		s := m.shards[aws.ToString(parent)]
		return s == nil || s.ended
	}
	var opened []*shard
	for _, s := range m.shards {
		if s.begun || !ended(s.ParentShardId) || !ended(s.AdjacentParentShardId) {
			continue
		}
		s.begun = true
		if s.HashKeyRange != nil {
			s.low, _ = parseHashKey(aws.ToString(s.HashKeyRange.StartingHashKey))
			s.high, _ = parseHashKey(aws.ToString(s.HashKeyRange.EndingHashKey))
		}
		opened = append(opened, s)
		m.wait.Go(func() { m.read(ctx, s, s.start(m.from)) })
	}
	m.heads = append(m.heads, opened...)
	for _, s := range opened {
		if err := m.advance(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// start is where reading starts. It is a position only if its record is recent: a stream does not take the sequence
// number of a record that it no longer holds.
func (s *shard) start(from time.Time) types.StartingPosition {
	if s.position.SequenceNumber != "" && !s.position.Arrival.Before(from) {
		return types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: &s.position.SequenceNumber}
	}
	return types.StartingPosition{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: &from}
}

// after reports whether a record is behind the shard's position, or, if it has none, of a time or later.
func (s *shard) after(r *stream.Record, from time.Time) bool {
	if s.position.SequenceNumber != "" {
		return stream.CompareSequenceNumbers(r.SequenceNumber, s.position.SequenceNumber) > 0
	}
	return !r.Arrival.Before(from)
}

// advance gives a head its next page. If the shard has ended, its children take its place.
func (m *merge) advance(ctx context.Context, s *shard) error {
	if s.page = <-s.pages; len(s.page) > 0 {
		return nil
	}
	m.heads = slices.DeleteFunc(m.heads, func(head *shard) bool { return head == s })
	if s.err != nil || !s.ended {
		return s.err
	}
	return m.open(ctx)
}

// read reads a shard page by page until its end, the end of the span, or its tip.
func (m *merge) read(ctx context.Context, s *shard, from types.StartingPosition) {
	defer close(s.pages)
	reader := m.kinesis.shard(*s.ShardId, from)
	for {
		page, err := reader.Next(ctx, 10_000)
		if err != nil {
			s.err = err
			return
		}
		m.report(s, page)
		if len(page.Records) > 0 {
			select {
			case s.pages <- page.Records:
			case <-ctx.Done():
				s.err = ctx.Err()
				return
			}
			if last := page.Records[len(page.Records)-1]; !last.Arrival.Before(m.until) {
				// Arrival times step back by milliseconds. A child's records are all of after its parents'.
				if last.Arrival.After(m.until.Add(time.Second)) {
					return
				}
			}
		}
		if page.End {
			s.ended = true
			return
		}
		if page.AtTip() && (time.Since(m.until) > 2*tail || time.Since(m.began) > tail) {
			return
		}
	}
}

func (m *merge) report(s *shard, page stream.Page) {
	if m.kinesis.Progress == nil || page.Refused {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.behind == nil {
		m.behind = map[string]time.Duration{}
	}
	m.behind[*s.ShardId] = page.Behind
	p := &m.progress
	p.Records += int64(len(page.Records))
	for _, r := range page.Records {
		p.Bytes += int64(len(r.Data))
	}
	p.Shards, p.Behind = len(m.behind), 0
	for _, behind := range m.behind {
		p.Behind = max(p.Behind, behind)
	}
	p.Left = m.left(time.Now(), p.Behind)
	m.kinesis.Progress(*p)
}

// left is about how long reading takes from now on, if it goes on as it has since its first page. That one may have
// been the first behind a long pause.
func (m *merge) left(now time.Time, behind time.Duration) time.Duration {
	read := now.Add(-behind)
	if m.firstPage.IsZero() {
		m.firstPage, m.firstRead = now, read
		return 0
	}
	end := m.until
	if end.After(now) {
		end = now
	}
	done, rest := read.Sub(m.firstRead), end.Sub(read)
	if done <= 0 || rest <= 0 {
		return 0
	}
	return time.Duration(float64(now.Sub(m.firstPage)) * float64(rest) / float64(done))
}

// unpack yields a record, or those that it packs if it is an aggregate, until yield returns false. An aggregate that is
// malformed is a record like any other.
func (s *shard) unpack(r *stream.Record, yield func(Record, error) bool) bool {
	outer := Record{Shard: *s.ShardId, SequenceNumber: r.SequenceNumber, PartitionKey: r.PartitionKey, Arrival: r.Arrival, Data: r.Data}
	inner, ok, err := kpl.Deaggregate(r.Data)
	if !ok || err != nil {
		outer.Malformed = err
		return yield(outer, nil)
	}
	aggregates := make([]Aggregate, len(inner))
	for i, one := range inner {
		record := outer
		record.PartitionKey, record.Data, record.Aggregate = one.PartitionKey, one.Data, &aggregates[i]
		aggregates[i] = Aggregate{
			Aggregate:  report.Aggregate{PartitionKey: r.PartitionKey, ExplicitHashKey: one.ExplicitHashKey, Position: i + 1, Records: len(inner)},
			OutOfRange: !s.takes(one),
		}
		if !yield(record, nil) {
			return false
		}
	}
	return true
}

// A hashKey is a number of 128 bits, the highest first.
type hashKey [md5.Size]byte

// parseHashKey reads a decimal number.
func parseHashKey(text string) (key hashKey, ok bool) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 8*len(key) {
		return key, false
	}
	n.FillBytes(key[:])
	return key, true
}

// takes reports whether a record's key belongs to the shard.
func (s *shard) takes(r kpl.Record) bool {
	if s.high == (hashKey{}) {
		return true
	}
	hash, ok := hashKey{}, false
	if r.ExplicitHashKey != "" {
		hash, ok = parseHashKey(r.ExplicitHashKey)
	}
	if !ok {
		hash = md5.Sum([]byte(r.PartitionKey))
	}
	return bytes.Compare(hash[:], s.low[:]) >= 0 && bytes.Compare(hash[:], s.high[:]) <= 0
}

// Held gives since when the stream holds everything that has arrived.
func (k *Kinesis) Held(ctx context.Context, now time.Time) (time.Time, error) {
	retention, err := k.reader.Retention(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if retention <= 0 {
		return time.Time{}, errors.New("the stream does not say for how long it keeps a record")
	}
	return now.Add(-retention), nil
}
