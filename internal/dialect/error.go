package dialect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FileName is what errors call the text.
const FileName = "pipeline.sql"

// A Position is a place in a text. Offset counts bytes from 0; Line and Column, in characters, count from 1.
type Position struct {
	Offset, Line, Column int
}

// String gives a position as 12:5.
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// An Error is one fault of a text.
type Error struct {
	Pos     Position
	Problem string
	// refused says that it is a construct that is not carried over, from which other faults may follow.
	refused bool
}

// Error gives the fault as pipeline.sql:12:5: problem.
func (e *Error) Error() string { return e.In(FileName) }

// In gives the fault of a text that is called otherwise.
func (e *Error) In(name string) string { return fmt.Sprintf("%s:%s: %s", name, e.Pos, e.Problem) }

// WarningIn is In for a fault that is only a warning.
func (e *Error) WarningIn(name string) string {
	return fmt.Sprintf("%s:%s: warning: %s", name, e.Pos, e.Problem)
}

// Errors are the faults of a text: first what is not carried over, then all others, each in the text's order.
type Errors []*Error

// Error gives one fault a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each fault.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// Faults gives the faults that an error of this package is made of.
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

// sorted is nil where there are none, so that it can be returned as an error.
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
	// One cause may be met on several ways.
	return slices.CompactFunc(e, func(a, b *Error) bool { return *a == *b })
}

func (e *Errors) add(pos Position, format string, args ...any) {
	*e = append(*e, &Error{Pos: pos, Problem: fmt.Sprintf(format, args...)})
}
