package row

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"streamproof/internal/schema"
)

func (s Schema) appendJSON(dst []byte, fields []Field, line []byte) ([]byte, *Error) {
	if key, ok := s.appendOrdered(dst, fields, line); ok {
		return key, nil
	}
	return s.appendAnyJSON(dst, fields, line)
}

func (s Schema) appendAnyJSON(dst []byte, fields []Field, line []byte) ([]byte, *Error) {
	if fields == nil {
		fields = make([]Field, len(s))
	}
	for i := range s {
		fields[i] = Field{}
	}
	// The decoder reads the bytes of a *bytes.Buffer in place.
	decoder := jsontext.NewDecoder(bytes.NewBuffer(line))
	if _, err := decoder.ReadToken(); err != nil {
		return nil, syntaxError(err)
	}
	for decoder.PeekKind() != '}' {
		name, err := decoder.ReadValue()
		if err != nil {
			return nil, syntaxError(err)
		}
		member := unquoteJSON(line, decoder, name)
		at := s.index(member)
		if at < 0 {
			return nil, s.noColumn(member)
		}
		if fields[at].Text != nil {
			return nil, &Error{Column: s[at].Name, Reason: "it is given twice"}
		}
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, syntaxError(err)
		}
		if !s[at].takes(value.Kind()) {
			return nil, &Error{Column: s[at].Name, Reason: "the JSON value is not of type " + s[at].Type.String()}
		}
		fields[at] = Field{Text: unquoteJSON(line, decoder, value), Null: value.Kind() == 'n'}
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, syntaxError(err)
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, &Error{Reason: "text after the closing brace"}
	}
	for i := range s {
		var err *Error
		switch {
		case fields[i].Null:
			dst = append(dst, null)
		case fields[i].Text == nil:
			return nil, &Error{Column: s[i].Name, Reason: "it is missing"}
		default:
			if dst, err = s[i].appendText(dst, fields[i].Text, true); err != nil {
				return nil, err
			}
		}
	}
	return dst, nil
}

// index returns the column with this name or alias, or -1.
func (s Schema) index(name []byte) int {
	for i := range s {
		if s[i].Name == string(name) || s[i].Alias == string(name) {
			return i
		}
	}
	return -1
}

// noColumn is the error for a member that is not a column. It names a column that differs in case only.
func (s Schema) noColumn(member []byte) *Error {
	e := &Error{Member: excerpt(member), Reason: "is not one of the columns of the output"}
	for i := range s {
		for _, name := range []string{s[i].Alias, s[i].Name} {
			if strings.EqualFold(name, string(member)) {
				e.Reason += ", but " + name + " is"
				return e
			}
		}
	}
	return e
}

// unquoteJSON returns the text of the value that the decoder has just read from the line, never nil. Without escapes it
// is a part of the line, because the decoder's value is valid only until the next is read.
func unquoteJSON(line []byte, decoder *jsontext.Decoder, value jsontext.Value) []byte {
	end := int(decoder.InputOffset())
	text := line[end-len(value) : end]
	if text[0] != '"' {
		return text
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return text[1 : len(text)-1]
	}
	unquoted, _ := jsontext.AppendUnquote([]byte{}, text) // the decoder has checked it
	return unquoted
}

// takes reports whether a column may have a JSON value of this kind.
func (c *Column) takes(kind jsontext.Kind) bool {
	switch c.Type.Kind {
	case schema.Integer, schema.BigInt, schema.Real, schema.Double:
		return kind == '0' || kind == 'n'
	case schema.Timestamp, schema.Date, schema.Char, schema.VarChar:
		return kind == '"' || kind == 'n'
	case schema.Boolean:
		return kind == 't' || kind == 'f' || kind == 'n'
	}
	return kind == 'n'
}

// syntaxError leaves out what the decoder says about the text, as Error.Reason requires.
func syntaxError(err error) *Error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return &Error{Member: excerpt([]byte(syntax.JSONPointer.LastToken())), Reason: "is given twice"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Reason: "the JSON ends too early"}
	case errors.As(err, &syntax):
		return &Error{Reason: "not JSON from byte " + strconv.FormatInt(syntax.ByteOffset+1, 10) + " on"}
	}
	return &Error{Reason: "not JSON"}
}
