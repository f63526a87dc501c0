package discover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A text is a part of a record that is not JSON.
type text struct {
	data   []byte
	record *Record
	number int  // of the record, from 0
	line   int  // how many lines of the record stand before it
	begins bool // the text is the record from its start on
	cut    bool // the sample ends within it
}

// lines counts those that are not blank.
func (t text) lines() int {
	n := 0
	for line := range bytes.Lines(t.data) {
		if len(bytes.TrimSpace(line)) > 0 {
			n++
		}
	}
	return n
}

type object struct {
	value  jsontext.Value
	record *Record
	number int
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// read classifies a record, or its parts, as JSON or text.
func (d *discovery) read(r *Record, number int) {
	d.Sample.Records++
	d.Sample.Bytes += int64(len(r.Data))
	d.ends = append(d.ends, len(r.Data))
	data, marked := bytes.CutPrefix(r.Data, byteOrderMark)
	if len(bytes.TrimSpace(data)) == 0 {
		d.Sample.Empty++
		return
	}
	if kind := unreadable(data); kind != "" {
		d.Sample.Unreadable++
		d.unreadable[number] = kind
		return
	}
	if marked {
		d.marks++
	}
	if d.options.Delimiter == "" && (beginsJSON(data) || hasObjects(data)) {
		d.readJSON(data, r, number)
		return
	}
	d.texts = append(d.texts, text{data: data, record: r, number: number, begins: true, cut: r.Cut})
}

// beginsJSON reports whether text may begin with an object or array.
func beginsJSON(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[')
}

// isObjects reports whether text consists of JSON objects only.
func isObjects(text []byte) bool {
	_, _, err := objects(text)
	return err == nil
}

// hasObjects reports whether more lines are objects than faults would explain.
func hasObjects(data []byte) bool {
	lines, json := 0, 0
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		lines++
		if beginsJSON(line) && isObjects(line) {
			json++
		}
	}
	return !rare(json, lines)
}

// mostBroken limits the search for the end of a broken value, which may scan the rest of the record. After so many, a
// broken value is one line.
const mostBroken = 50

// readJSON reads a record that is at least partly JSON. After each broken part it resumes.
func (d *discovery) readJSON(data []byte, r *Record, number int) {
	before := len(d.objects)
	lines := lineCounter{data: data}
	for at, broken := 0, 0; ; {
		if at += blanks(data[at:]); at == len(data) {
			return
		}
		rest := data[at:]
		if broken >= mostBroken {
			rest = rest[:lineSize(rest)]
		}
		rows, size, err := objects(rest)
		for _, row := range rows {
			d.objects = append(d.objects, object{row, r, number})
		}
		atEnd := at+len(rest) == len(data)
		at += size
		switch {
		case err == nil:
			continue
		case r.Cut && atEnd && errors.Is(err, io.ErrUnexpectedEOF):
			d.ends[number] = len(r.Data) - len(data) + at
			if len(d.objects) == before {
				d.unfinished = append(d.unfinished, r.Name)
			}
			return
		}
		if at += blanks(data[at:]); at == len(data) {
			return
		}
		broken++
		extent := brokenExtent(data[at:])
		part := text{
			data: data[at : at+extent], record: r, number: number, line: lines.until(at) - 1,
			cut: r.Cut && at+extent == len(data),
		}
		start := bytes.LastIndexByte(data[:at], '\n') + 1
		d.readBroken(part, blanks(data[start:at]) == at-start)
		at += extent
	}
}

// blanks counts the leading JSON whitespace.
func blanks(text []byte) int { return len(text) - len(bytes.TrimLeft(text, " \t\r\n")) }

// readBroken classifies what is not valid JSON as text or faulty JSON.
func (d *discovery) readBroken(t text, startsLine bool) {
	trimmed := bytes.TrimSpace(t.data)
	switch {
	case len(bytes.Trim(trimmed, ",] \t")) == 0: // of an array of which a part is broken
	case t.cut && t.data[len(t.data)-1] != '\n': // the sample ends within this line
	case !startsLine:
		d.broken++
		d.Sample.FaultyRows++
		d.fault("JSON with text after it", place(t.record, t.line+1), trimmed)
	case trimmed[0] == '{', opensValue(trimmed), trimmed[0] == '[' && jsontext.Value(bytes.TrimRight(trimmed, ", ")).IsValid():
		d.broken++
		d.Sample.FaultyRows++
		d.fault(jsonFault(trimmed), place(t.record, t.line+1), trimmed)
	default:
		d.texts = append(d.texts, t)
	}
}

var errNotObjects = errors.New("not objects of JSON")

// objects returns the leading rows of a text, which are JSON objects or the elements of arrays, and the size read.
// The error says why that is not everything; it is io.ErrUnexpectedEOF if the text ends within a value.
func objects(data []byte) (rows []jsontext.Value, size int, err error) {
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		switch decoder.PeekKind() {
		case '{':
			value, err := decoder.ReadValue()
			if err != nil {
				return rows, size, err
			}
			rows = append(rows, value.Clone())
		case '[':
			if _, err := decoder.ReadToken(); err != nil {
				return rows, size, err
			}
			if decoder.StackDepth() > 1 { // an array in an array
				return rows, size, errNotObjects
			}
			continue
		case ']':
			if _, err := decoder.ReadToken(); err != nil {
				return rows, size, err
			}
		default:
			_, err := decoder.ReadToken()
			switch {
			case errors.Is(err, io.EOF) && len(rows) > 0:
				return rows, len(data), nil
			case err != nil && !errors.Is(err, io.EOF):
				return rows, size, err
			}
			return rows, size, errNotObjects
		}
		size = int(decoder.InputOffset())
	}
}

// opensValue reports whether text is the start of an object, or of an array of objects.
func opensValue(text []byte) bool {
	if !beginsJSON(text) {
		return false
	}
	_, _, err := objects(text)
	return errors.Is(err, io.ErrUnexpectedEOF)
}

// brokenExtent returns the size of the first line. If that line opens a value that breaks further down, the size
// reaches to the next unindented line that may begin another.
func brokenExtent(text []byte) int {
	first := lineSize(text)
	if !opensValue(text[:first]) {
		return first
	}
	for at := first; at < len(text); at += lineSize(text[at:]) {
		if (text[at] == '{' || text[at] == '[') || at == first && isObjects(text[at:at+lineSize(text[at:])]) {
			return at
		}
	}
	return len(text)
}

func lineSize(text []byte) int {
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		return end + 1
	}
	return len(text)
}

const notAnObject = "JSON that is not an object"

func jsonFault(value []byte) string {
	decoder := jsontext.NewDecoder(bytes.NewReader(value))
	_, err := decoder.ReadValue()
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "JSON with a duplicate name"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "truncated JSON"
	case errors.As(err, &syntax) && !utf8.Valid(value):
		return encodingFault(value)
	case err != nil:
		return "broken JSON"
	}
	if value[0] == '[' {
		return notAnObject
	}
	return "JSON with text after it"
}

func (d *discovery) firstJSON() string {
	if len(d.objects) > 0 {
		v := d.objects[0].value
		return string(v[:min(len(v), excerpt)])
	}
	return "{"
}

// firstLine returns the first line that is not empty.
func firstLine(data []byte) []byte {
	line, _, _ := bytes.Cut(bytes.TrimLeft(data, "\r\n"), []byte("\n"))
	return bytes.TrimRight(line, "\r")
}

// show quotes text for a message, and shortens it.
func show[T string | []byte](s T) string {
	text := string(s)
	if len(text) > excerpt {
		text = strings.ToValidUTF8(text[:excerpt], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
