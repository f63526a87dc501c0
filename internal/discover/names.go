package discover

import (
	"fmt"
	"strings"
	"unicode"
)

// names keeps the names of columns distinct from one another, and from the aliases of other columns, ignoring case.
type names map[string]int

func newNames(columns int) names {
	n := names{}
	for i := range columns {
		n[alias(i)] = i
	}
	return n
}

// take gives a column the name, with a number appended if it is taken.
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

// give names a column after what the sample calls it.
func (n names) give(c *Column, called string, column int) {
	name := printableName(called)
	if name == "" {
		name = alias(column)
	}
	if c.Name = n.take(name, column); c.Name != name {
		c.Notes = append(c.Notes, fmt.Sprintf("the sample calls it %s, the name or alias of another column", show(called)))
	}
}

// printableName returns a name in one line: runs of blanks and unprintable characters become one blank.
func printableName(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
}

func columns(n int) string {
	if n == 1 {
		return "1 column"
	}
	return fmt.Sprintf("%d columns", n)
}
