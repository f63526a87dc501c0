package discover

import (
	"fmt"
	"slices"
	"strings"

	"streamproof/internal/schema"
)

// Version is the version of the JSON form.
const Version = 1

// A Record is one record of a stream, or one object or file.
type Record struct {
	Data []byte
	// Name is what messages call it: a sequence number in its shard, a key, a path.
	Name string
	// Cut says that the sample ends within it, and so perhaps within a row.
	Cut bool
}

// Options fix what is otherwise detected.
type Options struct {
	// Delimiter is the CSV delimiter. It implies CSV.
	Delimiter string
	// Header reports whether there is a header.
	Header *bool
}

// A Proposal is a schema that fits a sample, with the evidence.
type Proposal struct {
	Version int    `json:"version"`
	Sample  Counts `json:"sample"`
	// Format and Columns are the schema.
	Format  schema.Format `json:"format"`
	Columns []Column      `json:"columns"`
	// Rows are the first few, with one value per column; nil is NULL.
	Rows [][]*string `json:"rows"`
	// Faults are rows, or complete records, that do not fit the format.
	Faults []Fault `json:"faults,omitempty"`
	// Notes are remarks for a person.
	Notes []string `json:"notes,omitempty"`

	csvFormat csvFormat
	prose     bool // the lines form no table; each is one text
	quoted    bool // a field is in quotes
	fractions bool // some number shows the decimal mark
}

// Counts describe the sample.
type Counts struct {
	Records    int   `json:"records"`
	Bytes      int64 `json:"bytes"`
	Empty      int   `json:"empty"`      // records without a byte, or of blanks only
	Unreadable int   `json:"unreadable"` // records that are no text
	Rows       int   `json:"rows"`       // that are of the format
	FaultyRows int   `json:"faultyRows"` // that are not
	Rejected   int   `json:"rejected"`   // the faulty rows, and those with a value that is not of its column's type
	Headers    int   `json:"headers"`    // lines that were the header
	// MostRows is the largest number of rows in one record.
	MostRows int `json:"mostRows"`
}

// A Column is one column of a proposal.
type Column struct {
	Name    string      `json:"name"`
	Path    string      `json:"path,omitempty"` // as in schema.json
	Unnamed bool        `json:"unnamed,omitzero"`
	Type    schema.Type `json:"type"`
	// Pattern is nil for the default one.
	Pattern  *schema.Pattern `json:"pattern,omitempty"`
	Nullable bool            `json:"nullable"`
	// Values counts the sampled values without NULL; Agree counts those that are of the type.
	Values int `json:"values"`
	Nulls  int `json:"nulls"`
	Agree  int `json:"agree"`
	// Examples are the first distinct values that agree.
	Examples []string `json:"examples"`
	// Disagreeing are the first distinct values that do not agree; Widest is a type that holds them too.
	Disagreeing []Count      `json:"disagreeing,omitempty"`
	Widest      *schema.Type `json:"widest,omitempty"`
	Notes       []string     `json:"notes,omitempty"`

	path schema.Path // as in schema.Column
	fake schema.Fake
	from *collector
}

// A Count is a text and its frequency.
type Count struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// A Fault is a reason why rows are rejected.
type Fault struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	// Where is the place of the first row, and Text its beginning.
	Where string `json:"where"`
	Text  string `json:"text"`
	// Others are the places of the other rows.
	Others []string `json:"others,omitempty"`
}

// An UndecidedError says why no schema can be proposed.
type UndecidedError struct {
	Reason string
	Faults []Fault
}

func (e *UndecidedError) Error() string {
	var faults []string
	for _, f := range e.Faults {
		faults = append(faults, f.first())
	}
	if faults == nil {
		return e.Reason
	}
	return e.Reason + ": " + strings.Join(faults, "; ")
}

func (f Fault) first() string {
	return fmt.Sprintf("%s (%d, first %s in %s)", f.Reason, f.Count, show(f.Text), f.Where)
}

// String describes the fault with its first few places.
func (f Fault) String() string {
	text := f.first()
	record, _, _ := strings.Cut(f.Where, ", line ")
	for i, other := range f.Others[:min(len(f.Others), shownPlaces)] {
		text += []string{"; also in ", ", "}[min(i, 1)] + strings.TrimPrefix(other, record+", ")
	}
	if len(f.Others) > shownPlaces {
		text += ", …"
	}
	return text
}

const (
	// oneIn is the threshold for faults: values and rows of another kind are faults if they are at most one in this
	// many.
	oneIn     = 20
	fewRows   = 20
	examples  = 3
	disagrees = 5
	firstRows = 5
	excerpt   = 60 // bytes

	shownPlaces = 4
)

// rare reports whether part is small enough in all to be faults.
func rare(part, all int) bool { return part*oneIn <= all }

// Discover proposes a schema for a sample. If it cannot, the error is an *UndecidedError and the proposal has only
// the counts.
func Discover(records []Record, o Options) (*Proposal, error) {
	p := &Proposal{Version: Version, Columns: []Column{}, Rows: [][]*string{}}
	d := &discovery{Proposal: p, options: o, unreadable: map[int]string{}}
	err := d.run(records)
	return p, err
}

type discovery struct {
	*Proposal
	options Options
	objects []object // rows of JSON
	texts   []text   // what is not JSON
	broken  int      // what looks like JSON and is not
	marks   int      // records that begin with a byte order mark

	ends       []int          // of each record, where the row begins that the sample ends within
	unreadable map[int]string // what the records are that are no text
	unfinished []string       // records of JSON that have no whole row, because the sample ends within the first
}

func (d *discovery) run(records []Record) error {
	if len(records) == 0 {
		return &UndecidedError{Reason: "the sample has no records"}
	}
	for i := range records {
		d.read(&records[i], i)
	}
	lines := 0
	for _, t := range d.texts {
		lines += t.lines()
	}
	json := len(d.objects) + d.broken
	switch {
	case d.Sample.Records == d.Sample.Empty:
		return &UndecidedError{Reason: fmt.Sprintf("all %d records are empty", d.Sample.Records)}
	case !rare(d.Sample.Unreadable, d.Sample.Records):
		return d.noText(records)
	case !rare(len(d.unfinished), d.Sample.Records):
		return &UndecidedError{Reason: fmt.Sprintf("%s begins with a JSON value that continues past the sampled part: take a larger sample (--records)", d.unfinished[0])}
	case d.options.Delimiter == "" && !rare(min(json, lines), json+lines):
		return &UndecidedError{Reason: fmt.Sprintf("the sample mixes formats: %d rows look like JSON (such as %s) and %d lines do not (such as %s)",
			json, show(d.firstJSON()), lines, show(firstLine(d.texts[0].data)))}
	case json+lines == 0:
		return &UndecidedError{Reason: "the sample has no rows"}
	case lines == 0 && d.broken*4 > json:
		return d.undecided("%d of %d rows that look like JSON cannot be read", d.broken, json)
	case len(d.objects) > lines && d.options.Delimiter == "":
		d.json()
	default:
		if err := d.csv(); err != nil {
			return err
		}
	}
	if len(d.Columns) > 0 {
		if err := d.settle(records); err != nil {
			return err
		}
	}
	if d.Sample.Rows < fewRows {
		d.note("only %d rows: a larger sample may need wider types", d.Sample.Rows)
	}
	if d.marks > 0 {
		d.note("%d records begin with a byte order mark, ignored here: the job rejects their first row or keeps the mark in its text", d.marks)
	}
	if len(d.unfinished) > 0 {
		d.note("%d records, such as %s, begin with a JSON value that continues past the sampled part", len(d.unfinished), d.unfinished[0])
	}
	d.sortFaults()
	return nil
}

// settle checks the proposal against the sample. If the faults of all columns together are too many, the columns at
// fault become text.
func (d *discovery) settle(records []Record) error {
	rows, misfits := d.check(records)
	if misfits*3 > rows {
		d.widen()
		rows, misfits = d.check(records)
	}
	if misfits > rows || rows == 0 {
		return d.undecided("the most likely schema reads only %d of %d rows", rows, rows+d.Sample.Rejected)
	}
	return nil
}

// noText returns the error for a sample of mostly unreadable records.
func (d *discovery) noText(records []Record) error {
	for i := range records {
		if kind := d.unreadable[i]; kind != "" {
			d.fault(kind, records[i].Name, records[i].Data)
		}
	}
	return d.undecided("%d of %d records cannot be read", d.Sample.Unreadable, d.Sample.Records)
}

func (d *discovery) sortFaults() {
	slices.SortStableFunc(d.Faults, func(a, b Fault) int { return b.Count - a.Count })
}

func (d *discovery) undecided(format string, args ...any) error {
	d.sortFaults()
	return &UndecidedError{Reason: fmt.Sprintf(format, args...), Faults: d.Faults}
}

func (d *discovery) fault(reason, where string, data []byte) {
	for i := range d.Faults {
		if f := &d.Faults[i]; f.Reason == reason {
			f.Count++
			f.Others = append(f.Others, where)
			return
		}
	}
	data = firstLine(data)
	d.Faults = append(d.Faults, Fault{Reason: reason, Count: 1, Where: where, Text: decoded(reason, data[:min(len(data), excerpt)])})
}

func (d *discovery) note(format string, args ...any) {
	d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
}

// Schema returns the proposal as a schema, with a fake value for each column that can have one.
func (p *Proposal) Schema(source string) schema.Schema {
	s := schema.Schema{Source: source}
	if !p.Format.IsDefault() {
		s.Format = p.Format
	}
	for i, c := range p.Columns {
		s.Columns = append(s.Columns, c.column(i))
	}
	return s
}

func (c *Column) column(at int) schema.Column {
	return schema.Column{
		Name: c.Name, Alias: alias(at), Path: c.path, Type: c.Type, Pattern: c.Pattern, Nullable: c.Nullable, Fake: c.fake,
	}
}

// alias is the query's name for a column, as in Kinesis Data Analytics for SQL.
func alias(at int) string { return fmt.Sprintf("COL%d", at) }
