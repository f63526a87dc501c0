package discover

import (
	"fmt"
	"slices"
	"strings"

	"streamproof/pipeline"
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

// Options say what need not be found out. The zero value leaves all to Discover.
type Options struct {
	// Delimiter is that of CSV, and means that it is CSV.
	Delimiter string
	// Header says whether there is a header.
	Header *bool
}

// A Proposal is what a sample looks like.
type Proposal struct {
	Version int    `json:"version"`
	Sample  Counts `json:"sample"`
	// Format and Columns are the schema, with what speaks for them.
	Format  pipeline.Format `json:"format"`
	Columns []Column        `json:"columns"`
	// Rows are the first few, each a value for each column; nil is NULL.
	Rows [][]*string `json:"rows"`
	// Faults are rows, or whole records, that are not of the format.
	Faults []Fault `json:"faults,omitempty"`
	// Notes are what a person should know beyond that.
	Notes []string `json:"notes,omitempty"`

	quoted    bool // a field is in quotes
	fractions bool // a number shows what the decimal is
}

// Counts are of the sample.
type Counts struct {
	Records    int   `json:"records"`
	Bytes      int64 `json:"bytes"`
	Empty      int   `json:"empty"`      // records without a byte, or of blanks only
	Unreadable int   `json:"unreadable"` // records that are no text
	Rows       int   `json:"rows"`       // that are of the format
	FaultyRows int   `json:"faultyRows"` // that are not
	Headers    int   `json:"headers"`    // lines that were the header
	// MostRows is how many rows the record with the most has.
	MostRows int `json:"mostRows"`
}

// A Column is one of the proposal.
type Column struct {
	Name     string        `json:"name"`
	Path     string        `json:"path,omitempty"` // as in schema.json
	Type     pipeline.Type `json:"type"`
	Pattern  string        `json:"pattern,omitempty"` // as in schema.json: none for the default
	Nullable bool          `json:"nullable"`
	// Values are those sampled, without the Nulls; Agree is how many of them are of the type.
	Values int `json:"values"`
	Nulls  int `json:"nulls"`
	Agree  int `json:"agree"`
	// Examples are the first different ones that agree.
	Examples []string `json:"examples"`
	// Disagreeing are the first different values that do not agree, and Widest is the type that would hold them, too.
	Disagreeing []Count        `json:"disagreeing,omitempty"`
	Widest      *pipeline.Type `json:"widest,omitempty"`
	Notes       []string       `json:"notes,omitempty"`

	fake   pipeline.Fake
	values []value // all different ones
}

// A Count is a text, and how often it was there.
type Count struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// A Fault is what is wrong with some rows or records.
type Fault struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	// Where is the first one's record and line, and Text its start.
	Where string `json:"where"`
	Text  string `json:"text"`
}

// An UndecidedError says why no schema can be proposed.
type UndecidedError struct {
	Reason string
	Faults []Fault
}

func (e *UndecidedError) Error() string {
	text := e.Reason
	for i, f := range e.Faults {
		text += ": "
		if i > 0 {
			text = strings.TrimSuffix(text, ": ") + "; "
		}
		text += f.String()
	}
	return text
}

// String says it in words.
func (f Fault) String() string {
	return fmt.Sprintf("%s (%d, as %s in %s)", f.Reason, f.Count, show(f.Text), f.Where)
}

const (
	// oneIn is how rare rows and values of another kind are where they are taken for faults, and not for a part of what the
	// data is: at most one in so many.
	oneIn     = 20
	fewRows   = 20
	examples  = 3
	disagrees = 5
	firstRows = 5
	excerpt   = 60 // bytes
)

// rare says whether part is so small a part of all that it does not speak for them.
func rare(part, all int) bool { return part*oneIn <= all }

// Discover proposes a schema for a sample. Where it cannot, the error is an *UndecidedError, and the proposal has what was counted.
func Discover(records []Record, o Options) (*Proposal, error) {
	p := &Proposal{Version: Version, Columns: []Column{}, Rows: [][]*string{}}
	d := &discovery{Proposal: p, options: o}
	err := d.run(records)
	return p, err
}

// discovery is one that is under way.
type discovery struct {
	*Proposal
	options Options
	objects []object // rows of JSON
	texts   []text   // what is not JSON
	broken  int      // lines that look like JSON and are not
	marks   int      // records that begin with a byte order mark
}

func (d *discovery) run(records []Record) error {
	if len(records) == 0 {
		return &UndecidedError{Reason: "there is no record"}
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
		return &UndecidedError{Reason: fmt.Sprintf("all of the %d records are empty", d.Sample.Records)}
	case !rare(d.Sample.Unreadable, d.Sample.Records):
		return d.undecided("%d of %d records cannot be read", d.Sample.Unreadable, d.Sample.Records)
	case d.options.Delimiter == "" && !rare(min(json, lines), json+lines):
		return &UndecidedError{Reason: fmt.Sprintf("the sample is a mix of formats: %d rows look like JSON (as %s) and %d lines do not (as %s)",
			json, show(d.firstJSON()), lines, show(firstLine(d.texts[0].data)))}
	case len(d.objects) > lines && d.options.Delimiter == "":
		for _, t := range d.texts {
			d.Sample.FaultyRows += t.lines()
			d.fault("not JSON", t.lines(), place(t.record, t.line+1), t.data)
		}
		d.json()
	case lines == 0:
		return d.undecided("of %d rows that look like JSON none can be read", d.broken)
	default:
		if err := d.csv(); err != nil {
			return err
		}
	}
	if d.Sample.Rows < fewRows {
		d.note("%d rows are few to tell types by: a larger sample may have wider ones", d.Sample.Rows)
	}
	if d.marks > 0 {
		d.note("%d records begin with a byte order mark, which is left out here, and which the job takes for a part of the first value", d.marks)
	}
	slices.SortStableFunc(d.Faults, func(a, b Fault) int { return b.Count - a.Count })
	return nil
}

func (d *discovery) undecided(format string, args ...any) error {
	slices.SortStableFunc(d.Faults, func(a, b Fault) int { return b.Count - a.Count })
	return &UndecidedError{Reason: fmt.Sprintf(format, args...), Faults: d.Faults}
}

// fault counts rows or records that are not what they should be.
func (d *discovery) fault(reason string, count int, where string, data []byte) {
	for i := range d.Faults {
		if d.Faults[i].Reason == reason {
			d.Faults[i].Count += count
			return
		}
	}
	data = firstLine(data)
	d.Faults = append(d.Faults, Fault{Reason: reason, Count: count, Where: where, Text: strings.ToValidUTF8(string(data[:min(len(data), excerpt)]), "\uFFFD")})
}

func (d *discovery) note(format string, args ...any) {
	d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
}

// Schema gives the proposal as a schema, with a fake value for each column, as far as there is one.
func (p *Proposal) Schema(source string) pipeline.Schema {
	s := pipeline.Schema{Source: source}
	if !p.Format.IsDefault() {
		s.Format = p.Format
	}
	for i, c := range p.Columns {
		s.Columns = append(s.Columns, c.column(i))
	}
	return s
}

func (c *Column) column(at int) pipeline.Column {
	return pipeline.Column{
		Name: c.Name, Alias: alias(at), Path: c.Path, Type: c.Type, Pattern: c.Pattern, Nullable: c.Nullable, Fake: c.fake,
	}
}

// alias is the name that the query has for a column, as the closed service gave them.
func alias(at int) string { return fmt.Sprintf("COL%d", at) }
