package encoding_test

import (
	"testing"

	"streamproof/internal/encoding"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"PAR1\x15\x04\x15":     "Parquet",
		"PAR1,2,3.0":           "", // a row
		"PAR1\n":               "",
		"PAR1":                 "",
		"ORC\n\x03":            "",
		"ORC\x08\x03":          "ORC",
		"Obj\x01\x04":          "Avro",
		"PK\x03\x04":           "ZIP",
		"\x1f\x8b\x08":         encoding.Gzip,
		"\x28\xb5\x2f\xfd\x04": "Zstandard",
		"1,2,3.0,4.5\n":        "",
		"":                     "",
	} {
		if got := encoding.Format([]byte(head)); got != want {
			t.Errorf("%q is %q, want %q", head, got, want)
		}
	}
}
