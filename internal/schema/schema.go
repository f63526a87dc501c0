package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/ohler55/ojg/jp"

	"streamproof/internal/encoding"
)

// A Schema describes the records of the source stream.
type Schema struct {
	// Source is the name of the in-application stream that the query reads.
	Source string `json:"source"`
	// Format is how a row is written: the zero value is DefaultFormat.
	Format Format `json:"format,omitzero"`
	// Samples names a file beside schema.json, of rows in this format: each record that is produced is one of them. Where it is
	// empty, the records are made of the columns' fake values.
	Samples string   `json:"samples,omitempty"`
	Columns []Column `json:"columns"`
}

// A Column is one field of a row: of CSV in the row's order, of JSON by its path.
type Column struct {
	Name  string `json:"name"`
	Alias string `json:"alias"` // the name that the query knows it by; it may be the Name
	// Path says where the value stands. In JSON it is a JSONPath that leads to one value, as $.user.id, and $.NAME where
	// it is empty. In CSV with a header it is what the header calls the column, and the Name where it is empty.
	Path string `json:"path,omitempty"`
	// Unnamed reports whether the header of CSV has no name for the column, as spreadsheets and data frames write for an index.
	Unnamed bool `json:"unnamed,omitzero"`
	Type    Type `json:"type"`
	// Pattern is how a TIMESTAMP or DATE is written: see ParsePattern. The empty one is that of TimestampPattern or DatePattern.
	Pattern string `json:"pattern,omitempty"`
	// Nullable columns may be NULL: one of the format's nulls in CSV, null or nothing in JSON.
	Nullable bool `json:"nullable,omitzero"`
	// Fake is not looked at where the schema has Samples.
	Fake Fake `json:"fake,omitzero"`
}

// Fake says how the producer makes a value: exactly one of Text, Integers, Time and Sum is set. The value is that in SQL; a
// record has it as its format and the column's pattern say.
type Fake struct {
	// Text is a constant.
	Text string `json:"text,omitempty"`
	// Integers are inclusive ranges; a number from each is written after Prefix, padded with zeros to Width digits.
	Prefix   string     `json:"prefix,omitempty"`
	Integers [][2]int64 `json:"integers,omitempty"`
	Width    int        `json:"width,omitzero"`
	// Time is "planned", the moment at which the record is planned to be sent, or an earlier column made of a Time;
	// a whole number of minutes out of the inclusive range PlusMinutes is added to it.
	Time        string   `json:"time,omitempty"`
	PlusMinutes [2]int64 `json:"plusMinutes,omitzero"`
	// Sum names earlier columns of at most two decimals; their sum is written with two decimals.
	Sum []string `json:"sum,omitempty"`
}

// PlannedTime is the value of Fake.Time that stands for the record's own planned time.
const PlannedTime = "planned"

// TimestampLayout is how a TIMESTAMP is written in a record, in UTC.
const TimestampLayout = "2006-01-02 15:04:05"

// File is the name of a schema's file.
const File = "schema.json"

// The types of a Format.
const (
	CSV  = "csv"
	JSON = "json"
)

// A Format is how rows are written in a record. A record has any number of them.
//
// Rows of CSV are lines. Rows of JSON are objects, one after the other, with blanks between them or without, or in arrays.
type Format struct {
	// Type is CSV or JSON. All else is of CSV only.
	Type string `json:"type"`
	// Delimiter stands between two values, and Quote around those that have it in them, doubled where it is in the value
	// itself. Either is one character. An empty Quote means that nothing is quoted.
	Delimiter string `json:"delimiter,omitempty"`
	Quote     string `json:"quote"`
	// Newline ends a row: "\n", or "\r\n", of which the "\r" may be missing. With Multiline, one between quotes does not.
	Newline   string `json:"newline,omitempty"`
	Multiline bool   `json:"multiline,omitzero"`
	// Decimal stands before the fraction of a REAL, DOUBLE or DECIMAL: "." or ",".
	Decimal string `json:"decimal,omitempty"`
	// Header says that a line with exactly the paths of the columns is not a row, wherever it stands.
	Header bool `json:"header,omitzero"`
	// Nulls are the texts that mean NULL where they are not quoted.
	Nulls []string `json:"nulls,omitempty"`
}

// DefaultFormat is that of a schema that names none: lines of CSV without a header, whose values are never NULL.
func DefaultFormat() Format {
	return Format{Type: CSV, Delimiter: ",", Quote: `"`, Newline: "\n", Decimal: "."}
}

// JSONFormat is that of JSON.
func JSONFormat() Format { return Format{Type: JSON} }

// OrDefault gives DefaultFormat for the zero value.
func (f Format) OrDefault() Format {
	if f.Type == "" {
		return DefaultFormat()
	}
	return f
}

// IsDefault says whether the format need not be named.
func (f Format) IsDefault() bool { return f.OrDefault().equal(DefaultFormat()) }

func (f Format) equal(g Format) bool {
	return f.Type == g.Type && f.Delimiter == g.Delimiter && f.Quote == g.Quote && f.Newline == g.Newline &&
		f.Decimal == g.Decimal && f.Multiline == g.Multiline && f.Header == g.Header && slices.Equal(f.Nulls, g.Nulls)
}

// plainFormat is Format without its methods.
type plainFormat Format

// UnmarshalJSON reads a format; what is left out is as in DefaultFormat.
func (f *Format) UnmarshalJSON(data []byte) error {
	var of struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &of); err != nil {
		return err
	}
	plain := plainFormat(DefaultFormat())
	if of.Type == JSON {
		plain = plainFormat(JSONFormat())
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&plain); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	*f = Format(plain)
	return nil
}

// MarshalJSON writes what is not as in DefaultFormat.
func (f Format) MarshalJSON() ([]byte, error) {
	standard := DefaultFormat()
	out := struct {
		Type      string   `json:"type"`
		Delimiter string   `json:"delimiter,omitempty"`
		Quote     *string  `json:"quote,omitempty"`
		Newline   string   `json:"newline,omitempty"`
		Multiline bool     `json:"multiline,omitzero"`
		Decimal   string   `json:"decimal,omitempty"`
		Header    bool     `json:"header,omitzero"`
		Nulls     []string `json:"nulls,omitempty"`
	}{Type: f.Type, Multiline: f.Multiline, Header: f.Header, Nulls: f.Nulls}
	if f.Type == CSV {
		if f.Delimiter != standard.Delimiter {
			out.Delimiter = f.Delimiter
		}
		if f.Newline != standard.Newline {
			out.Newline = f.Newline
		}
		if f.Decimal != standard.Decimal {
			out.Decimal = f.Decimal
		}
		if f.Quote != standard.Quote {
			out.Quote = &f.Quote
		}
	}
	return json.Marshal(out)
}

// faults gives what is wrong with a format.
func (f Format) faults() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch f.Type {
	case CSV:
	case JSON:
		if !f.equal(JSONFormat()) {
			fault("format: delimiter, quote, newline, multiline, decimal, header and nulls go with csv only")
		}
		return faults
	default:
		fault("format: type is %q, want %s or %s", f.Type, CSV, JSON)
		return faults
	}
	if !isMark(f.Delimiter) {
		fault("format: delimiter is %q, want one ASCII character that is no letter, digit, quote or line break", f.Delimiter)
	}
	if f.Quote != "" && f.Quote != `"` && f.Quote != "'" {
		fault("format: quote is %q, want \", ' or nothing", f.Quote)
	}
	if f.Newline != "\n" && f.Newline != "\r\n" {
		fault(`format: newline is %q, want "\n" or "\r\n"`, f.Newline)
	}
	switch {
	case f.Decimal != "." && f.Decimal != ",":
		fault(`format: decimal is %q, want "." or ","`, f.Decimal)
	case f.Decimal == f.Delimiter:
		fault("format: decimal and delimiter are both %q", f.Decimal)
	}
	if f.Multiline && f.Quote == "" {
		fault("format: multiline needs a quote")
	}
	for i, null := range f.Nulls {
		if strings.ContainsAny(null, "\r\n") || f.Delimiter != "" && strings.Contains(null, f.Delimiter) || f.Quote != "" && strings.Contains(null, f.Quote) {
			fault("format: nulls[%d] is %q, which no value without quotes can be", i, null)
		}
		if slices.Contains(f.Nulls[:i], null) {
			fault("format: nulls[%d] is %q, which is there already", i, null)
		}
	}
	return faults
}

// isMark says whether text is one character that may stand between values.
func isMark(text string) bool {
	if len(text) != 1 {
		return false
	}
	c := text[0]
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= 0x7f:
		return false
	}
	return c != 0 && c != '\r' && c != '\n' && c != '"' && c != '\'' && c != '-' && c != '+' && c != '.'
}

// Parse reads schema.json. The error names every fault.
func Parse(schemaJSON []byte) (Schema, error) {
	var s Schema
	if !utf8.Valid(schemaJSON) {
		return s, NotUTF8("schema.json", schemaJSON)
	}
	if bytes.HasPrefix(schemaJSON, []byte("\ufeff")) {
		return s, errors.New("read schema.json: it begins with a byte order mark: save it as UTF-8 without one")
	}
	decoder := json.NewDecoder(bytes.NewReader(schemaJSON))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, fmt.Errorf("read schema.json: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return s, errors.New("read schema.json: there is text after the closing brace")
	}
	if err := errors.Join(s.faults()...); err != nil {
		return s, fmt.Errorf("schema.json: %w", err)
	}
	return s, nil
}

// samplesName are the names that embed.go finds.
var samplesName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*\.(?:csv|tsv|txt|json|jsonl)$`)

// IsSamplesName says whether a file of samples may be called so.
func IsSamplesName(name string) bool { return samplesName.MatchString(name) && name != File }

func (s Schema) faults() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Source == "" {
		fault("source is empty")
	}
	if len(s.Columns) == 0 {
		fault("columns is empty")
	}
	if s.Samples != "" && !IsSamplesName(s.Samples) {
		fault("samples is %q, want the plain name of a file beside schema.json that ends with .csv, .tsv, .txt, .json or .jsonl", s.Samples)
	}
	format := s.Format.OrDefault()
	faults = append(faults, format.faults()...)
	seen, paths := map[string]int{}, map[string]bool{}
	for i, c := range s.Columns {
		for _, name := range []string{c.Name, c.Alias} {
			// Its own other name is no harm.
			if before, taken := seen[strings.ToUpper(name)]; name == "" || taken && before != i {
				fault("columns[%d]: name %q is empty or taken", i, name)
			}
			seen[strings.ToUpper(name)] = i
		}
		switch {
		case c.Type.Kind == "":
			fault("columns[%d]: type is missing", i)
		case c.Type.Kind == Char && c.Type.Length == 0:
			fault("columns[%d]: CHAR needs a length", i)
		}
		if err := c.checkPattern(); err != nil {
			fault("columns[%d]: %w", i, err)
		}
		switch {
		case c.Path != "" && format.Type == CSV && !format.Header:
			fault("columns[%d]: path is for json, or csv with a header", i)
			continue
		case c.Unnamed && (c.Path != "" || !format.Header):
			fault("columns[%d]: unnamed is for csv with a header, and goes without a path", i)
			continue
		}
		path, err := c.Place(format)
		if err != nil {
			fault("columns[%d]: %w", i, err)
		} else if paths[path] && format.Type == JSON { // a header may have a name twice
			fault("columns[%d]: path %s is taken", i, path)
		}
		paths[path] = true
	}
	return faults
}

func (c Column) checkPattern() error {
	if c.Pattern == "" {
		return nil
	}
	if c.Type.Kind != Timestamp && c.Type.Kind != Date {
		return fmt.Errorf("a pattern goes with TIMESTAMP and DATE, not with %s", c.Type)
	}
	p, err := ParsePattern(c.Pattern)
	switch {
	case err != nil:
		return err
	case c.Type.Kind == Date && p.HasTime():
		return fmt.Errorf("pattern %q has a time, which a DATE has not", c.Pattern)
	case c.Type.Kind == Timestamp && !p.HasTime():
		return fmt.Errorf("pattern %q has no time: make it a DATE", c.Pattern)
	}
	return nil
}

// Place gives the column's path, in one form where it can be written in several: see Column.Path.
func (c Column) Place(format Format) (string, error) {
	if format.Type != JSON {
		switch {
		case c.Unnamed:
			return "", nil
		case c.Path != "":
			return c.Path, nil
		}
		return c.Name, nil
	}
	if c.Path == "" {
		return PathOf(c.Name), nil
	}
	steps, err := ParsePath(c.Path)
	if err != nil {
		return "", err
	}
	return PathOf(steps...), nil
}

// oddEscape is one of a byte, or of the half of a character, which not every reader takes for the same.
var oddEscape = regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*\\(?:x|[uU][dD][89a-fA-F])`)

// ParsePath reads a JSONPath (RFC 9535) that leads from the row to one value through the names of members. It gives the names.
func ParsePath(path string) ([]string, error) {
	expression, err := jp.ParseString(path)
	if err != nil {
		return nil, fmt.Errorf("path %q is not a JSONPath: %w", path, err)
	}
	if oddEscape.MatchString(path) {
		return nil, fmt.Errorf(`path %q has an escape of a byte or of half a character: write the character itself`, path)
	}
	var names []string
	for i, fragment := range expression {
		switch f := fragment.(type) {
		case jp.Root:
			if i == 0 {
				continue
			}
		case jp.Child:
			if i > 0 {
				names = append(names, string(f))
				continue
			}
		}
		names = nil
		break
	}
	if len(names) == 0 || len(names) != len(expression)-1 {
		return nil, fmt.Errorf("path %q does not lead to one member, as $.user.id or $['user id'] do", path)
	}
	return names, nil
}

// PathOf writes the names of members as the JSONPath that ParsePath reads.
func PathOf(names ...string) string {
	path := jp.R()
	for _, name := range names {
		path = path.C(name)
	}
	return path.String()
}

// Encode writes the schema as a file: a column a line.
func (s Schema) Encode() ([]byte, error) {
	var failed error
	value := func(v any) []byte {
		data, err := jsonv2.Marshal(v, jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true))
		failed = errors.Join(failed, err)
		return data
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"source\": %s,\n", value(s.Source))
	if !s.Format.IsDefault() {
		fmt.Fprintf(&b, "  \"format\": %s,\n", value(s.Format))
	}
	if s.Samples != "" {
		fmt.Fprintf(&b, "  \"samples\": %s,\n", value(s.Samples))
	}
	b.WriteString("  \"columns\": [\n")
	for i, c := range s.Columns {
		comma := ","
		if i == len(s.Columns)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, "    %s%s\n", value(c), comma)
	}
	b.WriteString("  ]\n}\n")
	if failed != nil {
		return nil, failed
	}
	if _, err := Parse(b.Bytes()); err != nil {
		return nil, err // nobody is to write what cannot be read
	}
	return b.Bytes(), nil
}

// Index returns the position of the column with the given name or alias (in any case), or -1.
func (s Schema) Index(name string) int {
	for i, c := range s.Columns {
		if strings.EqualFold(c.Name, name) || strings.EqualFold(c.Alias, name) {
			return i
		}
	}
	return -1
}

// NotUTF8 is the error of a file that the ledger's JSON could not hold as it is.
func NotUTF8(name string, text []byte) error {
	if in := encoding.Name(text); in != "" {
		return fmt.Errorf("%s is not UTF-8: save it as that (%s)", name, strings.TrimSuffix(strings.TrimPrefix(in, "not UTF-8, "), ", not UTF-8"))
	}
	return fmt.Errorf("%s is not UTF-8: save it as that", name)
}
