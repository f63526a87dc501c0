package discover_test

import (
	"strings"
	"testing"

	"streamproof/internal/discover"
)

// TestTypes: what a column of these values, each in a row, is proposed as, with how many agree.
func TestTypes(t *testing.T) {
	t.Parallel()
	many := func(n int, value string) []string { return strings.Split(strings.Repeat(value+" ", n-1)+value, " ") }
	tests := []struct {
		values []string
		want   string // the type, and the pattern
		agree  int
	}{
		{[]string{"1", "-2147483648", "2147483647"}, "INTEGER", 3},
		{[]string{"2147483648", "1"}, "BIGINT", 2},
		{[]string{"-9223372036854775808"}, "BIGINT", 1},
		{[]string{"9223372036854775808", "-1"}, "DECIMAL(19,0)", 2},
		{[]string{strings.Repeat("9", 38)}, "DECIMAL(38,0)", 1},
		{[]string{strings.Repeat("9", 39)}, "VARCHAR(64)", 1},
		{[]string{"0", "1", "1", "0"}, "INTEGER", 4},
		{[]string{"0", "-0"}, "INTEGER", 2},
		{[]string{"007", "8"}, "VARCHAR(4)", 2},
		{[]string{"+1", "2"}, "VARCHAR(2)", 2},
		{[]string{"1_000"}, "VARCHAR(8)", 1},
		{[]string{"3.5", "58.35", "0.3", "16777216", "-0.0", ".5", "5.", "1e3"}, "REAL", 8},
		{[]string{"123456.789"}, "DOUBLE", 1},
		{[]string{"16777217", "0.5"}, "DOUBLE", 2},
		{[]string{"9007199254740993", "0.5"}, "DECIMAL(17,1)", 2},
		{[]string{"-73.000012345600001"}, "DOUBLE", 1},
		{[]string{"1.123456789012345678"}, "DECIMAL(19,18)", 1},
		{[]string{"1e39"}, "DOUBLE", 1},
		{[]string{"1e308", "1.123456789012345678"}, "VARCHAR(32)", 2},
		{[]string{"1e999"}, "VARCHAR(8)", 1},
		{[]string{"NaN", "1.5"}, "VARCHAR(4)", 2},
		{[]string{"0x10"}, "VARCHAR(4)", 1},
		{[]string{"true", "false"}, "BOOLEAN", 2},
		{[]string{"TRUE", "false"}, "VARCHAR(8)", 2},
		{[]string{"N", "Y"}, "CHAR(1)", 2},
		{[]string{"ES", "FR"}, "VARCHAR(2)", 2},
		{many(100, "ES"), "CHAR(2)", 100},
		{append(many(100, "N"), "NN"), "VARCHAR(2)", 101},
		{append(many(38, "7"), "x", "y"), "INTEGER", 38},
		{append(many(37, "7"), "x", "yy"), "VARCHAR(2)", 39},
		{[]string{"2026-02-28", "2026-12-31"}, "DATE", 2},
		{append(many(20, "2026-02-28"), "2026-02-29"), "DATE", 20},
		{[]string{"2026-02-28T01:02:03", "2026-12-31T00:00:00"}, "TIMESTAMP yyyy-MM-dd'T'HH:mm:ss", 2},
		{[]string{"2026-02-28T01:02:03Z", "2026-12-31T00:00:00.5+01:00"}, "TIMESTAMP yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX", 2},
		{[]string{"03/04/2026", "05/06/2026"}, "VARCHAR(16)", 2},
		{[]string{"04/04/2026", "05/05/2026"}, "VARCHAR(16)", 2},
		{[]string{"03/04/2026", "13/06/2026"}, "DATE dd/MM/yyyy", 2},
		{[]string{"03/04/2026", "05/16/2026"}, "DATE MM/dd/yyyy", 2},
		{[]string{"2026/03/04", "2026/05/16"}, "DATE yyyy/MM/dd", 2},
		{[]string{"3 Apr 2026", "13 Jun 2026"}, "DATE d MMM yyyy", 2},
		{[]string{"1/2/2026 3:04 PM", "11/22/2026 12:00 AM"}, "TIMESTAMP M/d/yyyy h:mm a", 2},
		{[]string{"20260304"}, "INTEGER", 1},
		{[]string{"12:34:56"}, "VARCHAR(8)", 1},
	}
	for _, test := range tests {
		var lines strings.Builder
		for _, value := range test.values {
			lines.WriteString("a,\"" + value + "\"\n") // quotes change nothing, but keep a lone column from being an odd format
		}
		no := false
		p, err := discover.Discover(file(lines.String()), discover.Options{Header: &no, Delimiter: ","})
		if err != nil {
			t.Errorf("%q: %v", test.values, err)
			continue
		}
		c := p.Columns[1]
		got := strings.TrimSpace(c.Type.String() + " " + c.Pattern.String())
		if got != test.want || c.Agree != test.agree || c.Values != len(test.values) {
			t.Errorf("%.9q: got %s, %d of %d agree, want %s, %d", test.values, got, c.Agree, c.Values, test.want, test.agree)
		}
	}
}
