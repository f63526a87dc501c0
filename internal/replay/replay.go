package replay

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/generator"
	"streamproof/internal/ledger"
	"streamproof/internal/query"
	"streamproof/internal/query/engine"
	"streamproof/internal/record"
	"streamproof/internal/row"
)

// A Ledger makes claims of the ticks in a bucket's ledger. It compiles each pipeline once. It is for one goroutine at a
// time; its claims are for any.
type Ledger struct {
	// Current names the current pipeline and all rollbacks. It is nil if the bucket has no such object.
	Current *ledger.Current
	// Strays are the keys under ledger.PipelinesPrefix that are not those of pipelines.
	Strays []string

	bucket    bucket.Bucket
	published map[string]bucket.Object // by key, as of Open
	pipelines map[string]*compiled     // by hash
}

// compiled is a published pipeline, ready to run, or why it cannot be.
type compiled struct {
	err error
	// refused is why the verifier does not compute the query. Its claims can be counted, and owe nothing.
	refused    error
	schema     string // its file
	output     row.Schema
	records    *record.Reader
	engines    sync.Pool // of *engine.Engine, each for one goroutine at a time
	generators func(seed uint64) (*generator.Generator, error)
}

// Open lists the published pipelines and reads which were rolled back.
func Open(ctx context.Context, b bucket.Bucket) (*Ledger, error) {
	l := &Ledger{bucket: b, published: map[string]bucket.Object{}, pipelines: map[string]*compiled{}}
	listed, _, err := b.List(ctx, ledger.PipelinesPrefix)
	if err != nil {
		return nil, fmt.Errorf("the pipelines cannot be listed: %w", err)
	}
	for _, o := range listed {
		if ledger.IsPipelineKey(o.Key) {
			l.published[o.Key] = o
		} else {
			l.Strays = append(l.Strays, o.Key)
		}
	}
	object, data, err := bucket.Get(ctx, b, ledger.CurrentKey)
	if err == nil && object != nil {
		l.Current, err = ledger.DecodeCurrent(data)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ledger.CurrentKey, err)
	}
	return l, nil
}

// IsLine reports whether some pipeline seen so far reads the line as one well-formed row of a record.
func (l *Ledger) IsLine(line []byte) bool {
	for _, p := range l.pipelines {
		if p.err == nil && p.records.IsRow(line) {
			return true
		}
	}
	return false
}

// Query returns the columns of a pipeline's rows, nil if they cannot be told, and why the verifier does not compute
// them, nil if it does. The error is that of a bucket that cannot be read.
func (l *Ledger) Query(ctx context.Context, hash string) (output row.Schema, refused, err error) {
	c, err := l.pipeline(ctx, hash)
	if err != nil {
		return nil, nil, err
	}
	return c.output, cmp.Or(c.err, c.refused), nil
}

// A TickError is a tick that cannot be turned into a claim, although the bucket can be read.
type TickError struct{ error }

// Claim makes a claim of a tick's object. Its error wraps a *TickError unless the bucket could not be read.
func (l *Ledger) Claim(ctx context.Context, entry bucket.Object, data []byte) (*Claim, error) {
	tick, err := ledger.DecodeTick(data)
	if err == nil && ledger.TickKey(tick.Time) != entry.Key {
		err = fmt.Errorf("it holds the tick of %s", ledger.TickKey(tick.Time))
	}
	if err == nil && !generator.Known(tick.Generator) {
		err = fmt.Errorf("its records need version %d of the generator; this program has version %d",
			tick.Generator, generator.Version)
	}
	if err != nil {
		return nil, &TickError{fmt.Errorf("the ledger cannot be read: %s: %w", entry.Key, err)}
	}
	c := &Claim{Tick: tick, Entry: entry, Claimed: tick.ClaimedAt, JudgedBy: tick.Pipeline}
	if tick.State == ledger.Claimed {
		c.Claimed = entry.LastModified
	}
	if by, ok := l.Current.RolledBack(tick.Pipeline, c.Claimed); ok {
		c.JudgedBy = by
		if c.failed, err = l.pipeline(ctx, tick.Pipeline); err != nil {
			return nil, err
		}
	}
	if c.pipeline, err = l.pipeline(ctx, c.JudgedBy); err != nil {
		return nil, err
	}
	if err = c.pipeline.err; err == nil {
		c.generator, err = c.pipeline.generators(tick.Seed)
	}
	if err != nil {
		return nil, &TickError{fmt.Errorf("pipeline %s cannot be run: %w", c.JudgedBy, err)}
	}
	c.records = generator.Tick{
		Time:       tick.Time,
		Records:    tick.Records,
		Spread:     time.Duration(tick.SpreadSeconds) * time.Second,
		Poison:     tick.Poison,
		Aggregates: tick.PoisonsAggregates(),
	}
	return c, nil
}

// pipeline compiles a published pipeline. Its error is the bucket's; the pipeline has an error of its own.
func (l *Ledger) pipeline(ctx context.Context, hash string) (*compiled, error) {
	if c := l.pipelines[hash]; c != nil {
		return c, nil
	}
	key := ledger.PipelineKey(hash)
	data, err := l.read(ctx, key)
	if err != nil {
		return nil, err
	}
	c := &compiled{err: fmt.Errorf("it is not published: there is no %s", key)}
	if data != nil {
		c = compile(data, hash)
	}
	l.pipelines[hash] = c
	return c, nil
}

// read returns a published pipeline's object, nil if there is none. It may have been published since Open.
func (l *Ledger) read(ctx context.Context, key string) ([]byte, error) {
	if o, ok := l.published[key]; ok {
		return l.bucket.Read(ctx, o)
	}
	_, data, err := bucket.Get(ctx, l.bucket, key)
	return data, err
}

func compile(data []byte, hash string) *compiled {
	p, err := ledger.DecodePipeline(data, hash)
	if err != nil {
		return &compiled{err: fmt.Errorf("read %s: %w", ledger.PipelineKey(hash), err)}
	}
	c := &compiled{schema: string(p.SchemaJSON), records: record.NewReader(p.Schema)}
	q, err := query.Compile(p)
	if err != nil {
		c.refused = err
		c.output, _ = query.Destination(p) // nil if even that is beyond us
	} else {
		c.output = q.Output
		var first *engine.Engine
		first, c.err = engine.New(q)
		c.engines.Put(first)
		c.engines.New = func() any {
			another, _ := engine.New(q) // as the first
			return another
		}
	}
	seeds := map[uint64]*generator.Generator{}
	c.generators = func(seed uint64) (*generator.Generator, error) {
		if seeds[seed] == nil {
			g, err := generator.New(p, seed)
			if err != nil {
				return nil, err
			}
			seeds[seed] = g
		}
		return seeds[seed], nil
	}
	return c
}
