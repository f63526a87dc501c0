package dialect

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEnd      tokenKind = iota
	tokenWord               // a name or a keyword, not quoted
	tokenQuoted             // "a name"
	tokenBacktick           // `a name`
	tokenText               // 'a text', U&'a text'
	tokenBinary             // X'00FF'
	tokenNumber
	tokenOperator
)

// A token is one word, number, quoted text or operator. If it is quoted, value is what stands between the quotes.
type token struct {
	kind     tokenKind
	text     string // as written
	value    string
	pos      Position
	comments []string // those before it
}

// endOffset is the offset of the token's end.
func (t token) endOffset() int { return t.pos.Offset + len(t.text) }

// is reports whether the token is this keyword, in any case, or this operator.
func (t token) is(what string) bool {
	switch t.kind {
	case tokenWord:
		return strings.EqualFold(t.text, what)
	case tokenOperator:
		return t.text == what
	default:
		return false
	}
}

// name is how errors call the token.
func (t token) name() string {
	if t.kind == tokenEnd && t.text == "" {
		return "<EOF>"
	}
	return t.text
}

type lexer struct {
	text   string
	at     Position
	tokens []token
	faults Errors
}

// operators are those of more than one character.
var operators = []string{"<>", "<=", ">=", "!=", "||", "=>", "::"}

var numeral = regexp.MustCompile(`^([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?`)

// byteOrderMark begins the files of some editors. It is not part of the text and takes no column.
const byteOrderMark = "\ufeff"

// lex splits a text into tokens. The last one is the end.
func lex(text string) ([]token, Errors) {
	l := &lexer{text: text, at: Position{Line: 1, Column: 1}}
	l.at.Offset = len(text) - len(strings.TrimLeft(text, byteOrderMark))
	var comments []string
	for l.at.Offset < len(text) {
		rest := text[l.at.Offset:]
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case unicode.IsSpace(r):
			l.skip(size)
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			comments = append(comments, strings.TrimRightFunc(rest[:n], unicode.IsSpace))
			l.skip(n)
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				l.unclosed("/*")
				break
			}
			comments = append(comments, rest[:n+4])
			l.skip(n + 4)
		default:
			before := len(l.tokens)
			l.token(rest, r)
			if len(l.tokens) > before {
				l.tokens[before].comments, comments = comments, nil
			}
		}
	}
	l.tokens = append(l.tokens, token{kind: tokenEnd, pos: l.at, comments: comments})
	return l.tokens, l.faults
}

// skip advances by n bytes.
func (l *lexer) skip(n int) {
	for _, r := range l.text[l.at.Offset : l.at.Offset+n] {
		if r == '\n' {
			l.at.Line, l.at.Column = l.at.Line+1, 1
		} else {
			l.at.Column++
		}
	}
	l.at.Offset += n
}

// unclosed reports a quote or comment without an end, and skips the rest of the text.
func (l *lexer) unclosed(open string) {
	l.faults.add(l.at, "%s is never closed", open)
	l.skip(len(l.text) - l.at.Offset)
}

func (l *lexer) add(kind tokenKind, size int, value string) {
	l.tokens = append(l.tokens, token{kind: kind, text: l.text[l.at.Offset : l.at.Offset+size], value: value, pos: l.at})
	l.skip(size)
}

func (l *lexer) token(rest string, r rune) {
	switch {
	case r == '\'':
		l.quoted(tokenText, "'")
	case r == '"':
		l.quoted(tokenQuoted, `"`)
	case r == '`':
		l.quoted(tokenBacktick, "`")
	case len(rest) > 2 && strings.EqualFold(rest[:3], "U&'"):
		l.quoted(tokenText, rest[:3])
	case len(rest) > 1 && strings.EqualFold(rest[:2], "X'"):
		l.quoted(tokenBinary, rest[:2])
	case numeral.MatchString(rest):
		l.add(tokenNumber, len(numeral.FindString(rest)), "")
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if n < 0 {
			n = len(rest)
		}
		l.add(tokenWord, n, rest[:n])
	default:
		for _, op := range operators {
			if strings.HasPrefix(rest, op) {
				l.add(tokenOperator, len(op), "")
				return
			}
		}
		// Any other character is an operator: the parser can say what it expected in its place.
		_, size := utf8.DecodeRuneInString(rest)
		l.add(tokenOperator, size, "")
	}
}

// quoted adds a token that begins with open and ends with open's last character, which is doubled inside the token.
func (l *lexer) quoted(kind tokenKind, open string) {
	quote := open[len(open)-1]
	rest := l.text[l.at.Offset:]
	for i := len(open); i < len(rest); i++ {
		if rest[i] != quote {
			continue
		}
		if i+1 < len(rest) && rest[i+1] == quote {
			i++
			continue
		}
		q := string(quote)
		l.add(kind, i+1, strings.ReplaceAll(rest[len(open):i], q+q, q))
		return
	}
	l.unclosed(open)
}
