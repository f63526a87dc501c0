package row

import "fmt"

// An Error says why a line is not a row.
type Error struct {
	// Column is the name of the faulty column, or empty if the fault is not in one.
	Column string
	// Member is the start of the name of a faulty member of JSON, or empty.
	Member string
	// Reason says what is wrong and contains nothing of the line.
	Reason string
	// Text is the start of the faulty value, or empty.
	Text string
}

// Error returns the reason with the column and the value.
func (e *Error) Error() string {
	switch {
	case e.Text != "" && e.Column != "":
		return fmt.Sprintf("column %s: %q %s", e.Column, e.Text, e.Reason)
	default:
		return e.Cause()
	}
}

// Cause returns the reason with the column or member but no value, for logs, which have no data.
func (e *Error) Cause() string {
	switch {
	case e.Column != "":
		return "column " + e.Column + ": " + e.Reason
	case e.Member != "":
		return fmt.Sprintf("%q %s", e.Member, e.Reason)
	}
	return e.Reason
}
