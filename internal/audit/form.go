package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A longRow is known by its start and its hash, so that the memory of a judge does not depend on how long rows are.
const (
	longRow   = 200 // bytes; a row of at most this many is its own key
	startOf   = 120 // bytes of a long row that its key keeps, for people
	shortMark = 0
	longMark  = 1
)

// appendKey appends the key of a row that is compared byte by byte: the row itself, or the start and the SHA-256 of a
// long one.
func appendKey(dst, row []byte) []byte {
	if len(row) <= longRow {
		return append(append(dst, shortMark), row...)
	}
	sum := sha256.Sum256(row)
	dst = append(append(dst, longMark), row[:startOf]...)
	dst = append(dst, sum[:]...)
	return strconv.AppendInt(dst, int64(len(row)), 10)
}

// formatKey writes a key of appendKey for people. Rows that differ read differently.
func formatKey(key []byte) string {
	text := key[1:]
	if key[0] == longMark {
		sum := text[startOf : startOf+sha256.Size]
		return fmt.Sprintf("%s… (%s bytes, SHA-256 %s)", printable(text[:startOf]), text[startOf+sha256.Size:], hex.EncodeToString(sum))
	}
	return printable(text)
}

// printable quotes what is not text of one line, and what would read like something quoted.
func printable(text []byte) string {
	control := func(r rune) bool { return !strconv.IsPrint(r) && r != '\t' }
	if _, err := strconv.Unquote(string(text)); err == nil || !utf8.Valid(text) || bytes.ContainsFunc(text, control) {
		return strconv.Quote(string(text))
	}
	return string(text)
}

// isBlank reports whether a line holds nothing: it is no row.
func isBlank(line []byte) bool { return len(line) == 0 || len(line) == 1 && line[0] == '\r' }

// A Form says what a record of the stream owes, and which row a line of an object is.
type Form interface {
	// Owed calls emit with the key of each row that the records owe; a key is valid only during the call. Unless
	// filtered is true, the rows are those that a query gives without its WHERE.
	Owed(records [][]byte, filtered bool, emit func(key []byte)) error
	// Append appends the key of a line, without its newline. The error says why the line is no row.
	Append(dst, line []byte) ([]byte, error)
	// Format writes a key for people. Keys that differ read differently.
	Format(key []byte) string
}

// Verbatim is the Form of a pipeline that changes nothing: a record owes its lines, byte for byte.
type Verbatim struct{}

// Owed emits the lines of the records. JSON values that stand glued in a line are rows of their own.
func (Verbatim) Owed(records [][]byte, _ bool, emit func(key []byte)) error {
	var key []byte
	row := func(row []byte) {
		key = appendKey(key[:0], row)
		emit(key)
	}
	for _, record := range records {
		verbatim(record, row)
	}
	return nil
}

// verbatim calls row with each row of a record.
func verbatim(record []byte, row func([]byte)) {
	for line := range bytes.Lines(record) {
		if line = bytes.TrimSuffix(line, []byte("\n")); !isBlank(line) {
			objects(line, row)
		}
	}
}

// Append appends the key of a line. Every line is a row.
func (Verbatim) Append(dst, line []byte) ([]byte, error) { return appendKey(dst, line), nil }

// Format writes the row itself, or the start of a long one with its hash.
func (Verbatim) Format(key []byte) string {
	if isReject(key) {
		return formatReject(key)
	}
	return formatKey(key)
}

// objects calls row with the line, or with its parts where it holds several JSON objects with nothing but blanks
// between them: what a delivery stream makes of records that do not end with a newline. It returns the number of
// parts.
//
// Records and lines are taken apart by the same rule, so it need not know whether the text is JSON: it cuts behind a
// closing brace that matches the line's first, where another opening one follows.
func objects(line []byte, row func([]byte)) (parts int) {
	for {
		parts++
		end, next := cut(line)
		if end == 0 {
			row(line)
			return parts
		}
		row(line[:end])
		line = line[next:]
	}
}

// cut gives the end of a line's first object and the start of the next, 0 where none follows.
func cut(line []byte) (end, next int) {
	if !mayBeGlued(line) {
		return 0, 0
	}
	depth, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				if next := i + 1 + blanks(line[i+1:]); next < len(line) && line[next] == '{' {
					return i + 1, next
				}
				return 0, 0
			}
		}
	}
	return 0, 0
}

// mayBeGlued reports whether it is worth scanning the line: almost no line is glued.
func mayBeGlued(line []byte) bool {
	if len(line) == 0 || line[0] != '{' {
		return false
	}
	for rest := line; ; {
		at := bytes.IndexByte(rest, '}')
		if at < 0 {
			return false
		}
		rest = rest[at+1:]
		if rest = rest[blanks(rest):]; len(rest) > 0 && rest[0] == '{' {
			return true
		}
	}
}

// blanks counts the blanks that a text begins with.
func blanks(text []byte) int { return len(text) - len(bytes.TrimLeft(text, " \t\r")) }
