package rewrite

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"streamproof/internal/bucket"
)

// buffer holds most lines. A longer one is copied in parts.
const buffer = 64 << 10

// Lines are counts of lines, with their newlines, and of their bytes without compression.
type Lines struct {
	Lines, Bytes int64
}

// Without copies an object without the lines of these numbers, which count from 1 and ascend. An object of one or more
// gzip members becomes one member, even if no line is left, and so does what would begin as gzip does. It returns what
// it has left out, and fails if the object has fewer lines than the last number.
func Without(dst io.Writer, object io.Reader, numbers []int64) (out Lines, err error) {
	in := bufio.NewReaderSize(object, buffer)
	if !bucket.IsGzip(in) {
		plain := &plain{dst: dst}
		if out, err = without(plain, in, numbers); err != nil {
			return out, err
		}
		return out, plain.close()
	}
	unzipped, err := bucket.Unzip(in)
	if err != nil {
		return out, err
	}
	zip := gzip.NewWriter(dst)
	if out, err = without(zip, bufio.NewReaderSize(unzipped, buffer), numbers); err != nil {
		return out, err
	}
	return out, zip.Close()
}

// plain writes an object that is not compressed, by lines. If what is left of it begins as if it were, it compresses
// the object, or its readers would decompress it.
type plain struct {
	dst   io.Writer
	begun bool
	zip   *gzip.Writer
}

func (p *plain) Write(part []byte) (int, error) {
	if !p.begun && bucket.IsGzip(bufio.NewReader(bytes.NewReader(part))) {
		p.zip = gzip.NewWriter(p.dst)
	}
	if p.begun = true; p.zip != nil {
		return p.zip.Write(part)
	}
	return p.dst.Write(part)
}

func (p *plain) close() error {
	if p.zip == nil {
		return nil
	}
	return p.zip.Close()
}

func without(dst io.Writer, in *bufio.Reader, numbers []int64) (out Lines, err error) {
	left := numbers
	starts, line := true, int64(0)
	for {
		part, err := in.ReadSlice('\n')
		if len(part) > 0 && starts {
			line++
		}
		drop := len(left) > 0 && left[0] == line
		switch {
		case len(part) == 0:
		case drop:
			out.Bytes += int64(len(part))
		default:
			if _, err := dst.Write(part); err != nil {
				return out, err
			}
		}
		if starts = err == nil; drop && len(part) > 0 && (starts || errors.Is(err, io.EOF)) {
			out.Lines++
			left = left[1:]
		}
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
		case !errors.Is(err, io.EOF):
			return out, err
		case len(left) > 0:
			return out, fmt.Errorf("line %d is to be left out, and there are %d", left[0], line)
		default:
			return out, nil
		}
	}
}
