package row

import "fmt"

// An Error says why a line is not a row.
type Error struct {
	// Column is the name of the column at fault, empty where the whole line is.
	Column string
	// Reason says what is wrong and has no byte of the line in it.
	Reason string
	// Text is the start of what is wrong, where that is one value or name.
	Text string
}

// Error gives the reason, with its column and with what stands there.
func (e *Error) Error() string {
	switch {
	case e.Text != "" && e.Column != "":
		return fmt.Sprintf("column %s: %q %s", e.Column, e.Text, e.Reason)
	case e.Text != "":
		return fmt.Sprintf("%q %s", e.Text, e.Reason)
	default:
		return e.Cause()
	}
}

// Cause gives the reason and its column, and no byte of the line, for a log that is to have no data in it.
func (e *Error) Cause() string {
	if e.Column != "" {
		return "column " + e.Column + ": " + e.Reason
	}
	return e.Reason
}
