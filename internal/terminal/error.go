package terminal

import "strings"

// Error is the text of an error. Joined errors each have a line, indented from the second on; nothing else begins a
// line.
func Error(err error) Text { return Text{errorText(err)} }

func errorText(err error) string {
	text := err.Error()
	switch err := err.(type) { //nolint:errorlint // this is the error itself; those inside it follow
	case interface{ Unwrap() []error }:
		var lines, plain []string
		for _, one := range err.Unwrap() {
			lines, plain = append(lines, errorText(one)), append(plain, one.Error())
		}
		if text == strings.Join(plain, "\n") { // it is not from fmt.Errorf with several %w
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
