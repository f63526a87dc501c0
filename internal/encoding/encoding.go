// Package encoding recognizes bytes that are not the lines of UTF-8 that a reader expects, and names what they are.
//
// The names are reasons of rejects: the Flink job's Encoding says the same of the same bytes.
package encoding

import "bytes"

// The names.
const (
	Gzip   = "gzip"
	UTF16  = "UTF-16 text, not UTF-8"
	Marked = "byte order mark"
	Latin1 = "not UTF-8, perhaps Latin-1"
)

// Detect names the encoding that a text certainly has and that leaves it without lines: gzip, or UTF-16 with a byte
// order mark. It is empty for anything else.
func Detect(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}), bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		return UTF16
	}
	return ""
}

// isUTF16 reports whether every other byte is NUL, and only these: Latin letters and digits in UTF-16 without a mark.
func isUTF16(text []byte) bool {
	if len(text) < 4 || (text[0] == 0) == (text[1] == 0) {
		return false
	}
	for i, c := range text {
		if (c == 0) != (text[i%2] == 0) {
			return false
		}
	}
	return true
}

// Guess names the likely encoding of a line that could not be read. It is empty if there is no likely one, or nothing
// is wrong.
func Guess(line []byte) string {
	if name := Detect(line); name != "" {
		return name
	}
	switch {
	case isUTF16(line):
		return UTF16
	case bytes.HasPrefix(line, []byte("\ufeff")):
		return Marked
	case isLatin1(line):
		return Latin1
	}
	return ""
}

// isLatin1 reports whether a text has Latin-1's letters beyond ASCII, no control characters, and nothing that begins as
// a character of UTF-8 does. A byte of 0xff is seen in broken data more often than as the letter ÿ.
func isLatin1(text []byte) bool {
	letters, lead := false, false
	for _, c := range text {
		switch {
		case c < ' ' && c != '\t' && c != '\r', c >= 0x7f && c < 0xa0, c == 0xff, lead && c >= 0xa0 && c < 0xc0:
			return false
		}
		lead = c >= 0xc0
		letters = letters || c >= 0xa0
	}
	return letters
}
