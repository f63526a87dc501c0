package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Dir is a copy of a bucket in a folder, with each file's modification time as its object's LastModified: as
// `aws s3 sync` makes it.
type Dir string

// Name is the folder.
func (d Dir) Name() string { return string(d) }

// List walks the folder; the clock is the machine's own.
func (d Dir) List(ctx context.Context, prefix string) ([]Object, time.Time, error) {
	return d.ListAfter(ctx, prefix, "")
}

// ListAfter is List from a key on.
func (d Dir) ListAfter(_ context.Context, prefix, after string) ([]Object, time.Time, error) {
	clock := time.Now().Truncate(time.Second)
	var objects []Object
	err := filepath.WalkDir(string(d), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(string(d), path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(relative)
		if !strings.HasPrefix(key, prefix) || key <= after {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		objects = append(objects, Object{Key: key, Size: info.Size(), LastModified: info.ModTime().Truncate(time.Second)})
		return nil
	})
	if err != nil {
		return nil, clock, fmt.Errorf("list %s in %s: %w", prefix, d, err)
	}
	return objects, clock, nil
}

// Read reads the file.
func (d Dir) Read(_ context.Context, object Object) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(string(d), filepath.FromSlash(object.Key)))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != object.Size {
		return nil, fmt.Errorf("read %s: got %d bytes of the %d listed", object.Key, len(data), object.Size)
	}
	return data, nil
}

// Open opens the file.
func (d Dir) Open(_ context.Context, object Object) (io.ReadCloser, error) {
	in, err := os.Open(filepath.Join(string(d), filepath.FromSlash(object.Key)))
	if err != nil {
		return nil, err
	}
	return &file{File: in, object: object}, nil
}

// A file is one that has to be as long as it was listed.
type file struct {
	*os.File
	object Object
	read   int64
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if f.read += int64(n); errors.Is(err, io.EOF) && f.read != f.object.Size {
		err = fmt.Errorf("read %s: got %d bytes of the %d listed", f.object.Key, f.read, f.object.Size)
	}
	return n, err
}
