package discover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
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

// An object is a row of JSON.
type object struct {
	value  jsontext.Value
	record *Record
	number int
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// read sorts a record, or its lines, by what they look like.
func (d *discovery) read(r *Record, number int) {
	d.Sample.Records++
	d.Sample.Bytes += int64(len(r.Data))
	data, marked := bytes.CutPrefix(r.Data, byteOrderMark)
	if len(bytes.TrimSpace(data)) == 0 {
		d.Sample.Empty++
		return
	}
	if kind := binary(data); kind != "" {
		d.Sample.Unreadable++
		d.fault(kind, 1, r.Name, data)
		return
	}
	if marked {
		d.marks++
	}
	first := bytes.TrimLeft(data, " \t\r\n")[0]
	if d.options.Delimiter != "" || first != '{' && first != '[' {
		d.texts = append(d.texts, text{data: data, record: r, number: number, begins: true, cut: r.Cut})
		return
	}
	if rows, ok := objects(data, r.Cut); ok {
		for _, row := range rows {
			d.objects = append(d.objects, object{row, r, number})
		}
		return
	}
	d.readLines(data, r, number)
}

// readLines reads a record of which not all is JSON.
func (d *discovery) readLines(data []byte, r *Record, recordNumber int) {
	at, number := 0, 0
	for line := range bytes.Lines(data) {
		at += len(line)
		number++
		last := at == len(data) && line[len(line)-1] != '\n'
		trimmed := bytes.TrimSpace(line)
		if len(trimmed) == 0 {
			continue
		}
		if trimmed[0] == '{' || trimmed[0] == '[' {
			if rows, ok := objects(trimmed, false); ok {
				for _, row := range rows {
					d.objects = append(d.objects, object{row, r, recordNumber})
				}
				continue
			}
		}
		switch {
		case last && r.Cut:
		case trimmed[0] == '{', trimmed[0] == '[' && jsontext.Value(trimmed).IsValid():
			d.broken++
			d.Sample.FaultyRows++
			d.fault(jsonFault(trimmed), 1, place(r, number), trimmed)
		default:
			d.texts = append(d.texts, text{data: line, record: r, number: recordNumber, line: number - 1})
		}
	}
}

// objects gives the rows of JSON text: its objects, and those in its arrays. ok is false where anything else is in it.
func objects(data []byte, cut bool) (rows []jsontext.Value, ok bool) {
	decoder := jsontext.NewDecoder(bytes.NewReader(data))
	for {
		switch decoder.PeekKind() {
		case '{':
			value, err := decoder.ReadValue()
			if err != nil {
				return rows, cut && len(rows) > 0 && errors.Is(err, io.ErrUnexpectedEOF)
			}
			rows = append(rows, value.Clone())
		case '[', ']':
			if _, err := decoder.ReadToken(); err != nil {
				return nil, false
			}
			if decoder.StackDepth() > 1 { // an array in an array
				return nil, false
			}
		default:
			_, err := decoder.ReadToken()
			if errors.Is(err, io.EOF) {
				return rows, len(rows) > 0
			}
			return rows, cut && len(rows) > 0 && errors.Is(err, io.ErrUnexpectedEOF)
		}
	}
}

// jsonFault says what is wrong with a line of JSON.
func jsonFault(line []byte) string {
	decoder := jsontext.NewDecoder(bytes.NewReader(line))
	_, err := decoder.ReadValue()
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "JSON with a name that is given twice"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "JSON that ends too early"
	case errors.As(err, &syntax) && !utf8.Valid(line):
		return notUTF8
	case err != nil:
		return "broken JSON"
	}
	if line[0] == '[' {
		return "JSON that is no object"
	}
	return "JSON with text after it"
}

const notUTF8 = "not UTF-8"

func (d *discovery) firstJSON() string {
	if len(d.objects) > 0 {
		v := d.objects[0].value
		return string(v[:min(len(v), excerpt)])
	}
	return "{"
}

// binary says what a record is that is no text, or text of another kind than rows; it is empty for all else. Text in some other
// encoding than UTF-8 is text, with rows that are at fault.
func binary(data []byte) string {
	control, strange := 0, 0
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		at += size
		switch {
		case r == utf8.RuneError && size == 1:
			strange++
		case unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' && r != 1 && r != 0x1f:
			control++
		}
	}
	kind := mimetype.Detect(data)
	switch {
	case control*10 > len(data) || strange*3 > len(data) || bytes.IndexByte(data, 0) >= 0:
		name := kind.String()
		if name == "application/octet-stream" || strings.HasPrefix(name, "text/") && !strings.Contains(name, "utf-16") {
			return "binary"
		}
		return name
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) && (kind.Is("text/xml") || kind.Is("text/html")):
		return kind.String()
	}
	return ""
}

// firstLine gives the text up to its first newline that is not at its start.
func firstLine(data []byte) []byte {
	data = bytes.TrimLeft(data, "\r\n")
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		data = data[:end]
	}
	return bytes.TrimRight(data, "\r")
}

// show gives text as one printable word of a message.
func show[T string | []byte](s T) string {
	text := string(s)
	if len(text) > excerpt {
		text = strings.ToValidUTF8(text[:excerpt], "") + "…"
	}
	return fmt.Sprintf("%q", text)
}
