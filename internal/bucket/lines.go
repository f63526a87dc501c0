package bucket

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"streamproof/internal/encoding"
)

// Unzip reads an object's bytes, decompressed if they begin as gzip does.
func Unzip(object io.Reader) (io.Reader, error) {
	in := bufio.NewReader(object)
	if IsGzip(in) {
		return gzip.NewReader(in)
	}
	return in, nil
}

// IsGzip reports whether what is still to be read begins as gzip does.
func IsGzip(in *bufio.Reader) bool {
	magic, _ := in.Peek(2) // a failure is met again in reading
	return bytes.Equal(magic, []byte{0x1f, 0x8b})
}

// linesBuffers hold most lines each, and are used again: making one for each small object takes longer than reading
// it.
var linesBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// Lines reads the lines of an object, gzip or not, one after the other as a bufio.Scanner does:
//
//	lines := bucket.NewLines(object, 1<<20)
//	for lines.Next() {
//		if err := lines.Fault(); err != nil { … }
//		use(lines.Text())
//	}
//	return lines.Err()
//
// A line that is too long or not terminated does not end the reading; it has a Fault. Runs passes many lines at
// once.
type Lines struct {
	in      *bufio.Reader // of linesBuffers, nil after the last line
	longest int
	format  string // why these are not lines at all
	text    []byte // a line, or those of a run
	long    []byte // a line that does not fit into the buffer
	number  int64
	fault   error
	err     error
	zipped  bool
}

// NewLines returns a reader of lines of at most so many bytes, newline included.
func NewLines(object io.Reader, longest int) *Lines {
	in, err := Unzip(object)
	if err != nil {
		return &Lines{err: err}
	}
	_, zipped := in.(*gzip.Reader)
	l := &Lines{in: linesBuffers.Get().(*bufio.Reader), longest: longest, zipped: zipped}
	l.in.Reset(in)
	head, _ := l.in.Peek(encoding.FormatBytes) // Next meets the error again
	if l.format = encoding.Format(head); l.format == encoding.Gzip {
		l.format = "gzip within gzip"
	}
	return l
}

// Next advances to the next line and reports whether there is one.
func (l *Lines) Next() bool {
	if l.in == nil {
		return false
	}
	if l.err == nil && l.read() {
		return true
	}
	l.in.Reset(nil)
	linesBuffers.Put(l.in)
	l.in, l.text = nil, nil
	return false
}

// Runs passes the lines that are not read yet, as many at once as are in memory: complete ones, each with its newline,
// or a single one, as Text gives it, with its Fault. A run is valid until the next. Number is that of its last line.
func (l *Lines) Runs() iter.Seq2[[]byte, error] {
	return func(yield func(text []byte, fault error) bool) {
		for l.nextRun() && yield(l.text, l.fault) {
		}
	}
}

// nextRun advances as Next does, by a run, whose last line has a newline if it has no fault.
func (l *Lines) nextRun() bool {
	if l.in == nil || l.err != nil || l.longest < l.in.Size() {
		return l.nextAlone()
	}
	buffered, _ := l.in.Peek(l.in.Buffered())
	end := bytes.LastIndexByte(buffered, '\n') + 1
	if end == 0 {
		return l.nextAlone()
	}
	l.text, l.fault = buffered[:end], nil
	l.number += int64(bytes.Count(l.text, []byte{'\n'}))
	_, _ = l.in.Discard(end)
	return true
}

// nextAlone advances to a run of one line.
func (l *Lines) nextAlone() bool {
	if !l.Next() {
		return false
	}
	if l.fault == nil {
		l.text = l.text[:len(l.text)+1] // its newline
	}
	return true
}

// read reads a line into the fields that describe one.
func (l *Lines) read() bool {
	text, err := l.in.ReadSlice('\n')
	size := len(text)
	if err == nil && size <= l.longest {
		l.number++
		l.text, l.fault = text[:size-1], nil
		return true
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long[:0], text[:min(size, l.longest)]...)
		for errors.Is(err, bufio.ErrBufferFull) {
			text, err = l.in.ReadSlice('\n')
			size += len(text)
			l.long = append(l.long, text[:min(len(text), l.longest-len(l.long))]...)
		}
		text = l.long
	}
	if size == 0 && errors.Is(err, io.EOF) {
		return false
	}
	l.number++
	l.text, l.fault = bytes.TrimSuffix(text, []byte{'\n'}), nil
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	switch {
	case size > l.longest:
		l.text = text[:l.longest]
		l.fault = fmt.Errorf("the line is longer than %d bytes", l.longest)
	case l.err != nil:
		return false
	case err != nil:
		l.fault = errors.New("the line does not end with a newline")
	}
	return true
}

// Text returns the line without its newline, or the start of a line that is too long. It is valid until Next is called.
func (l *Lines) Text() []byte { return l.text }

// Number returns the line's number, from 1; after the last line, how many there were.
func (l *Lines) Number() int64 { return l.number }

// Fault returns why the line is not a complete line, or nil.
func (l *Lines) Fault() error { return l.fault }

// Explain returns the cause of a line's fault: the object's format, if that is not lines at all, and else the fault.
func (l *Lines) Explain(fault error) string {
	if l.format != "" {
		return "the object is " + l.format + ", not lines of rows"
	}
	return fault.Error()
}

// Compressed reports whether the object is gzip.
func (l *Lines) Compressed() bool { return l.zipped }

// Err returns the error that ended the reading before the object's end, or nil.
func (l *Lines) Err() error { return l.err }
