package discover

import (
	"bytes"
	"fmt"

	"streamproof/internal/encoding"
	"streamproof/internal/record"
	"streamproof/internal/schema"
)

// check reads the sample with the proposed schema, as the job will, and records each rejected row as a fault. It
// returns how many rows were read, and how many were rejected for the value of a column.
func (d *discovery) check(records []Record) (rows, misfits int) {
	reader := record.NewReader(d.Schema("S"))
	d.Faults, d.Sample.FaultyRows = nil, 0
	for i := range records {
		r := &records[i]
		lines := lineCounter{data: r.Data}
		for row := range reader.Rows(r.Data) {
			switch {
			case d.isTail(r, row, d.ends[i]):
			case row.Err == nil:
				rows++
			case row.Err.Column != "":
				misfits++
				d.fault(d.reason(row, d.unreadable[i]), place(r, lines.until(row.Offset)), row.Raw)
			default:
				d.Sample.FaultyRows++
				d.fault(d.reason(row, d.unreadable[i]), place(r, lines.until(row.Offset)), row.Raw)
			}
		}
	}
	d.Sample.Rejected = misfits + d.Sample.FaultyRows
	return rows, misfits
}

// isTail reports whether a row is the one that the end of the sample cuts off.
func (d *discovery) isTail(r *Record, row record.Row, end int) bool {
	switch {
	case !r.Cut:
		return false
	case row.Offset >= end:
		return true
	case d.Format.Type == schema.JSON || row.Offset+len(row.Raw) < len(bytes.TrimRight(r.Data, "\r\n")):
		return false
	}
	return !bytes.HasSuffix(r.Data, []byte("\n")) || row.Err != nil && row.Err.Reason == record.UnclosedQuote && d.Format.Multiline
}

// A lineCounter returns the line numbers, from 1, of increasing offsets.
type lineCounter struct {
	data     []byte
	at, line int
}

func (l *lineCounter) until(offset int) int {
	l.line += bytes.Count(l.data[l.at:offset], []byte("\n"))
	l.at = offset
	return l.line + 1
}

// reason describes a fault in more detail than the job's reject reason.
func (d *discovery) reason(row record.Row, unreadable string) string {
	raw := row.Raw
	switch {
	case unreadable != "":
		return unreadable
	case row.Err.Column != "":
		return row.Err.Error()
	}
	switch row.Err.Reason {
	case record.WrongColumns, record.MisplacedQuote, record.UnclosedQuote:
		if beginsJSON(raw) && isObjects(raw) {
			return "JSON among CSV"
		}
		if row.Err.Reason == record.WrongColumns {
			line, _ := d.csvFormat.next(raw)
			return fmt.Sprintf("%s instead of %d", columns(len(line.fields)), len(d.Columns))
		}
	case record.CarriageReturn:
		if bytes.IndexByte(raw, '\r') == len(raw)-1 {
			return `ends with \r\n, unlike most rows`
		}
	case record.InvalidUTF8, encoding.Latin1:
		return encodingFault(raw)
	case encoding.Marked:
		if d.Format.Type == schema.JSON {
			return "byte order mark before JSON"
		}
		return "byte order mark"
	case record.NotJSON:
		if beginsJSON(raw) {
			return jsonFault(raw)
		}
		return "not JSON"
	case record.NotAnObject:
		return notAnObject
	case record.DuplicateName:
		return "JSON with a duplicate name"
	}
	return row.Err.Reason
}

func (d *discovery) widen() {
	for i := range d.Columns {
		if c := &d.Columns[i]; c.Agree < c.Values {
			text := c.from.asText()
			text.Name, text.Path, text.Unnamed, text.path = c.Name, c.Path, c.Unnamed, c.path
			text.Notes = append(text.Notes, fmt.Sprintf("only %d of %d values are %s", c.Agree, c.Values, c.Type))
			*c = text
		}
	}
}
