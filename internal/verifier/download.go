package verifier

import (
	"bytes"
	"context"
	"io"
	"iter"

	"streamproof/internal/bucket"
)

const (
	// parallelObjects is how many objects are read ahead of the count.
	parallelObjects = 16
	// largeObject is the size above which an object is not read ahead, but while it is counted, and is never held.
	largeObject = 8 << 20
)

// A result is an object's bytes, or why there are none.
type result struct {
	in  io.ReadCloser // nil where there is an error
	err error
}

// whole reads all of it.
func (r result) whole() ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	return io.ReadAll(r.in)
}

// download reads objects in parallel, but for large ones, and gives them in the order in which they came. A result is good until
// the next one.
func download(ctx context.Context, b bucket.Bucket, objects []bucket.Object) iter.Seq2[bucket.Object, result] {
	return func(yield func(bucket.Object, result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		coming := make(chan chan result, parallelObjects)
		go func() {
			defer close(coming)
			for _, object := range objects {
				if object.Size > largeObject {
					continue
				}
				one := make(chan result, 1)
				go func() {
					data, err := b.Read(ctx, object)
					one <- result{io.NopCloser(bytes.NewReader(data)), err}
				}()
				select {
				case coming <- one:
				case <-ctx.Done(): // the reader may have gone
					return
				}
			}
		}()
		for _, object := range objects {
			var read result
			if object.Size > largeObject {
				read.in, read.err = b.Open(ctx, object)
			} else if one, ok := <-coming; ok {
				read = <-one
			} else {
				read.err = ctx.Err()
			}
			more := yield(object, read)
			if read.err == nil {
				_ = read.in.Close() // it was only read
			}
			if !more {
				return
			}
		}
	}
}
