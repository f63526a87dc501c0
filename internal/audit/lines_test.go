package audit

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// Lines are cut the same however the object is read, also where one is longer than any buffer.
func TestEachRow(t *testing.T) {
	for _, test := range []struct {
		object      string
		want        string
		blank, glue int64
	}{
		{"", "", 0, 0},
		{"a\nb\n", "1:a 2:b", 0, 0},
		{"a\n\n\r\nb", "1:a 4:b", 2, 0},
		{"{}{}\n{}", "1:{} 1:{} 2:{}", 0, 1},
		{"a\r\n", "1:a\r", 0, 0},
	} {
		var got []string
		blank, glue, err := eachRow("o", iotest.OneByteReader(strings.NewReader(test.object)), func(row []byte, line int64) {
			got = append(got, fmt.Sprintf("%d:%s", line, row))
		})
		if err != nil || strings.Join(got, " ") != test.want || blank != test.blank || glue != test.glue {
			t.Errorf("%q: got %q, %d blank, %d glued, %v; want %q, %d, %d", test.object, got, blank, glue, err, test.want, test.blank, test.glue)
		}
	}
}

func TestEachRowOfOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := strings.Repeat("x", rapid.IntRange(1, 100_000).Draw(t, "long"))
		n := rapid.IntRange(1, 4).Draw(t, "rows")
		row := `{"a":"` + long + `}{\""}`
		got := 0
		_, glue, err := eachRow("o", strings.NewReader(strings.Repeat(row, n)), func(text []byte, line int64) {
			if string(text) != row || line != 1 {
				t.Fatalf("row %d of %d bytes is %d bytes of line %d", got, len(row), len(text), line)
			}
			got++
		})
		if err != nil || got != n || glue != int64(n-1) {
			t.Errorf("%d rows, %d glued, %v; want %d", got, glue, err, n)
		}
	})
}

func TestEachRowTooLong(t *testing.T) {
	if _, _, err := eachRow("o", strings.NewReader(strings.Repeat("x", longestRow+1<<20)), func([]byte, int64) {}); err == nil {
		t.Error("a row above the limit was read")
	}
}
