package discover

import (
	"fmt"
	"strings"
)

// names keeps the names of columns apart from one another, and from the aliases of other columns, in any case.
type names map[string]int

// newNames knows the aliases of so many columns.
func newNames(columns int) names {
	n := names{}
	for i := range columns {
		n[alias(i)] = i
	}
	return n
}

// take gives a name to a column: the one that is asked for, or that with a number behind it.
func (n names) take(name string, column int) string {
	free := name
	for i := 2; ; i++ {
		if owner, taken := n[strings.ToUpper(free)]; !taken || owner == column {
			n[strings.ToUpper(free)] = column
			return free
		}
		free = fmt.Sprintf("%s_%d", name, i)
	}
}

// columns is how many columns, in words.
func columns(n int) string {
	if n == 1 {
		return "1 column"
	}
	return fmt.Sprintf("%d columns", n)
}
