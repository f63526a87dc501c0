package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"streamproof/internal/bucket"
)

// shelf is a bucket in which every object's only byte is its key.
type shelf struct {
	bucket.Bucket
	open int
}

func (s *shelf) Read(_ context.Context, o bucket.Object) ([]byte, error) {
	return []byte{o.Key[0]}, nil
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

// TestReadAhead checks that large and small objects come in order, and that a caller that stops early leaves none open.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom([]int64{0, 1, bucket.LargeObject, bucket.LargeObject + 1, 1 << 30})
		sizes := rapid.OneOf(rapid.SliceOfN(size, 0, 10), rapid.SliceOfN(size, 64, 80)).Draw(rt, "sizes")
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
				if len(got) == stop && cancelled {
					cancel()
				} else if len(got) == stop {
					break
				}
			}
		})
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
}
