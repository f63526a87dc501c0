// Package terminal writes text for a person. Everything from outside, such as records, keys, names and messages of
// services, is escaped, so no data moves the cursor, hides a line or begins one.
//
// A Writer accepts only Text, which comes from Format, Block or a Table. A command that prints data unescaped does not
// compile. JSON and SQL for other programs are not written here.
package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is safe to show: its only control characters are newlines that the program itself put there.
type Text struct{ safe string }

func (t Text) String() string { return t.safe }

// Format is fmt.Sprintf with all arguments escaped except Text. The format is the program's own and is not escaped.
func Format(format string, args ...any) Text {
	if false {
		_ = fmt.Sprintf(format, args...) // so that go vet checks the callers
	}
	safe := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case Text:
			safe[i] = arg.safe
		case int: // unescaped: it may be the width of another argument
			safe[i] = arg
		default:
			safe[i] = escaped{arg}
		}
	}
	return Text{fmt.Sprintf(format, safe...)}
}

// escaped formats a value as usual, and escapes the result.
type escaped struct{ value any }

func (e escaped) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, Escape(fmt.Sprintf(fmt.FormatString(f, verb), e.value))) // a fmt.State never fails
}

// Escape returns a text in one line, with escapes as in Go for everything that is neither visible nor a blank: control
// characters, characters that change the direction of text or have no width, line and paragraph separators, and bytes
// that are not UTF-8.
func Escape(text string) string { return escape(text, "") }

// Block escapes a text of several lines, such as a query. Its line breaks (LF and CR LF) and tabs stay.
func Block(text string) Text { return Text{escape(text, "\n\t")} }

func escape(text, keep string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsGraphic(r), strings.ContainsRune(keep, r):
			b.WriteRune(r)
		case r == '\r' && keep != "" && strings.HasPrefix(text[i+size:], "\n"):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// Join puts the program's own separator between texts.
func Join(texts []Text, separator string) Text {
	parts := make([]string, len(texts))
	for i, t := range texts {
		parts[i] = t.safe
	}
	return Text{strings.Join(parts, separator)}
}

// A Builder collects text.
type Builder struct{ b strings.Builder }

// Add adds a text.
func (b *Builder) Add(t Text) { b.b.WriteString(t.safe) }

// Addf adds Format of its arguments.
func (b *Builder) Addf(format string, args ...any) { b.Add(Format(format, args...)) }

// Text returns what was added.
func (b *Builder) Text() Text { return Text{b.b.String()} }

// A Writer writes text.
type Writer struct{ to io.Writer }

// NewWriter makes a Writer to a terminal, or to what stands in for one.
func NewWriter(to io.Writer) *Writer { return &Writer{to} }

// Print writes a text.
func (w *Writer) Print(t Text) error {
	_, err := io.WriteString(w.to, t.safe)
	return err
}

// Println writes a text and ends the line.
func (w *Writer) Println(t Text) error { return w.Print(Text{t.safe + "\n"}) }

// Printf writes Format of its arguments.
func (w *Writer) Printf(format string, args ...any) error { return w.Print(Format(format, args...)) }
