package dialect

import (
	"regexp"
	"strings"
	"unicode"
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
	tokenBlank
	tokenComment
)

// A token is one word, number, quoted text or operator. If it is quoted, value is what stands between the quotes.
type token struct {
	kind     tokenKind
	text     string // as written
	value    string
	pos      Position
	comments []string // those before it
}

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

// lexemes are what a text is made of, in the order in which they are tried. Where there are groups, the first is a
// quoted token's value, and the second its end, which is empty if the text ends before it.
var lexemes = []struct {
	kind    tokenKind
	pattern *regexp.Regexp
}{
	{tokenBlank, regexp.MustCompile(`^[\t-\r\p{Z}\x{85}]+`)},
	{tokenComment, regexp.MustCompile(`^--[^\n]*`)},
	{tokenComment, regexp.MustCompile(`^(?s:/\*(.*?)(\*/|\z))`)},
	{tokenText, regexp.MustCompile(`^(?:[Uu]&)?'((?:[^']|'')*)('|\z)`)},
	{tokenBinary, regexp.MustCompile(`^[Xx]'((?:[^']|'')*)('|\z)`)},
	{tokenQuoted, regexp.MustCompile(`^"((?:[^"]|"")*)("|\z)`)},
	{tokenBacktick, regexp.MustCompile("^`((?:[^`]|``)*)(`|\\z)")},
	{tokenNumber, regexp.MustCompile(`^(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?`)},
	{tokenWord, regexp.MustCompile(`^[_\pL][_$\pL\p{Nd}]*`)},
	// Any other character is an operator: the parser can say what it expected in its place.
	{tokenOperator, regexp.MustCompile(`^(?s:<>|<=|>=|!=|\|\||=>|::|.)`)},
}

// byteOrderMark begins the files of some editors. It is not part of the text and takes no column.
const byteOrderMark = "\ufeff"

// lex splits a text into tokens. The last one is the end.
func lex(text string) (tokens []token, faults Errors) {
	at := Position{Line: 1, Column: 1, Offset: len(text) - len(strings.TrimLeft(text, byteOrderMark))}
	var comments []string
	for at.Offset < len(text) {
		t := token{pos: at}
		var groups []string
		for _, l := range lexemes {
			if groups = l.pattern.FindStringSubmatch(text[at.Offset:]); groups != nil {
				t.kind, t.text = l.kind, groups[0]
				break
			}
		}
		if len(groups) > 1 {
			t.value = groups[1]
			if groups[2] == "" {
				faults.add(at, "%s is never closed", strings.TrimSuffix(t.text, t.value))
			}
		}
		for _, r := range t.text {
			if at.Column++; r == '\n' {
				at.Line, at.Column = at.Line+1, 1
			}
		}
		at.Offset += len(t.text)
		switch t.kind {
		case tokenBlank:
			continue
		case tokenComment:
			comments = append(comments, strings.TrimRightFunc(t.text, unicode.IsSpace))
			continue
		case tokenWord:
			t.value = t.text
		case tokenText, tokenBinary, tokenQuoted, tokenBacktick:
			quote := groups[2]
			t.value = strings.ReplaceAll(t.value, quote+quote, quote)
		}
		t.comments, comments = comments, nil
		tokens = append(tokens, t)
	}
	return append(tokens, token{kind: tokenEnd, pos: at, comments: comments}), faults
}
