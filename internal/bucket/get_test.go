package bucket_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"streamproof/internal/bucket"
)

// rewriting is a bucket whose only object, "key", is rewritten a number of times between its listing and its reading.
type rewriting struct {
	bucket.Bucket
	left int
}

func (r *rewriting) List(context.Context, string) ([]bucket.Object, time.Time, error) {
	return []bucket.Object{{Key: "key"}, {Key: "key-2"}}, time.Time{}, nil
}

func (r *rewriting) Read(context.Context, bucket.Object) ([]byte, error) {
	if r.left--; r.left >= 0 {
		return nil, bucket.ErrRewritten
	}
	return []byte("data"), nil
}

func TestGet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		key    string
		left   int
		exists bool
		err    error
	}{
		{"key", 0, true, nil},
		{"key", 4, true, nil},
		{"key", 5, true, bucket.ErrRewritten},
		{"ke", 0, false, nil},
	} {
		object, data, err := bucket.Get(t.Context(), &rewriting{left: test.left}, test.key)
		if (object != nil) != test.exists || !errors.Is(err, test.err) || (string(data) == "data") != (test.exists && test.err == nil) {
			t.Errorf("%s, rewritten %d times: got %v, %q, %v", test.key, test.left, object, data, err)
		}
	}
}
