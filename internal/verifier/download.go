package verifier

import (
	"context"
	"iter"

	"golang.org/x/sync/semaphore"

	"streamproof/internal/bucket"
)

// How much is read ahead of the count: so many objects at once, and so many bytes in memory (one larger object goes alone).
const (
	parallelObjects = 16
	parallelBytes   = 192 << 20
)

// A result is an object's bytes, or why it could not be read.
type result struct {
	data []byte
	err  error
	held int64 // bytes of memory to give back
}

// download reads objects in parallel and gives them in the order in which they came.
func download(ctx context.Context, b bucket.Bucket, objects []bucket.Object) iter.Seq2[bucket.Object, result] {
	return func(yield func(bucket.Object, result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		memory := semaphore.NewWeighted(parallelBytes)
		coming := make(chan chan result, parallelObjects)
		go func() {
			defer close(coming)
			for _, object := range objects {
				one := make(chan result, 1)
				held := min(object.Size, parallelBytes)
				if err := memory.Acquire(ctx, held); err != nil {
					one <- result{err: err}
				} else {
					go func() {
						data, err := b.Read(ctx, object)
						one <- result{data, err, held}
					}()
				}
				select {
				case coming <- one:
				case <-ctx.Done(): // the reader may have gone
				}
			}
		}()
		for _, object := range objects {
			one, ok := <-coming
			if !ok {
				yield(object, result{err: ctx.Err()})
				return
			}
			read := <-one
			if !yield(object, read) {
				return
			}
			memory.Release(read.held)
		}
	}
}
