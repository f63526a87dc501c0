package discover

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/text/encoding/charmap"

	"streamproof/internal/encoding"
	"streamproof/internal/stream/kpl"
)

// magics are the first bytes of data that is not text.
var magics = []struct{ start, name string }{
	{kpl.Magic, "an aggregate of the Kinesis Producer Library, unpacked only when sampled from a stream"},
	{"\x1f\x8b", encoding.Gzip},
	{"\x00\x00\xfe\xff", "UTF-32 text, not UTF-8"},
	{"\xff\xfe\x00\x00", "UTF-32 text, not UTF-8"},
	{"\xff\xfe", encoding.UTF16},
	{"\xfe\xff", encoding.UTF16},
}

// unreadable names the format of a record that is not text, or not text with rows. It is empty for all others: single
// control characters are text, and the rows of a single-byte encoding are faults.
func unreadable(data []byte) string {
	for _, magic := range magics {
		if bytes.HasPrefix(data, []byte(magic.start)) {
			return magic.name
		}
	}
	if isUTF16(data) {
		return encoding.UTF16
	}
	control, invalid := 0, 0
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		at += size
		switch {
		case r == utf8.RuneError && size == 1:
			invalid++
		case isOddControl(r) && r != 1 && r != 0x1f: // those two are delimiters
			control++
		}
	}
	kind := mimetype.Detect(data)
	switch {
	case control > 1 && control*10 > len(data), invalid*3 > len(data) && control > 0:
		if name := kind.String(); name != "application/octet-stream" && !strings.HasPrefix(name, "text/") {
			return name
		}
		return "binary"
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) && (kind.Is("text/xml") || kind.Is("text/html")):
		return kind.String()
	}
	return ""
}

// isUTF16 detects UTF-16 without a byte order mark: nearly every other byte is NUL, on one side.
func isUTF16(data []byte) bool {
	var zeros [2]int
	data = data[:min(len(data), sniffBytes)]
	for i, c := range data {
		if c == 0 {
			zeros[i%2]++
		}
	}
	pairs := len(data) / 2
	return pairs > 1 && min(zeros[0], zeros[1])*10 <= pairs && max(zeros[0], zeros[1])*10 >= pairs*7
}

const (
	notUTF8     = "not UTF-8"
	isLatin1    = encoding.Latin1
	isWindows52 = "not UTF-8, perhaps Windows-1252"
)

// encodingFault names the single-byte encoding in which an invalid UTF-8 line reads as text.
func encodingFault(line []byte) string {
	fault := isLatin1
	for _, c := range line {
		switch {
		case c < utf8.RuneSelf && isOddControl(rune(c)):
			return notUTF8
		case c >= 0x80 && c < 0xa0 && charmap.Windows1252.DecodeByte(c) == utf8.RuneError:
			return notUTF8
		case c >= 0x80 && c < 0xa0:
			fault = isWindows52
		}
	}
	return fault
}

// decoded returns a faulty line for a message: decoded if its encoding is known, and otherwise with replacement
// characters.
func decoded(fault string, line []byte) string {
	if fault == isLatin1 || fault == isWindows52 {
		text, _ := charmap.Windows1252.NewDecoder().Bytes(line) // encodingFault has seen that each byte is a character
		return string(text)
	}
	return strings.ToValidUTF8(string(line), "\uFFFD")
}
