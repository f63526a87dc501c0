package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"streamproof/internal/bucket"
)

// shelf is a bucket in which every object's only byte is its key.
type shelf struct {
	bucket.Bucket
	open int

	mu                    sync.Mutex
	ahead, most           int   // objects
	bytesAhead, mostBytes int64 // of them
}

func (s *shelf) Read(_ context.Context, o bucket.Object) ([]byte, error) {
	if o.Size <= bucket.LargeObject {
		s.read(1, o.Size)
	}
	return []byte{o.Key[0]}, nil
}

// read takes note of objects that are read and not counted yet.
func (s *shelf) read(objects int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead, s.bytesAhead = s.ahead+objects, s.bytesAhead+bytes
	s.most, s.mostBytes = max(s.most, s.ahead), max(s.mostBytes, s.bytesAhead)
}

func (s *shelf) Open(ctx context.Context, o bucket.Object) (io.ReadCloser, error) {
	s.open++
	data, err := s.Read(ctx, o)
	return opened{bytes.NewReader(data), &s.open}, err
}

// opened counts as open until it is closed.
type opened struct {
	io.Reader
	count *int
}

func (o opened) Close() error {
	*o.count--
	return nil
}

// TestReadAhead checks that large and small objects come in order, that no more are read ahead than may be held, and
// that a caller that stops early leaves none open.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	var most int
	var mostBytes int64
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom([]int64{0, 1, bucket.LargeObject, bucket.LargeObject + 1, 1 << 30})
		sizes := rapid.OneOf(
			rapid.SliceOfN(size, 0, 10), rapid.SliceOfN(size, 64, 80), rapid.SliceOfN(rapid.Int64Range(0, 1), 64, 80),
		).Draw(rt, "sizes")
		stop, cancelled := rapid.IntRange(0, 80).Draw(rt, "stop after"), rapid.Bool().Draw(rt, "by its context")
		var objects []bucket.Object
		var want, got []byte
		for i, size := range sizes {
			objects = append(objects, bucket.Object{Key: string([]byte{byte(i)}), Size: size})
			want = append(want, byte(i))
		}
		s := &shelf{}
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for o, content := range bucket.ReadAhead(ctx, s, objects) {
				if data, err := io.ReadAll(content); err == nil && string(data) == o.Key {
					got = append(got, data...)
				} else if err == nil || !errors.Is(err, ctx.Err()) {
					got = append(got, 255)
				}
				synctest.Wait() // until as much is read ahead as may be
				if o.Size <= bucket.LargeObject {
					s.read(-1, -o.Size)
				}
				if len(got) == stop && cancelled {
					cancel()
				} else if len(got) == stop {
					break
				}
			}
		})
		most, mostBytes = max(most, s.most), max(mostBytes, s.mostBytes)
		if stop > 0 && stop < len(want) && !cancelled {
			want = want[:stop]
		}
		switch {
		case s.open != 0:
			rt.Fatalf("%d objects are still open", s.open)
		case slices.Contains(got, 255) || !cancelled && !bytes.Equal(got, want):
			rt.Fatalf("got %d, want %d", got, want)
		}
	})
	if most < 60 || most > 66 || mostBytes < 48<<20 || mostBytes > 64<<20 {
		t.Errorf("%d objects were read ahead, and %d bytes", most, mostBytes)
	}
}
