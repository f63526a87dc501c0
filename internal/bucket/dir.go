package bucket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Dir is a copy of a bucket in a folder, with each file's modification time as its object's LastModified: as `aws s3
// sync` makes it. Nothing outside the folder is read: a link is followed to a file inside of it, and is an error else.
type Dir string

// Name is the folder.
func (d Dir) Name() string { return string(d) }

// List walks the folder; the clock is the machine's own.
func (d Dir) List(ctx context.Context, prefix string) ([]Object, time.Time, error) {
	return d.ListAfter(ctx, prefix, "")
}

// ListAfter is List from a key on.
func (d Dir) ListAfter(ctx context.Context, prefix, after string) ([]Object, time.Time, error) {
	clock := time.Now().Truncate(time.Second)
	fail := func(err error) ([]Object, time.Time, error) {
		return nil, clock, fmt.Errorf("list %s in %s: %w", prefix, d, err)
	}
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return fail(err)
	}
	defer root.Close()
	var objects []Object
	err = fs.WalkDir(root.FS(), ".", func(key string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir():
			if folder := key + "/"; key != "." && !strings.HasPrefix(folder, prefix) && !strings.HasPrefix(prefix, folder) {
				return fs.SkipDir
			}
			return nil
		case !strings.HasPrefix(key, prefix) || key <= after:
			return nil
		}
		info, err := fileInfo(root, key)
		if err != nil {
			return err
		}
		objects = append(objects, Object{Key: key, Size: info.Size(), LastModified: info.ModTime().Truncate(time.Second)})
		return nil
	})
	if err != nil {
		return fail(err)
	}
	// By their keys: a walk has a/b before a-b.
	slices.SortFunc(objects, func(a, b Object) int { return cmp.Compare(a.Key, b.Key) })
	return objects, clock, nil
}

// fileInfo is of the file under a key, or of the one that a link there leads to.
func fileInfo(root *os.Root, key string) (fs.FileInfo, error) {
	info, err := root.Lstat(key)
	if err != nil {
		return nil, err
	}
	linked := info.Mode().Type() == fs.ModeSymlink
	if linked {
		if info, err = root.Stat(key); err != nil {
			return nil, fmt.Errorf("%s is a link that leads to no file in the folder (copy what it points to, as cp -L does): %w", key, err)
		}
	}
	switch {
	case info.Mode().IsRegular():
		return info, nil
	case linked && info.IsDir():
		return nil, fmt.Errorf("%s is a link to a folder: copy what it points to, as cp -RL does", key)
	default:
		return nil, fmt.Errorf("%s is not a file but of type %s: take it out of the copy", key, info.Mode().Type())
	}
}

// Read reads the file.
func (d Dir) Read(ctx context.Context, object Object) ([]byte, error) {
	in, err := d.Open(ctx, object)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(in)
}

// Open opens the file.
func (d Dir) Open(ctx context.Context, object Object) (io.ReadCloser, error) {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Should it have become a pipe since it was listed, its opening does not wait for a writer.
	in, err := root.OpenFile(object.Key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", object.Key, err)
	}
	info, err := in.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("read %s: it is not a file any more", object.Key)
	}
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return &file{File: in, ctx: ctx, object: object}, nil
}

// A file is one that has to be as long as it was listed.
type file struct {
	*os.File
	ctx    context.Context
	object Object
	read   int64
}

func (f *file) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := f.File.Read(p)
	if f.read += int64(n); errors.Is(err, io.EOF) && f.read != f.object.Size {
		err = fmt.Errorf("read %s: got %d bytes of the %d listed", f.object.Key, f.read, f.object.Size)
	}
	return n, err
}
