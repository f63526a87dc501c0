package record

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// deepest is how many objects and arrays may be nested.
const deepest = 200

var errTooDeep = errors.New("too deep")

// A place is a node of the tree of the columns' paths.
type place struct {
	members map[string]*place
	column  int   // the column at this place, or -1
	below   []int // the columns below it
}

// found is what a row has at the place of a column.
type found struct {
	value  []byte // as written; nil if it is missing
	astray bool   // something on the path to it is not an object
}

// objects reads JSON objects.
type objects struct {
	root    *place
	found   []found
	text    []byte // what the decoder reads
	buffer  bytes.Buffer
	decoder jsontext.Decoder
	name    []byte
}

func newObjects(columns []schema.Column) *objects {
	o := &objects{root: &place{column: -1}, found: make([]found, len(columns))}
	for i := range columns {
		at := o.root
		for _, name := range columns[i].Place() {
			at.below = append(at.below, i)
			if at.members == nil {
				at.members = map[string]*place{}
			}
			if at.members[name] == nil {
				at.members[name] = &place{column: -1}
			}
			at = at.members[name]
		}
		at.column = i
	}
	return o
}

// json reads values one after the other, or the elements of arrays. A broken value is rejected with the rest of its
// line, and reading resumes at the next line, so it spoils no other line.
func (r *Reader) json(record []byte, yield func(Row) bool) {
	if skipSpace(record, 0) == len(record) {
		yield(fault(record, EmptyRecord, ""))
		return
	}
	var array, element bool // in an array; just after an element
	mark := 0               // of the array's last bracket or comma
	readable := -1          // the end of the UTF-8
	for at := 0; ; {
		at = skipSpace(record, at)
		broken := -1
		switch {
		case at == len(record) && !array:
			return
		case at == len(record) && element:
			broken = at
		case at == len(record):
			broken = mark
		case !array && record[at] == '[':
			array, element, mark = true, false, at
			at++
			continue
		case array && record[at] == ']' && (element || record[mark] == '['):
			array = false
			at++
			continue
		case array && record[at] == ',' && element:
			element, mark = false, at
			at++
			continue
		case array && element:
			broken = at
		}
		if broken < 0 {
			if at > readable {
				readable = at + readablePart(record[at:])
			}
			out, size := r.value(record[at:readable], readable < len(record))
			if size > 0 {
				out.Offset = at
				if !yield(out) {
					return
				}
				element = true
				at += size
				continue
			}
			broken = at
		}
		end := indexFrom(record, broken, '\n')
		if end < 0 {
			end = len(record)
		}
		reason := NotJSON
		if !utf8.Valid(record[broken:end]) {
			reason = InvalidUTF8
		}
		out := unreadable(record[broken:end], reason, "")
		out.Offset = broken
		if !yield(out) {
			return
		}
		array, at = false, end
	}
}

func skipSpace(text []byte, at int) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// readablePart returns the size of the UTF-8 at the start of a text, up to the first NUL, which JSON never has. It
// looks no further: in a record of many broken lines it is called for each.
func readablePart(text []byte) int {
	at := 0
	for at < len(text) && text[at] != 0 {
		if text[at] < utf8.RuneSelf {
			at++
			continue
		}
		c, size := utf8.DecodeRune(text[at:])
		if c == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// value reads the value at the start of a text and returns its size, or 0 if it is broken. cut reports that bytes
// follow that are not readable.
func (r *Reader) value(text []byte, cut bool) (out Row, size int) {
	if len(text) == 0 {
		return out, 0
	}
	switch text[0] {
	case '{':
		return r.object(text)
	case '[', '"':
		if size = r.objects.extent(text); size > 0 {
			return fault(text[:size], NotAnObject, ""), size
		}
		return out, 0
	default:
		for size < len(text) && !isSpace(text[size]) && bytes.IndexByte([]byte(`,:[]{}"`), text[size]) < 0 {
			size++
		}
		if cut && size == len(text) {
			return out, 0
		}
	}
	if !jsontext.Value(text[:size]).IsValid(jsontext.AllowInvalidUTF8(true)) {
		return out, 0
	}
	return fault(text[:size], NotAnObject, ""), size
}

// closingJSON returns the size of the string at the start of a text, or 0 if it is not closed.
func closingJSON(text []byte) int {
	for at := 1; at < len(text); at++ {
		switch text[at] {
		case '"':
			return at + 1
		case '\\':
			at++
		}
	}
	return 0
}

// object reads the object at the start of a text.
func (r *Reader) object(text []byte) (out Row, size int) {
	o := r.objects
	r.scratch = r.scratch[:0]
	clear(o.found)
	o.reset(text, false)
	err := o.read(o.root)
	if err == nil {
		size = int(o.decoder.InputOffset())
	} else if size = o.extent(text); size == 0 { // more is wrong than a repeated name
		return out, 0
	}
	raw := text[:size]
	switch {
	case hasLoneSurrogate(raw):
		return fault(raw, InvalidUTF8, ""), size
	case err != nil:
		return fault(raw, DuplicateName, ""), size
	}
	for i := range r.columns {
		field, reason := r.field(&r.columns[i], &o.found[i])
		if reason != "" {
			return fault(raw, reason, r.columns[i].name), size
		}
		r.fields[i] = field
	}
	return Row{Raw: raw, Fields: r.fields}, size
}

// reset makes the decoder read a text. It is all UTF-8, but may have escapes of half a character.
func (o *objects) reset(text []byte, duplicates bool) {
	o.text = text
	o.buffer = *bytes.NewBuffer(text) // the decoder reads the bytes in place
	o.decoder.Reset(&o.buffer, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(duplicates))
}

// extent returns the size of the object, array or string at the start of a text, or 0 if it is broken. Names may
// repeat.
func (o *objects) extent(text []byte) int {
	o.reset(text, true)
	if o.skip() != nil {
		return 0
	}
	return int(o.decoder.InputOffset())
}

// skip reads a value.
func (o *objects) skip() error {
	before := o.decoder.StackDepth()
	for {
		if _, err := o.decoder.ReadToken(); err != nil {
			return err
		}
		switch depth := o.decoder.StackDepth(); {
		case depth > deepest:
			return errTooDeep
		case depth <= before:
			return nil
		}
	}
}

// read reads an object and keeps the values at the places of columns.
func (o *objects) read(at *place) error {
	if _, err := o.decoder.ReadToken(); err != nil {
		return err
	}
	if o.decoder.StackDepth() > deepest {
		return errTooDeep
	}
	for o.decoder.PeekKind() != '}' {
		quoted, err := o.decoder.ReadValue()
		if err != nil {
			return err
		}
		name := quoted[1 : len(quoted)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			o.name, _ = jsontext.AppendUnquote(o.name[:0], quoted)
			name = o.name
		}
		member := at.members[string(name)]
		kind := o.decoder.PeekKind()
		if member == nil {
			if err := o.skip(); err != nil {
				return err
			}
			continue
		}
		if kind != '{' && kind != 'n' {
			for _, i := range member.below {
				o.found[i].astray = true
			}
		}
		start := int(o.decoder.InputOffset())
		if kind == '{' && len(member.members) > 0 {
			err = o.read(member)
		} else {
			err = o.skip()
		}
		if err != nil {
			return err
		}
		if member.column >= 0 {
			start = skipSpace(o.text, start)
			start = skipSpace(o.text, start+1) // the colon
			o.found[member.column].value = o.text[start:o.decoder.InputOffset()]
		}
	}
	_, err := o.decoder.ReadToken()
	return err
}

// jsonEscape matches an escape in a string, or the two of a surrogate pair. Its group is one half alone.
var jsonEscape = regexp.MustCompile(`(?s)\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)`)

// Span locates the value of a column in the Raw of the last row, an object of JSON. It returns 0, 0 if the value is
// missing.
func (r *Reader) Span(column int) (from, to int) {
	value := r.objects.found[column].value
	if value == nil {
		return 0, 0
	}
	from = cap(r.objects.text) - cap(value) // it is a part of the text
	return from, from + len(value)
}

// hasLoneSurrogate reports whether an escape in valid JSON is one half of a character.
func hasLoneSurrogate(text []byte) bool {
	if !bytes.Contains(text, []byte(`\u`)) {
		return false
	}
	for _, groups := range jsonEscape.FindAllSubmatchIndex(text, -1) {
		if groups[2] >= 0 {
			return true
		}
	}
	return false
}

// field returns the value of a column.
func (r *Reader) field(c *column, f *found) (value row.Field, reason string) {
	kind := jsontext.Value(f.value).Kind()
	switch missing := f.value == nil || kind == 'n'; {
	case f.astray:
		return value, NotAnObject
	case missing && c.nullable:
		return row.Field{Null: true}, ""
	case missing:
		return value, missingValue
	}
	text := f.value
	if c.malformed != "" && strings.IndexByte(c.json, byte(kind)) < 0 {
		return value, c.malformed
	}
	switch kind {
	case '"':
		text = text[1 : len(text)-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			start := len(r.scratch)
			r.scratch, _ = jsontext.AppendUnquote(r.scratch, f.value)
			text = r.scratch[start:]
		}
	case '{', '[':
		text = r.compact(text)
	}
	canonical, scratch, reason := c.read(r.scratch, text)
	r.scratch = scratch
	return row.Field{Text: canonical}, reason
}

// compact removes the blanks outside strings.
func (r *Reader) compact(text []byte) []byte {
	start := len(r.scratch)
	for at := 0; at < len(text); {
		size := 1
		if text[at] == '"' {
			size = closingJSON(text[at:])
		}
		if !isSpace(text[at]) {
			r.scratch = append(r.scratch, text[at:at+size]...)
		}
		at += size
	}
	return r.scratch[start:]
}
