// Package bucket reads what the verifier judges: an S3 bucket, or a copy of one in a folder.
//
// It only lists and reads; the times that it gives are the bucket's own, in whole seconds.
package bucket

import (
	"bufio"
	"bytes"
	"compress/gzip"
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

// ErrRewritten says that an object has changed since it was listed.
var ErrRewritten = errors.New("it was rewritten since it was listed")

// A Bucket is what a verification reads.
type Bucket interface {
	// Name is how people call the bucket.
	Name() string
	// List gives all objects under a prefix, in the order of their keys, and what the bucket's clock said when the
	// listing began: an object that was written before then is listed.
	List(ctx context.Context, prefix string) ([]Object, time.Time, error)
	// ListAfter gives of these only those whose keys come after a key.
	ListAfter(ctx context.Context, prefix, after string) ([]Object, time.Time, error)
	// Read gives a listed object's bytes. That it has changed since it was listed is an error that wraps ErrRewritten.
	Read(ctx context.Context, object Object) ([]byte, error)
	// Open gives them one after the other, for an object that is too large to be held. What Read has as an error may come
	// after some bytes, in place of io.EOF. It is to be closed, also where it was not read to its end.
	Open(ctx context.Context, object Object) (io.ReadCloser, error)
}

// Unzip reads an object's bytes, gzip or not as the first of them tell.
func Unzip(object io.Reader) (io.Reader, error) {
	in := bufio.NewReader(object)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return gzip.NewReader(in)
	}
	return in, nil
}
