package verifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"streamproof/internal/bucket"
	"streamproof/internal/proof"
)

// streamed is a life whose objects are listed as too large to be held; one of them may break off in its middle.
type streamed struct {
	*life
	breaks string // its key
	err    error
	open   int
}

func (s *streamed) ListAfter(ctx context.Context, prefix, after string) ([]bucket.Object, time.Time, error) {
	listed, now, err := s.life.ListAfter(ctx, prefix, after)
	for i := range listed {
		listed[i].Size += bucket.LargeObject
	}
	return listed, now, err
}

func (s *streamed) Open(ctx context.Context, o bucket.Object) (io.ReadCloser, error) {
	data, err := s.life.Read(ctx, o)
	if err != nil {
		return nil, err
	}
	s.open++
	if o.Key != s.breaks {
		return opened{bytes.NewReader(data), &s.open}, nil
	}
	return opened{io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(s.err)), &s.open}, nil
}

// opened is counted until it is closed.
type opened struct {
	io.Reader
	count *int
}

func (o opened) Close() error {
	*o.count--
	return nil
}

// TestIncompleteReadIsNotCheckpointed: an object that breaks off, gzipped or not, makes the verdict UNDECIDED and
// leaves no trace in the checkpoint. Once it can be read, an increment and a full verification agree.
func TestIncompleteReadIsNotCheckpointed(t *testing.T) {
	t.Parallel()
	p := embeddedPipeline()
	reset := errors.New("connection reset by peer")
	for name, test := range map[string]struct {
		minute int // of its tick
		zipped bool
		err    error
	}{
		"one to be checkpointed":         {22, false, reset},
		"one to be checkpointed, zipped": {22, true, reset},
		"one that is too new for that":   {29, false, reset},
		"one that is rewritten":          {22, false, fmt.Errorf("read it: %w", bucket.ErrRewritten)},
		"one that is rewritten, zipped":  {29, true, fmt.Errorf("read it: %w", bucket.ErrRewritten)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := hours(p, 40)
			s := &streamed{life: l, err: test.err}
			at := key("data/", minute(test.minute), test.minute)
			if o := l.objects[at]; test.zipped {
				o.data = string(zip(o.data))
				l.objects[at] = o
			}
			h := l.handler()
			h.bucket = s
			verify := func(at int) (verdict proof.Verdict, reasons, state string) {
				t.Helper()
				l.now = minute(at)
				r, err := handle(t.Context(), h, []byte(`{}`))
				if err != nil {
					t.Fatal(err)
				}
				if s.open != 0 {
					t.Errorf("at minute %d: %d objects are still open", at, s.open)
				}
				if full := Judge(t.Context(), s, lifeOpts); s.breaks == "" {
					full.Key = r.Key
					if diff := same(full, r); diff != "" {
						t.Errorf("at minute %d (-full +increment):\n%s", at, diff)
					}
				}
				return r.Verdict, strings.Join(r.Reasons, "; "), l.objects[CheckpointKey].data
			}
			if verdict, reasons, _ := verify(20); verdict != proof.Proven {
				t.Fatalf("before: got %s %s", verdict, reasons)
			}
			before := l.objects[CheckpointKey].data
			s.breaks = at
			want := fmt.Sprintf("an object cannot be read: %s: %v", at, test.err)
			if verdict, reasons, state := verify(30); verdict != proof.Undecided || reasons != want || state != before {
				t.Errorf("got %s %q, want %q; the state is the same: %t", verdict, reasons, want, state == before)
			}
			s.breaks = ""
			for _, at := range []int{30, 31, 40} {
				if verdict, reasons, state := verify(at); verdict != proof.Proven || state == before {
					t.Errorf("at minute %d: got %s %s", at, verdict, reasons)
				}
			}
		})
	}
}
