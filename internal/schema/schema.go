package schema

import (
	"bytes"
	jsonv1 "encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"streamproof/internal/encoding"
)

// File is the name of a schema's file.
const File = "schema.json"

// A Schema describes the records of the source stream.
type Schema struct {
	// Source is the name of the in-application stream that the query reads.
	Source string
	// Format is how a row is written: the zero value is DefaultFormat.
	Format Format
	// Samples names a file beside schema.json with rows in this format. If set, each record that is produced is one of
	// them; otherwise records are made of the columns' fake values.
	Samples string
	Columns []Column
}

// A Column is one field of a row.
type Column struct {
	Name  string
	Alias string // the query's name for it, which may be the same
	// Path leads to the value in JSON, or is what the header of CSV calls the column: the empty name if the header has
	// none for it. A nil Path stands for the Name.
	Path Path
	Type Type
	// Pattern is how a TIMESTAMP or DATE is written. Nil stands for DefaultPattern.
	Pattern *Pattern
	// Nullable columns may be NULL: one of the format's Nulls in CSV, null or missing in JSON.
	Nullable bool
	// Fake is not used if the schema has Samples.
	Fake Fake
}

// Place returns the column's Path, or its Name if that is nil.
func (c *Column) Place() Path {
	if c.Path == nil {
		return Path{c.Name}
	}
	return c.Path
}

// TimePattern returns the pattern of a TIMESTAMP or DATE, and nil for other types.
func (c *Column) TimePattern() *Pattern {
	if c.Pattern == nil {
		return DefaultPattern(c.Type.Kind)
	}
	return c.Pattern
}

// A Fake says how the producer makes a value: exactly one of Text, Integers, Time and Sum is set. The value is the one
// in SQL; a record has it as its format and the column's pattern say.
type Fake struct {
	// Text is a constant.
	Text string `json:"text,omitempty"`
	// Integers are inclusive ranges; a number from each is written after Prefix, padded with zeros to Width digits.
	Prefix   string     `json:"prefix,omitempty"`
	Integers [][2]int64 `json:"integers,omitempty"`
	Width    int        `json:"width,omitzero"`
	// Time is PlannedTime, or the name of an earlier column made of a Time. A number of minutes from the inclusive
	// range PlusMinutes is added to it.
	Time        string   `json:"time,omitempty"`
	PlusMinutes [2]int64 `json:"plusMinutes,omitzero"`
	// Sum names earlier columns of at most two decimals; their sum is written with two decimals.
	Sum []string `json:"sum,omitempty"`
}

// PlannedTime is the Fake.Time of the moment at which the record is planned to be sent.
const PlannedTime = "planned"

// Index returns the position of the column with this name or alias, in any case, or -1.
func (s Schema) Index(name string) int {
	return slices.IndexFunc(s.Columns, func(c Column) bool {
		return strings.EqualFold(c.Name, name) || strings.EqualFold(c.Alias, name)
	})
}

// Equal reports whether two schemas say the same, whatever they leave to a default.
func (s Schema) Equal(other Schema) bool { return reflect.DeepEqual(s.explicit(), other.explicit()) }

// explicit returns the schema in a form in which equal schemas are deeply equal.
func (s Schema) explicit() Schema {
	s.Format = s.Format.OrDefault()
	if len(s.Format.Nulls) == 0 {
		s.Format.Nulls = nil
	}
	s.Columns = slices.Clone(s.Columns)
	for i := range s.Columns {
		s.Columns[i].Path = s.Columns[i].Place()
	}
	return s
}

// The types of schema.json.
type schemaFile struct {
	Source  string       `json:"source"`
	Format  Format       `json:"format,omitzero"`
	Samples string       `json:"samples,omitempty"`
	Columns []columnFile `json:"columns"`
}

type columnFile struct {
	Name     string `json:"name"`
	Alias    string `json:"alias"`
	Path     string `json:"path,omitempty"`
	Unnamed  bool   `json:"unnamed,omitzero"`
	Type     string `json:"type"`
	Pattern  string `json:"pattern,omitempty"`
	Nullable bool   `json:"nullable,omitzero"`
	Fake     Fake   `json:"fake,omitzero"`
}

// Parse reads schema.json. The error names every fault.
func Parse(schemaJSON []byte) (Schema, error) {
	if !utf8.Valid(schemaJSON) {
		return Schema{}, NotUTF8(File, schemaJSON)
	}
	if bytes.HasPrefix(schemaJSON, []byte("\ufeff")) {
		return Schema{}, errors.New("read schema.json: it begins with a byte order mark; save it as UTF-8 without one")
	}
	var file schemaFile
	decoder := jsonv1.NewDecoder(bytes.NewReader(schemaJSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return Schema{}, fmt.Errorf("read schema.json: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Schema{}, errors.New("read schema.json: there is text after the closing brace")
	}
	s := Schema{Source: file.Source, Format: file.Format, Samples: file.Samples}
	faults := s.faults()
	format := s.Format.OrDefault()
	for i, c := range file.Columns {
		column, errs := c.parse(format)
		for _, err := range errs {
			faults = append(faults, &ColumnError{i, err})
		}
		s.Columns = append(s.Columns, column)
	}
	faults = append(faults, s.clashes()...)
	if err := errors.Join(faults...); err != nil {
		return Schema{}, fmt.Errorf("schema.json: %w", err)
	}
	return s, nil
}

// A ColumnError is a fault of one column of schema.json.
type ColumnError struct {
	Index int
	Err   error
}

func (e *ColumnError) Error() string { return fmt.Sprintf("columns[%d]: %v", e.Index, e.Err) }
func (e *ColumnError) Unwrap() error { return e.Err }

// Faults returns the faults that an error of Parse joins; those of a column are of type *ColumnError.
func Faults(err error) []error {
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		return all.Unwrap()
	}
	return []error{err}
}

// samplesName are the names that package pipeline embeds.
var samplesName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*\.(?:csv|tsv|txt|json|jsonl)$`)

// IsSamplesName reports whether a file of samples may have this name.
func IsSamplesName(name string) bool { return samplesName.MatchString(name) && name != File }

func (s Schema) faults() []error {
	var faults []error
	if s.Source == "" {
		faults = append(faults, errors.New("source is empty"))
	}
	if s.Samples != "" && !IsSamplesName(s.Samples) {
		faults = append(faults, fmt.Errorf("samples is %q, want the name of a file beside schema.json, without a folder, "+
			"that ends with .csv, .tsv, .txt, .json or .jsonl", s.Samples))
	}
	return append(faults, s.Format.OrDefault().faults()...)
}

// clashes returns the faults that concern more than one column.
func (s Schema) clashes() []error {
	var faults []error
	if len(s.Columns) == 0 {
		faults = append(faults, errors.New("columns is empty"))
	}
	names, paths := map[string]int{}, map[string]bool{}
	for i, c := range s.Columns {
		for _, name := range []string{c.Name, c.Alias} {
			if owner, taken := names[strings.ToUpper(name)]; name == "" || taken && owner != i {
				faults = append(faults, &ColumnError{i, fmt.Errorf("name %q is empty or taken", name)})
			}
			names[strings.ToUpper(name)] = i
		}
		path := c.Place().String()
		if paths[path] && s.Format.Type == JSON { // a header may have a name twice
			faults = append(faults, &ColumnError{i, fmt.Errorf("path %s is taken", path)})
		}
		paths[path] = true
	}
	return faults
}

func (f columnFile) parse(format Format) (Column, []error) {
	c := Column{Name: f.Name, Alias: f.Alias, Nullable: f.Nullable, Fake: f.Fake}
	var faults []error
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var err error
	if f.Type == "" {
		fault(errors.New("type is missing"))
	} else if c.Type, err = ParseType(f.Type); err != nil {
		fault(err)
	} else if c.Type.Kind == Char && c.Type.Length == 0 {
		fault(errors.New("CHAR needs a length"))
	}
	if f.Pattern != "" && c.Type.Kind != "" {
		c.Pattern, err = patternOf(c.Type, f.Pattern)
		fault(err)
	}
	switch {
	case f.Path != "" && format.Type == CSV && !format.Header:
		fault(errors.New("path is for json, or csv with a header"))
	case f.Unnamed && (f.Path != "" || !format.Header):
		fault(errors.New("unnamed is for csv with a header, and excludes a path"))
	case f.Unnamed:
		c.Path = Path{""}
	case f.Path == "":
	case format.Type == JSON:
		c.Path, err = ParsePath(f.Path)
		fault(err)
	default:
		c.Path = Path{f.Path}
	}
	return c, faults
}

func patternOf(t Type, text string) (*Pattern, error) {
	if t.Kind != Timestamp && t.Kind != Date {
		return nil, fmt.Errorf("a pattern is for TIMESTAMP and DATE, not %s", t)
	}
	p, err := ParsePattern(text)
	switch {
	case err != nil:
		return nil, err
	case t.Kind == Date && p.HasTime():
		return nil, fmt.Errorf("pattern %q has a time; a DATE has none", text)
	case t.Kind == Timestamp && !p.HasTime():
		return nil, fmt.Errorf("pattern %q has no time; make the column a DATE", text)
	}
	return p, nil
}

func (s Schema) file() schemaFile {
	f := schemaFile{Source: s.Source, Format: s.Format, Samples: s.Samples}
	for _, c := range s.Columns {
		f.Columns = append(f.Columns, c.file(s.Format))
	}
	return f
}

// MarshalJSON writes what schema.json has.
func (s Schema) MarshalJSON() ([]byte, error) { return jsonv1.Marshal(s.file()) }

// Encode returns the text of schema.json, with one line a column.
func (s Schema) Encode() ([]byte, error) {
	members := []member{{"source", s.Source}}
	if !s.Format.IsDefault() {
		members = append(members, member{"format", s.Format})
	}
	if s.Samples != "" {
		members = append(members, member{"samples", s.Samples})
	}
	data, err := encode(members, s.file().Columns)
	if err == nil {
		_, err = Parse(data) // never write what cannot be read
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// A member is one of the object that encode writes.
type member struct {
	name  string
	value any
}

// encode writes a schema, with one line a member and one line a column.
func encode[C any](members []member, columns []C) ([]byte, error) {
	var failed error
	value := func(v any) []byte {
		data, err := json.Marshal(v, jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
		failed = errors.Join(failed, err)
		return data
	}
	var b bytes.Buffer
	b.WriteString("{\n")
	for _, m := range members {
		fmt.Fprintf(&b, "  %q: %s,\n", m.name, value(m.value))
	}
	b.WriteString("  \"columns\": [")
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n    %s", value(c))
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), failed
}

func (c *Column) file(format Format) columnFile {
	f := columnFile{Name: c.Name, Alias: c.Alias, Type: c.Type.String(), Pattern: c.Pattern.String(), Nullable: c.Nullable, Fake: c.Fake}
	switch {
	case c.Path == nil:
	case format.Type == JSON:
		f.Path = c.Path.String()
	default:
		f.Path = c.Path[0]
		f.Unnamed = f.Path == ""
	}
	return f
}

// NotUTF8 is the error of a file that the ledger's JSON could not hold unchanged.
func NotUTF8(name string, text []byte) error {
	if in := encoding.Guess(text); in != "" {
		in = strings.TrimSuffix(strings.TrimPrefix(in, "not UTF-8, "), ", not UTF-8")
		return fmt.Errorf("%s is not UTF-8 (%s); save it as UTF-8", name, in)
	}
	return fmt.Errorf("%s is not UTF-8; save it as UTF-8", name)
}
