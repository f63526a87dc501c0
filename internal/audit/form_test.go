package audit

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestObjects(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{`{"a":1}`, []string{`{"a":1}`}},
		{`{"a":1}{"b":2}`, []string{`{"a":1}`, `{"b":2}`}},
		{`{"a":"}{\"}{"} {"b":[{}]}` + "\t{}\r", []string{`{"a":"}{\"}{"}`, `{"b":[{}]}`, "{}\r"}},
		{`{"a":"}{"}`, []string{`{"a":"}{"}`}},
		{`{"a":1}{"b":`, []string{`{"a":1}`, `{"b":`}},
		{`{"a":1}x{"b":2}`, []string{`{"a":1}x{"b":2}`}},
		{`[{"a":1},{"a":2}]`, []string{`[{"a":1},{"a":2}]`}},
		{`[INFO] {a}{b}`, []string{`[INFO] {a}{b}`}},
		{`{}{}{}`, []string{`{}`, `{}`, `{}`}},
		{`{"a":"\`, []string{`{"a":"\`}},
		{`1,2,3`, []string{`1,2,3`}},
	} {
		var got []string
		n := objects([]byte(test.line), func(row []byte) { got = append(got, string(row)) })
		if !slices.Equal(got, test.want) || n != len(got) {
			t.Errorf("objects(%s) = %d: %q, want %q", test.line, n, got, test.want)
		}
	}
}

// Two rows have the same key, and read the same, if and only if they are the same bytes.
func TestKeys(t *testing.T) {
	row := rapid.SliceOfN(rapid.Byte(), 0, 2*longRow)
	rapid.Check(t, func(t *rapid.T) {
		a, b := row.Draw(t, "a"), row.Draw(t, "b")
		if rapid.Bool().Draw(t, "near") {
			b = append(bytes.Clone(a[:len(a)/2]), b...)
		}
		keyA, keyB := appendKey(nil, a), appendKey(nil, b)
		if bytes.Equal(keyA, keyB) != bytes.Equal(a, b) {
			t.Errorf("keys of %q and %q: %q and %q", a, b, keyA, keyB)
		}
		if (formatKey(keyA) == formatKey(keyB)) != bytes.Equal(a, b) {
			t.Errorf("%q and %q read %s and %s", a, b, formatKey(keyA), formatKey(keyB))
		}
	})
}
