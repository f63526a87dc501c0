package terminal

import (
	"io"
	"strings"
)

// Control sequences of ECMA-48 and xterm: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
const (
	alternateScreen = "\x1b[?1049h\x1b[?25l\x1b[2J" // without a cursor, and empty
	normalScreen    = "\x1b[?25h\x1b[?1049l"
	home            = "\x1b[H"
	endOfLine       = "\x1b[K\r\n" // clears the rest of the line
	clearBelow      = "\x1b[J"
)

// A Screen shows each text in place of the one before, on the terminal's alternate screen: what was on the terminal
// before comes back at the end.
type Screen struct {
	to     io.Writer
	opened bool
}

// NewScreen makes a screen on a terminal.
func NewScreen(to io.Writer) *Screen { return &Screen{to: to} }

// Show shows a text. It does not flicker: nothing is cleared before it is overwritten.
func (s *Screen) Show(t Text) error {
	begin := home
	if !s.opened {
		begin, s.opened = alternateScreen+home, true
	}
	_, err := io.WriteString(s.to, begin+strings.ReplaceAll(t.safe+"\n", "\n", endOfLine)+clearBelow)
	return err
}

// Close gives the terminal back.
func (s *Screen) Close() error {
	if !s.opened {
		return nil
	}
	s.opened = false
	_, err := io.WriteString(s.to, normalScreen)
	return err
}
