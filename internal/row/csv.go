package row

import (
	"bytes"
	"fmt"
)

func (s Schema) appendCSV(dst []byte, fields []Field, line []byte) ([]byte, *Error) {
	if len(line) == 0 {
		return nil, &Error{Reason: "empty line"}
	}
	key, err := s.appendDelimited(dst, fields, line, ',')
	if err != nil {
		used := delimiter(line)
		if used == ',' {
			return nil, err
		}
		var otherErr *Error
		if key, otherErr = s.appendDelimited(dst, fields, line, used); otherErr != nil {
			return nil, err
		}
	}
	return key, nil
}

// delimiter returns the one delimiter of Delimiters that the line has outside quotes, or the comma if it has several or
// none.
func delimiter(line []byte) byte {
	quoted, found := false, byte(',')
	for _, c := range line {
		switch c {
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return ','
			}
		case ';', '|', '\t':
			if !quoted && found != ',' && found != c {
				return ','
			}
			if !quoted {
				found = c
			}
		}
	}
	return found
}

// Columns counts the columns of a line of CSV, to tell which of several schemas it was meant for.
func Columns(line []byte) int {
	delimiter := delimiter(line)
	columns, quoted := 1, false
	for _, c := range line {
		if c == '"' {
			quoted = !quoted
		} else if c == delimiter && !quoted {
			columns++
		}
	}
	return columns
}

func (s Schema) appendDelimited(dst []byte, fields []Field, line []byte, delimiter byte) ([]byte, *Error) {
	rest := line
	for i := range s {
		var field []byte
		var quoted, last bool
		if len(rest) > 0 && rest[0] == '"' {
			var err *Error
			if field, rest, err = unquote(rest, delimiter); err != nil {
				err.Column = s[i].Name
				return nil, err
			}
			quoted, last = true, len(rest) == 0
			if !last {
				rest = rest[1:] // the delimiter that unquote has seen
			}
		} else {
			end := 0 // by hand: most fields are too short for a call to pay off
			for end < len(rest) && rest[end] != delimiter {
				end++
			}
			if last = end == len(rest); last {
				field = rest
			} else {
				field, rest = rest[:end], rest[end+1:]
			}
		}
		if last != (i == len(s)-1) {
			return nil, &Error{Reason: fmt.Sprintf("the line does not have the output's %d columns", len(s))}
		}
		var err *Error
		if dst, err = s[i].appendText(dst, field, quoted); err != nil {
			return nil, err
		}
		if fields != nil {
			fields[i] = Field{Text: field, Null: len(field) == 0 && !quoted && !s[i].isText()}
		}
	}
	return dst, nil
}

// unquote reads a quoted field. The delimiter or the end of the line must follow it.
func unquote(text []byte, delimiter byte) (field, rest []byte, err *Error) {
	doubled := false
	for at := 1; at < len(text); at++ {
		if text[at] != '"' {
			continue
		}
		if at+1 < len(text) && text[at+1] == '"' {
			at++
			doubled = true
			continue
		}
		if at+1 < len(text) && text[at+1] != delimiter {
			return nil, nil, &Error{Reason: "text after a closing quote"}
		}
		field = text[1:at]
		if doubled {
			field = bytes.ReplaceAll(field, []byte(`""`), []byte(`"`))
		}
		return field, text[at+1:], nil
	}
	return nil, nil, &Error{Reason: "a quote is not closed"}
}
