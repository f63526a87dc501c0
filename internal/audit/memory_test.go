package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"testing"
	"time"

	"streamproof/internal/audit"
	"streamproof/internal/bucket"
	"streamproof/internal/proof"
)

// A longHistory is a stream of some records a second, and a bucket with an object a minute, for as long as a window is.
// It holds nothing.
type longHistory struct {
	length time.Duration
	rate   int // records a second
	heap   []uint64
}

func row(n int) []byte { return fmt.Appendf(nil, `{"order":%d,"customer":"customer-%d"}`+"\n", n, n) }

func (*longHistory) Name() string { return "orders" }

func (*longHistory) Held(context.Context, time.Time) (time.Time, error) { return time.Time{}, nil }

func (l *longHistory) Records(_ context.Context, from, until time.Time) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for n := range int(l.length/time.Second) * l.rate {
			arrival := start.Add(time.Duration(n) * time.Second / time.Duration(l.rate))
			if n%(600*l.rate) == 0 {
				l.measure()
			}
			r := audit.Record{Shard: "a", SequenceNumber: fmt.Sprint(n), PartitionKey: fmt.Sprint(n), Arrival: arrival, Data: row(n)}
			if !arrival.Before(from) && arrival.Before(until) && !yield(r, nil) {
				return
			}
		}
	}
}

// measure notes how much memory is in use, without what is garbage.
func (l *longHistory) measure() {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	l.heap = append(l.heap, stats.HeapAlloc)
}

// A longBucket is the bucket of a longHistory.
type longBucket struct{ *longHistory }

func (b longBucket) Name() string { return "s3://lake" }

func (b longBucket) List(context.Context, string) (objects []bucket.Object, now time.Time, err error) {
	for minute := range int(b.length / time.Minute) {
		objects = append(objects, bucket.Object{Key: fmt.Sprint("orders/", minute), Size: 1, LastModified: start.Add(time.Duration(minute+1) * time.Minute)})
	}
	return objects, start.Add(b.length + time.Hour), nil
}

func (b longBucket) ListAfter(ctx context.Context, prefix, _ string) ([]bucket.Object, time.Time, error) {
	return b.List(ctx, prefix)
}

func (b longBucket) Read(_ context.Context, object bucket.Object) ([]byte, error) {
	var minute int
	if _, err := fmt.Sscan(strings.TrimPrefix(object.Key, "orders/"), &minute); err != nil {
		return nil, err
	}
	var data bytes.Buffer
	for n := range 60 * b.rate {
		data.Write(row(minute*60*b.rate + n))
	}
	return data.Bytes(), nil
}

func (b longBucket) Open(ctx context.Context, object bucket.Object) (io.ReadCloser, error) {
	data, err := b.Read(ctx, object)
	return io.NopCloser(bytes.NewReader(data)), err
}

// The memory of an audit does not depend on how long its window is.
func TestMemoryIsFlat(t *testing.T) {
	l := &longHistory{length: 4 * time.Hour, rate: 50}
	r := audit.Run(t.Context(), l, longBucket{l}, audit.Options{
		From: start, To: start.Add(l.length), Skew: audit.DefaultSkew, Form: audit.Verbatim{}, Pipeline: audit.Pipeline{Prefix: "orders/", Deadline: 5 * time.Minute},
	})
	if want := int64(l.length/time.Second) * int64(l.rate); r.Verdict != proof.Proven || r.Counts.Delivered != want {
		t.Fatalf("%s: %+v, want %d delivered", r.Verdict, r.Counts, want)
	}
	// The tables that are bounded are full by then: half of the window.
	half, end := l.heap[len(l.heap)/2], l.heap[len(l.heap)-1]
	if end > half+half/4 {
		t.Errorf("%d MiB after half of the window, %d MiB at its end: %d", half>>20, end>>20, l.heap)
	}
	t.Logf("%d bytes in use, each ten minutes", l.heap)
}
