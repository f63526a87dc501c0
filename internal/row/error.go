package row

import "fmt"

// An Error says why a line is not a row.
type Error struct {
	// Column is the name of the faulty column, empty if the whole line is faulty.
	Column string
	// Member is the start of the name of a faulty member of JSON, if there is one.
	Member string
	// Reason says what is wrong, without any byte of the line.
	Reason string
	// Text is the start of the faulty value, if it is a single value.
	Text string
}

// Error returns the reason, with the column and the value.
func (e *Error) Error() string {
	if e.Text != "" && e.Column != "" {
		return fmt.Sprintf("column %s: %q %s", e.Column, e.Text, e.Reason)
	}
	return e.Cause()
}

// Cause returns the reason with the column or member, but without the value, for logs that must not hold data.
func (e *Error) Cause() string {
	switch {
	case e.Column != "":
		return "column " + e.Column + ": " + e.Reason
	case e.Member != "":
		return fmt.Sprintf("%q %s", e.Member, e.Reason)
	}
	return e.Reason
}
