package logs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// A File is a log whose lines begin with their time in RFC 3339, as Flink's do, or with time= before it, as slog's do.
// Other lines belong to the one before, such as those of a stack trace.
type File struct {
	part    string
	path    string
	since   time.Time
	belongs func(line string) bool
	read    int64     // bytes
	at      time.Time // of the last line
	kept    bool      // the last line belonged
}

var _ Source = (*File)(nil)

// NewFile makes a source of the lines of a file from a moment on. A file that does not exist has none. If belongs is
// not nil, lines that it does not hold for are left out.
func NewFile(part, path string, since time.Time, belongs func(line string) bool) *File {
	return &File{part: part, path: path, since: since, belongs: belongs}
}

// Part implements Source.
func (f *File) Part() string { return f.part }

// Next implements Source. A file that is shorter than before is a new one. A line that is not ended yet is left for the
// next call.
func (f *File) Next(context.Context) ([]Line, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.read = 0
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a log: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() < f.read {
		f.read = 0
	}
	if _, err := file.Seek(f.read, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read a log: %w", err)
	}
	var lines []Line
	for r := bufio.NewReader(file); ; {
		text, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, fmt.Errorf("read a log: %w", err)
		}
		f.read += int64(len(text))
		if line, ok := f.line(strings.TrimRight(text, "\r\n")); ok {
			lines = append(lines, line)
		}
	}
}

// line returns a line of the file, unless it is left out.
func (f *File) line(text string) (Line, bool) {
	stamp, rest, _ := strings.Cut(text, " ")
	if at, err := time.Parse(time.RFC3339, strings.TrimPrefix(stamp, "time=")); err == nil {
		f.at, f.kept = at.UTC(), f.belongs == nil || f.belongs(text)
		text = rest
	}
	return Line{f.at, f.part, text}, f.kept && !f.at.Before(f.since)
}
