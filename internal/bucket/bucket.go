// Package bucket reads what is verified: an S3 bucket, or a copy of one in a folder.
//
// It only lists and reads. Times are the bucket's own, in whole seconds.
package bucket

import (
	"context"
	"errors"
	"io"
	"time"
)

// An Object is one entry of a listing.
type Object struct {
	Key          string
	ETag         string // empty in a folder
	Size         int64  // bytes, as stored
	LastModified time.Time
}

// ErrRewritten reports that an object has changed since it was listed.
var ErrRewritten = errors.New("it was rewritten since it was listed")

// A Bucket is what a verification reads.
type Bucket interface {
	// Name is the bucket's name, as messages show it.
	Name() string
	// List returns all objects under a prefix, in the order of their keys, and the bucket's clock when the listing
	// began. Every object written before that moment is listed.
	List(ctx context.Context, prefix string) ([]Object, time.Time, error)
	// ListAfter is List, but only of keys after the given one.
	ListAfter(ctx context.Context, prefix, after string) ([]Object, time.Time, error)
	// Read returns a listed object's bytes. If the object has changed since it was listed, the error wraps ErrRewritten.
	Read(ctx context.Context, object Object) ([]byte, error)
	// Open streams an object that is too large to hold. The errors of Read may come after some bytes, in place of
	// io.EOF. The caller closes it, even before its end.
	Open(ctx context.Context, object Object) (io.ReadCloser, error)
}

// Find returns the listed object with exactly this key, or nil. It lists because S3 reports a missing key only to those
// who may list the bucket.
func Find(ctx context.Context, b Bucket, key string) (*Object, error) {
	listed, _, err := b.List(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, o := range listed {
		if o.Key == key {
			return &o, nil
		}
	}
	return nil, nil
}

// getTries is how often Get reads an object that keeps changing. A producer rewrites its tick every few seconds.
const getTries = 5

// Get returns the object with exactly this key and its bytes, or nil if there is none. If the object is rewritten
// between listing and reading, Get lists it again.
func Get(ctx context.Context, b Bucket, key string) (object *Object, data []byte, err error) {
	for range getTries {
		if object, err = Find(ctx, b, key); err != nil || object == nil {
			return nil, nil, err
		}
		if data, err = b.Read(ctx, *object); !errors.Is(err, ErrRewritten) {
			break
		}
	}
	return object, data, err
}

// IsMarker reports whether an object stands for a folder, as consoles and copying tools make them: it is empty, and its
// key ends in a slash.
func IsMarker(o Object) bool { return o.Size == 0 && len(o.Key) > 0 && o.Key[len(o.Key)-1] == '/' }
