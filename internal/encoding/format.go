package encoding

import "bytes"

// FormatBytes is how many of an object's first bytes Format has to see.
const FormatBytes = 16

// formats are told by their first bytes. After those that are letters, text goes on with more of it; a file does not.
var formats = []struct {
	magic, name string
	letters     bool
}{
	{magic: "PAR1", name: "Parquet", letters: true},
	{magic: "ORC", name: "ORC", letters: true},
	{magic: "Obj\x01", name: "Avro"},
	{magic: "PK\x03\x04", name: "ZIP"},
	{magic: "\x1f\x8b", name: "gzip"},
	{magic: "\x28\xb5\x2f\xfd", name: "Zstandard"},
	{magic: "\xff\x06\x00\x00sNaPpY", name: "Snappy"},
	{magic: "\x82SNAPPY\x00", name: "Snappy"},
	{magic: "\x04\x22\x4d\x18", name: "LZ4"},
}

// Format names the format of a file that is not lines of text, by its first bytes; empty where it is none that is
// known.
func Format(head []byte) string {
	for _, f := range formats {
		rest, found := bytes.CutPrefix(head, []byte(f.magic))
		if found && (!f.letters || len(rest) > 0 && rest[0] < ' ' && !bytes.ContainsRune([]byte("\t\r\n"), rune(rest[0]))) {
			return f.name
		}
	}
	return ""
}
