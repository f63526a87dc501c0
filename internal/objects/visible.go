package objects

import (
	"unicode/utf8"

	"streamproof/internal/terminal"
)

// Visible is text for JSON, cut where it is long. Bytes that are not UTF-8 are escaped, because JSON would lose them.
// Control characters stay: whoever shows the text must make them visible.
func Visible(text []byte) string {
	cut := text
	if len(cut) > mostText {
		cut = cut[:mostText]
		for len(cut) > 0 && !utf8.RuneStart(text[len(cut)]) {
			cut = cut[:len(cut)-1]
		}
	}
	shown := string(cut)
	if !utf8.Valid(cut) {
		shown = terminal.Escape(shown)
	}
	if len(cut) < len(text) {
		shown += "…"
	}
	return shown
}
