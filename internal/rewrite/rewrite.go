package rewrite

import (
	"bufio"
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
// gzip members becomes one member, even if no line is left. It returns what it has left out, and fails if the object
// has fewer lines than the last number.
func Without(dst io.Writer, object io.Reader, numbers []int64) (out Lines, err error) {
	in := bufio.NewReaderSize(object, buffer)
	if !bucket.IsGzip(in) {
		return without(dst, in, numbers)
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
