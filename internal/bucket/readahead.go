package bucket

import (
	"bytes"
	"context"
	"io"
	"iter"
	"sync"

	"golang.org/x/sync/semaphore"
)

const (
	// At most so many objects, and so many bytes of them, are read ahead: many small ones, as a ledger's, take as long as
	// S3 takes to answer.
	maxAhead      = 64
	maxBytesAhead = 64 << 20
	// LargeObject is the size in bytes above which ReadAhead streams an object instead of holding it.
	LargeObject = 8 << 20
)

// ReadAhead yields objects with their bytes, in the given order. Small ones are read in parallel before their turn. An
// object that cannot be read gives its error when it is read. A reader is valid until the next one is yielded. When the
// loop ends, early or not, no read is left running.
func ReadAhead(ctx context.Context, b Bucket, objects []Object) iter.Seq2[Object, io.Reader] {
	return func(yield func(Object, io.Reader) bool) {
		var reads sync.WaitGroup
		defer reads.Wait()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		coming := make(chan chan io.Reader, maxAhead)
		held := semaphore.NewWeighted(maxBytesAhead)
		reads.Go(func() {
			defer close(coming)
			for _, object := range objects {
				if object.Size > LargeObject {
					continue
				}
				if held.Acquire(ctx, object.Size) != nil { // the caller may have stopped
					return
				}
				one := make(chan io.Reader, 1)
				reads.Go(func() {
					data, err := b.Read(ctx, object)
					if err != nil {
						one <- failure{err}
						return
					}
					one <- bytes.NewReader(data)
				})
				select {
				case coming <- one:
				case <-ctx.Done():
					return
				}
			}
		})
		for _, object := range objects {
			if object.Size > LargeObject {
				if !stream(ctx, b, object, yield) {
					return
				}
				continue
			}
			one, ok := <-coming
			if !ok {
				if !yield(object, failure{ctx.Err()}) {
					return
				}
				continue
			}
			if !yield(object, <-one) {
				return
			}
			held.Release(object.Size)
		}
	}
}

func stream(ctx context.Context, b Bucket, object Object, yield func(Object, io.Reader) bool) bool {
	in, err := b.Open(ctx, object)
	if err != nil {
		return yield(object, failure{err})
	}
	defer in.Close()
	return yield(object, in)
}

type failure struct{ err error }

func (f failure) Read([]byte) (int, error) { return 0, f.err }
