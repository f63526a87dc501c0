package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"streamproof/internal/ledger/s3test"
)

// part is the size of the ranges that the tests request.
const part = 100_000

func stored(s *s3test.S3, size int) (*S3, Object) {
	data := make([]byte, size)
	for i, rng := 0, rand.New(rand.NewPCG(1, 0)); i < size; i++ {
		data[i] = byte(rng.Uint32())
	}
	s.Put("/b/key", data)
	o, _ := s.Get("/b/key")
	b := NewS3(s.Client(), "b")
	b.sequential.PartSize = part
	return b, Object{Key: "key", ETag: o.ETag, Size: int64(size)}
}

// readOpened opens an object, reads it in steps of the given size, and closes it.
func readOpened(ctx context.Context, b Bucket, object Object, step int) (data []byte, err error) {
	in, err := b.Open(ctx, object)
	if err != nil {
		return nil, err
	}
	for chunk := make([]byte, step); err == nil; {
		var n int
		if n, err = in.Read(chunk); n == 0 && err == nil {
			err = errors.New("an empty read: bufio gives up after a hundred")
		}
		data = append(data, chunk[:n]...)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data, errors.Join(err, in.Close())
}

// TestOpenedIsRead checks that Open gives the object's bytes wherever its parts break off, as long as no part breaks
// off four times.
func TestOpenedIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		size := max(0, rapid.IntRange(0, 4).Draw(rt, "parts")*part+rapid.OneOf(rapid.IntRange(-2, 2), rapid.IntRange(0, part)).Draw(rt, "more"))
		step := rapid.SampledFrom([]int{7, 4096, 1 << 20}).Draw(rt, "step")
		faults := rapid.SliceOfN(rapid.SampledFrom([]s3test.Fault{s3test.None, s3test.BrokenOff, s3test.Lost, s3test.Failure}), 0, 10).Draw(rt, "faults")
		var err error
		synctest.Test(t, func(t *testing.T) {
			s := s3test.New()
			s.Fault = func(request int, _ string) s3test.Fault {
				if request < len(faults) && request%3 != 2 { // as many tries as the SDK makes
					return faults[request]
				}
				return s3test.None
			}
			b, object := stored(s, size)
			var data []byte
			data, err = readOpened(t.Context(), b, object, step)
			if want, _ := s.Get("/b/key"); err == nil && !bytes.Equal(data, want.Body) {
				err = fmt.Errorf("got other bytes, %d of %d", len(data), size)
			}
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	const size = 3*part + 10
	tests := map[string]struct {
		listed func(o *Object)
		fault  func(request int, method string) s3test.Fault
		before func(s *s3test.S3, request int)
		want   string
		read   int // bytes, all of them right
	}{
		"rewritten before": {
			before: func(s *s3test.S3, request int) {
				if request == 0 {
					s.Put("/b/key", make([]byte, size))
				}
			},
			want: ErrRewritten.Error(),
		},
		"rewritten between two parts": {
			before: func(s *s3test.S3, request int) {
				if request == 2 {
					s.Put("/b/key", make([]byte, size))
				}
			},
			want: ErrRewritten.Error(), read: 2 * part,
		},
		"a part that always breaks off": {
			fault: func(request int, _ string) s3test.Fault {
				if request > 0 {
					return s3test.BrokenOff
				}
				return s3test.None
			},
			want: "connection reset", read: part,
		},
		"shorter than listed": {listed: func(o *Object) { o.Size++ }, want: "got 300010 bytes of the 300011 listed", read: size},
		"longer than listed":  {listed: func(o *Object) { o.Size-- }, want: "got 300010 bytes of the 300009 listed", read: size},
		"gone":                {listed: func(o *Object) { o.Key = "other" }, want: "NoSuchKey"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := s3test.New()
				b, object := stored(s, size)
				complete, _ := s.Get("/b/key")
				s.Fault = test.fault
				if test.before != nil {
					s.Before = func(request int, _ string) { test.before(s, request) }
				}
				if test.listed != nil {
					test.listed(&object)
				}
				data, err := readOpened(t.Context(), b, object, 4096)
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "read s3://b/"+object.Key) {
					t.Errorf("got error %v, want %q", err, test.want)
				}
				if test.want == ErrRewritten.Error() && !errors.Is(err, ErrRewritten) {
					t.Errorf("%v does not wrap ErrRewritten", err)
				}
				if !bytes.HasPrefix(complete.Body, data) || len(data) < test.read {
					t.Errorf("got %d bytes before, want %d or more of those listed", len(data), test.read)
				}
			})
		})
	}
}

// TestOpenIsEnded checks that a reader that stops, or is stopped, leaves no goroutine behind: synctest's bubble ends
// with its last goroutine.
func TestOpenIsEnded(t *testing.T) {
	t.Parallel()
	for _, read := range []int64{0, 1, part, part + 1, 2 * part} {
		synctest.Test(t, func(t *testing.T) {
			s := s3test.New()
			requests := 0
			s.Before = func(int, string) { requests++ }
			b, object := stored(s, 10*part)
			in, err := b.Open(t.Context(), object)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, in, read); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if most := int(read/part) + 1; requests > most {
				t.Errorf("after %d bytes: %d requests, want %d at most", read, requests, most)
			}
			before := requests
			if err := in.Close(); err != nil || requests > before {
				t.Errorf("Close: %v, with %d more requests", err, requests-before)
			}
			if n, err := in.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, io.EOF) {
				t.Errorf("after Close: got %d bytes, %v", n, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := s3test.New()
		b, object := stored(s, 10*part)
		ctx, cancel := context.WithCancel(t.Context())
		s.Before = func(request int, _ string) {
			if request == 2 {
				cancel()
			}
		}
		if data, err := readOpened(ctx, b, object, 4096); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: got %d bytes, %v", len(data), err)
		}
	})
}
