package row

import "fmt"

// An Error says why a line is not a row.
type Error struct {
	// Column is the name of the column at fault, empty where the whole line is.
	Column string
	// Member is the start of the name of a member of JSON that is at fault, empty where none is.
	Member string
	// Reason says what is wrong and has no byte of the line in it.
	Reason string
	// Text is the start of what is wrong, where that is one value.
	Text string
}

// Error gives the reason, with its column and with what stands there.
func (e *Error) Error() string {
	switch {
	case e.Text != "" && e.Column != "":
		return fmt.Sprintf("column %s: %q %s", e.Column, e.Text, e.Reason)
	default:
		return e.Cause()
	}
}

// Cause gives the reason with its column or member, and no value, for a log that is to have no data in it.
func (e *Error) Cause() string {
	switch {
	case e.Column != "":
		return "column " + e.Column + ": " + e.Reason
	case e.Member != "":
		return fmt.Sprintf("%q %s", e.Member, e.Reason)
	}
	return e.Reason
}
