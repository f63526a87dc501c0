package record

import (
	"iter"

	"streamproof/internal/encoding"
	"streamproof/internal/row"
	"streamproof/internal/schema"
)

// The reasons for rejecting a complete row, besides the names of package encoding. They are the Flink job's own words.
const (
	EmptyRecord    = "empty record"
	BlankLine      = "blank line"
	InvalidUTF8    = "invalid UTF-8"
	WrongColumns   = "wrong number of columns"
	UnclosedQuote  = "unclosed quote"
	MisplacedQuote = "misplaced quote"
	CarriageReturn = "carriage return"
	NotJSON        = "not JSON"
	NotAnObject    = "not an object"
	DuplicateName  = "duplicate name"
)

// A Fault says why bytes are not a row, in the words of the job's rejects.
type Fault struct {
	// Reason is one of a small set of phrases, without any byte of the row.
	Reason string
	// Column is the name of the first faulty column, empty if the complete row is faulty.
	Column string
}

// Error returns the reason, with its column.
func (f *Fault) Error() string {
	if f.Column != "" {
		return "column " + f.Column + ": " + f.Reason
	}
	return f.Reason
}

// A Row is a part of a record.
type Row struct {
	// Raw is the row's own bytes: a line of CSV without its newline, or an object of JSON. If they are not a row, the
	// job's reject has the same bytes.
	Raw []byte
	// Offset is where Raw begins in the record.
	Offset int
	// Fields has one canonical value for each column. It is nil if Err is set.
	Fields []row.Field
	Err    *Fault
}

// A Reader reads records of one schema. It is not safe for concurrent use.
type Reader struct {
	format  schema.Format
	columns []column
	// header is the names in the header, a line of CSV that is not a row.
	header []string

	fields  []row.Field
	scanner CSVScanner
	scratch []byte   // the fields that the record has in another form
	objects *objects // of JSON
}

// NewReader returns a reader of the records that a schema describes.
func NewReader(s schema.Schema) *Reader {
	r := &Reader{format: s.Format.OrDefault(), fields: make([]row.Field, len(s.Columns))}
	for i := range s.Columns {
		c := &s.Columns[i]
		r.columns = append(r.columns, newColumn(c, r.format))
		if r.format.Header {
			r.header = append(r.header, c.Place()[0])
		}
	}
	if r.format.Type == schema.JSON {
		r.objects = newObjects(s.Columns)
		return r
	}
	r.scanner.Delimiter = r.format.Delimiter[0]
	if r.format.Quote != "" {
		r.scanner.Quote = r.format.Quote[0]
	}
	return r
}

// Rows returns the rows and faults of a record, in order. A row is valid until the next one.
func (r *Reader) Rows(record []byte) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		if name := encoding.Detect(record); name != "" {
			yield(fault(record, name, ""))
			return
		}
		if r.format.Type == schema.JSON {
			r.json(record, yield)
		} else {
			r.csv(record, yield)
		}
	}
}

// IsRow reports whether the complete text is one row.
func (r *Reader) IsRow(text []byte) bool {
	rows := 0
	for one := range r.Rows(text) {
		if rows++; rows > 1 || one.Err != nil || len(one.Raw) != len(text) {
			return false
		}
	}
	return rows == 1
}

// Line reads one line of CSV, without its newline, as Rows would in a format without a header.
func (r *Reader) Line(line []byte) Row {
	out, _ := r.line(line)
	return out
}

// unreadable is the fault of bytes that are not a row. It names their encoding instead, if that can be guessed.
func unreadable(raw []byte, reason, column string) Row {
	if name := encoding.Guess(raw); name != "" {
		reason, column = name, ""
	}
	return fault(raw, reason, column)
}

func fault(raw []byte, reason, column string) Row {
	return Row{Raw: raw, Err: &Fault{Reason: reason, Column: column}}
}
