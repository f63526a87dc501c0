package audit

import (
	"bufio"
	"errors"
	"io"

	"streamproof/internal/bucket"
	"streamproof/internal/encoding"
)

// longestRow is more than a record of any stream has: Kinesis takes 10 MiB.
const longestRow = 16 << 20

// eachRow calls take with each row of an object, gzip or not as its first bytes tell, and with the number of its line,
// from 1. The last line needs no newline: the object is complete. Blank lines are counted, and so are JSON objects
// that stand behind another one in the same line. An object that is all one line is never held. One of a format that is
// not lines of text, by its key or its first bytes, is refused.
func eachRow(key string, object io.Reader, take func(row []byte, line int64)) (blank, glued int64, err error) {
	in, err := bucket.Unzip(object)
	if err != nil {
		return 0, 0, err
	}
	reader := bufio.NewReaderSize(in, 64<<10)
	head, _ := reader.Peek(encoding.FormatBytes) // reading meets the error again
	if format := formatOf(key, head); format != "" {
		return 0, 0, formatError(format)
	}
	number := int64(1)
	var line []byte
	end := func(line []byte) {
		if isBlank(line) {
			blank++
			return
		}
		glued += int64(objects(line, func(row []byte) { take(row, number) })) - 1
	}
	for {
		part, err := reader.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			end(line[:len(line)-1])
			line, number = line[:0], number+1
		case errors.Is(err, io.EOF):
			if len(line) > 0 {
				end(line)
			}
			return blank, glued, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return blank, glued, err
		default:
			rest := line
			for end, next := cut(rest); end > 0; end, next = cut(rest) {
				take(rest[:end], number)
				rest = rest[next:]
				glued++
			}
			if line = append(line[:0], rest...); len(line) > longestRow {
				return blank, glued, errors.New("a row is longer than 16 MiB: the object is not lines of text")
			}
		}
	}
}
