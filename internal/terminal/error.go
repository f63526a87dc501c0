package terminal

import "strings"

// Error is the text of an error. Each of several that were joined has a line of its own, further in than the first; nothing
// else begins a line.
func Error(err error) Text { return Text{errorText(err)} }

func errorText(err error) string {
	text := err.Error()
	switch err := err.(type) { //nolint:errorlint // this is the error itself; those within have their turn
	case interface{ Unwrap() []error }:
		var lines, plain []string
		for _, one := range err.Unwrap() {
			lines, plain = append(lines, errorText(one)), append(plain, one.Error())
		}
		if text == strings.Join(plain, "\n") { // it is none of fmt.Errorf with several %w
			return strings.Join(lines, "\n  ")
		}
	case interface{ Unwrap() error }:
		inner := err.Unwrap()
		if inner == nil {
			break
		}
		if at := strings.LastIndex(text, inner.Error()); at >= 0 {
			return Escape(text[:at]) + errorText(inner) + Escape(text[at+len(inner.Error()):])
		}
	}
	return Escape(text)
}
