package dialect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FileName names the text in errors.
const FileName = "pipeline.sql"

// A Position is a place in a text. Offset counts bytes from 0. Line and Column count from 1, Column in characters.
type Position struct {
	Offset, Line, Column int
}

// String returns a position as 12:5.
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// An Error is one fault in a text.
type Error struct {
	Pos     Position
	Problem string
	// refused marks a legacy construct that is not carried over. Other faults may follow from it.
	refused bool
}

// Error returns the fault as pipeline.sql:12:5: problem.
func (e *Error) Error() string { return e.In(FileName) }

// In returns the fault for a text with another name.
func (e *Error) In(name string) string { return fmt.Sprintf("%s:%s: %s", name, e.Pos, e.Problem) }

// WarningIn is In for a warning.
func (e *Error) WarningIn(name string) string {
	return fmt.Sprintf("%s:%s: warning: %s", name, e.Pos, e.Problem)
}

// Errors are the faults in a text: first what is not carried over, then all others, each in the text's order.
type Errors []*Error

// Error returns one line for each fault.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Faults returns the faults of which an error of this package consists.
func Faults(err error) Errors {
	var all Errors
	var one *Error
	switch {
	case errors.As(err, &all):
		return all
	case errors.As(err, &one):
		return Errors{one}
	}
	return nil
}

// sorted returns nil if there are none, so that the result can be returned as an error.
func (e Errors) sorted() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		if a.refused != b.refused {
			return map[bool]int{true: -1, false: 1}[a.refused]
		}
		return cmp.Compare(a.Pos.Offset, b.Pos.Offset)
	})
	// Several paths may report the same cause.
	return slices.CompactFunc(e, func(a, b *Error) bool { return *a == *b })
}

func (e *Errors) add(pos Position, format string, args ...any) {
	*e = append(*e, &Error{Pos: pos, Problem: fmt.Sprintf(format, args...)})
}
